"""Searches of the FHIR door, over the record as DICOM and HL7 made it."""

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from hilum.core.access import policy


@pytest.mark.parametrize(
    ("search", "who"),
    [
        ("identifier=4711", ["anna"]),
        ("identifier=urn:hilum:issuer:STMARY|4711", ["anna"]),
        ("identifier=urn:hilum:issuer:STMARY|", ["anna", "jane"]),
        ("identifier=urn:hilum:issuer:OTHER|4711", []),
        ("identifier=|4711", []),
        ("identifier=4711,0815", ["anna", "jane"]),
        ("family=do", ["anna"]),
        ("given=mar", ["jane"]),
        ("name=jane", ["jane"]),
        ("birthdate=1970-01-31", ["anna"]),
        ("birthdate=1970", ["anna"]),
        ("birthdate=ne1970", ["jane"]),
        ("birthdate=ge1970-01-31&birthdate=lt1980", ["anna"]),
        ("birthdate=1970-01-31,1980-02-02", ["anna", "jane"]),
        ("gender=female", ["anna", "jane"]),
        ("gender=male", []),
        ("active=true&family=roe", ["jane"]),
        ("active=false", []),
        ("_lastUpdated=gt2020-01-01", ["anna", "jane"]),
        ("_lastUpdated=lt2020-01-01", []),
        ("family=doe&birthdate=1980", []),
    ],
)
def test_patients_are_found(reader: Any, day: dict[str, str], search: str, who: list[str]) -> None:
    assert sorted(reader.ids(f"Patient?{search}")) == sorted(day[name] for name in who)


@pytest.mark.parametrize(
    ("search", "which"),
    [
        ("identifier=A1", ["ct"]),
        ("accession=A9", ["mr"]),
        ("identifier=A1,A9", ["ct", "mr"]),
        ("identifier=urn:dicom:uid|urn:oid:1.2.9", ["mr"]),
        ("identifier=urn:oid:1.2.9", ["mr"]),
        ("_id=1.2.9", ["mr"]),
        ("patient.identifier=4711", ["ct"]),
        ("patient.identifier=urn:hilum:issuer:STMARY|0815", ["mr"]),
        ("subject:Patient.identifier=0815", ["mr"]),
        ("patient.family=Doe&patient.birthdate=1970", ["ct"]),
        ("patient.family=Doe&patient.birthdate=1980", []),
        ("patient=nobody", []),
        ("started=2026-01-02", ["ct"]),
        ("started=2026-01", ["ct"]),
        ("started=ge2025-05-05&started=lt2026", ["mr"]),
        ("started=2025-05-05T23:59:59Z", ["mr"]),
        ("started=gt2025-05-05T23:59:59Z", ["ct"]),
        ("started=ne2026-01-02", ["mr"]),
        ("started=2025,2026", ["ct", "mr"]),
        ("started=eb2025", []),
        ("modality=CT", ["ct"]),
        ("modality=http://dicom.nema.org/resources/ontology/DCM|MR", ["mr"]),
        ("modality=CT,MR", ["ct", "mr"]),
        ("modality=http://other.example|CT", []),
        ("dicom-class=urn:oid:1.2.840.10008.5.1.4.1.1.2", ["ct", "mr"]),
        ("status=available", ["ct", "mr"]),
        ("status=cancelled", []),
        ("basedon.identifier=A1", ["ct"]),
        ("_lastUpdated=ge2020", ["ct", "mr"]),
        ("modality=CT&started=2025", []),
    ],
)
def test_studies_are_found(reader: Any, day: dict[str, str], search: str, which: list[str]) -> None:
    assert reader.ids(f"ImagingStudy?{search}") == [day[name] for name in which]


def test_studies_are_found_by_references_to_patient_and_order(reader: Any, day: dict[str, str]) -> None:
    base = f"{reader.base_url}/fhir"
    searches = [
        f"patient={day['anna']}",
        f"patient=Patient/{day['anna']}",
        f"subject={base}/Patient/{day['anna']}",
        f"basedon=ServiceRequest/{day['order']}",
    ]

    assert [reader.ids(f"ImagingStudy?{search}") for search in searches] == [[day["ct"]]] * 4


@pytest.mark.parametrize(
    ("search", "count"),
    [
        ("identifier=A1", 1),
        ("identifier=P1", 1),
        ("identifier=urn:hilum:issuer:RIS|F1", 1),
        ("identifier=urn:hilum:issuer:RIS|P1", 0),
        ("status=active", 1),
        ("status=completed", 0),
        ("patient.identifier=4711", 1),
        ("patient.identifier=0815", 0),
        ("code=24725-4", 1),
        ("code=http://loinc.org|24725-4", 1),
        ("code=http://loinc.org|24725", 0),
        ("occurrence=2026-01-02", 1),
        ("occurrence=gt2026-01-02T09:30", 0),
        ("authored=ge2020", 1),
        ("authored=lt2020", 0),
        ("intent=order", 1),
        ("intent=plan", 0),
    ],
)
def test_orders_are_found(reader: Any, search: str, count: int) -> None:
    assert len(reader.found(f"ServiceRequest?{search}")) == count


def test_an_order_is_found_by_the_study_that_it_became(reader: Any, day: dict[str, str]) -> None:
    assert reader.ids(f"ServiceRequest?identifier=urn:dicom:uid|urn:oid:{day['ct']}") == [day["order"]]


@pytest.mark.parametrize(
    ("search", "count"),
    [
        ("identifier=F1", 1),
        ("identifier=A1", 1),
        ("patient.identifier=4711", 1),
        ("based-on.identifier=A1", 1),
        ("status=final", 1),
        ("status=preliminary", 0),
        ("date=2026-01-02", 1),
        ("issued=ge2026-01-02", 1),
        ("issued=gt2026-01-02", 0),
        ("code=24725-4", 1),
        ("category=RAD", 1),
        ("category=LAB", 0),
        ("_lastUpdated=gt2020", 1),
    ],
)
def test_reports_are_found(reader: Any, search: str, count: int) -> None:
    assert len(reader.found(f"DiagnosticReport?{search}")) == count


def test_reports_are_found_by_references(reader: Any, day: dict[str, str]) -> None:
    for search in (
        f"patient=Patient/{day['anna']}",
        f"based-on=ServiceRequest/{day['order']}",
        f"imagingStudy=ImagingStudy/{day['ct']}",
        f"_id={day['report']}",
    ):
        assert reader.ids(f"DiagnosticReport?{search}") == [day["report"]]


@pytest.mark.parametrize(
    ("search", "parts"),
    [
        ("patient.identifier=4711", [1, 2]),
        ("status=final", [1]),
        ("status=preliminary", [2]),
        ("code=http://loinc.org|21889-1", [1]),
        ("code=X1", [2]),
        ("category=imaging", [1, 2]),
        ("patient.identifier=0815", []),
        ("date=2026-01-02", [1, 2]),
    ],
)
def test_observations_are_found(reader: Any, day: dict[str, str], search: str, parts: list[int]) -> None:
    assert reader.ids(f"Observation?{search}") == [f"{day['report']}-{part}" for part in parts]
    assert reader.read(f"Observation?{search}&_summary=count")["total"] == len(parts)


def test_an_observation_is_found_by_its_id(reader: Any, day: dict[str, str]) -> None:
    assert reader.ids(f"Observation?_id={day['report']}-2") == [f"{day['report']}-2"]


def test_after_a_merge_everything_is_found_under_the_survivor_by_either_id(
    client: Any, hospital: Any
) -> None:
    day = hospital.day()
    hospital.merge("0815", "4711")

    for who in (day["anna"], day["jane"]):
        assert client.ids(f"ImagingStudy?patient={who}") == [day["ct"], day["mr"]]
        assert client.ids(f"ServiceRequest?patient=Patient/{who}") == [day["order"]]
        assert client.ids(f"DiagnosticReport?patient={who}") == [day["report"]]
        assert len(client.ids(f"Observation?patient={who}")) == 2
    for number in ("4711", "0815"):
        assert client.ids(f"ImagingStudy?patient.identifier={number}") == [day["ct"], day["mr"]]
        assert client.ids(f"Patient?identifier={number}") == [day["jane"]]
    subjects = [one["subject"]["reference"] for one in client.found("ImagingStudy")]
    assert subjects == [f"Patient/{day['jane']}"] * 2
    assert client.ids("Patient?active=false") == [day["anna"]]
    assert client.ids(f"Patient?_id={day['anna']}") == [day["anna"]]
    assert client.read(f"Patient/{day['anna']}")["link"][0]["type"] == "replaced-by"


def test_an_unmerge_brings_everything_back(client: Any, hospital: Any) -> None:
    day = hospital.day()
    hospital.merge("0815", "4711")

    hospital.hub.unmerge_patient(policy.local_operator("test"), day["anna"])

    assert client.ids(f"ImagingStudy?patient={day['anna']}") == [day["ct"]]
    assert client.ids(f"ImagingStudy?patient={day['jane']}") == [day["mr"]]
    assert client.read(f"Patient/{day['anna']}")["active"] is True


def test_pages_are_linked_and_keep_the_search(client: Any, hospital: Any) -> None:
    for number in range(7):
        hospital.study(f"1.2.{number + 1}", "4711", modality="CT", study_date=f"2026010{number + 1}")
    seen: list[str] = []
    url = "ImagingStudy?modality=CT&_count=3&_format=json"
    sizes = []

    while url:
        page = client.read(url)
        sizes.append(len(page["entry"]))
        seen += [entry["resource"]["id"] for entry in page["entry"]]
        links = {link["relation"]: link["url"] for link in page["link"]}
        assert page["total"] == 7
        assert "modality=CT" in links["self"]
        assert "_format=json" in links["self"]
        url = links.get("next", "").removeprefix(f"{client.base_url}/fhir/")

    assert sizes == [3, 3, 1]
    assert seen == [f"1.2.{number}" for number in range(7, 0, -1)]
    assert "previous" in links


def test_observations_are_paged_across_reports(client: Any, hospital: Any) -> None:
    hospital.patient("4711")
    for number in range(4):
        hospital.report("4711", f"{number}")
    everything = client.ids("Observation")
    seen: list[str] = []
    url = "Observation?_count=3"

    while url:
        page = client.read(url)
        seen += [entry["resource"]["id"] for entry in page.get("entry", [])]
        links = {link["relation"]: link["url"] for link in page["link"]}
        url = links.get("next", "").removeprefix(f"{client.base_url}/fhir/")

    assert len(everything) == 8
    assert seen == everything


@pytest.mark.usefixtures("day")
def test_only_the_total_is_told_when_only_it_is_asked(reader: Any) -> None:
    for kind, total in (("Patient", 2), ("ImagingStudy", 2), ("ServiceRequest", 1), ("DiagnosticReport", 1)):
        for how in ("_summary=count", "_count=0"):
            found = reader.read(f"{kind}?{how}")
            assert (found["total"], found.get("entry")) == (total, None)


@pytest.mark.usefixtures("day")
def test_no_total_is_told_when_none_is_asked(reader: Any) -> None:
    for kind in ("Patient", "ImagingStudy", "Observation"):
        assert "total" not in reader.read(f"{kind}?_total=none")


def test_post_searches_like_get(reader: Any, day: dict[str, str]) -> None:
    posted = reader.ask("ImagingStudy/_search?modality=CT", "POST", data={"patient.identifier": "4711"})
    other = reader.ask("ImagingStudy/_search", "POST", json={"patient": "x"})

    assert posted.status_code == 200
    assert [entry["resource"]["id"] for entry in posted.json()["entry"]] == [day["ct"]]
    assert "modality=CT" in posted.json()["link"][0]["url"]
    assert other.status_code == 415


def test_an_unknown_parameter_is_left_out_and_told(reader: Any, day: dict[str, str]) -> None:
    lenient = reader.read("Patient?identifier=4711&shoe-size=43")
    strict = reader.ask("Patient?identifier=4711&shoe-size=43", headers={"Prefer": "handling=strict"})

    entries = {entry["search"]["mode"]: entry["resource"] for entry in lenient["entry"]}
    assert "shoe-size" in entries["outcome"]["issue"][0]["diagnostics"]
    assert entries["match"]["id"] == day["anna"]
    assert "shoe-size" not in lenient["link"][0]["url"]
    assert strict.status_code == 400
    assert strict.json()["issue"][0]["code"] == "not-supported"


@pytest.mark.usefixtures("day")
def test_a_known_order_is_kept_and_another_is_told(reader: Any) -> None:
    known = reader.read("ImagingStudy?_sort=-started")
    other = reader.read("ImagingStudy?_sort=description")

    assert [entry["search"]["mode"] for entry in known["entry"]] == ["match", "match"]
    assert other["entry"][-1]["search"]["mode"] == "outcome"


def test_a_page_costs_the_same_number_of_statements_whatever_its_length(client: Any, hospital: Any) -> None:
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    def cost(path: str) -> int:
        statements.clear()
        client.read(path)
        return len(statements)

    for number in range(12):
        hospital.patient(f"{number}")
        order = hospital.order(f"{number}", f"{number}")
        hospital.study(order.study_instance_uid, f"{number}", f"A{number}", instances=3)
        hospital.report(f"{number}", f"{number}")
    event.listen(Engine, "before_cursor_execute", note)
    try:
        for kind in ("Patient", "ServiceRequest", "ImagingStudy", "DiagnosticReport", "Observation"):
            assert cost(f"{kind}?_count=2") == cost(f"{kind}?_count=12"), kind
    finally:
        event.remove(Engine, "before_cursor_execute", note)


HOSTILE = [
    ("Patient", "_count=999999999"),
    ("Patient", "_count=99999999999999999999"),
    ("Patient", "_count=-1"),
    ("Patient", "_page=999999999.999999999"),
    ("Patient", "_page=1.2.3"),
    ("Patient", "_page=%F0%9F%98%80"),
    ("Patient", "identifier=%00"),
    ("Patient", "identifier=%ED%A0%80"),
    ("Patient", "identifier='; DROP TABLE patient_records; --"),
    ("Patient", "name=%25%25_%5C"),
    ("Patient", "name=" + "a+" * 2000),
    ("Patient", "family=" + "%F0%9F%98%80" * 60),
    ("Patient", "birthdate=0001-01-01"),
    ("Patient", "birthdate=9999-12-31"),
    ("Patient", "birthdate=le9999-12-31T23:59:59-14:00"),
    ("Patient", "_lastUpdated=ge0001-01-01T00:00:00%2B14:00"),
    ("Patient", "_lastUpdated=le9999-12-31T23:59:59-14:00"),
    ("Patient", "&".join(["birthdate=ne2000,ne2001,ne2002"] * 20)),
    ("Patient", "&".join(f"x{number}=1" for number in range(500))),
    ("Patient", "identifier=" + "x," * 5000),
    ("ImagingStudy", "&".join(["patient.identifier=1,2,3"] * 40)),
    ("ImagingStudy", "patient.identifier=" + ",".join(f"a|{number}" for number in range(50))),
    ("ImagingStudy", "started=" + ",".join(["ne2020"] * 50)),
    ("ImagingStudy", "patient.patient.patient.identifier=1"),
    ("ImagingStudy", "_id=../../etc/passwd"),
    ("ImagingStudy", "_sort=%27"),
    ("DiagnosticReport", "identifier=" + ",".join(f"a|{number}" for number in range(50))),
    ("DiagnosticReport", "based-on.patient.identifier=1"),
    ("DiagnosticReport", "based-on.code=http://loinc.org|%25,_"),
    ("Observation", "_id=-,--,-1"),
    ("Observation", "_page=0.999999999"),
]


@pytest.mark.usefixtures("day")
@pytest.mark.parametrize(("kind", "search"), HOSTILE)
def test_hostile_searches_are_answered_or_refused(reader: Any, kind: str, search: str) -> None:
    response = reader.ask(f"{kind}?{search}")

    assert response.status_code in (200, 400), response.text


@pytest.mark.usefixtures("day")
def test_a_percent_sign_is_only_a_percent_sign(reader: Any) -> None:
    assert reader.ids("Patient?name=%25") == []
    assert reader.ids("Patient?family=_oe") == []


PIECES = st.sampled_from(
    [
        "|",
        ",",
        "\\",
        "$",
        "ge",
        "2026-01-02",
        "T10:00:00Z",
        "Patient/",
        "%",
        "'",
        '"',
        ";",
        "*",
        "?",
        "1.2.3",
        "A1",
    ]
)
VALUES = st.lists(PIECES | st.text(max_size=5), max_size=6).map("".join)
NAMES = st.sampled_from(
    [
        "_id", "_lastUpdated", "_count", "_page", "_total", "_summary", "_sort", "_format", "_pretty", "identifier",
        "patient", "patient.identifier", "patient.name", "subject:Patient.birthdate", "started", "modality", "status",
        "code", "date", "issued", "based-on", "basedon", "birthdate", "family", "given", "gender", "active", "foo",
        "_has:Observation:patient:code", "identifier:not", "authored", "occurrence", "imagingStudy", "part-of",
    ]
)  # fmt: skip
KINDS = st.sampled_from(
    ["Patient", "ServiceRequest", "ImagingStudy", "DiagnosticReport", "Observation", "Endpoint"]
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(kind=KINDS, pairs=st.lists(st.tuples(NAMES, VALUES), max_size=4))
def test_any_search_is_answered_or_refused(reader: Any, kind: str, pairs: list[tuple[str, str]]) -> None:
    response = reader.ask(f"{kind}?{urlencode(pairs, errors='replace')}")

    assert response.status_code in (200, 400, 406), response.text


def test_a_page_of_reports_is_short_however_long_it_is_asked(client: Any, hospital: Any) -> None:
    hospital.patient("4711")
    for number in range(52):
        hospital.report("4711", f"{number}", observations=(), text="")

    page = client.read("DiagnosticReport?_count=500")

    links = {link["relation"]: link["url"] for link in page["link"]}
    assert (page["total"], len(page["entry"])) == (52, 50)
    rest = client.read(links["next"].removeprefix(f"{client.base_url}/fhir/"))
    assert len(rest["entry"]) == 2
