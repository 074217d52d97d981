"""Bodies of many parts, taken apart as they arrive: whatever their size, one piece is in memory (RFC 2046 5.1.1)."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Protocol

from hilum.core.kernel.errors import Invalid

_MOST_PREAMBLE = 64 << 10
_MOST_HEAD_OCTETS = 16 << 10
_MOST_HEAD_LINES = 64
_MOST_PADDING = 256
_LONGEST_BOUNDARY = 70
_BOUNDARY_CHARACTERS = frozenset(
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'()+_,-./:=? "
)


class Parts(Protocol):
    """Who takes the parts."""

    def begin(self, headers: Mapping[str, str]) -> None:
        """Begin a part; names of headers are in lower case."""

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes of the part; a view is good until this returns."""

    def end(self) -> None:
        """End the part."""


class _State(Enum):
    PREAMBLE = auto()
    DELIMITER = auto()
    HEAD = auto()
    BODY = auto()
    EPILOGUE = auto()


class MultipartBody:
    """Finds boundaries in what is fed to it. Lengths that a part claims are not believed: only boundaries end it."""

    def __init__(self, boundary: str, parts: Parts) -> None:
        self._delimiter = b"\r\n--" + _checked(boundary)
        self._parts = parts
        self._state = _State.PREAMBLE
        self._before = _State.PREAMBLE
        self._skipped = 0
        self._rest = b"\r\n"  # the first delimiter may begin the body

    def feed(self, chunk: bytes) -> None:
        """Take more of the body; raises Invalid."""
        self._rest += chunk
        steps = {
            _State.PREAMBLE: self._data,
            _State.DELIMITER: self._delimiter_line,
            _State.HEAD: self._head,
            _State.BODY: self._data,
            _State.EPILOGUE: self._epilogue,
        }
        while self._rest and steps[self._state]():
            pass

    def finish(self) -> None:
        """Take note that the body ended; raises Invalid where it should not have."""
        if self._state is not _State.EPILOGUE:
            raise Invalid(
                "the body ends before its closing boundary (RFC 2046 5.1.1)",
                next_step="send it again: what was stored already is recognised",
            )

    def _data(self) -> bool:
        """Pass on what stands before the next delimiter, or all that can be no part of one."""
        place = self._rest.find(self._delimiter)
        end = place if place >= 0 else max(0, len(self._rest) - len(self._delimiter) + 1)
        self._pass_on(end)
        if place < 0:
            self._rest = self._rest[end:]
            return False
        self._rest = self._rest[end + len(self._delimiter) :]
        self._before, self._state = self._state, _State.DELIMITER
        return True

    def _pass_on(self, end: int) -> None:
        if self._state is _State.BODY:
            if end:
                self._parts.write(memoryview(self._rest)[:end])
            return
        self._skipped += end
        if self._skipped > _MOST_PREAMBLE:
            raise Invalid("the boundary of Content-Type does not occur at the beginning of the body")

    def _delimiter_line(self) -> bool:
        """Read what follows a delimiter: its line's end, or the two hyphens of the last one."""
        if len(self._rest) < 2:
            return False
        if self._rest.startswith(b"--"):
            self._end_part()
            self._state = _State.EPILOGUE
            return True
        end = self._rest.find(b"\r\n", 0, _MOST_PADDING)
        if end < 0 and len(self._rest) < _MOST_PADDING:
            return False
        if end >= 0 and not self._rest[:end].strip(b" \t"):
            self._end_part()
            self._rest = self._rest[end:]
            self._state = _State.HEAD
            return True
        self._state = self._before  # bytes that only begin like a delimiter
        if self._state is _State.BODY:
            self._parts.write(self._delimiter)
        return True

    def _end_part(self) -> None:
        if self._before is _State.BODY:
            self._parts.end()

    def _head(self) -> bool:
        end = self._rest.find(b"\r\n\r\n", 0, _MOST_HEAD_OCTETS)
        if end < 0:
            if len(self._rest) >= _MOST_HEAD_OCTETS:
                raise Invalid(f"the head of a part is longer than {_MOST_HEAD_OCTETS} octets")
            return False
        self._parts.begin(_headers(self._rest[:end]))
        self._rest = self._rest[end + 4 :]
        self._state = _State.BODY
        return True

    def _epilogue(self) -> bool:
        self._rest = b""
        return False


def _checked(boundary: str) -> bytes:
    encoded = boundary.encode("ascii", "replace")
    if not 1 <= len(encoded) <= _LONGEST_BOUNDARY or not _BOUNDARY_CHARACTERS.issuperset(encoded):
        raise Invalid(
            f"Content-Type has no boundary of 1 to {_LONGEST_BOUNDARY} characters (RFC 2046 5.1.1)",
            next_step='send Content-Type: multipart/related; type="application/dicom"; boundary=...',
        )
    return encoded


def _headers(head: bytes) -> Mapping[str, str]:
    lines = head.decode("latin-1").replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n")
    lines = [line for line in lines if line]
    if len(lines) > _MOST_HEAD_LINES:
        raise Invalid(f"the head of a part has more than {_MOST_HEAD_LINES} lines")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise Invalid("the head of a part has a line that is no header (RFC 2045 3)")
        headers[name.strip().lower()] = value.strip()
    return headers
