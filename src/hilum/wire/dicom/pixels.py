"""Frames of an image as they are encoded: where they lie, cut out one by one (PS3.3 C.7.6.3; PS3.5 section 8, A.4)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from struct import unpack
from types import MappingProxyType
from typing import BinaryIO

import numpy as np

from hilum.core.kernel.errors import Invalid, NotFound
from hilum.wire.dicom.character_sets import UNDECLARED
from hilum.wire.dicom.elements import (
    NOTHING,
    PIXEL_DATA,
    UNDEFINED_LENGTH,
    Coding,
    DataSet,
    Element,
    Selection,
    open_data_set,
)
from hilum.wire.dicom.json_model import little_endian
from hilum.wire.dicom.part10 import FileMeta, read_file_meta
from hilum.wire.dicom.source import Source, source_of
from hilum.wire.dicom.transfer_syntaxes import TransferSyntax, transfer_syntax
from hilum.wire.dicom.values import integer_of, text_of
from hilum.wire.dicom.walker import Walker

EXTENDED_OFFSET_TABLE, EXTENDED_OFFSET_TABLE_LENGTHS = 0x7FE00001, 0x7FE00002
_PIXELS = MappingProxyType(
    {
        PIXEL_DATA: "PixelData",
        0x7FE00008: "FloatPixelData",
        0x7FE00009: "DoubleFloatPixelData",
    }
)
_MOST_ELEMENTS = 5_000_000
_MOST_FRAMES = 1_000_000
_CHECK_BEFORE_READING = 1 << 20
_PIECE = 1 << 20
# With what a frame's first fragment begins, by codec: JPEG and JPEG-LS, JPEG 2000, JP2 box, JPEG XL.
_FRAME_BEGINNINGS = (b"\xff\xd8", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP", b"\xff\x0a")

DESCRIPTION: Mapping[int, Selection] = MappingProxyType({
    0x00280002: NOTHING, 0x00280004: NOTHING, 0x00280006: NOTHING, 0x00280008: NOTHING, 0x00280010: NOTHING,
    0x00280011: NOTHING, 0x00280100: NOTHING, 0x00280101: NOTHING, 0x00280102: NOTHING, 0x00280103: NOTHING,
    EXTENDED_OFFSET_TABLE: NOTHING, EXTENDED_OFFSET_TABLE_LENGTHS: NOTHING, **dict.fromkeys(_PIXELS, NOTHING),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImagePixel:
    """The Image Pixel module (PS3.3 Table C.7-11c), with the defaults that readers agree on."""

    keyword: str
    rows: int
    columns: int
    samples_per_pixel: int
    photometric_interpretation: str
    planar_configuration: int
    bits_allocated: int
    bits_stored: int
    pixel_representation: int
    number_of_frames: int

    @property
    def native_frame_bits(self) -> int:
        """Return the size of one native frame; frames follow each other without padding (PS3.5 8.1.1)."""
        samples = self.rows * self.columns * self.samples_per_pixel
        if self.photometric_interpretation == "YBR_FULL_422":
            samples = samples * 2 // 3  # two pixels share their chrominance
        return samples * self.bits_allocated


class Pixels:
    """The pixels of one Part 10 object; frames are numbered from 1."""

    def __init__(
        self, data_set: Source, coding: Coding, found: DataSet, syntax: TransferSyntax, walker: Walker
    ) -> None:
        self.attributes = found
        self.transfer_syntax = syntax
        self._data_set = data_set
        self._coding = coding
        self._walker = walker
        tag = next((tag for tag in _PIXELS if tag in found), None)
        if tag is None:
            raise Invalid("the object has no pixels: it is not an image")
        self._element = found[tag]
        self.image = _image_pixel(found, _PIXELS[tag])
        self._spans: list[list[tuple[int, int]]] | None = None

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
        if self._spans is None:
            self._spans = self._encapsulated_frames()
        return b"".join(self._read(offset, length) for offset, length in self._spans[number - 1])

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
        if size > _CHECK_BEFORE_READING and not self._data_set.read_at(offset + size - 1, 1):
            raise Invalid(f"truncated: {size} bytes of pixels are claimed at byte {offset}")
        read = self._data_set.read_at(offset, size)
        if len(read) < size:
            raise Invalid(f"truncated: {size} bytes of pixels are claimed at byte {offset}")
        return read

    def _encapsulated_frames(self) -> list[list[tuple[int, int]]]:
        """Return the fragments of each frame, by offset table or, without one, by what fragments begin with."""
        (table_offset, table_length), *fragments = self._fragments()
        frames = self.image.number_of_frames
        if not fragments:
            raise Invalid("the pixel data holds no fragment")
        extended = self.attributes.get(EXTENDED_OFFSET_TABLE)
        if extended is not None and extended.length == 8 * frames:
            return self._by_extended_table(extended, fragments[0][0] - 8)
        if len(fragments) == frames:
            return [[fragment] for fragment in fragments]
        if frames == 1:
            return [fragments]
        if table_length == 4 * frames:
            table = unpack(f"<{frames}I", self._read(table_offset, table_length))
            return _grouped(fragments, [fragments[0][0] + start for start in table])
        starts = [
            offset
            for offset, _ in fragments
            if self._data_set.read_at(offset, 8).startswith(_FRAME_BEGINNINGS)
        ]
        if len(starts) != frames:
            raise Invalid(f"{len(fragments)} fragments without an offset table cannot be {frames} frames")
        return _grouped(fragments, starts)

    def _fragments(self) -> list[tuple[int, int]]:
        spans, _ = self._walker.fragments(self._element.offset, self._coding)
        if not spans:
            raise Invalid("the pixel data holds no offset table item")
        return spans

    def _by_extended_table(self, table: Element, first_item: int) -> list[list[tuple[int, int]]]:
        """PS3.3 C.7.6.3.1.8: 64-bit offsets of the frames' items, each frame one fragment, and its exact length."""
        frames = self.image.number_of_frames
        starts = unpack(f"<{frames}Q", self._read(table.offset, table.length))
        lengths_element = self.attributes.get(EXTENDED_OFFSET_TABLE_LENGTHS)
        if lengths_element is None or lengths_element.length != table.length:
            raise Invalid("the Extended Offset Table (7FE0,0001) has no matching lengths (7FE0,0002)")
        lengths = unpack(f"<{frames}Q", self._read(lengths_element.offset, lengths_element.length))
        return [[(first_item + start + 8, length)] for start, length in zip(starts, lengths, strict=True)]


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
    return Pixels(data_set, coding, found, transfer_syntax(meta.transfer_syntax_uid), walker)


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


def _grouped(fragments: list[tuple[int, int]], starts: list[int]) -> list[list[tuple[int, int]]]:
    """Put each fragment to the frame that starts at or before it."""
    frames: list[list[tuple[int, int]]] = []
    awaited = set(starts)
    for offset, length in fragments:
        if offset in awaited:
            frames.append([])
        if not frames:
            raise Invalid("the first fragment of the pixel data belongs to no frame")
        frames[-1].append((offset, length))
    if len(frames) != len(starts):
        raise Invalid("the offset table of the pixel data points beside its fragments")
    return frames


def _shifted(encoded: bytes, first_bit: int, bits: int) -> bytes:
    """Cut bits out of packed bytes, the lowest bit of a byte being the first pixel (PS3.5 8.1.1)."""
    unpacked = np.unpackbits(np.frombuffer(encoded, np.uint8), bitorder="little")
    return np.packbits(unpacked[first_bit : first_bit + bits], bitorder="little").tobytes()
