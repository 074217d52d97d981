"""Frames of an image as they are encoded: where they lie, cut out one by one (PS3.3 C.7.6.3; PS3.5 section 8, A.4)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import BinaryIO

import numpy as np

from hilum.core.kernel.errors import Invalid, NotFound
from hilum.wire.dicom.character_sets import UNDECLARED
from hilum.wire.dicom.elements import (
    EXPLICIT,
    NOTHING,
    PIXEL_DATA,
    UNDEFINED_LENGTH,
    Coding,
    DataSet,
    Selection,
    open_data_set,
)
from hilum.wire.dicom.frame_tables import (
    EXTENDED_OFFSET_TABLE,
    EXTENDED_OFFSET_TABLE_LENGTHS,
    EncapsulatedFrames,
    FrameSpans,
    FrameTable,
    ImagePixel,
    Span,
    read_exactly,
)
from hilum.wire.dicom.json_model import little_endian
from hilum.wire.dicom.part10 import FileMeta, read_file_meta
from hilum.wire.dicom.source import DeflatedSource, SliceSource, Source, source_of
from hilum.wire.dicom.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax, transfer_syntax
from hilum.wire.dicom.values import integer_of, text_of
from hilum.wire.dicom.walker import Walker

_PIXELS = MappingProxyType(
    {
        PIXEL_DATA: "PixelData",
        0x7FE00008: "FloatPixelData",
        0x7FE00009: "DoubleFloatPixelData",
    }
)
_MOST_ELEMENTS = 5_000_000
_MOST_FRAMES = 1_000_000
_PIECE = 1 << 20
_HIGH_BIT = 0x00280102
DESCRIPTION: Mapping[int, Selection] = MappingProxyType({
    0x00280002: NOTHING, 0x00280004: NOTHING, 0x00280006: NOTHING, 0x00280008: NOTHING, 0x00280010: NOTHING,
    0x00280011: NOTHING, 0x00280100: NOTHING, 0x00280101: NOTHING, _HIGH_BIT: NOTHING, 0x00280103: NOTHING,
    EXTENDED_OFFSET_TABLE: NOTHING, EXTENDED_OFFSET_TABLE_LENGTHS: NOTHING, **dict.fromkeys(_PIXELS, NOTHING),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One frame as it is encoded, and all that a codec must know of it; native frames are Explicit VR Little Endian."""

    encoded: bytes
    transfer_syntax_uid: str
    image: ImagePixel
    high_bit: int | None = None
    """Where the data set puts the highest stored bit; None where it does not say, or nobody looked."""


class Pixels:
    """The pixels of one Part 10 object; frames are numbered from 1."""

    def __init__(
        self, data_set: Source, coding: Coding, found: DataSet, syntax: TransferSyntax, table: FrameTable
    ) -> None:
        self.attributes = found
        self.transfer_syntax = syntax
        self.image = table.image
        self.is_positioned = not isinstance(data_set, DeflatedSource)
        """Whether what `table` says holds for the stored bytes: not where they must be inflated first."""
        self._data_set = data_set
        self._coding = coding
        self._element = table.element
        self._spans = table.spans

    @property
    def is_encapsulated(self) -> bool:
        """Say whether the pixel data is a sequence of fragments."""
        return self._element.length == UNDEFINED_LENGTH

    @property
    def frame_media_type(self) -> str:
        """Return the media type in which `frame` gives a frame (PS3.18 Table 8.7.3-5)."""
        return self.transfer_syntax.frame_media_type if self.is_encapsulated else "application/octet-stream"

    def frame(self, number: int) -> bytes:
        """Return one frame: its codestream, or native pixels in little endian."""
        if not 1 <= number <= self.image.number_of_frames:
            raise NotFound(f"there is no frame {number}: the object has {self.image.number_of_frames}")
        if not self.is_encapsulated:
            return self._native_frame(number)
        if self.transfer_syntax.is_video:
            raise Invalid(
                "a frame cannot be cut out of a video", next_step="retrieve the bulk data, or the instance"
            )
        return b"".join(self._read(offset, length) for offset, length in self._found_spans().of(number))

    def encoded_frame(self, number: int) -> EncodedFrame:
        """Return one frame for a codec to work on."""
        uid = self.transfer_syntax.uid if self.is_encapsulated else EXPLICIT_VR_LITTLE_ENDIAN
        return EncodedFrame(self.frame(number), uid, self.image, integer_of(self.attributes.get(_HIGH_BIT)))

    def table(self) -> FrameTable:
        """Return where every frame is, to find them again without a scan; raises Invalid."""
        cut = self.is_encapsulated and not self.transfer_syntax.is_video
        return FrameTable(self.image, self._element._replace(value=b""), self._found_spans() if cut else None)

    def _fragments(self) -> list[Span]:
        spans, _ = Walker(self._data_set).fragments(self._element.offset, self._coding)
        if not spans:
            raise Invalid("the pixel data holds no offset table item")
        return spans

    def _found_spans(self) -> FrameSpans:
        if self._spans is None:
            frames = EncapsulatedFrames(self._data_set, self._coding, self.attributes, self._element.offset)
            self._spans = frames.find(self.image.number_of_frames)
        return self._spans

    def encapsulated_stream(self) -> bytes:
        """Return all fragments as one stream: a video (PS3.5 A.4.5 and later)."""
        return b"".join(self.encapsulated_chunks())

    def encapsulated_length(self) -> int:
        """Return the octets of that stream."""
        return sum(length for _, length in self._fragments()[1:])

    def encapsulated_chunks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the same stream, or a span of it, in pieces: a video is long."""
        before = 0
        for offset, length in self._fragments()[1:]:
            first = max(start - before, 0)
            last = length if end is None else min(length, end - before)
            for place in range(first, last, _PIECE):
                yield self._read(offset + place, min(_PIECE, last - place))
            before += length

    def _native_frame(self, number: int) -> bytes:
        """Read one frame by its byte range; single-bit frames are shifted to begin at a byte."""
        bits = self.image.native_frame_bits
        first, last = bits * (number - 1), bits * number
        start, end = first // 8, -(-last // 8)
        if end > self._element.length:
            raise Invalid(f"the pixel data is too short for frame {number}")
        word = self._swapped_word()
        start_word, end_word = start - start % word, end + -end % word
        encoded = self._read(self._element.offset + start_word, end_word - start_word)
        if word > 1:
            encoded = little_endian(
                encoded, "OW" if word == 2 else "OL" if word == 4 else "OV", self._element
            )
        encoded = encoded[start - start_word : end - start_word]
        return encoded if bits % 8 == 0 else _shifted(encoded, first % 8, bits)

    def _swapped_word(self) -> int:
        """Return the word to swap bytes in: 1 but for big endian (PS3.5 7.3, 8.1.1)."""
        if not self._element.big_endian or self._element.vr == "OB":
            return 1
        return max(2, self.image.bits_allocated // 8)

    def _read(self, offset: int, size: int) -> bytes:
        """Read exactly this much, without first making room for a length that lies."""
        return read_exactly(self._data_set, offset, size)


def open_pixels(
    file: bytes | BinaryIO | Source,
    meta: FileMeta | None = None,
    *,
    also: Mapping[int, Selection] | None = None,
) -> Pixels:
    """Find and describe the pixels of a Part 10 object without reading them; `also` names further attributes."""
    source = source_of(file)
    meta = meta or read_file_meta(source)
    data_set, coding = open_data_set(source, meta.data_set_offset, meta.transfer_syntax_uid)
    walker = Walker(data_set, most_elements=_MOST_ELEMENTS, most_value_bytes=1 << 20, most_bulk_bytes=1 << 20)
    selection = {**DESCRIPTION, **(also or {})}
    found = _up_to_pixels(walker, coding, selection)
    tag = next((tag for tag in _PIXELS if tag in found), None)
    if tag is None:
        raise Invalid("the object has no pixels: it is not an image")
    table = FrameTable(_image_pixel(found, _PIXELS[tag]), found[tag])
    return Pixels(data_set, coding, found, transfer_syntax(meta.transfer_syntax_uid), table)


def pixels_by_table(
    file: bytes | BinaryIO | Source, transfer_syntax_uid: str, data_set_offset: int, table: FrameTable
) -> Pixels:
    """Describe the pixels of an object whose frames were found before: nothing is looked for."""
    data_set = SliceSource(source_of(file), data_set_offset)
    return Pixels(data_set, EXPLICIT, {}, transfer_syntax(transfer_syntax_uid), table)


def _up_to_pixels(walker: Walker, coding: Coding, selection: Selection) -> DataSet:
    found, _ = walker.data_set(0, coding, selection, last=PIXEL_DATA)
    return found


def _image_pixel(found: DataSet, keyword: str) -> ImagePixel:
    """Read the module; Invalid for what no frame can be measured with."""

    def number(tag: int, default: int) -> int:
        value = integer_of(found.get(tag))
        return default if value is None else value

    bits_allocated = number(0x00280100, {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(keyword, 0))
    image = ImagePixel(
        keyword=keyword,
        rows=number(0x00280010, 0),
        columns=number(0x00280011, 0),
        samples_per_pixel=number(0x00280002, 1),
        photometric_interpretation=text_of(found.get(0x00280004), UNDECLARED) or "MONOCHROME2",
        planar_configuration=number(0x00280006, 0),
        bits_allocated=bits_allocated,
        bits_stored=number(0x00280101, bits_allocated),
        pixel_representation=number(0x00280103, 0),
        number_of_frames=max(1, number(0x00280008, 1)),
    )
    if image.rows < 1 or image.columns < 1:
        raise Invalid("the object has no pixels: Rows or Columns is missing or zero")
    if image.samples_per_pixel not in {1, 3, 4} or image.bits_allocated not in {1, 8, 16, 32, 64}:
        raise Invalid(
            f"pixels of {image.samples_per_pixel} samples with {image.bits_allocated} bits are not of the standard"
        )
    if image.number_of_frames > _MOST_FRAMES:
        raise Invalid(f"the object claims {image.number_of_frames} frames")
    return image


def _shifted(encoded: bytes, first_bit: int, bits: int) -> bytes:
    """Cut bits out of packed bytes, the lowest bit of a byte being the first pixel (PS3.5 8.1.1)."""
    unpacked = np.unpackbits(np.frombuffer(encoded, np.uint8), bitorder="little")
    return np.packbits(unpacked[first_bit : first_bit + bits], bitorder="little").tobytes()
