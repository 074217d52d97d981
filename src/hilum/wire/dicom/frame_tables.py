"""Where the frames of an encapsulated image lie (PS3.3 C.7.6.3.1.8; PS3.5 A.4), and what is needed to cut them out again."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from struct import unpack

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.elements import Coding, DataSet, Element
from hilum.wire.dicom.source import Source
from hilum.wire.dicom.walker import Walker

EXTENDED_OFFSET_TABLE, EXTENDED_OFFSET_TABLE_LENGTHS = 0x7FE00001, 0x7FE00002
# With what a frame's first fragment begins, by codec: JPEG and JPEG-LS, JPEG 2000, JP2 box, JPEG XL.
_FRAME_BEGINNINGS = (b"\xff\xd8", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP", b"\xff\x0a")
_CHECK_BEFORE_READING = 1 << 20

Span = tuple[int, int]
"""Offset in the data set and length, in octets."""


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


@dataclass(frozen=True, slots=True)
class FrameSpans:
    """The fragments of every frame; frames are numbered from 1."""

    first: "array[int]"
    """Which fragment each frame begins with, and how many there are in all."""
    offsets: "array[int]"
    lengths: "array[int]"

    def of(self, number: int) -> list[Span]:
        """Return the fragments of one frame."""
        chosen = slice(self.first[number - 1], self.first[number])
        return list(zip(self.offsets[chosen], self.lengths[chosen], strict=True))


@dataclass(frozen=True, slots=True)
class FrameTable:
    """What the pixels of an object are and where: all that cutting a frame needs."""

    image: ImagePixel
    element: Element
    """The element that holds the pixels, without its value."""
    spans: FrameSpans | None = None
    """The fragments of encapsulated frames; None where frames follow each other, or were not looked for."""


class EncapsulatedFrames:
    """Finds the frames of one element: what a table claims is believed only where an item begins."""

    def __init__(self, data_set: Source, coding: Coding, attributes: DataSet, offset: int) -> None:
        self._data_set = data_set
        self._attributes = attributes
        spans, _ = Walker(data_set).fragments(offset, coding)
        if not spans:
            raise Invalid("the pixel data holds no offset table item")
        self._basic_table, *self._fragments = spans

    def find(self, frames: int) -> FrameSpans:
        """Return the fragments of each frame, by offset tables or, without a true one, by what fragments begin with."""
        fragments = self._fragments
        if not fragments:
            raise Invalid("the pixel data holds no fragment")
        found = self._by_extended_table(frames)
        if found is None and len(fragments) == frames:
            found = [[fragment] for fragment in fragments]
        if found is None and frames == 1:
            found = [fragments]
        found = found or self._by_basic_table(frames) or self._by_beginnings(frames)
        if found is None:
            raise Invalid(f"{len(fragments)} fragments without a true offset table cannot be {frames} frames")
        return _packed(found)

    def _by_extended_table(self, frames: int) -> list[list[Span]] | None:
        """PS3.3 C.7.6.3.1.8: 64-bit offsets of the frames' items, each frame one fragment, and its exact length."""
        table = self._numbers(EXTENDED_OFFSET_TABLE, frames)
        lengths = self._numbers(EXTENDED_OFFSET_TABLE_LENGTHS, frames)
        if table is None or lengths is None:
            return None
        items, first = dict(self._fragments), self._fragments[0][0]
        spans = [(first + start, length) for start, length in zip(table, lengths, strict=True)]
        true = all(0 < length <= items.get(offset, 0) for offset, length in spans)
        return [[span] for span in spans] if true else None

    def _numbers(self, tag: int, frames: int) -> Sequence[int] | None:
        element = self._attributes.get(tag)
        if element is None or element.length != 8 * frames:
            return None
        return unpack(f"<{frames}Q", read_exactly(self._data_set, element.offset, element.length))

    def _by_basic_table(self, frames: int) -> list[list[Span]] | None:
        offset, length = self._basic_table
        if length != 4 * frames:
            return None
        table = unpack(f"<{frames}I", read_exactly(self._data_set, offset, length))
        return _grouped(self._fragments, [self._fragments[0][0] + start for start in table])

    def _by_beginnings(self, frames: int) -> list[list[Span]] | None:
        starts = [
            offset
            for offset, _ in self._fragments
            if self._data_set.read_at(offset, 8).startswith(_FRAME_BEGINNINGS)
        ]
        return _grouped(self._fragments, starts) if len(starts) == frames else None


def read_exactly(source: Source, offset: int, size: int) -> bytes:
    """Read exactly this much, without first making room for a length that lies; raises Invalid."""
    lies = size > _CHECK_BEFORE_READING and not source.read_at(offset + size - 1, 1)
    read = b"" if lies else source.read_at(offset, size)
    if len(read) < size:
        raise Invalid(f"truncated: {size} bytes of pixels are claimed at byte {offset}")
    return read


def _grouped(fragments: list[Span], starts: list[int]) -> list[list[Span]] | None:
    """Put each fragment to the frame that starts at or before it; None where a start is no fragment's."""
    frames: list[list[Span]] = []
    awaited = set(starts)
    for offset, length in fragments:
        if offset in awaited:
            frames.append([])
        if not frames:
            return None
        frames[-1].append((offset, length))
    return frames if len(frames) == len(starts) else None


def _packed(frames: list[list[Span]]) -> FrameSpans:
    first, offsets, lengths = array("Q", [0]), array("Q"), array("Q")
    for fragments in frames:
        offsets.extend(offset for offset, _ in fragments)
        lengths.extend(length for _, length in fragments)
        first.append(len(offsets))
    return FrameSpans(first, offsets, lengths)
