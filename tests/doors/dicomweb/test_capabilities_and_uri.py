"""What the service says that it can do, and the rest of WADO-URI."""

import time
from io import BytesIO
from typing import BinaryIO
from xml.etree import ElementTree as ET

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from .conftest import Archive, bundled, made_up, part10, store

_W = "{http://wadl.dev.java.net/2009/02}"


def test_the_base_tells_every_resource_and_its_methods(archive: Archive) -> None:
    answer = httpx.options(f"{archive.web}/", trust_env=False)

    told = ET.fromstring(answer.content)  # noqa: S314  # our own answer
    resources = told.find(f"{_W}resources")
    assert answer.headers["content-type"] == "application/vnd.sun.wadl+xml"
    assert resources is not None
    assert resources.get("base") == f"{archive.web}/"
    methods = {
        one.get("path"): {method.get("name") for method in one.findall(f"{_W}method")} for one in resources
    }
    assert methods["studies"] == {"GET", "POST"}
    assert methods["studies/{study}/series/{series}/instances/{instance}/bulk/{path}"] == {"GET"}
    assert methods["commitment-requests/{transaction}"] == {"GET", "POST"}
    for path in methods:
        assert httpx.options(f"{archive.web}/{path}", trust_env=False).status_code == 204, path


def test_the_same_comes_in_json(archive: Archive) -> None:
    answer = httpx.options(archive.web, headers={"Accept": "application/json"}, trust_env=False)

    assert {"path": "studies", "methods": ["GET", "POST"]} in answer.json()["resources"]


def _wado(archive: Archive, data_set: Dataset, **asked: str) -> httpx.Response:
    named = {
        "requestType": "WADO",
        "studyUID": data_set.StudyInstanceUID,
        "seriesUID": data_set.SeriesInstanceUID,
        "objectUID": data_set.SOPInstanceUID,
    }
    return httpx.get(f"{archive.url}/wado", params={**named, **asked}, trust_env=False)


def _picture(answer: httpx.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(BytesIO(answer.content)))


@pytest.fixture
def ct(http: httpx.Client) -> Dataset:
    """Store a CT of 128 x 128."""
    assert store(http, bundled("CT_small.dcm")).status_code == 200
    return pydicom.dcmread(BytesIO(bundled("CT_small.dcm")))


def test_a_region_is_a_share_of_the_image(archive: Archive, ct: Dataset) -> None:
    whole = _picture(_wado(archive, ct, contentType="image/png"))
    region = _picture(_wado(archive, ct, contentType="image/png", region="0.25,0.5,0.75,1.0"))
    fitted = _picture(
        _wado(archive, ct, contentType="image/png", region="0,0,0.5,0.5", rows="32", columns="32")
    )

    assert np.array_equal(whole[64:128, 32:96], region)
    assert fitted.shape == (32, 32)


def test_annotations_are_burned_in_by_wado_uri_too(archive: Archive, ct: Dataset) -> None:
    plain, words = (
        _picture(_wado(archive, ct, contentType="image/png", **more))
        for more in ({}, {"annotation": "patient"})
    )

    assert not np.array_equal(plain, words)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"region": "0,0,1"}, 400),
        ({"region": "0,0,2,1"}, 400),
        ({"region": "0.5,0,0.5,1"}, 400),
        ({"region": "nan,0,1,1"}, 400),
        ({"annotation": "everything"}, 400),
        ({"presentationUID": "1.2.3"}, 406),
        ({"contentType": "application/dicom", "frameNumber": "1"}, 400),
    ],
)
def test_what_cannot_be_shown_is_told(
    asked: dict[str, str], status: int, archive: Archive, ct: Dataset
) -> None:
    assert _wado(archive, ct, **asked).status_code == status


def test_a_report_is_a_page_where_that_is_asked_for(archive: Archive, http: httpx.Client) -> None:
    report = pydicom.dcmread(BytesIO(bundled("test-SR.dcm")))
    store(http, bundled("test-SR.dcm"))

    answer = _wado(archive, report, contentType="text/html")

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>" in answer.text


def test_a_pdf_is_itself(archive: Archive, http: httpx.Client) -> None:
    document = made_up(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1",
        MIMETypeOfEncapsulatedDocument="application/pdf",
        EncapsulatedDocument=b"%PDF-1.4",
    )
    for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit"):
        delattr(document, keyword)
    store(http, part10(document))

    answer = _wado(archive, document, contentType="application/pdf")

    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content == b"%PDF-1.4"


def test_a_viewer_that_leaves_stops_the_work(
    archive: Archive, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [made_up(StudyInstanceUID="1.2.3", PixelData=bytes(4 << 20)) for _ in range(24)]
    for image in images:
        store(http, part10(image))
    opened: list[BinaryIO] = []
    open_blob = archive.hub.open_blob

    def counted(digest: str) -> BinaryIO:
        opened.append(open_blob(digest))
        return opened[-1]

    monkeypatch.setattr(archive.hub, "open_blob", counted)
    with http.stream("GET", "/studies/1.2.3") as answer:
        next(answer.iter_raw(1024))

    deadline = time.monotonic() + 20
    while not all(file.closed for file in opened) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert 1 <= len(opened) < len(images) // 2
    assert all(file.closed for file in opened)
