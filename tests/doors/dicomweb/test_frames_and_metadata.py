"""WADO-RS frames, metadata and bulk data, on real files and by an outside client."""

import json
from io import BytesIO

import httpx
import numpy as np
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from .conftest import bundled, made_up, part10, parts_of, store, undecodable

OCTETS = "application/octet-stream"
NATIVE = "1.2.840.10008.1.2.1"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
_ENDS = ("/frames/1", "/rendered", "/thumbnail")


def _uids(data_set: Dataset) -> tuple[str, str, str]:
    return data_set.StudyInstanceUID, data_set.SeriesInstanceUID, data_set.SOPInstanceUID


def _path(data_set: Dataset) -> str:
    return "/studies/{}/series/{}/instances/{}".format(*_uids(data_set))


def _stored(http: httpx.Client, name: str) -> Dataset:
    assert store(http, bundled(name)).status_code == 200
    return pydicom.dcmread(BytesIO(bundled(name)))


def test_native_frames_are_the_bytes_of_the_pixel_data(client: DICOMwebClient, http: httpx.Client) -> None:
    sent = _stored(http, "rtdose.dcm")
    size = len(sent.PixelData) // int(sent.NumberOfFrames)

    frames = client.retrieve_instance_frames(*_uids(sent), [2, 15, 1])

    assert frames == [sent.PixelData[size * (n - 1) : size * n] for n in (2, 15, 1)]


@pytest.mark.parametrize(
    ("media_type", "uid"), [("image/jp2", JPEG_2000), ("image/jp2", None), ("image/*", "*"), (OCTETS, "*")]
)
def test_compressed_frames_come_as_stored_when_that_is_accepted(
    media_type: str, uid: str | None, http: httpx.Client
) -> None:
    sent = _stored(http, "MR_small_jp2klossless.dcm")
    accept = f'multipart/related; type="{media_type}"' + (f"; transfer-syntax={uid}" if uid else "")

    answer = http.get(_path(sent) + "/frames/1", headers={"Accept": accept})

    assert answer.headers["content-type"].startswith('multipart/related; type="image/jp2"')
    ((head, content),) = parts_of(answer)
    assert head["content-type"] == f"image/jp2; transfer-syntax={JPEG_2000}"
    assert content == next(generate_frames(sent.PixelData, number_of_frames=1))


@pytest.mark.parametrize("media_types", [None, (OCTETS,), ((OCTETS, NATIVE),)])
def test_compressed_frames_are_decoded_by_default(
    media_types: tuple[str] | None, client: DICOMwebClient, http: httpx.Client
) -> None:
    sent = _stored(http, "MR_small_jp2klossless.dcm")

    (frame,) = client.retrieve_instance_frames(*_uids(sent), [1], media_types=media_types)

    assert np.array_equal(np.frombuffer(frame, "<i2").reshape(sent.Rows, sent.Columns), sent.pixel_array)


def test_frames_of_a_multi_frame_jpeg_are_cut_apart(client: DICOMwebClient, http: httpx.Client) -> None:
    sent = _stored(http, "examples_ybr_color.dcm")
    expected = list(generate_frames(sent.PixelData, number_of_frames=int(sent.NumberOfFrames)))

    frames = client.retrieve_instance_frames(*_uids(sent), [3, 30], media_types=("image/jpeg",))

    assert frames == [expected[2], expected[29]]


def test_a_single_frame_needs_no_parts(http: httpx.Client) -> None:
    image = made_up()
    store(http, part10(image))

    answer = http.get(_path(image) + "/frames/1", headers={"Accept": OCTETS})

    assert answer.headers["content-type"] == f"{OCTETS}; transfer-syntax={NATIVE}"
    assert answer.content == image.PixelData


def test_several_frames_need_parts(http: httpx.Client) -> None:
    sent = _stored(http, "rtdose.dcm")

    answer = http.get(_path(sent) + "/frames/1,2", headers={"Accept": OCTETS})

    assert answer.status_code == 406


@pytest.mark.parametrize("frames", ["0", "-1", "x", "1,,2", "1;2", "", "9" * 9, "1," * 10_001 + "1", "١"])
def test_a_frame_list_that_is_none_is_400(frames: str, http: httpx.Client) -> None:
    image = made_up()
    store(http, part10(image))

    answer = http.get(_path(image) + f"/frames/{frames}")

    assert answer.status_code in ({404} if not frames else {400})


def test_a_frame_beyond_the_last_is_404(http: httpx.Client) -> None:
    image = made_up()
    store(http, part10(image))

    answer = http.get(_path(image) + "/frames/1,2")

    assert answer.status_code == 404
    assert "no frame 2" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("name", "end"),
    [
        *((name, end) for name in ("rtplan.dcm", "waveform_ecg.dcm") for end in _ENDS),
        *(("test-SR.dcm", end) for end in _ENDS if end != "/rendered"),  # which is a page
    ],
)
def test_what_is_no_image_is_406_and_says_so(name: str, end: str, http: httpx.Client) -> None:
    sent = _stored(http, name)

    answer = http.get(_path(sent) + end)

    assert answer.status_code == 406
    assert "no pixels" in answer.json()["detail"]


def test_what_no_codec_reads_is_406_and_says_how_to_get_it(http: httpx.Client) -> None:
    sent = pydicom.dcmread(BytesIO(undecodable()))
    store(http, undecodable())

    decoded, stored = (
        http.get(_path(sent) + "/frames/1", headers={"Accept": f"multipart/related; type={OCTETS}{end}"})
        for end in ("", "; transfer-syntax=*")
    )

    assert decoded.status_code == 406
    assert "transfer-syntax=*" in decoded.json()["next_step"]
    assert stored.status_code == 200


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "test-SR.dcm", "waveform_ecg.dcm", "chrH32.dcm", "rtplan.dcm"]
)
def test_metadata_says_what_the_object_says(name: str, client: DICOMwebClient, http: httpx.Client) -> None:
    sent = _stored(http, name)

    (metadata,) = client.retrieve_series_metadata(*_uids(sent)[:2])

    back = Dataset.from_json(metadata, lambda *_: b"bulk")
    assert back.PatientName == sent.PatientName
    assert {int(tag, 16) for tag in metadata} == {
        one.tag for one in sent if one.tag.element and one.tag != 0xFFFCFFFC
    }
    plain = {"CS", "LO", "SH", "UI", "DA", "TM", "US", "DS", "IS", "PN", "UL", "FD"}
    for one in sent:
        if one.VR in plain and not one.tag.is_private and one.tag.element and one.tag != 0x00080005:
            assert back[one.tag].value == one.value, one


def test_metadata_of_many_instances_is_one_array_gzipped_when_accepted(http: httpx.Client) -> None:
    images = [made_up(StudyInstanceUID="1.2.3", PatientComments="x" * 5000) for _ in range(40)]
    store(http, *map(part10, images))

    plain = http.get("/studies/1.2.3/metadata", headers={"Accept-Encoding": "identity"})
    gzipped = http.get("/studies/1.2.3/metadata")

    assert {one["00080018"]["Value"][0] for one in plain.json()} == {one.SOPInstanceUID for one in images}
    assert gzipped.headers["content-encoding"] == "gzip"
    assert sorted(map(json.dumps, gzipped.json())) == sorted(map(json.dumps, plain.json()))


def test_bulk_data_uris_lead_to_the_values(client: DICOMwebClient, http: httpx.Client) -> None:
    sent = _stored(http, "waveform_ecg.dcm")
    metadata = client.retrieve_instance_metadata(*_uids(sent))
    item = metadata["54000100"]["Value"][0]
    url = item["54001010"]["BulkDataURI"]

    (by_parts,) = client.retrieve_bulkdata(url)
    alone = httpx.get(url, headers={"Accept": OCTETS}, trust_env=False)

    assert url.endswith("/bulk/54000100/1/54001010")
    assert by_parts == alone.content == sent.WaveformSequence[0].WaveformData
    assert alone.headers["content-type"] == OCTETS
    assert alone.headers["content-disposition"] == "attachment"


@pytest.mark.parametrize(
    ("asked", "start", "end"), [("bytes=0-9", 0, 10), ("bytes=100-", 100, None), ("bytes=-7", -7, None)]
)
def test_a_range_of_bulk_data_is_206(asked: str, start: int, end: int | None, http: httpx.Client) -> None:
    sent = _stored(http, "CT_small.dcm")

    answer = http.get(_path(sent) + "/bulk/7FE00010", headers={"Accept": OCTETS, "Range": asked})

    assert answer.status_code == 206
    assert answer.content == sent.PixelData[start:end]
    assert answer.headers["content-range"].endswith(f"/{len(sent.PixelData)}")


def test_a_range_outside_is_416_and_one_that_is_none_is_ignored(http: httpx.Client) -> None:
    sent = _stored(http, "CT_small.dcm")

    outside = http.get(_path(sent) + "/bulk/7FE00010", headers={"Range": "bytes=99999999-"})
    unread = http.get(_path(sent) + "/bulk/7FE00010", headers={"Range": "pages=1"})

    assert outside.status_code == 416
    assert unread.content == sent.PixelData


def test_bulk_data_of_compressed_pixels_is_their_frames(client: DICOMwebClient, http: httpx.Client) -> None:
    sent = _stored(http, "examples_ybr_color.dcm")
    metadata = client.retrieve_instance_metadata(*_uids(sent))

    answer = httpx.get(
        metadata["7FE00010"]["BulkDataURI"],
        headers={"Accept": 'multipart/related; type="image/jpeg"'},
        trust_env=False,
    )

    assert len(parts_of(answer)) == int(sent.NumberOfFrames)


@pytest.mark.parametrize("path", ["00100010x", "00100010/0/00100020", "../../secret", "00091099", "7FE0"])
def test_bulk_data_that_is_not_there_is_404(path: str, http: httpx.Client) -> None:
    image = made_up()
    store(http, part10(image))

    answer = http.get(_path(image) + f"/bulk/{path.replace('..', '%2E%2E')}")

    assert answer.status_code == 404
