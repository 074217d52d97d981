"""Where frames are: tables that lie are not believed, and a table found once serves without a scan."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended

from hilum.wire.dicom.described import FramesAt, frames_at
from hilum.wire.dicom.frame_work import native_frame, work_on
from hilum.wire.dicom.pixels import open_pixels, pixels_by_table

J2K = "1.2.840.10008.1.2.4.90"
CODESTREAMS = [b"\xff\x4f\xff\x51" + bytes([number]) * (300 + 2 * number) for number in range(1, 5)]
Encode = Callable[..., bytes]


class Counted(BytesIO):
    """A file that notes what is read of it."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.reads: list[tuple[int, int]] = []

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads.append((self.tell(), size or 0))
        return super().read(size)


@pytest.fixture
def multi_frame(instance: Dataset) -> Dataset:
    """Describe four frames of an image; each test gives it pixels."""
    instance.Rows = instance.Columns = 10
    instance.NumberOfFrames, instance.SamplesPerPixel = 4, 1
    instance.PhotometricInterpretation, instance.PixelRepresentation = "MONOCHROME2", 0
    instance.BitsAllocated = instance.BitsStored = 8
    instance.HighBit = 7
    return instance


def with_pixels(described: Dataset, pixels: bytes) -> Dataset:
    described.PixelData = pixels
    described["PixelData"].is_undefined_length = True
    return described


def frames_of(encoded: bytes) -> list[bytes]:
    return [open_pixels(encoded).frame(number) for number in range(1, 5)]


@pytest.mark.parametrize("wrong", [0, 2, 4, 9999])
def test_a_basic_offset_table_that_points_beside_the_items_is_not_believed(
    multi_frame: Dataset, encode: Encode, wrong: int
) -> None:
    pixels = bytearray(encapsulate(CODESTREAMS, fragments_per_frame=2, has_bot=True))
    pixels[12:16] = wrong.to_bytes(4, "little")  # of the second frame

    found = frames_of(encode(with_pixels(multi_frame, bytes(pixels)), J2K))

    assert found == CODESTREAMS


@pytest.mark.parametrize("shift", [2, -8, 1 << 40])
def test_an_extended_offset_table_that_points_beside_the_items_is_not_believed(
    multi_frame: Dataset, encode: Encode, shift: int
) -> None:
    pixels, offsets, lengths = encapsulate_extended(CODESTREAMS)
    table = np.frombuffer(offsets, "<i8") + np.array([0, shift, 0, 0])
    multi_frame.ExtendedOffsetTable, multi_frame.ExtendedOffsetTableLengths = table.tobytes(), lengths

    assert frames_of(encode(with_pixels(multi_frame, pixels), J2K)) == CODESTREAMS


def test_extended_lengths_that_reach_beyond_their_item_are_not_believed(
    multi_frame: Dataset, encode: Encode
) -> None:
    pixels, offsets, lengths = encapsulate_extended(CODESTREAMS)
    longer = (np.frombuffer(lengths, "<u8") + np.uint64(64)).tobytes()
    multi_frame.ExtendedOffsetTable, multi_frame.ExtendedOffsetTableLengths = offsets, longer

    assert frames_of(encode(with_pixels(multi_frame, pixels), J2K)) == CODESTREAMS


def test_a_frame_found_before_is_one_read_at_its_place(multi_frame: Dataset, encode: Encode) -> None:
    encoded = encode(with_pixels(multi_frame, encapsulate(CODESTREAMS)), J2K)
    known = frames_at(BytesIO(encoded))
    file = Counted(encoded)

    assert known is not None
    third = pixels_by_table(file, known.transfer_syntax_uid, known.data_set_offset, known.table).frame(3)

    assert third == CODESTREAMS[2]
    assert file.reads == [(encoded.index(CODESTREAMS[2]), len(CODESTREAMS[2]))]


@pytest.mark.parametrize(
    "name",
    [
        "SC_rgb_rle_2frame.dcm",
        "rtdose_rle.dcm",
        "examples_jpeg2k.dcm",
        "liver_1frame.dcm",
        "ExplVR_BigEnd.dcm",
    ],
)
def test_frames_of_real_files_are_the_same_by_their_table(name: str, bundled: Callable[[str], bytes]) -> None:
    encoded = bundled(name)
    known: FramesAt | None = frames_at(BytesIO(encoded))
    scanned = open_pixels(encoded)

    assert known is not None
    by_table = pixels_by_table(encoded, known.transfer_syntax_uid, known.data_set_offset, known.table)

    for number in {1, scanned.image.number_of_frames}:
        assert by_table.frame(number) == scanned.frame(number)
        assert native_frame(by_table, number, work_on) == native_frame(scanned, number, work_on)


def test_what_has_no_frames_has_no_table(encode: Encode, instance: Dataset) -> None:
    for keyword in ("PixelData", "Rows"):
        if keyword in instance:
            del instance[keyword]

    assert frames_at(BytesIO(encode(instance))) is None
    assert isinstance(pydicom.dcmread(BytesIO(encode(instance))), Dataset)
