"""QIDO-RS by an outside client and by plain HTTP."""

from typing import Any

import httpx
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset

from .conftest import MOST_ANSWERS, made_up, part10, store


@pytest.fixture
def record(http: httpx.Client) -> dict[str, Any]:
    """Store three studies of two patients: one has two series, of CT and SR."""
    newest = made_up(StudyDate="20240301", StudyTime="0800", AccessionNumber="ACC3", PatientName="Doe^Jane")
    middle = made_up(
        StudyDate="20240201", PatientID="P2", PatientName="Roe^Rick", StudyDescription="CT THORAX"
    )
    oldest = made_up(StudyDate="20240101", PatientID="P2", PatientName="Roe^Rick", Modality="CT")
    note = made_up(
        StudyInstanceUID=oldest.StudyInstanceUID, StudyDate="20240101", PatientID="P2", Modality="SR"
    )
    note.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    images = {"middle": middle, "oldest": oldest, "note": note, "newest": newest}
    assert store(http, *map(part10, images.values())).status_code == 200
    return images


def _studies(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["0020000D"]["Value"][0] for one in answer.json()]


def test_the_newest_study_comes_first(record: dict[str, Any], http: httpx.Client) -> None:
    found = _studies(http.get("/studies"))

    assert found == [record[name].StudyInstanceUID for name in ("newest", "middle", "oldest")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("PatientID=P2", ["middle", "oldest"]),
        ("00100020=P1", ["newest"]),
        ("PatientName=*roe*", ["middle", "oldest"]),
        ("PatientName=DOE^JANE", ["newest"]),
        ("PatientName=ri&fuzzymatching=true", ["middle", "oldest"]),
        ("StudyDate=20240201-", ["newest", "middle"]),
        ("StudyDate=20240101-20240131", ["oldest"]),
        ("StudyDate=-20240201", ["middle", "oldest"]),
        ("ModalitiesInStudy=SR", ["oldest"]),
        ("ModalitiesInStudy=SR,OT", ["newest", "middle", "oldest"]),
        ("AccessionNumber=*CC3*", ["newest"]),
        ("StudyDescription=*CT**", ["middle"]),
        ("PatientID=P2&limit=1", ["middle"]),
        ("PatientID=P2&limit=1&offset=1", ["oldest"]),
        ("limit=0", []),
        ("PatientID=nobody", []),
        ("PatientName=", ["newest", "middle", "oldest"]),
    ],
)
def test_keys_match(query: str, expected: list[str], record: dict[str, Any], http: httpx.Client) -> None:
    answer = http.get(f"/studies?{query}")

    assert _studies(answer) == [record[name].StudyInstanceUID for name in expected]


def test_a_list_of_uids_is_any_of_them(record: dict[str, Any], http: httpx.Client) -> None:
    uids = [record[name].StudyInstanceUID for name in ("newest", "oldest")]

    by_comma = http.get("/studies", params={"StudyInstanceUID": ",".join(uids)})
    by_backslash = http.get("/studies", params={"0020000D": "\\".join(uids)})

    assert _studies(by_comma) == _studies(by_backslash) == uids


def test_series_and_instances_are_found_below_and_across_studies(
    record: dict[str, Any], client: DICOMwebClient
) -> None:
    study, series = record["oldest"].StudyInstanceUID, record["note"].SeriesInstanceUID

    assert len(client.search_for_series()) == 4
    assert len(client.search_for_series(study)) == 2
    assert len(client.search_for_instances()) == 4
    assert len(client.search_for_instances(study)) == 2
    assert len(client.search_for_instances(study, series)) == 1
    assert len(client.search_for_series(search_filters={"Modality": "SR"})) == 1
    assert (
        len(client.search_for_instances(search_filters={"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.11"})) == 1
    )


def test_answers_hold_counts_and_where_to_retrieve(record: dict[str, Any], http: httpx.Client) -> None:
    (study,) = http.get("/studies", params={"StudyInstanceUID": record["oldest"].StudyInstanceUID}).json()

    assert study["00201206"] == {"vr": "IS", "Value": [2]}
    assert study["00201208"] == {"vr": "IS", "Value": [2]}
    assert study["00080061"] == {"vr": "CS", "Value": ["CT", "SR"]}
    assert http.get(study["00081190"]["Value"][0] + "/metadata").status_code == 200


def test_fields_are_returned_when_asked_for(record: dict[str, Any], http: httpx.Client) -> None:
    del record

    plain, asked = http.get("/studies").json(), http.get("/studies?includefield=StudyDescription").json()
    everything = http.get("/studies?includefield=all").json()

    assert all("00081030" not in study for study in plain)
    assert all("00081030" in study for study in asked + everything)


def test_a_page_has_a_longest_length_and_says_that_there_is_more(http: httpx.Client) -> None:
    store(http, *[part10(made_up()) for _ in range(MOST_ANSWERS + 2)])

    capped, asked = http.get("/studies"), http.get("/studies?limit=100")
    page, rest = http.get(f"/studies?limit={MOST_ANSWERS}"), http.get(f"/studies?offset={MOST_ANSWERS}")

    assert len(capped.json()) == len(asked.json()) == len(page.json()) == MOST_ANSWERS
    assert capped.headers["warning"].startswith("299 ")
    assert "Additional results can be requested" in asked.headers["warning"]
    assert "warning" not in page.headers
    assert len(rest.json()) == 2
    assert not set(_studies(rest)) & set(_studies(page))


def test_nothing_found_is_200_and_an_empty_list(http: httpx.Client, client: DICOMwebClient) -> None:
    answer = http.get("/studies")

    assert answer.status_code == 200
    assert answer.json() == client.search_for_studies() == []


def test_unknown_parameters_are_ignored_and_named(record: dict[str, Any], http: httpx.Client) -> None:
    answer = http.get('/studies?Colour=blue&Modality=CT&"><script>=1')

    assert len(_studies(answer)) == len({one.StudyInstanceUID for one in record.values()})
    assert "Colour" in answer.headers["warning"]


@pytest.mark.parametrize(
    "query",
    [
        "StudyDate=yesterday",
        "StudyDate=20240230x",
        "StudyDate=2024-01-01",
        "StudyTime=99",
        "StudyInstanceUID=../../etc",
        "StudyInstanceUID=" + "1" * 300,
        "limit=-1",
        "limit=x",
        "offset=1.5",
        "fuzzymatching=perhaps",
        "PatientID=a&PatientID=b",
    ],
)
def test_what_is_malformed_is_400_and_says_what(query: str, http: httpx.Client) -> None:
    answer = http.get(f"/studies?{query}")

    assert answer.status_code == 400
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/dicom+json", "application/dicom+json"),
        ("application/json", "application/json"),
        ("application/dicom+json, application/json", "application/dicom+json"),
        ("text/html, */*;q=0.8", "application/dicom+json"),
        ("application/dicom+json;q=0.1, application/json", "application/json"),
    ],
)
def test_json_is_answered_as_accepted(accept: str, content_type: str, http: httpx.Client) -> None:
    answer = http.get("/studies", headers={"Accept": accept})

    assert answer.headers["content-type"] == content_type


@pytest.mark.parametrize("accept", ['multipart/related; type="application/pdf"', "text/html", "image/png"])
def test_other_media_types_are_406(accept: str, http: httpx.Client) -> None:
    answer = http.get("/studies", headers={"Accept": accept})

    assert answer.status_code == 406
    assert "application/dicom+json" in answer.json()["next_step"]


@pytest.mark.parametrize("accept", ["nonsense", "a/b;q=2", "x" * 5000, "image/;q=1"])
def test_an_accept_that_is_none_is_400(accept: str, http: httpx.Client) -> None:
    answer = http.get("/studies", headers={"Accept": accept})

    assert answer.status_code == 400


@pytest.mark.parametrize("level", ["studies", "series", "instances"])
def test_pages_stay_true_while_studies_come_in(level: str, http: httpx.Client) -> None:
    """An offset would show the second answer again; the link goes on behind the last one that was seen."""
    unique = {"studies": "0020000D", "series": "0020000E", "instances": "00080018"}[level]
    same_day = [made_up(StudyDate="20240105", StudyTime="10", SeriesNumber=number) for number in range(3)]
    one_study = [
        made_up(
            StudyInstanceUID="1.2.3", StudyDate="20240101", SeriesNumber=number, InstanceNumber=9 - number
        )
        for number in range(3)
    ]
    store(http, *map(part10, same_day + one_study))
    expected = [one[unique]["Value"][0] for one in http.get(f"/{level}?limit=5").json()]

    seen: list[str] = []
    link: str | None = f"/{level}?limit=2&includefield=all"
    while link:
        answer = http.get(link)
        seen += [one[unique]["Value"][0] for one in answer.json()]
        store(http, part10(made_up(StudyDate="20250101")))
        link = answer.links.get("next", {}).get("url")

    assert seen[:5] == expected
    assert len(seen) == len(set(seen)) == (4 if level == "studies" else 6)


@pytest.mark.parametrize("after", ["x", "bm9wZQ", "W10", "!" * 600, "WzEsMiwzLDQsNSw2LDdd", "\u00e4"])
def test_a_page_that_was_never_linked_is_400(after: str, http: httpx.Client) -> None:
    answer = http.get("/studies", params={"after": after})

    assert answer.status_code == 400
    assert "Link" in answer.json()["next_step"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("StudyDate=20240301&StudyTime=0700-0900", ["newest"]),
        ("StudyDate=20240201-20240301&StudyTime=1200-0830", ["newest"]),
        ("StudyDate=20240201-20240301&StudyTime=1000-0830", ["newest", "middle"]),
    ],
)
def test_a_range_of_dates_and_one_of_times_are_one(
    query: str, expected: list[str], record: dict[str, Any], http: httpx.Client
) -> None:
    answer = http.get(f"/studies?{query}")

    assert _studies(answer) == [record[name].StudyInstanceUID for name in expected]


def test_attributes_inside_sequences_match_and_are_returned(http: httpx.Client) -> None:
    request = Dataset()
    request.ScheduledProcedureStepID, request.RequestedProcedureID = "SPS7", "RP7"
    wanted = made_up(RequestAttributesSequence=[request])
    store(http, part10(wanted), part10(made_up()))

    by_tag = http.get("/series?00400275.00400009=SPS7")
    by_keyword = http.get("/series?RequestAttributesSequence.RequestedProcedureID=RP7&includefield=00400275")
    nobody = http.get("/series?00400275.00400009=SPS8")

    for answer in (by_tag, by_keyword):
        (found,) = answer.json()
        assert found["0020000E"]["Value"] == [wanted.SeriesInstanceUID]
        (item,) = found["00400275"]["Value"]
        assert item["00400009"]["Value"] == ["SPS7"]
    assert nobody.json() == []


def test_names_beyond_ascii_say_that_they_are_in_utf_8(http: httpx.Client) -> None:
    store(
        http,
        part10(made_up(SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jörg")),
        part10(made_up(PatientID="P9")),
    )

    found = {one["00100010"]["Value"][0]["Alphabetic"]: one for one in http.get("/studies").json()}

    assert found["Müller^Jörg"]["00080005"] == {"vr": "CS", "Value": ["ISO_IR 192"]}
    assert "00080005" not in found["Doe^Jane"]


def test_the_time_zone_is_returned_where_it_is_known(http: httpx.Client) -> None:
    store(http, part10(made_up(TimezoneOffsetFromUTC="+0100")))

    (found,) = http.get("/studies").json()

    assert found["00080201"] == {"vr": "SH", "Value": ["+0100"]}
