"""Objects in other transfer syntaxes: pixel-exact where nothing may be lost, and said so where something is."""

import subprocess
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import parse_basic_offsets
from pydicom.errors import InvalidDicomError

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.decoding import decode_frame
from hilum.wire.dicom.encoding import ENCODABLE
from hilum.wire.dicom.frame_work import no_worker, work_on
from hilum.wire.dicom.pixels import open_pixels
from hilum.wire.dicom.transcoding import (
    LOSSLESS_TARGETS,
    ON_DEMAND,
    can_be_transcoded,
    is_lossy_target,
    transcoded,
)
from hilum.wire.dicom.transfer_syntaxes import TRANSFER_SYNTAXES, transfer_syntax

from .conftest import Bundled, Encode, bundled_files

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

IMPLICIT, EXPLICIT, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"
BIG_ENDIAN, RLE, BASELINE = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50"
EXTENDED, JPEG_LOSSLESS, JPEG_LS = (
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
)
J2K, HTJ2K, HTJ2K_RPCL = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202"
FRAMES_OF_PYDICOM = frozenset(ENCODABLE) - {
    "1.2.840.10008.1.2.4.110",
    "1.2.840.10008.1.2.4.112",
    "1.2.840.10008.1.2.1.98",
    "1.2.840.10008.1.2.8.1",
}
"""Of what we write, the syntaxes that pydicom reads."""
IMAGES = [path for path in bundled_files() if path.stat().st_size < 700_000]


def written(encoded: bytes, target: str, **options: Any) -> bytes:
    return b"".join(transcoded(BytesIO(encoded), target, work_on, **options))


def read(encoded: bytes) -> Dataset:
    return pydicom.dcmread(BytesIO(encoded))


def stored_values(data_set: Dataset) -> np.ndarray:
    """Return what pydicom reads, without its own change of colours."""
    return np.squeeze(pydicom.pixels.pixel_array(data_set, raw=True)).astype(np.int64)


def image(instance: Dataset, frames: np.ndarray, **attributes: Any) -> Dataset:
    """Give an instance frames of gray or RGB."""
    color = frames.ndim == 4
    instance.NumberOfFrames, instance.Rows, instance.Columns = frames.shape[:3]
    instance.SamplesPerPixel = 3 if color else 1
    instance.PhotometricInterpretation = "RGB" if color else "MONOCHROME2"
    if color:
        instance.PlanarConfiguration = 0
    bits = frames.dtype.itemsize * 8
    instance.BitsAllocated, instance.BitsStored, instance.HighBit = bits, bits, bits - 1
    instance.PixelRepresentation = int(frames.dtype.kind == "i")
    for keyword, value in attributes.items():
        setattr(instance, keyword, value)
    instance.PixelData = frames.tobytes() + b"\0" * (frames.nbytes % 2)
    instance["PixelData"].VR = "OW" if bits > 8 else "OB"
    return instance


def _is_readable_without_loss(path: Path) -> bool:
    """Tell whether pydicom reads pixels in a file, and whether decoding it twice is a claim about encoding."""
    try:
        with warnings.catch_warnings(action="ignore"):
            original = read(path.read_bytes())
            stored_values(original)
        return not transfer_syntax(original.file_meta.TransferSyntaxUID).lossy
    except (
        AttributeError,
        LookupError,
        NotImplementedError,
        RuntimeError,
        TypeError,
        ValueError,
        InvalidDicomError,
    ):
        return False


READABLE = [path for path in IMAGES if _is_readable_without_loss(path)]


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.name)
def test_every_bundled_file_in_every_syntax_without_loss_is_pixel_exact_as_pydicom_reads_it(
    path: Path,
) -> None:
    encoded = path.read_bytes()
    expected = stored_values(read(encoded))
    done = []

    for target in [*LOSSLESS_TARGETS, *(uid for uid in FRAMES_OF_PYDICOM if not is_lossy_target(uid))]:
        try:
            there = written(encoded, target)
        except Invalid:
            continue  # pixels of 32 bits, of single bits: their reasons are claims of other tests
        back = written(there, EXPLICIT)
        np.testing.assert_array_equal(stored_values(read(there)), expected)
        np.testing.assert_array_equal(stored_values(read(back)), expected)
        done.append(target)

    assert {IMPLICIT, EXPLICIT, DEFLATED} <= set(done)


@pytest.mark.parametrize(
    "target", ["1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"]
)
@pytest.mark.parametrize(
    "name", ["SC_rgb_small_odd.dcm", "MR_small_RLE.dcm", "examples_palette.dcm", "liver_1frame.dcm"]
)
def test_what_pydicom_does_not_read_comes_back_pixel_exact(name: str, target: str, bundled: Bundled) -> None:
    encoded = bundled(name)
    if target.endswith("110") and name in {"MR_small_RLE.dcm", "liver_1frame.dcm"}:
        with pytest.raises(Invalid):
            written(encoded, target)
        return

    back = written(written(encoded, target), EXPLICIT)

    np.testing.assert_array_equal(stored_values(read(back)), stored_values(read(encoded)))


@pytest.mark.needs("dcmtk")
@pytest.mark.parametrize(
    ("target", "tool"),
    [(RLE, "dcmdrle"), (JPEG_LOSSLESS, "dcmdjpeg"), ("1.2.840.10008.1.2.4.57", "dcmdjpeg"), (JPEG_LS, "dcmdjpls"),
     (DEFLATED, "dcmconv"), (IMPLICIT, "dcmconv")],
)  # fmt: skip
@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "examples_overlay.dcm",
        "examples_rgb_color.dcm",
        "SC_rgb_rle_2frame.dcm",
        "examples_ybr_color.dcm",
    ],
)
def test_dcmtk_reads_what_we_write_pixel_exact(name: str, target: str, tool: str, tmp_path: Path) -> None:
    path = next(path for path in bundled_files() if path.name == name)
    native = read(written(path.read_bytes(), EXPLICIT))
    (tmp_path / "ours.dcm").write_bytes(written(path.read_bytes(), target))

    subprocess.run([tool, tmp_path / "ours.dcm", tmp_path / "theirs.dcm"], check=True)

    theirs = pydicom.dcmread(tmp_path / "theirs.dcm")
    mask = (1 << native.BitsStored) - 1
    np.testing.assert_array_equal(stored_values(theirs) & mask, stored_values(native) & mask)


@pytest.mark.needs("dcmtk")
@pytest.mark.parametrize(
    ("tool", "name"),
    [("dcmcrle", "CT_small.dcm"), ("dcmcjpls", "CT_small.dcm"), ("dcmcjpeg", "CT_small.dcm"),
     ("dcmcrle", "examples_rgb_color.dcm"), ("dcmcjpls", "examples_rgb_color.dcm"), ("dcmcjpeg", "examples_rgb_color.dcm"),
     ("dcmcrle", "examples_palette.dcm"), ("dcmcjpls", "examples_palette.dcm")],
)  # fmt: skip
def test_we_read_what_dcmtk_writes_pixel_exact(tool: str, name: str, tmp_path: Path) -> None:
    original = next(path for path in bundled_files() if path.name == name)
    subprocess.run([tool, original, tmp_path / "theirs.dcm"], check=True)

    ours = written((tmp_path / "theirs.dcm").read_bytes(), EXPLICIT)

    np.testing.assert_array_equal(stored_values(read(ours)), stored_values(pydicom.dcmread(original)))


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("target", [HTJ2K, HTJ2K_RPCL, "1.2.840.10008.1.2.4.203"])
def test_htj2k_is_read_by_two_libraries_with_the_precision_of_the_data_set(
    target: str, signed: bool, bits: int, instance: Dataset, encode: Encode
) -> None:
    low = -(1 << (bits - 1)) if signed else 0
    values = np.random.default_rng(bits).integers(low, low + (1 << bits), (1, 65, 70))
    values[0, 0, :2] = low, low + (1 << bits) - 1
    frames = values.astype(f"<{'i' if signed else 'u'}{1 if bits == 8 else 2}")
    original = encode(image(instance, frames, BitsStored=bits, HighBit=bits - 1))

    frame = open_pixels(written(original, target)).encoded_frame(1)

    openjph = imagecodecs.htj2k_decode(frame.encoded)
    openjpeg = decode_frame(frame).pixels
    np.testing.assert_array_equal(openjph.astype(int), values[0])
    np.testing.assert_array_equal(openjpeg.astype(int), values[0])
    assert frame.encoded[42] == (bits - 1) | (0x80 if signed else 0)


def test_htj2k_with_rpcl_has_resolutions_first_in_tile_parts_with_a_table_of_lengths(
    bundled: Bundled,
) -> None:
    codestream = open_pixels(written(bundled("CT_small.dcm"), HTJ2K_RPCL)).frame(1)

    style = codestream.index(b"\xff\x52")
    assert codestream[style + 5] == 2
    assert b"\xff\x55" in codestream[: codestream.index(b"\xff\x90")]
    assert codestream.count(b"\xff\x90") > 1


@pytest.mark.parametrize(
    ("target", "photometric", "planar"),
    [(J2K, "YBR_RCT", 0), (HTJ2K, "YBR_RCT", 0), (JPEG_LS, "RGB", 0), (JPEG_LOSSLESS, "RGB", 0), (RLE, "RGB", 1)],
)  # fmt: skip
def test_rgb_says_how_its_samples_are_encoded(
    target: str, photometric: str, planar: int, bundled: Bundled
) -> None:
    there = read(written(bundled("examples_rgb_color.dcm"), target))
    back = read(written(written(bundled("examples_rgb_color.dcm"), target), EXPLICIT))

    assert (there.PhotometricInterpretation, there.PlanarConfiguration) == (photometric, planar)
    assert (back.PhotometricInterpretation, back.PlanarConfiguration) == ("RGB", 0)
    assert "LossyImageCompression" not in there


@pytest.mark.parametrize("target", [J2K, HTJ2K, JPEG_LS, JPEG_LOSSLESS, RLE])
@pytest.mark.parametrize("photometric", ["YBR_FULL", "PALETTE COLOR", "MONOCHROME1"])
def test_what_is_no_rgb_keeps_its_values_and_its_name(
    photometric: str, target: str, instance: Dataset, encode: Encode
) -> None:
    samples = (3,) if photometric == "YBR_FULL" else ()
    frames = np.random.default_rng(3).integers(0, 200, (2, 30, 40, *samples)).astype("u1")
    original = encode(image(instance, frames, PhotometricInterpretation=photometric))

    there = written(original, target)

    assert read(there).PhotometricInterpretation == photometric
    np.testing.assert_array_equal(stored_values(read(there)), frames)
    np.testing.assert_array_equal(stored_values(read(written(there, EXPLICIT))), frames)


def test_pixels_by_plane_and_with_halved_chrominance_are_encoded_by_pixel(
    instance: Dataset, encode: Encode
) -> None:
    by_plane = np.random.default_rng(3).integers(0, 255, (1, 20, 30, 3)).astype("u1")
    planes = image(instance, by_plane, PlanarConfiguration=1)
    planes.PixelData = by_plane[0].transpose(2, 0, 1).tobytes()
    encoded = encode(planes)

    there = read(written(encoded, J2K))

    np.testing.assert_array_equal(stored_values(there), by_plane[0])
    assert there.PlanarConfiguration == 0


@pytest.mark.parametrize("target", [RLE, J2K, HTJ2K, JPEG_LS])
def test_frames_of_a_multi_frame_image_are_found_by_the_basic_offset_table(
    target: str, instance: Dataset, encode: Encode
) -> None:
    frames = np.random.default_rng(5).integers(0, 4096, (7, 33, 41)).astype("<u2")
    original = encode(image(instance, frames, BitsStored=12, HighBit=11))

    there = written(original, target)

    offsets = parse_basic_offsets(read(there).PixelData)
    pixels = open_pixels(there)
    assert (len(offsets), offsets[0]) == (7, 0)
    for number, frame in enumerate(frames, 1):
        np.testing.assert_array_equal(decode_frame(pixels.encoded_frame(number)).pixels, frame)


def test_pixel_data_too_long_to_hold_goes_without_an_offset_table(
    instance: Dataset, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hilum.wire.dicom.transcoding._MOST_HELD_BYTES", 3000)
    frames = np.random.default_rng(5).integers(0, 4096, (5, 33, 41)).astype("<u2")

    there = written(encode(image(instance, frames, BitsStored=12, HighBit=11)), RLE)

    assert parse_basic_offsets(read(there).PixelData) == []
    np.testing.assert_array_equal(stored_values(read(there)), frames)


@pytest.mark.parametrize("frames", [1, 3])
def test_overlays_in_the_high_bits_become_overlay_data_where_a_codec_drops_those_bits(
    frames: int, instance: Dataset, encode: Encode
) -> None:
    chance = np.random.default_rng(7)
    values = chance.integers(0, 4096, (frames, 20, 30)).astype("<u2")
    plane = chance.integers(0, 2, (frames, 20, 30)).astype("<u2")
    with_overlay = image(instance, values | plane << 14, BitsStored=12, HighBit=11)
    with_overlay.add_new(0x60000010, "US", 20)
    with_overlay.add_new(0x60000011, "US", 30)
    with_overlay.add_new(0x60000050, "SS", [1, 1])
    with_overlay.add_new(0x60000100, "US", 16)
    with_overlay.add_new(0x60000102, "US", 14)
    original = encode(with_overlay)

    compressed, words = read(written(original, J2K)), read(written(original, RLE))

    bits = np.unpackbits(np.frombuffer(compressed[0x60003000].value, "u1"), bitorder="little")
    np.testing.assert_array_equal(bits[: plane.size], plane.ravel())
    assert (compressed[0x60000100].value, compressed[0x60000102].value) == (1, 0)
    np.testing.assert_array_equal(stored_values(compressed), np.squeeze(values))
    assert 0x60003000 not in words
    raw = decode_frame(open_pixels(written(original, RLE)).encoded_frame(1), only_stored_bits=False).pixels
    np.testing.assert_array_equal(raw, (values | plane << 14)[0])


def test_values_that_do_not_begin_at_the_lowest_bit_are_moved_there(
    instance: Dataset, encode: Encode
) -> None:
    values = np.random.default_rng(8).integers(0, 4096, (1, 20, 30)).astype("<u2")
    original = encode(image(instance, values << 4, BitsStored=12, HighBit=15))

    there = read(written(original, J2K))

    np.testing.assert_array_equal(stored_values(there), values[0])
    assert (there.BitsStored, there.HighBit) == (12, 11)


@pytest.mark.parametrize(
    ("name", "target", "method"),
    [("examples_rgb_color.dcm", BASELINE, "ISO_10918_1"), ("examples_overlay.dcm", EXTENDED, "ISO_10918_1")],
)
def test_compression_with_loss_makes_another_image_that_says_so(
    name: str, target: str, method: str, bundled: Bundled
) -> None:
    original = read(bundled(name))

    once, twice = written(bundled(name), target), written(bundled(name), target)

    made = read(once)
    assert once == twice
    assert made.SOPInstanceUID != original.SOPInstanceUID
    assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID
    assert made.ImageType[0] == "DERIVED"
    assert (made.LossyImageCompression, made.LossyImageCompressionMethod) == ("01", method)
    assert float(made.LossyImageCompressionRatio) > 1
    (source,) = made.SourceImageSequence[-1:]
    assert source.ReferencedSOPInstanceUID == original.SOPInstanceUID
    back = read(written(once, EXPLICIT))
    native = read(written(bundled(name), EXPLICIT))
    assert (back.SOPInstanceUID, back.LossyImageCompression) == (made.SOPInstanceUID, "01")
    difference = np.abs(stored_values(back) - (stored_values(native) & ((1 << native.BitsStored) - 1)))
    assert difference.mean() < 0.02 * (1 << native.BitsStored)


@pytest.mark.needs("dcmtk")
def test_dcmtk_decodes_our_lossy_jpeg_of_8_and_12_bits(bundled: Bundled, tmp_path: Path) -> None:
    for name, target in (("examples_rgb_color.dcm", BASELINE), ("examples_overlay.dcm", EXTENDED)):
        ours = written(bundled(name), target)
        (tmp_path / "ours.dcm").write_bytes(ours)

        subprocess.run(["dcmdjpeg", tmp_path / "ours.dcm", tmp_path / "theirs.dcm"], check=True)

        theirs, mine = pydicom.dcmread(tmp_path / "theirs.dcm"), read(written(ours, EXPLICIT))
        assert theirs.PhotometricInterpretation == mine.PhotometricInterpretation
        assert np.abs(stored_values(theirs) - stored_values(mine)).mean() < 2


def test_what_was_compressed_with_loss_says_so_once_it_is_native(bundled: Bundled) -> None:
    native = read(written(bundled("SC_rgb_jpeg_dcmtk.dcm"), EXPLICIT))

    assert native.LossyImageCompression == "01"
    assert native.SOPInstanceUID == read(bundled("SC_rgb_jpeg_dcmtk.dcm")).SOPInstanceUID
    assert native.PhotometricInterpretation == "RGB"


@pytest.mark.parametrize(
    "target", ["1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.203", "1.2.840.10008.1.2.4.81"]
)
def test_a_syntax_that_may_lose_loses_nothing_here(target: str, bundled: Bundled) -> None:
    there = written(bundled("CT_small.dcm"), target)
    back = written(there, EXPLICIT)

    for made in (there, back):
        np.testing.assert_array_equal(stored_values(read(made)), stored_values(read(bundled("CT_small.dcm"))))
        assert "LossyImageCompression" not in read(made)


@pytest.mark.parametrize("target", [EXPLICIT, IMPLICIT, DEFLATED])
@pytest.mark.parametrize("name", ["reportsi.dcm", "test-SR.dcm", "rtplan.dcm"])
def test_objects_without_pixels_keep_every_value(name: str, target: str, bundled: Bundled) -> None:
    encoded = bundled(name)
    original = read(encoded)

    there = written(encoded, target)

    assert read(there).file_meta.TransferSyntaxUID == target
    assert _plain(read(written(there, EXPLICIT))) == _plain(original)


def _plain(data_set: Dataset) -> str:
    return str([one for one in data_set if one.tag.element])


def test_objects_without_pixels_are_not_compressed_as_images(bundled: Bundled) -> None:
    with pytest.raises(Invalid, match="no pixels"):
        written(bundled("rtplan.dcm"), J2K)


@pytest.mark.parametrize(
    ("target", "attributes", "said"),
    [
        (BASELINE, {}, "up to 8 bits"),
        (EXTENDED, {}, "up to 12 bits"),
        (
            BASELINE,
            {"PhotometricInterpretation": "PALETTE COLOR", "BitsStored": 8, "HighBit": 7},
            "with loss",
        ),
        ("1.2.840.10008.1.2.4.110", {"PixelRepresentation": 1}, "unsigned"),
        (BIG_ENDIAN, {}, "not written"),
        ("1.2.840.10008.1.2.4.100", {}, "not written"),
    ],
)
def test_pixels_that_a_syntax_cannot_hold_are_refused_with_the_reason(
    target: str, attributes: dict[str, Any], said: str, instance: Dataset, encode: Encode
) -> None:
    original = encode(image(instance, np.zeros((1, 4, 4), "<u2"), **attributes))

    with pytest.raises(Invalid, match=said):
        written(original, target)


def test_what_may_be_offered_is_what_can_be_read_and_written() -> None:
    assert all(can_be_transcoded(EXPLICIT, target) for target in ON_DEMAND)
    assert all(can_be_transcoded(target, J2K) for target in ENCODABLE)
    assert can_be_transcoded(BIG_ENDIAN, HTJ2K)
    assert not can_be_transcoded(EXPLICIT, BIG_ENDIAN)
    videos = [uid for uid, syntax in TRANSFER_SYNTAXES.items() if syntax.is_video]
    assert not any(can_be_transcoded(uid, EXPLICIT) for uid in videos)
    assert not any(is_lossy_target(uid) for uid in LOSSLESS_TARGETS)


def test_without_a_worker_no_pixel_is_decoded_but_native_ones_are_copied(bundled: Bundled) -> None:
    with pytest.raises(Invalid, match="no worker"):
        list(transcoded(BytesIO(bundled("MR_small_RLE.dcm")), EXPLICIT, no_worker))

    copied = b"".join(transcoded(BytesIO(bundled("MR_small_bigendian.dcm")), IMPLICIT, no_worker))

    np.testing.assert_array_equal(
        stored_values(read(copied)), stored_values(read(bundled("MR_small_bigendian.dcm")))
    )
