"""Received octets, handed on in pieces of an exact length with as few copies as the transport allows."""

from collections import deque

Octets = bytes | bytearray | memoryview


class Inbox:
    """A piece that lies whole in what the transport gave is a view of it; only a piece that was cut is joined."""

    __slots__ = ("_chunks", "_part")

    def __init__(self) -> None:
        self._chunks: deque[memoryview] = deque()
        self._part = bytearray()

    def put(self, octets: Octets) -> None:
        """Keep what was received; the transport must not change it any more."""
        if len(octets):
            self._chunks.append(memoryview(octets))

    def clear(self) -> None:
        """Forget everything."""
        self._chunks.clear()
        self._part = bytearray()

    @property
    def is_empty(self) -> bool:
        """Whether no octet is waiting."""
        return not self._chunks and not self._part

    def missing(self, length: int) -> int:
        """How many octets are still to be received before `take(length)` succeeds."""
        return max(0, length - len(self._part) - sum(map(len, self._chunks)))

    def take(self, length: int) -> memoryview | None:
        """The next piece of this length, or None while it is not whole."""
        if not self._part and self._chunks and len(self._chunks[0]) >= length:
            return self._split(length)
        while self._chunks and len(self._part) < length:
            self._part += self._split(min(length - len(self._part), len(self._chunks[0])))
        if len(self._part) < length:
            return None
        whole, self._part = memoryview(self._part), bytearray()
        return whole

    def _split(self, length: int) -> memoryview:
        """The first octets of the first chunk; the rest of it stays first."""
        chunk = self._chunks.popleft()
        if length < len(chunk):
            self._chunks.appendleft(chunk[length:])
        return chunk[:length]
