"""XML beside JSON, and instances that come as metadata and bulk data."""

import json
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from hilum.wire.dicom.xml_model import data_set_of_xml, data_set_xml

from .conftest import RELATED, Archive, bundled, made_up, part10, parts_of, related, store

XML = 'multipart/related; type="application/dicom+xml"'
JSON = "application/dicom+json"
Part = tuple[str, str, bytes]
"""Content-Type, Content-Location, and the bytes."""


def _path(data_set: Dataset) -> str:
    return f"/studies/{data_set.StudyInstanceUID}/series/{data_set.SeriesInstanceUID}/instances/{data_set.SOPInstanceUID}"


def _post(
    http: httpx.Client, parts: list[Part], media_type: str = JSON, path: str = "/studies"
) -> httpx.Response:
    body = b"".join(
        b"--b\r\nContent-Type: %s\r\nContent-Location: %s\r\n\r\n%s\r\n"
        % (kind.encode(), location.encode(), content)
        for kind, location, content in parts
    )
    return http.post(
        path,
        content=body + b"--b--",
        headers={"Content-Type": f'multipart/related; type="{media_type}"; boundary=b'},
    )


def _described(data_set: Dataset, uri: str = "bulk/pixels") -> dict[str, Any]:
    metadata: dict[str, Any] = data_set.to_json_dict()
    if "7FE00010" in metadata:
        metadata["7FE00010"] = {"vr": "OW", "BulkDataURI": uri}
    return metadata


def _stored(http: httpx.Client, data_set: Dataset, syntax: str = "*") -> Dataset:
    accept = f"application/dicom; transfer-syntax={syntax}"
    answer = http.get(_path(data_set), headers={"Accept": accept})
    assert answer.status_code == 200, answer.text
    return pydicom.dcmread(BytesIO(answer.content))


def test_metadata_comes_in_xml_one_part_an_instance(http: httpx.Client) -> None:
    images = [
        made_up(SpecificCharacterSet="ISO_IR 192", StudyInstanceUID="1.2.3", PatientName="Dœ^Jane")
        for _ in range(3)
    ]
    store(http, *map(part10, images))
    as_json = {one["00080018"]["Value"][0]: one for one in http.get("/studies/1.2.3/metadata").json()}

    answer = http.get("/studies/1.2.3/metadata", headers={"Accept": XML})

    assert answer.headers["content-type"].startswith(XML)
    assert answer.headers["content-encoding"] == "gzip"
    for head, content in parts_of(answer):
        read = data_set_of_xml(content)
        assert head["content-type"] == "application/dicom+xml"
        assert read == as_json[read["00080018"]["Value"][0]]


def test_one_instance_may_come_as_one_document(http: httpx.Client) -> None:
    image = made_up()
    store(http, part10(image))

    answer = http.get(_path(image) + "/metadata", headers={"Accept": "application/dicom+xml"})

    assert answer.headers["content-type"] == "application/dicom+xml"
    assert data_set_of_xml(answer.content) == http.get(_path(image) + "/metadata").json()[0]


def test_a_search_is_answered_in_xml_and_nothing_found_is_204(http: httpx.Client) -> None:
    store(http, part10(made_up()), part10(made_up()))

    found = http.get("/studies", headers={"Accept": XML})
    nothing = http.get("/studies?PatientID=nobody", headers={"Accept": XML})

    assert [data_set_of_xml(content) for _, content in parts_of(found)] == http.get("/studies").json()
    assert nothing.status_code == 204
    assert nothing.content == b""


def test_json_in_parts_is_one_array(http: httpx.Client) -> None:
    store(http, part10(made_up()), part10(made_up()))

    answer = http.get("/studies", headers={"Accept": f'multipart/related; type="{JSON}"'})

    ((head, content),) = parts_of(answer)
    assert head["content-type"] == JSON
    assert json.loads(content) == http.get("/studies").json()


def test_the_store_response_comes_in_xml(http: httpx.Client) -> None:
    image = made_up()
    headers = {"Content-Type": RELATED, "Accept": "application/dicom+xml"}

    answer = http.post("/studies", content=related(part10(image)), headers=headers)

    assert answer.headers["content-type"] == "application/dicom+xml"
    referenced = data_set_of_xml(answer.content)["00081199"]["Value"][0]
    assert referenced["00081155"]["Value"] == [image.SOPInstanceUID]


@pytest.mark.parametrize("first", [True, False])
def test_metadata_and_uncompressed_pixels_become_an_instance(first: bool, http: httpx.Client) -> None:
    image = made_up(
        SpecificCharacterSet="ISO_IR 100",
        PatientName="Müller^Jörg",
        BitsAllocated=16,
        BitsStored=16,
        HighBit=15,
        PixelData=bytes(range(32)),
    )
    parts = [
        (JSON, "meta", json.dumps([_described(image)]).encode()),
        ("application/octet-stream", "bulk/pixels", image.PixelData),
    ]

    answer = _post(http, parts if first else parts[::-1])

    assert answer.status_code == 200, answer.text
    kept = _stored(http, image)
    assert kept.PixelData == image.PixelData
    assert kept.PatientName == "Müller^Jörg"
    assert kept.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert {one.tag for one in kept} - {0x00080005} == {one.tag for one in image} - {0x00080005}


def test_many_instances_come_in_one_array(http: httpx.Client) -> None:
    images = [made_up(StudyInstanceUID="1.2.3") for _ in range(40)]
    parts = [
        (JSON, "meta", json.dumps([_described(one, f"b/{one.SOPInstanceUID}") for one in images]).encode())
    ]
    parts += [("application/octet-stream", f"b/{one.SOPInstanceUID}", one.PixelData) for one in images]

    answer = _post(http, parts, path="/studies/1.2.3")

    assert answer.status_code == 200, answer.text
    assert len(answer.json()["00081199"]["Value"]) == 40


def test_metadata_in_xml_becomes_an_instance(http: httpx.Client) -> None:
    image = made_up(PatientComments="<&>")
    document = data_set_xml(_described(image))

    answer = _post(
        http,
        [
            ("application/dicom+xml", "m", document),
            ("application/octet-stream", "bulk/pixels", image.PixelData),
        ],
        "application/dicom+xml",
    )

    assert answer.status_code == 200, answer.text
    assert _stored(http, image).PatientComments == "<&>"


@pytest.mark.parametrize("location", ["bulk/pixels", "bulk/pixels/frames/{}"])
def test_compressed_frames_become_fragments(location: str, http: httpx.Client) -> None:
    sent = pydicom.dcmread(BytesIO(bundled("examples_ybr_color.dcm")))
    frames = list(generate_frames(sent.PixelData, number_of_frames=int(sent.NumberOfFrames)))
    parts = [(JSON, "m", json.dumps([_described(sent)]).encode())]
    parts += [
        (f"image/jpeg; transfer-syntax={sent.file_meta.TransferSyntaxUID}", location.format(number), frame)
        for number, frame in enumerate(frames, 1)
    ]

    answer = _post(http, parts)

    assert answer.status_code == 200, answer.text
    kept = _stored(http, sent)
    assert kept.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
    assert list(generate_frames(kept.PixelData, number_of_frames=len(frames))) == frames


def test_a_jpeg_names_its_process_itself(http: httpx.Client) -> None:
    picture = BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(picture, "JPEG")
    image = made_up(Rows=8, Columns=8)

    answer = _post(
        http,
        [
            (JSON, "m", json.dumps([_described(image)]).encode()),
            ("image/jpeg", "bulk/pixels", picture.getvalue()),
        ],
    )

    assert answer.status_code == 200, answer.text
    assert _stored(http, image).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"


def test_nested_bulk_values_find_their_place(http: httpx.Client) -> None:
    sent = pydicom.dcmread(BytesIO(bundled("waveform_ecg.dcm")))
    metadata = sent.to_json_dict(
        bulk_data_threshold=3000, bulk_data_element_handler=lambda one: f"b/{one.tag}"
    )
    samples = sent.WaveformSequence[0].WaveformData
    metadata["54000100"]["Value"] = metadata["54000100"]["Value"][:1]
    parts = [(JSON, "m", json.dumps([metadata]).encode())]
    parts += [
        ("application/octet-stream", f"b/{one.tag}", one.value)
        for one in sent.WaveformSequence[0]
        if one.VR == "OW" and len(one.value) > 3000
    ]

    answer = _post(http, parts)

    assert answer.status_code == 200, answer.text
    assert _stored(http, sent).WaveformSequence[0].WaveformData == samples


def test_what_cannot_be_made_fails_alone_and_is_named(http: httpx.Client, archive: Archive) -> None:
    good, lonely, elsewhere = (made_up(StudyInstanceUID="1.2.3") for _ in range(3))
    elsewhere.StudyInstanceUID = "1.2.4"
    metadata = [
        _described(good),
        _described(lonely, "absent"),
        _described(elsewhere),
        {"00080018": "nonsense"},
    ]
    parts = [
        (JSON, "m", json.dumps(metadata).encode()),
        ("application/octet-stream", "bulk/pixels", good.PixelData),
    ]

    answer = _post(http, parts, path="/studies/1.2.3")

    assert answer.status_code == 202
    failed = {
        one["00081155"]["Value"][0]: one["00081197"]["Value"][0] for one in answer.json()["00081198"]["Value"]
    }
    assert failed == {lonely.SOPInstanceUID: 0xC000, elsewhere.SOPInstanceUID: 0xA900}
    assert len(answer.json()["0008119A"]["Value"]) == 1
    assert answer.json()["00081199"]["Value"][0]["00081155"]["Value"] == [good.SOPInstanceUID]
    assert len(archive.blobs()) == 1


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        b"[",
        b"[{}",
        b"[{} {}]",
        b"{}x",
        b"nonsense",
        b"[" * 100_000,
        b"\xff\xfe",
        b'[{"00100010": {"vr": "PN"}}',
    ],
    ids=range(9),
)
def test_metadata_that_is_malformed_is_refused(metadata: bytes, http: httpx.Client, archive: Archive) -> None:
    answer = _post(http, [(JSON, "m", metadata)])

    assert answer.status_code in (400, 409)
    assert archive.blobs() == []


def test_a_body_of_bulk_data_alone_is_400(http: httpx.Client) -> None:
    answer = _post(http, [("application/octet-stream", "b", b"x")])

    assert answer.status_code == 400
    assert "metadata" in answer.json()["detail"]
