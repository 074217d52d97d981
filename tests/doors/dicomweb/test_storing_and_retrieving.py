"""What is stored by STOW-RS comes back by WADO-RS as it was, asked by an outside client."""

import warnings
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from .conftest import (
    RELATED,
    Archive,
    bundled,
    bundled_files,
    data_set_of,
    made_up,
    part10,
    parts_of,
    related,
    store,
    undecodable,
)

AS_STORED = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
WHOLE = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


def _whole_instance(path: Path) -> Dataset | None:
    """Return what pydicom reads of a file that holds all that makes an instance, with a File Meta Information."""
    file = path.read_bytes()
    if not file[128:].startswith(b"DICM\x02\x00\x00\x00UL\x04\x00") or path.stat().st_size > 4 << 20:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = pydicom.dcmread(path, stop_before_pixels=True)
    return data_set if all(data_set.get(keyword) for keyword in WHOLE) else None


TRUNCATED = {"MR_truncated.dcm", "rtplan_truncated.dcm"}
INSTANCES = {
    path: known
    for path in bundled_files()
    if path.name not in TRUNCATED and (known := _whole_instance(path)) is not None
}


def _path(data_set: Dataset) -> str:
    return (
        f"/studies/{data_set.StudyInstanceUID}/series/{data_set.SeriesInstanceUID}"
        f"/instances/{data_set.SOPInstanceUID}"
    )


@pytest.mark.parametrize("path", INSTANCES, ids=lambda path: path.name)
def test_every_real_file_comes_back_with_its_data_set_byte_for_byte(path: Path, http: httpx.Client) -> None:
    file, known = path.read_bytes(), INSTANCES[path]

    stored = store(http, file)
    back = http.get(_path(known), headers=AS_STORED)

    assert stored.status_code == 200, stored.text
    ((head, content),) = parts_of(back)
    assert data_set_of(content) == data_set_of(file)
    assert head["content-type"] == f"application/dicom; transfer-syntax={known.file_meta.TransferSyntaxUID}"
    assert head["content-location"].endswith(_path(known))


@pytest.mark.parametrize("name", sorted(TRUNCATED))
def test_a_truncated_instance_is_refused_with_the_reason(
    name: str, http: httpx.Client, archive: Archive
) -> None:
    answer = store(http, bundled(name))

    assert answer.status_code == 409
    (failed,) = answer.json()["00081198"]["Value"]
    assert failed["00081197"]["Value"] == [0xC000]
    assert "truncated" in failed["00000902"]["Value"][0]
    assert http.get("/instances").json() == []
    assert archive.blobs() == []


def test_an_outside_client_stores_finds_and_retrieves(client: DICOMwebClient) -> None:
    sent = pydicom.dcmread(BytesIO(bundled("CT_small.dcm")))

    answer = client.store_instances([sent])
    found = client.search_for_instances(sent.StudyInstanceUID)
    back = client.retrieve_instance(sent.StudyInstanceUID, sent.SeriesInstanceUID, sent.SOPInstanceUID)

    assert answer.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == sent.SOPInstanceUID
    assert [one["00080018"]["Value"] for one in found] == [[sent.SOPInstanceUID]]
    assert back == sent


def test_a_study_and_a_series_come_as_one_part_an_instance(client: DICOMwebClient) -> None:
    sent = [made_up(StudyInstanceUID="1.2.3", SeriesInstanceUID=f"1.2.3.{n // 3}") for n in range(6)]
    client.store_instances(sent)

    study = client.retrieve_study("1.2.3")
    series = client.retrieve_series("1.2.3", "1.2.3.1")

    assert {one.SOPInstanceUID for one in study} == {one.SOPInstanceUID for one in sent}
    assert {one.SOPInstanceUID for one in series} == {one.SOPInstanceUID for one in sent[3:]}


def test_urls_of_an_answer_lead_to_what_was_stored(http: httpx.Client) -> None:
    answer = store(http, part10(made_up())).json()

    study, instance = answer["00081190"]["Value"][0], answer["00081199"]["Value"][0]["00081190"]["Value"][0]

    assert http.get(study, headers=AS_STORED).status_code == 200
    assert http.get(instance, headers=AS_STORED).status_code == 200


def test_storing_again_is_success_and_changes_nothing(http: httpx.Client) -> None:
    file = part10(made_up())

    answers = [store(http, file) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(http.get("/instances").json()) == 1


def test_other_bytes_under_a_known_uid_are_kept_aside_and_said_so(
    http: httpx.Client, archive: Archive
) -> None:
    first = made_up()
    other = made_up(**{keyword: first.get(keyword) for keyword in WHOLE}, PatientComments="other")
    store(http, part10(first))

    answer = store(http, part10(other))

    assert answer.status_code == 409
    assert answer.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0x0111]
    assert [one.kind for one in archive.hub.conflicts(archive.operator)] == ["same-uid"]
    ((_, content),) = parts_of(http.get(_path(first), headers=AS_STORED))
    assert data_set_of(content) == data_set_of(part10(first))


def test_of_two_parts_with_one_uid_the_first_is_kept(http: httpx.Client) -> None:
    first = made_up()
    other = made_up(**{keyword: first.get(keyword) for keyword in WHOLE}, PatientComments="other")

    answer = store(http, part10(first), part10(other))

    assert answer.status_code == 202
    ((_, content),) = parts_of(http.get(_path(first), headers=AS_STORED))
    assert data_set_of(content) == data_set_of(part10(first))


def test_some_good_some_bad_is_202_and_names_each(http: httpx.Client) -> None:
    good, outside, print_job = (
        made_up(StudyInstanceUID="1.2.3"),
        made_up(),
        made_up(SOPClassUID="1.2.840.10008.5.1.1.1"),
    )
    print_job.StudyInstanceUID = "1.2.3"

    answer = store(http, part10(good), part10(outside), b"no dicom", part10(print_job), path="/studies/1.2.3")

    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/dicom+json"
    body = answer.json()
    assert [one["00081155"]["Value"] for one in body["00081199"]["Value"]] == [[good.SOPInstanceUID]]
    reasons = {one["00081155"]["Value"][0]: one["00081197"]["Value"][0] for one in body["00081198"]["Value"]}
    assert reasons == {outside.SOPInstanceUID: 0xA900, print_job.SOPInstanceUID: 0x0122}
    assert [one["00081197"]["Value"] for one in body["0008119A"]["Value"]] == [[0xC000]]


def test_an_outside_client_reads_why_an_instance_failed(client: DICOMwebClient) -> None:
    good, bad = made_up(), made_up(SOPClassUID="1.2.840.10008.5.1.1.1")

    answer = client.store_instances([good, bad])

    assert answer.FailedSOPSequence[0].ReferencedSOPInstanceUID == bad.SOPInstanceUID
    assert answer.FailedSOPSequence[0].FailureReason == 0x0122


def test_a_single_instance_needs_no_parts(http: httpx.Client) -> None:
    image = made_up()

    stored = http.post("/studies", content=part10(image), headers={"Content-Type": "application/dicom"})
    back = http.get(_path(image), headers={"Accept": "application/dicom; transfer-syntax=*"})

    assert stored.status_code == 200
    assert back.headers["content-type"] == f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"
    assert int(back.headers["content-length"]) == len(back.content)
    assert data_set_of(back.content) == data_set_of(part10(image))


@pytest.mark.parametrize("chunk", [1, 7, 1000, 100_000])
def test_how_the_body_is_cut_into_chunks_does_not_matter(chunk: int, http: httpx.Client) -> None:
    files = [part10(made_up()), part10(made_up())]
    body = related(*files)

    answer = http.post(
        "/studies",
        content=iter([body[at : at + chunk] for at in range(0, len(body), chunk)]),
        headers={"Content-Type": RELATED},
    )

    assert answer.status_code == 200, answer.text
    assert len(answer.json()["00081199"]["Value"]) == 2


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/related; type="application/dicom"; boundary="b0undary"',
        "multipart/related; type=application/dicom; boundary=b0undary",
        "multipart/related; boundary=b0undary",
        'Multipart/Related; Boundary="b0undary"; Type="Application/DICOM"; start="x"',
    ],
)
def test_content_types_of_the_field_are_read(content_type: str, http: httpx.Client) -> None:
    answer = http.post("/studies", content=related(part10(made_up())), headers={"Content-Type": content_type})

    assert answer.status_code == 200, answer.text


def test_without_a_demand_compressed_pixels_come_decoded(http: httpx.Client) -> None:
    sent = pydicom.dcmread(BytesIO(bundled("MR_small_jp2klossless.dcm")))
    store(http, bundled("MR_small_jp2klossless.dcm"))

    ((head, content),) = parts_of(
        http.get(_path(sent), headers={"Accept": 'multipart/related; type="application/dicom"'})
    )

    assert head["content-type"] == f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"
    back = pydicom.dcmread(BytesIO(content))
    assert back.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert np.array_equal(back.pixel_array, sent.pixel_array)


def test_without_a_demand_what_cannot_be_decoded_comes_as_stored(http: httpx.Client) -> None:
    sent = pydicom.dcmread(BytesIO(undecodable()))
    store(http, undecodable())

    by_default = http.get(_path(sent), headers={"Accept": 'multipart/related; type="application/dicom"'})
    by_name = http.get(
        _path(sent),
        headers={
            "Accept": 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1'
        },
    )

    ((head, content),) = parts_of(by_default)
    assert head["content-type"].endswith(sent.file_meta.TransferSyntaxUID)
    assert data_set_of(content) == data_set_of(undecodable())
    assert by_name.status_code == 406
    assert "transfer-syntax=*" in by_name.json()["next_step"]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "multipart/related"),
        ("text/html, */*;q=0.1", "multipart/related"),
        ("application/dicom, multipart/related;q=0.5", "application/dicom"),
        ("multipart/related; type=application/dicom; transfer-syntax=*", "multipart/related"),
    ],
)
def test_what_is_accepted_decides_the_form(accept: str, content_type: str, http: httpx.Client) -> None:
    image = made_up()
    store(http, part10(image))

    answer = http.get(_path(image), headers={"Accept": accept})

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(content_type)


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/dicom+xml",
        'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.2',
        "*/*;q=0",
    ],
)
def test_what_is_not_available_is_406_and_says_what_is(accept: str, http: httpx.Client) -> None:
    image = made_up()
    store(http, part10(image))

    answer = http.get(_path(image), headers={"Accept": accept})

    assert answer.status_code == 406
    assert "application/dicom" in answer.json()["next_step"]


@pytest.mark.parametrize("end", ["", "/metadata", "/frames/1", "/rendered", "/thumbnail"])
def test_an_entity_tag_saves_the_second_transfer(end: str, http: httpx.Client) -> None:
    image = made_up()
    store(http, part10(image))
    first = http.get(_path(image) + end)

    again = http.get(_path(image) + end, headers={"If-None-Match": f'"other", {first.headers["etag"]}'})

    assert first.status_code == 200
    assert first.headers["cache-control"] == "private, no-cache"
    assert again.status_code == 304
    assert again.content == b""


def test_an_entity_tag_is_of_one_form(http: httpx.Client) -> None:
    image = made_up()
    store(http, part10(image))
    first = http.get(_path(image) + "/rendered", headers={"Accept": "image/jpeg"})

    other = http.get(
        _path(image) + "/rendered", headers={"Accept": "image/png", "If-None-Match": first.headers["etag"]}
    )

    assert other.status_code == 200
    assert other.headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    "path", ["/studies/1.2.3", "/studies/1.2.3/metadata", "/studies/1.2.3/series/1.2/rendered"]
)
def test_what_is_not_here_is_404(path: str, http: httpx.Client) -> None:
    answer = http.get(path)

    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("there is no such ")


def test_an_instance_is_found_below_its_own_study_only(http: httpx.Client) -> None:
    image, other = made_up(), made_up()
    store(http, part10(image), part10(other))

    answer = http.get(
        f"/studies/{other.StudyInstanceUID}/series/{image.SeriesInstanceUID}/instances/{image.SOPInstanceUID}"
    )

    assert answer.status_code == 404


@pytest.mark.parametrize(
    "uid",
    ["..%2F..%2Fetc%2Fpasswd", "1..2", ".1", "1.2/3", "1" * 300, "1.2.x", "%00", "1.2%0A", "*", "1.2\\1.3"],
)
def test_what_is_no_uid_never_gets_further(uid: str, http: httpx.Client) -> None:
    answers = [http.get(f"/studies/{uid}{end}") for end in ("", "/metadata", "/rendered", "/series")]

    assert {answer.status_code for answer in answers} <= {400, 404}
    assert all(uid not in answer.text for answer in answers if len(uid) > 80)


def test_other_methods_are_405_and_options_names_ours(http: httpx.Client) -> None:
    refused, asked = http.put("/studies/1.2.3"), http.options("/studies")

    assert refused.status_code == 405
    assert asked.status_code == 204
    assert "POST" in asked.headers["allow"]
