import subprocess
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended

from hilum.core.kernel.errors import Invalid, NotFound
from hilum.wire.dicom.decoding import codestream_size, decode_frame
from hilum.wire.dicom.header import read_header
from hilum.wire.dicom.part10 import file_meta_bytes, read_file_meta
from hilum.wire.dicom.pixels import open_pixels
from hilum.wire.dicom.sop_classes import STORAGE_SOP_CLASSES
from hilum.wire.dicom.transfer_syntaxes import TRANSFER_SYNTAXES, transfer_syntax

from .conftest import Bundled, Encode, bundled_files

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
RLE, J2K, BIG_ENDIAN = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.2"


def image(instance: Dataset, frames: np.ndarray, bits: int) -> Dataset:
    """Give an instance gray frames."""
    instance.NumberOfFrames, instance.Rows, instance.Columns = frames.shape
    instance.SamplesPerPixel, instance.PhotometricInterpretation = 1, "MONOCHROME2"
    instance.BitsAllocated = instance.BitsStored = bits
    instance.HighBit, instance.PixelRepresentation = bits - 1, 0
    packed = np.packbits(frames.ravel(), bitorder="little") if bits == 1 else frames
    instance.PixelData = packed.tobytes() + b"\0" * (packed.nbytes % 2)
    instance["PixelData"].VR = "OW" if bits == 16 else "OB"
    return instance


@pytest.mark.parametrize("path", bundled_files(), ids=lambda path: path.name)
def test_every_frame_of_every_bundled_file_decodes_as_pydicom_decodes_it_or_is_refused(path: Path) -> None:
    encoded = path.read_bytes()
    try:
        pixels = open_pixels(encoded)
        frames = [
            decode_frame(pixels.encoded_frame(number)).pixels
            for number in range(1, pixels.image.number_of_frames + 1)
        ]
    except Invalid:
        return

    if path.name in {"badVR.dcm", "JPEG-lossy.dcm", "JPGExtended.dcm"}:
        return  # pydicom gives up on Number of Frames "1A", and on JPEG of 12 bits
    expected = pydicom.pixels.pixel_array(pydicom.dcmread(path))
    lossy = pixels.transfer_syntax.lossy
    np.testing.assert_allclose(np.squeeze(np.stack(frames)), np.squeeze(expected), atol=3 if lossy else 0)


@pytest.mark.needs("dcmtk")
@pytest.mark.parametrize("name", ["JPEG-lossy.dcm", "JPGExtended.dcm"])
def test_jpeg_of_12_bits_is_decoded_as_dcmtk_decodes_it(name: str, bundled: Bundled, tmp_path: Path) -> None:
    (tmp_path / "jpeg.dcm").write_bytes(bundled(name))
    subprocess.run(["dcmdjpeg", tmp_path / "jpeg.dcm", tmp_path / "native.dcm"], check=True)

    ours = decode_frame(open_pixels(bundled(name)).encoded_frame(1)).pixels

    np.testing.assert_allclose(ours.astype(int), pydicom.dcmread(tmp_path / "native.dcm").pixel_array, atol=1)


def test_one_native_frame_is_read_by_its_byte_range(instance: Dataset, encode: Encode) -> None:
    frames = np.arange(5 * 200 * 300, dtype="<u2").reshape(5, 200, 300)
    source = _Counting(encode(image(instance, frames, 16)))

    fourth = open_pixels(source).frame(4)

    assert fourth == frames[3].tobytes()
    assert source.octets < 2 * frames[3].nbytes


@pytest.mark.parametrize("shape", [(3, 3, 3), (4, 1, 5), (2, 8, 8), (7, 3, 7)])
def test_frames_of_single_bits_are_cut_between_octets(
    instance: Dataset, encode: Encode, shape: tuple[int, int, int]
) -> None:
    frames = np.random.default_rng(7).integers(0, 2, shape, dtype=np.uint8)

    pixels = open_pixels(encode(image(instance, frames, 1)))

    for number, frame in enumerate(frames, 1):
        assert pixels.frame(number) == np.packbits(frame.ravel(), bitorder="little").tobytes()
        np.testing.assert_array_equal(decode_frame(pixels.encoded_frame(number)).pixels, frame)


@pytest.mark.parametrize(("bits", "columns"), [(16, 5), (8, 5)])
def test_big_endian_frames_come_in_little_endian(
    instance: Dataset, encode: Encode, bits: int, columns: int
) -> None:
    frames = np.arange(3 * 3 * columns).reshape(3, 3, columns).astype(f"<u{bits // 8}")
    described = image(instance, frames, bits)
    swapped = frames.astype(f">u{bits // 8}").tobytes()
    described.PixelData = swapped + b"\0" * (len(swapped) % 2)
    described["PixelData"].VR = "OB" if bits == 8 else "OW"
    described.BitsStored, described.HighBit = bits, bits - 1

    pixels = open_pixels(encode(described, BIG_ENDIAN))

    assert [pixels.frame(number) for number in (1, 2, 3)] == [frame.tobytes() for frame in frames]


CODESTREAMS = [b"\xff\x4f\xff\x51" + bytes([number]) * 300 for number in range(1, 5)]


@pytest.mark.parametrize("fragments_per_frame", [1, 3])
@pytest.mark.parametrize("has_bot", [True, False])
def test_encapsulated_frames_are_found_with_and_without_an_offset_table(
    instance: Dataset, encode: Encode, fragments_per_frame: int, has_bot: bool
) -> None:
    described = image(instance, np.zeros((4, 10, 10), np.uint8), 8)
    described.PixelData = encapsulate(CODESTREAMS, fragments_per_frame=fragments_per_frame, has_bot=has_bot)
    described["PixelData"].is_undefined_length = True

    pixels = open_pixels(encode(described, J2K))

    assert [pixels.frame(number) for number in range(1, 5)] == CODESTREAMS
    assert pixels.frame_media_type == "image/jp2"


def test_encapsulated_frames_are_found_by_the_extended_offset_table(
    instance: Dataset, encode: Encode
) -> None:
    described = image(instance, np.zeros((4, 10, 10), np.uint8), 8)
    odd = [codestream[:-1] for codestream in CODESTREAMS]
    described.PixelData, offsets, _ = encapsulate_extended(odd)
    lengths = b"".join(len(codestream).to_bytes(8, "little") for codestream in odd)
    described.ExtendedOffsetTable, described.ExtendedOffsetTableLengths = offsets, lengths
    described["PixelData"].is_undefined_length = True

    pixels = open_pixels(encode(described, J2K))

    assert [pixels.frame(number) for number in range(1, 5)] == odd


def test_frames_that_cannot_be_told_apart_are_refused(instance: Dataset, encode: Encode) -> None:
    described = image(instance, np.zeros((4, 10, 10), np.uint8), 8)
    described.PixelData = encapsulate([b"abcdefgh"] * 3, has_bot=False)
    described["PixelData"].is_undefined_length = True

    with pytest.raises(Invalid, match="cannot be 4 frames"):
        open_pixels(encode(described, J2K)).frame(1)


def test_a_video_is_one_stream_and_gives_no_single_frame(instance: Dataset, encode: Encode) -> None:
    described = image(instance, np.zeros((4, 10, 10), np.uint8), 8)
    described.PixelData = encapsulate([b"the whole stream"], has_bot=False)
    described["PixelData"].is_undefined_length = True

    pixels = open_pixels(encode(described, "1.2.840.10008.1.2.4.102"))

    assert pixels.frame_media_type == "video/mp4"
    assert pixels.encapsulated_stream() == b"the whole stream"
    with pytest.raises(Invalid, match="video"):
        pixels.frame(1)


@pytest.mark.parametrize("number", [0, -1, 3, 10**9])
def test_a_frame_beyond_the_last_is_not_found(bundled: Bundled, number: int) -> None:
    with pytest.raises(NotFound):
        open_pixels(bundled("SC_rgb_rle_2frame.dcm")).frame(number)


def test_a_frame_length_of_three_gigabytes_costs_nothing(instance: Dataset, encode: Encode) -> None:
    described = image(instance, np.zeros((1, 4, 4), np.uint8), 8)
    described.PixelData = encapsulate([b"\xff\xd8" + bytes(30)], has_bot=False)
    described["PixelData"].is_undefined_length = True
    whole = bytearray(encode(described, "1.2.840.10008.1.2.4.50"))
    at = whole.rindex(b"\xfe\xff\x00\xe0")
    whole[at + 4 : at + 8] = (3 << 30).to_bytes(4, "little")

    with pytest.raises(Invalid):
        open_pixels(bytes(whole)).frame(1)
    with pytest.raises(Invalid, match="truncated"):
        open_pixels(_claiming_native(bytes(encode(image(instance, np.zeros((1, 4, 4), np.uint8), 8))))).frame(
            1
        )


def test_a_codestream_that_claims_more_pixels_than_the_data_set_is_not_decoded(bundled: Bundled) -> None:
    with pytest.raises(Invalid, match="the data set says 256 x 1024"):
        decode_frame(open_pixels(bundled("JPEG2000-embedded-sequence-delimiter.dcm")).encoded_frame(1))


def test_a_frame_of_too_many_pixels_is_not_decoded(bundled: Bundled) -> None:
    with pytest.raises(Invalid, match="beyond the limit"):
        decode_frame(open_pixels(bundled("CT_small.dcm")).encoded_frame(1), most_pixels=128 * 128 - 1)


@pytest.mark.parametrize(
    "name",
    [
        "693_J2KI.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "SC_rgb_jpeg_gdcm.dcm",
        "JPGExtended.dcm",
        "examples_jpeg2k.dcm",
    ],
)
def test_codestreams_state_their_size(bundled: Bundled, name: str) -> None:
    encoded = bundled(name)
    header = read_header(encoded)

    assert codestream_size(open_pixels(encoded).frame(1)) == (header.columns, header.rows)


def test_objects_without_pixels_say_so(bundled: Bundled) -> None:
    with pytest.raises(Invalid, match="no pixels"):
        open_pixels(bundled("test-SR.dcm"))


def test_deflated_frames_are_inflated_to_their_size_and_no_further(instance: Dataset, encode: Encode) -> None:
    frames = np.arange(2 * 16 * 16, dtype="<u2").reshape(2, 16, 16)
    deflater = [zlib.compressobj(wbits=-15) for _ in frames]
    deflated = [
        each.compress(frame.tobytes()) + each.flush() for each, frame in zip(deflater, frames, strict=True)
    ]
    described = image(instance, frames, 16)
    described.PixelData = encapsulate(deflated)
    described["PixelData"].is_undefined_length, described["PixelData"].VR = True, "OB"

    whole = encode(described, RLE)
    renamed = (
        file_meta_bytes("1.2", "1.2.3", "1.2.840.10008.1.2.8.1")
        + whole[read_file_meta(whole).data_set_offset :]
    )

    pixels = open_pixels(renamed)

    np.testing.assert_array_equal(decode_frame(pixels.encoded_frame(2)).pixels, frames[1])


def test_the_table_of_transfer_syntaxes_holds_every_one_of_pydicom_that_encodes_objects() -> None:
    known = set(TRANSFER_SYNTAXES)
    not_of_objects = {"1.2.840.10008.1.2.6.1", "1.2.840.10008.1.2.6.2", "1.2.840.10008.1.20"}
    theirs = {
        str(uid)
        for uid in pydicom.uid.AllTransferSyntaxes
        if uid not in not_of_objects and not uid.startswith("1.2.840.10008.1.2.7.")
    }

    assert theirs - known == set()
    for uid in theirs & known:
        ours, theirs_row = transfer_syntax(uid), pydicom.uid.UID(uid)
        assert ours.implicit_vr == theirs_row.is_implicit_VR
        assert ours.big_endian != theirs_row.is_little_endian
        assert ours.name == theirs_row.name.split(":")[0]


def test_an_unknown_transfer_syntax_is_taken_for_an_encapsulated_one() -> None:
    assert transfer_syntax("1.2.3.4.5").encapsulated
    assert not transfer_syntax("1.2.3.4.5").implicit_vr


def test_the_table_of_storage_classes_holds_those_of_pynetdicom() -> None:
    from pynetdicom.sop_class import _STORAGE_CLASSES

    assert set(_STORAGE_CLASSES.values()) - set(STORAGE_SOP_CLASSES) == set()


class _Counting:
    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded
        self.octets = 0

    def read_at(self, offset: int, size: int) -> bytes:
        read = self._encoded[offset : offset + size]
        self.octets += len(read)
        return read


def _claiming_native(whole: bytes) -> bytes:
    """Make a native image of 4 x 4 claim 60000 x 50000 pixels in a value of 3 GB."""
    read = pydicom.dcmread(BytesIO(whole))
    read.Rows, read.Columns = 60_000, 50_000
    claimed = BytesIO()
    read.save_as(claimed)
    changed = bytearray(claimed.getvalue())
    at = changed.rindex(b"\xe0\x7f\x10\x00")
    changed[at + 8 : at + 12] = (3_000_000_000).to_bytes(4, "little")
    return bytes(changed)
