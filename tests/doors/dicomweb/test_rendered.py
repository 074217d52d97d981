"""Rendered images, thumbnails, documents and WADO-URI: what a browser shows."""

from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom.dataset import Dataset

from .conftest import Archive, bundled, data_set_of, made_up, part10, parts_of, store

BROWSER = "image/jxl,image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
PDF = b"%PDF-1.4\n%nothing to see\n%%EOF\n"


def _uids(data_set: Dataset) -> tuple[str, str, str]:
    return data_set.StudyInstanceUID, data_set.SeriesInstanceUID, data_set.SOPInstanceUID


def _path(data_set: Dataset) -> str:
    return "/studies/{}/series/{}/instances/{}".format(*_uids(data_set))


def _stored(http: httpx.Client, name: str) -> Dataset:
    assert store(http, bundled(name)).status_code == 200
    return pydicom.dcmread(BytesIO(bundled(name)))


def _document() -> Dataset:
    document = made_up(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1",
        MIMETypeOfEncapsulatedDocument="application/pdf",
        EncapsulatedDocument=PDF,
    )
    for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit"):
        delattr(document, keyword)
    return document


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small_RLE.dcm",
        "examples_palette.dcm",
        "examples_jpeg2k.dcm",
        "SC_rgb_jpeg_gdcm.dcm",
    ],
)
@pytest.mark.parametrize(("media_type", "form"), [("image/jpeg", "JPEG"), ("image/png", "PNG")])
def test_images_are_rendered(
    name: str, media_type: str, form: str, client: DICOMwebClient, http: httpx.Client
) -> None:
    sent = _stored(http, name)

    picture = Image.open(BytesIO(client.retrieve_instance_rendered(*_uids(sent), media_types=(media_type,))))

    assert picture.format == form
    assert picture.size == (sent.Columns, sent.Rows)
    assert np.unique(np.asarray(picture)).size > 3


@pytest.mark.parametrize("accept", ["*/*", BROWSER, "image/jpeg", "image/*;q=0.3"])
def test_a_browser_gets_a_jpeg(accept: str, http: httpx.Client) -> None:
    sent = _stored(http, "CT_small.dcm")

    answer = http.get(_path(sent) + "/rendered", headers={"Accept": accept})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"


def test_the_accept_parameter_stands_before_the_header(http: httpx.Client) -> None:
    sent = _stored(http, "CT_small.dcm")

    answer = http.get(_path(sent) + "/rendered?accept=image%2Fpng", headers={"Accept": "image/jpeg"})

    assert answer.headers["content-type"] == "image/png"


def test_a_window_changes_what_is_seen(client: DICOMwebClient, http: httpx.Client) -> None:
    sent = _stored(http, "CT_small.dcm")

    def mean(params: dict[str, Any]) -> float:
        picture = client.retrieve_instance_rendered(*_uids(sent), ("image/png",), params)
        return float(np.asarray(Image.open(BytesIO(picture))).mean())

    assert mean({"window": "3000,100,linear"}) < 5 < mean({"window": "-1000,2,linear"})


def test_a_viewport_fits_the_picture(http: httpx.Client) -> None:
    sent = _stored(http, "CT_small.dcm")

    answer = http.get(_path(sent) + "/rendered?viewport=64,32")

    assert Image.open(BytesIO(answer.content)).size == (32, 32)


@pytest.mark.parametrize(
    "query",
    ["window=a,b", "window=1", "viewport=0,0", "viewport=99999,99999", "quality=0", "quality=101", "window="],
)
def test_a_parameter_that_is_malformed_is_400(query: str, http: httpx.Client) -> None:
    sent = _stored(http, "CT_small.dcm")

    answer = http.get(_path(sent) + f"/rendered?{query}")

    assert answer.status_code == 400


def test_frames_are_rendered_one_by_one(client: DICOMwebClient, http: httpx.Client) -> None:
    sent = _stored(http, "examples_ybr_color.dcm")

    one, other = (
        client.retrieve_instance_frames_rendered(*_uids(sent), [n], ("image/png",)) for n in (1, 30)
    )
    both = http.get(
        _path(sent) + "/frames/1,30/rendered", headers={"Accept": 'multipart/related; type="image/png"'}
    )

    assert one != other
    assert [content for _, content in parts_of(both)] == [one, other]


@pytest.mark.parametrize("end", ["/rendered", "/thumbnail"])
def test_a_study_and_a_series_are_shown_by_one_of_their_images(end: str, http: httpx.Client) -> None:
    sent = _stored(http, "CT_small.dcm")
    note = _document()
    note.StudyInstanceUID, note.SeriesInstanceUID = sent.StudyInstanceUID, "1.2.3"
    store(http, part10(note))

    study = http.get(f"/studies/{sent.StudyInstanceUID}{end}")
    series = http.get(f"/studies/{sent.StudyInstanceUID}/series/{sent.SeriesInstanceUID}{end}")

    assert study.headers["content-type"] == series.headers["content-type"] == "image/jpeg"


def test_a_thumbnail_is_small(http: httpx.Client) -> None:
    sent = _stored(http, "JPEG2000.dcm")

    answer = http.get(_path(sent) + "/thumbnail")

    assert max(Image.open(BytesIO(answer.content)).size) == 256 < sent.Rows


@pytest.mark.parametrize("accept", ["application/pdf", "text/html,application/xhtml+xml,*/*;q=0.8"])
def test_a_pdf_is_shown_in_a_frame_of_our_own_pages(accept: str, http: httpx.Client) -> None:
    document = _document()
    store(http, part10(document))

    answer = http.get(_path(document) + "/rendered", headers={"Accept": accept})

    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(PDF)
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("said", ["text/html", "image/svg+xml", "application/javascript"])
def test_a_document_is_never_served_as_a_page(said: str, http: httpx.Client) -> None:
    document = _document()
    document.MIMETypeOfEncapsulatedDocument = said
    store(http, part10(document))

    rendered = http.get(_path(document) + "/rendered", headers={"Accept": f"{said}, */*;q=0.1"})
    bulk = http.get(_path(document) + "/bulk/00420011", headers={"Accept": f"{said}, */*;q=0.1"})

    assert rendered.status_code == 406
    assert bulk.headers["content-type"] == "application/octet-stream"
    assert bulk.headers["x-content-type-options"] == "nosniff"


def _wado(archive: Archive, data_set: Dataset, **asked: str) -> httpx.Response:
    uids = dict(zip(("studyUID", "seriesUID", "objectUID"), _uids(data_set), strict=True))
    params = {"requestType": "WADO", **uids, **asked}
    return httpx.get(f"{archive.url}/wado", params=params, trust_env=False)


def test_wado_uri_gives_an_image_as_jpeg_by_default(archive: Archive, http: httpx.Client) -> None:
    sent = _stored(http, "CT_small.dcm")

    answer = _wado(archive, sent)

    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(BytesIO(answer.content)).size == (sent.Columns, sent.Rows)


def test_wado_uri_gives_the_object(archive: Archive, http: httpx.Client) -> None:
    sent = _stored(http, "MR_small_RLE.dcm")

    stored = _wado(archive, sent, contentType="application/dicom", transferSyntax="*")
    decoded = _wado(archive, sent, contentType="application/dicom")

    assert data_set_of(stored.content) == data_set_of(bundled("MR_small_RLE.dcm"))
    assert pydicom.dcmread(BytesIO(decoded.content)).PixelData == sent.pixel_array.tobytes()


def test_wado_uri_gives_what_is_no_image_as_the_object(archive: Archive, http: httpx.Client) -> None:
    sent = _stored(http, "test-SR.dcm")

    answer = _wado(archive, sent)

    assert answer.headers["content-type"].startswith("application/dicom")


def test_wado_uri_renders_a_frame_in_a_window_and_a_size(archive: Archive, http: httpx.Client) -> None:
    sent = _stored(http, "examples_ybr_color.dcm")

    answer = _wado(
        archive, sent, contentType="image/png", frameNumber="2", rows="50", windowCenter="1", windowWidth="9"
    )

    assert answer.headers["content-type"] == "image/png"
    assert Image.open(BytesIO(answer.content)).height == 50


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"requestType": "OTHER"}, 400),
        ({"objectUID": "../x"}, 400),
        ({"objectUID": ""}, 400),
        ({"objectUID": "1.2.3"}, 404),
        ({"frameNumber": "0"}, 400),
        ({"frameNumber": "99"}, 404),
        ({"windowCenter": "1"}, 400),
        ({"contentType": "video/mp4"}, 406),
        ({"anonymize": "yes"}, 406),
        ({"contentType": "application/dicom", "transferSyntax": "1.2.840.10008.1.2.2"}, 406),
    ],
)
def test_wado_uri_says_what_is_wrong(
    asked: dict[str, str], status: int, archive: Archive, http: httpx.Client
) -> None:
    sent = _stored(http, "CT_small.dcm")

    answer = _wado(archive, sent, **asked)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
