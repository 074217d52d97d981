"""A data set in Explicit VR Little Endian, written anew in Implicit VR Little Endian, which all receivers take (PS3.5 A.1)."""

from collections.abc import Iterator
from struct import pack

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.elements import EVERYTHING, EXPLICIT, LAST_TAG, LONG_VRS, PIXEL_GROUP, DataSet, Element
from hilum.wire.dicom.walker import Walker

_BEFORE_PIXELS = (PIXEL_GROUP << 16) - 1
_MOST_BYTES = 256 << 20
_STEP = 1 << 20


def implicit(data_set: Iterator[bytes]) -> Iterator[bytes]:
    """Return the chunks of a data set in Implicit VR; it has to come as `uncompressed` writes it.

    What stands before the pixels is held in memory, and what stands behind them; the pixels pass.
    """
    arriving = _Arriving(data_set)
    yield _written(arriving.walked(last=_BEFORE_PIXELS))
    while arriving.read_at(0, 4)[:2] == pack("<H", PIXEL_GROUP):
        head = arriving.taken(8)
        is_long = head[4:6] in LONG_VRS
        length = int.from_bytes(arriving.taken(4) if is_long else head[6:], "little")
        yield head[:4] + pack("<I", length)
        yield from arriving.passed(length)
    yield _written(arriving.walked(last=LAST_TAG))


class _Arriving:
    """Chunks as a source that begins behind what was taken; no more of them is asked for than is read."""

    __slots__ = ("_chunks", "_held")

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = bytearray()

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset`."""
        while len(self._held) < offset + size and (chunk := next(self._chunks, None)) is not None:
            self._held += chunk
        return bytes(self._held[offset : offset + size])

    def taken(self, size: int) -> bytes:
        """Return the next bytes and forget them."""
        piece = self.read_at(0, size)
        if len(piece) < size:
            raise Invalid("the data set ends inside an element")
        del self._held[:size]
        return piece

    def passed(self, length: int) -> Iterator[bytes]:
        """Yield so many bytes, piece by piece."""
        while length:
            piece = self.taken(min(length, len(self._held) or _STEP))
            length -= len(piece)
            yield piece

    def walked(self, last: int) -> DataSet:
        """Return the next elements up to a tag, and forget their bytes."""
        walker = Walker(self, most_value_bytes=_MOST_BYTES, most_bulk_bytes=_MOST_BYTES)
        elements, end = walker.data_set(0, EXPLICIT, EVERYTHING, last=last)
        del self._held[:end]
        return elements


def _written(data_set: DataSet) -> bytes:
    return b"".join(map(_element, data_set.values()))


def _element(element: Element) -> bytes:
    value = element.value if element.items is None else b"".join(map(_item, element.items))
    return pack("<HHI", element.tag >> 16, element.tag & 0xFFFF, len(value)) + value


def _item(item: DataSet) -> bytes:
    value = _written(item)
    return pack("<HHI", 0xFFFE, 0xE000, len(value)) + value
