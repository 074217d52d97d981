"""The requests that OHIF 3.13 was seen to send, word for word, and what it must find in the answers."""

from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import httpx
import pydicom
import pytest
from pydicom.dataset import Dataset

from .conftest import RELATED, bundled, data_set_of, made_up, part10, parts_of, related, store

QIDO = {"Accept": "application/dicom+json"}
LIST = (
    "/studies?limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030"
)
FRAMES = {"Accept": "multipart/related; type=application/octet-stream; transfer-syntax=*"}
NEEDED = {
    "00080020", "00080030", "00080050", "00080061", "00081030", "00100010", "00100020", "00201206", "00201208", "0020000D",
}  # fmt: skip


@pytest.fixture
def ct(http: httpx.Client) -> Dataset:
    """Store a CT study."""
    sent = made_up(
        Modality="CT", StudyDescription="CT THORAX", AccessionNumber="ACC0001", PatientID="UX-0001"
    )
    assert store(http, part10(sent)).status_code == 200
    return sent


def _json(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/dicom+json"
    return answer.json()


def _path(data_set: Dataset) -> str:
    return (
        f"/studies/{data_set.StudyInstanceUID}/series/{data_set.SeriesInstanceUID}"
        f"/instances/{data_set.SOPInstanceUID}"
    )


def test_the_study_list(ct: Dataset, http: httpx.Client) -> None:
    answer = http.get(LIST, headers=QIDO)

    (study,) = _json(answer)
    assert study.keys() >= NEEDED
    assert study["0020000D"]["Value"] == [ct.StudyInstanceUID]
    assert "warning" not in answer.headers


@pytest.mark.parametrize(
    "query",
    [
        "PatientName=*doe*",
        "00100020=*UX-0001*",
        "AccessionNumber=*ACC0001*",
        "StudyDescription=*CT**",
        "ModalitiesInStudy=CT",
        "StudyDate=20200101-20271231",
        "PatientName=*doe*&00100020=*UX*&StudyDate=20200101-20271231",
    ],
)
def test_the_filters_of_the_study_list(query: str, ct: Dataset, http: httpx.Client) -> None:
    (study,) = _json(http.get(f"{LIST}&{query}", headers=QIDO))

    assert study["0020000D"]["Value"] == [ct.StudyInstanceUID]


def test_a_study_is_opened(ct: Dataset, http: httpx.Client) -> None:
    study, series = ct.StudyInstanceUID, ct.SeriesInstanceUID

    selected = _json(http.get(f"/studies/{study}/series?includefield=0008103E%2C00080021", headers=QIDO))
    again = _json(http.get(f"{LIST}&StudyInstanceUID={study}", headers=QIDO))
    below = _json(
        http.get(f"/studies/{study}/series?includefield=00080021,00080031,0008103E,00200011", headers=QIDO)
    )
    metadata = _json(http.get(f"/studies/{study}/series/{series}/metadata", headers=QIDO))
    priors = _json(http.get("/studies?00100020=UX-0001&limit=101&offset=0", headers=QIDO))

    assert selected[0]["00201209"]["Value"] == [1]
    assert len(again) == len(priors) == 1
    assert below[0].keys() >= {"00080021", "00080031", "0008103E", "00200011", "00080060"}
    assert metadata[0]["00280010"]["Value"] == [4]
    assert "BulkDataURI" in metadata[0]["7FE00010"]


def test_native_frames(ct: Dataset, http: httpx.Client) -> None:
    answer = http.get(_path(ct) + "/frames/1", headers=FRAMES)

    ((head, content),) = parts_of(answer)
    assert head["content-type"] == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    assert content == ct.PixelData


def test_compressed_frames_as_stored(http: httpx.Client) -> None:
    sent = pydicom.dcmread(BytesIO(bundled("MR_small_jp2klossless.dcm")))
    store(http, bundled("MR_small_jp2klossless.dcm"))

    ((head, content),) = parts_of(http.get(_path(sent) + "/frames/1", headers=FRAMES))

    assert head["content-type"] == "image/jp2; transfer-syntax=1.2.840.10008.1.2.4.90"
    assert content.startswith((b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP"))


def test_a_segmentation_is_retrieved_whole(http: httpx.Client) -> None:
    sent = pydicom.dcmread(BytesIO(bundled("liver_1frame.dcm")))
    store(http, bundled("liver_1frame.dcm"))

    answer = http.get(_path(sent), headers={"Accept": 'multipart/related; type="application/dicom"'})

    ((head, content),) = parts_of(answer)
    assert head["content-type"].startswith("application/dicom")
    assert data_set_of(content) == data_set_of(bundled("liver_1frame.dcm"))


def test_the_text_of_a_structured_report_is_in_its_metadata(http: httpx.Client) -> None:
    sent = pydicom.dcmread(BytesIO(bundled("test-SR.dcm")))
    store(http, bundled("test-SR.dcm"))

    (metadata,) = _json(http.get(f"/studies/{sent.StudyInstanceUID}/metadata", headers=QIDO))

    assert len(metadata["0040A730"]["Value"]) == len(sent.ContentSequence)
    assert "BulkDataURI" not in str(metadata["0040A730"])


def test_a_pdf_by_its_bulk_data_uri(http: httpx.Client) -> None:
    document = made_up(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1",
        MIMETypeOfEncapsulatedDocument="application/pdf",
        EncapsulatedDocument=b"%PDF-1.4" + bytes(2000),
    )
    del document.PixelData
    store(http, part10(document))
    (metadata,) = _json(http.get(f"/studies/{document.StudyInstanceUID}/metadata", headers=QIDO))
    url = metadata["00420011"]["BulkDataURI"]
    accept = 'multipart/related; type="application/pdf", multipart/related; type="application/octet-stream"'

    ((head, content),) = parts_of(http.get(url, headers={"Accept": accept}))

    assert url.endswith("/bulk/00420011")
    assert head["content-type"] == "application/pdf"
    assert content == document.EncapsulatedDocument


def test_a_bulk_data_uri_has_the_address_that_a_proxy_shows(ct: Dataset, http: httpx.Client) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "localhost", "X-Forwarded-Prefix": "/pacs"}

    (metadata,) = _json(http.get(f"/studies/{ct.StudyInstanceUID}/metadata", headers={**QIDO, **forwarded}))

    url = urlsplit(metadata["7FE00010"]["BulkDataURI"])
    assert (url.scheme, url.netloc) == ("https", "localhost")
    assert url.path == f"/pacs/dicom-web{_path(ct)}/bulk/7FE00010"


def test_an_electrocardiogram_by_a_single_part(http: httpx.Client) -> None:
    sent = pydicom.dcmread(BytesIO(bundled("waveform_ecg.dcm")))
    store(http, bundled("waveform_ecg.dcm"))

    answer = http.get(
        _path(sent) + "/bulk/54000100/1/54001010", headers={"Accept": "application/octet-stream"}
    )

    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.content == sent.WaveformSequence[0].WaveformData


def test_a_thumbnail(ct: Dataset, http: httpx.Client) -> None:
    answer = http.get(_path(ct) + "/rendered?accept=image%2Fjpeg", headers={"Accept": "*/*"})

    assert answer.headers["content-type"] == "image/jpeg"


def test_an_upload(http: httpx.Client) -> None:
    content_type = RELATED.replace("boundary=b0undary", 'boundary="b0undary"')

    answer = http.post(
        "/studies",
        content=related(part10(made_up())),
        headers={"Content-Type": content_type, "Accept": "*/*"},
    )

    assert answer.status_code == 200
    assert "00081199" in answer.json()
