"""Where encoded DICOM is read from: anything that gives the bytes at an offset, so that no object is read whole."""

import zlib
from typing import BinaryIO, Protocol

from hilum.core.kernel.errors import Invalid

# What a deflated data set may inflate to before it is taken for a bomb.
MOST_INFLATED_BYTES = 256 << 20
_STEP = 64 << 10
_KEPT = 1 << 20


class Source(Protocol):
    """Encoded bytes at offsets; a read past the end comes back short, as a file's does."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset`."""
        ...


class BytesSource:
    """Bytes that are in memory already."""

    __slots__ = ("_encoded",)

    def __init__(self, encoded: bytes | bytearray | memoryview) -> None:
        self._encoded = memoryview(encoded)

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset`."""
        return bytes(self._encoded[offset : offset + size])


class FileSource:
    """A seekable binary file; its position moves, so one thread uses it at a time."""

    __slots__ = ("_file",)

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset`."""
        self._file.seek(offset)
        return self._file.read(size)


class SliceSource:
    """A source that begins later in another one."""

    __slots__ = ("_source", "_start")

    def __init__(self, source: Source, start: int) -> None:
        self._source = source
        self._start = start

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset`."""
        return self._source.read_at(self._start + offset, size)


class DeflatedSource:
    """The inflated form of a deflated data set, inflated only as far as it is read (PS3.5 A.5, RFC 1951).

    Little of it is kept: who reads forward needs no more, and who goes far back has it inflated again.
    """

    __slots__ = ("_base", "_inflated", "_inflater", "_most", "_next", "_source", "_start")

    def __init__(self, source: Source, start: int, *, most: int = MOST_INFLATED_BYTES) -> None:
        self._source = source
        self._start = start
        self._most = most
        self._begin()

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset` of the inflated data set."""
        if offset < self._base:
            self._begin()
        while self._base + len(self._inflated) < offset + size and self._inflate_step():
            self._forget_before(offset)
        place = offset - self._base
        return bytes(self._inflated[place : place + size])

    def _begin(self) -> None:
        self._next = self._start
        self._base = 0
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._inflated = bytearray()

    def _forget_before(self, offset: int) -> None:
        """Drop what lies well before a read; seldom, since the rest moves."""
        if len(self._inflated) > 2 * _KEPT:
            dropped = min(offset - self._base, len(self._inflated) - _KEPT)
            if dropped > _KEPT // 2:
                del self._inflated[:dropped]
                self._base += dropped

    def _inflate_step(self) -> bool:
        """Inflate one more piece; False when there is no more."""
        if self._inflater.eof:
            return False
        deflated = self._inflater.unconsumed_tail
        if not deflated:
            deflated = self._source.read_at(self._next, _STEP)
            self._next += len(deflated)
        if not deflated:
            return False
        try:
            self._inflated += self._inflater.decompress(deflated, _STEP)
        except zlib.error as error:
            raise Invalid("the deflated data set is damaged", peer_said=str(error)) from error
        if self._base + len(self._inflated) > self._most:
            raise Invalid(f"the deflated data set inflates to more than {self._most} bytes")
        return True


def source_of(encoded: bytes | bytearray | memoryview | BinaryIO | Source) -> Source:
    """Give bytes, an open file or a source the one shape that the readers of this room take."""
    if isinstance(encoded, bytes | bytearray | memoryview):
        return BytesSource(encoded)
    if hasattr(encoded, "read_at"):
        return encoded
    return FileSource(encoded)
