"""Reports as pages, words burned in, colour spaces, parts of videos and documents, pictures of whole studies."""

from datetime import timedelta
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image
from playwright.sync_api import Page
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from hilum.doors.dicomweb import tagged

from .conftest import Archive, bundled, made_up, part10, parts_of, store

PNG = {"Accept": "image/png"}
H264 = "1.2.840.10008.1.2.4.102"
STREAM = bytes(range(256)) * 1000


def _path(data_set: Dataset) -> str:
    return f"/studies/{data_set.StudyInstanceUID}/series/{data_set.SeriesInstanceUID}/instances/{data_set.SOPInstanceUID}"


def _stored(http: httpx.Client, name: str) -> Dataset:
    assert store(http, bundled(name)).status_code == 200
    return pydicom.dcmread(BytesIO(bundled(name)))


def _picture(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(BytesIO(answer.content))).astype(int)


def _code(meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99T", meaning
    return code


def _item(kind: str, meaning: str, **values: Any) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType, item.ConceptNameCodeSequence = "CONTAINS", kind, [_code(meaning)]
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _report() -> Dataset:
    unit, measured = Dataset(), Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "mm", "UCUM", "millimeter"
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = "12.5", [unit]
    report = made_up(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33", Modality="SR", PatientName="O'Neil^<b>")
    for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit"):
        delattr(report, keyword)
    report.ConceptNameCodeSequence = [_code("Chest CT report")]
    nested = _item("NUM", "Diameter", MeasuredValueSequence=[measured])
    report.ContentSequence = [
        _item("TEXT", "Finding", TextValue="<script>alert(1)</script> & no nodule"),
        _item("CONTAINER", "Measurements", ContentSequence=[nested]),
        _item("PNAME", "Reader", PersonName="Roe^Rick"),
    ]
    return report


def test_a_structured_report_is_a_page_that_runs_nothing(http: httpx.Client) -> None:
    report = _report()
    store(http, part10(report))

    answer = http.get(_path(report) + "/rendered", headers={"Accept": "text/html,*/*;q=0.8"})

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; no nodule" in answer.text
    assert "<h1>Chest CT report</h1>" in answer.text
    assert "<b>Measurements</b><ul><li><b>Diameter</b>: 12.5 mm" in answer.text
    assert answer.text.count("<ul>") == answer.text.count("</ul>") == 2
    assert answer.text.count("<li>") == answer.text.count("</li>") == 4


def test_a_structured_report_is_plain_text_where_that_is_accepted(http: httpx.Client) -> None:
    report = _report()
    store(http, part10(report))

    answer = http.get(_path(report) + "/rendered", headers={"Accept": "text/plain"})

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "  Diameter: 12.5 mm" in answer.text
    assert "Reader: Roe Rick" in answer.text


@pytest.mark.needs("chromium")
def test_a_browser_shows_the_report_with_its_style(page: Page, http: httpx.Client, archive: Archive) -> None:
    report = _report()
    store(http, part10(report))
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))

    page.goto(archive.web + _path(report) + "/rendered")

    assert page.locator("h1").inner_text() == "Chest CT report"
    assert page.locator("dl").evaluate("one => getComputedStyle(one).display") == "grid"
    assert complaints == []


@pytest.mark.parametrize(
    ("annotation", "top", "bottom"),
    [("patient", True, False), ("technique", False, True), ("patient,technique", True, True)],
)
def test_annotations_are_burned_in(annotation: str, top: bool, bottom: bool, http: httpx.Client) -> None:
    sent = _stored(http, "CT_small.dcm")

    plain = _picture(http.get(_path(sent) + "/rendered?viewport=512,512", headers=PNG))
    words = _picture(
        http.get(_path(sent) + f"/rendered?viewport=512,512&annotation={annotation}", headers=PNG)
    )

    changed = (plain != words).any(axis=1)
    assert changed[:150].any() == top
    assert changed[-150:].any() == bottom
    assert not changed[200:300].any()


@pytest.mark.parametrize(
    "query", ["annotation=secret", "annotation=", "iccprofile=cmyk", "viewport=10,10,900,900,5,5"]
)
def test_a_rendering_parameter_that_cannot_be_is_refused(query: str, http: httpx.Client) -> None:
    sent = _stored(http, "CT_small.dcm")

    answer = http.get(_path(sent) + f"/rendered?{query}")

    assert answer.status_code in (400, 406)
    assert answer.json()["detail"]


@pytest.mark.parametrize(("asked", "named"), [("srgb", True), ("yes", True), ("no", False), (None, False)])
def test_a_colour_image_names_its_colour_space(asked: str | None, named: bool, http: httpx.Client) -> None:
    sent = _stored(http, "examples_rgb_color.dcm")

    answer = http.get(_path(sent) + "/rendered" + (f"?iccprofile={asked}" if asked else ""))

    assert ("icc_profile" in Image.open(BytesIO(answer.content)).info) == named


def test_a_colour_space_that_we_do_not_have_is_406(http: httpx.Client) -> None:
    sent = _stored(http, "examples_rgb_color.dcm")

    answer = http.get(_path(sent) + "/rendered?iccprofile=rommrgb")

    assert answer.status_code == 406
    assert "srgb" in answer.json()["next_step"]


@pytest.mark.parametrize(("size", "axis"), [("-128,128", 1), ("128,-128", 0)])
def test_a_negative_side_of_the_region_mirrors(size: str, axis: int, http: httpx.Client) -> None:
    sent = _stored(http, "CT_small.dcm")

    plain = _picture(http.get(_path(sent) + "/rendered?viewport=128,128,0,0,128,128", headers=PNG))
    mirrored = _picture(http.get(_path(sent) + f"/rendered?viewport=128,128,0,0,{size}", headers=PNG))

    assert np.array_equal(np.flip(plain, axis), mirrored)
    assert not np.array_equal(plain, mirrored)


def test_a_region_is_cut_out(http: httpx.Client) -> None:
    sent = _stored(http, "CT_small.dcm")

    whole = _picture(http.get(_path(sent) + "/rendered", headers=PNG))
    region = _picture(http.get(_path(sent) + "/rendered?viewport=40,30,20,10,40,30", headers=PNG))

    assert np.array_equal(whole[10:40, 20:60], region)


def test_quality_changes_size(http: httpx.Client) -> None:
    sent = _stored(http, "examples_rgb_color.dcm")

    low, high = (http.get(_path(sent) + f"/rendered?quality={one}") for one in (10, 95))

    assert len(low.content) < len(high.content) / 2


def test_a_gif_is_rendered(http: httpx.Client) -> None:
    sent = _stored(http, "CT_small.dcm")

    answer = http.get(_path(sent) + "/rendered", headers={"Accept": "image/gif"})

    assert answer.headers["content-type"] == "image/gif"
    assert Image.open(BytesIO(answer.content)).format == "GIF"


def test_a_study_in_parts_is_every_frame_of_every_image(http: httpx.Client) -> None:
    images = [made_up(StudyInstanceUID="1.2.3", InstanceNumber=number) for number in (1, 2)]
    cine = made_up(StudyInstanceUID="1.2.3", NumberOfFrames=3, PixelData=bytes(48))
    store(http, *map(part10, [*images, cine, _report_of("1.2.3")]))

    answer = http.get("/studies/1.2.3/rendered", headers={"Accept": 'multipart/related; type="image/png"'})

    locations = [head["content-location"] for head, _ in parts_of(answer)]
    assert len(locations) == 5
    assert sum(cine.SOPInstanceUID in one for one in locations) == 3
    assert all(content.startswith(b"\x89PNG") for _, content in parts_of(answer))


def _report_of(study_instance_uid: str) -> Dataset:
    report = _report()
    report.StudyInstanceUID = study_instance_uid
    return report


def _video() -> Dataset:
    video = made_up(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.4.1",
        NumberOfFrames=9,
        SamplesPerPixel=3,
        PhotometricInterpretation="YBR_PARTIAL_420",
        PlanarConfiguration=0,
    )
    video.PixelData = encapsulate([STREAM], has_bot=False)
    video["PixelData"].VR = "OB"
    video["PixelData"].is_undefined_length = True
    return video


def test_a_video_is_its_stream_in_which_a_player_seeks(http: httpx.Client) -> None:
    video = _video()
    assert store(http, part10(video, H264)).status_code == 200

    whole = http.get(_path(video) + "/rendered", headers={"Accept": "video/mp4"})
    part = http.get(_path(video) + "/rendered", headers={"Accept": "*/*", "Range": "bytes=1000-1999"})

    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.content == STREAM
    assert part.status_code == 206
    assert part.content == STREAM[1000:2000]
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(STREAM)}"


def test_a_range_of_another_version_is_answered_whole(http: httpx.Client) -> None:
    video = _video()
    store(http, part10(video, H264))
    headers = {"Range": "bytes=5-9", "Accept": "video/mp4"}
    tag = http.get(_path(video) + "/rendered", headers={"Accept": "video/mp4"}).headers["etag"]

    same = http.get(_path(video) + "/rendered", headers={**headers, "If-Range": tag})
    other = http.get(_path(video) + "/rendered", headers={**headers, "If-Range": '"another"'})

    assert same.status_code == 206
    assert other.status_code == 200
    assert other.content == STREAM


@pytest.mark.parametrize("end", ["/bulkdata", "/pixeldata"])
def test_all_bulk_data_comes_under_the_uris_of_the_metadata(end: str, http: httpx.Client) -> None:
    image = made_up(
        StudyInstanceUID="1.2.3", ICCProfile=bytes(2000), Rows=40, Columns=50, PixelData=bytes(2000)
    )
    compressed = pydicom.dcmread(BytesIO(bundled("MR_small_RLE.dcm")))
    compressed.StudyInstanceUID = "1.2.3"
    store(http, part10(image), part10(compressed, "1.2.840.10008.1.2.5"))
    (metadata,) = http.get(_path(image) + "/metadata").json()
    uris = [one["BulkDataURI"] for one in metadata.values() if "BulkDataURI" in one]

    answer = http.get(f"/studies/1.2.3{end}")

    by_location = {head["content-location"]: content for head, content in parts_of(answer)}
    pixels = compressed.pixel_array.tobytes()
    wanted = uris if end == "/bulkdata" else [one for one in uris if one.endswith("7FE00010")]
    assert len(uris) == 2
    assert {one: by_location[one] for one in wanted} == dict.fromkeys(wanted, bytes(2000))
    assert [content for content in by_location.values() if content == pixels]
    assert len(by_location) == len(wanted) + 1


def test_an_answer_has_a_date_and_is_not_sent_again(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(tagged, "_STILL_MOVING", timedelta(0))
    image = made_up()
    store(http, part10(image))
    first = http.get(_path(image))

    again = http.get(_path(image), headers={"If-Modified-Since": first.headers["last-modified"]})
    changed = http.get(
        _path(image),
        headers={"If-Modified-Since": first.headers["last-modified"], "If-None-Match": '"another"'},
    )

    assert again.status_code == 304
    assert changed.status_code == 200


def test_what_came_just_now_has_no_date_yet(http: httpx.Client) -> None:
    image = made_up()
    store(http, part10(image))

    assert "last-modified" not in http.get(_path(image)).headers


def test_one_part_says_where_it_is(http: httpx.Client) -> None:
    image = made_up()
    store(http, part10(image))

    whole = http.get(_path(image), headers={"Accept": "application/dicom"})
    frame = http.get(_path(image) + "/frames/1", headers={"Accept": "application/octet-stream"})

    assert whole.headers["content-location"].endswith(_path(image))
    assert frame.headers["content-location"].endswith(_path(image) + "/frames/1")


@pytest.mark.parametrize(
    ("accepted", "gzipped"), [("gzip", True), ("gzip;q=0", False), ("br", False), ("*", True)]
)
def test_a_search_is_gzipped_where_that_is_accepted(accepted: str, gzipped: bool, http: httpx.Client) -> None:
    store(http, *(part10(made_up()) for _ in range(4)))

    answer = http.get("/instances", headers={"Accept-Encoding": accepted})

    assert (answer.headers.get("content-encoding") == "gzip") == gzipped
    assert "Accept-Encoding" in answer.headers["vary"]
    assert len(answer.json()) == 4


def test_uris_lead_through_the_proxy_that_was_asked(http: httpx.Client) -> None:
    image = made_up(ICCProfile=bytes(2000))
    store(http, part10(image))
    headers = {
        "Forwarded": "for=127.0.0.1;proto=https;host=localhost:8443",
        "X-Forwarded-Prefix": "/hilum",
    }

    (metadata,) = http.get(_path(image) + "/metadata", headers=headers).json()
    (found,) = http.get("/instances", headers=headers).json()

    assert metadata["00282000"]["BulkDataURI"].startswith("https://localhost:8443/hilum/dicom-web/studies/")
    assert found["00081190"]["Value"][0].startswith("https://localhost:8443/hilum/dicom-web/studies/")
