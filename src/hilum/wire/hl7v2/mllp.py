"""Minimal Lower Layer Protocol: `<VT> content <FS><CR>`, without sockets (HL7 2.5.1 Implementation Guide, C)."""

import re

from hilum.wire.hl7v2.errors import FramingInvalid

START_BLOCK = b"\x0b"
END_BLOCK = b"\x1c"
CARRIAGE_RETURN = b"\r"
MEBIBYTE = 1024 * 1024

# Where a block ends, or where its sender gave it up. Three peers' habits are tolerated, and no others:
# FS without CR when the next block follows at once, FS without CR as the last byte of the connection
# (see `close`), and a new block begun inside an unfinished one (a VT alone can be a soft line break pasted
# from a word processor, so that a header must follow it).
_BOUNDARY = re.compile(rb"\x1c(?=[\r\x0b])|\x0b(?=MSH|FHS|BHS)")
_LONGEST_BOUNDARY = 4


class Framer:
    """Takes bytes in any chunks and gives whole blocks; each byte is looked at a bounded number of times.

    `skipped` counts bytes between blocks, `cut` the blocks that their sender began anew before the end.
    """

    def __init__(self, *, limit: int = 16 * MEBIBYTE, garbage_limit: int = 64 * 1024) -> None:
        self.skipped = 0
        self.cut = 0
        self._limit = limit
        self._garbage_limit = garbage_limit
        self._buffer = bytearray()
        self._inside = False
        self._start = 0
        self._scan = 0

    @property
    def incomplete(self) -> int:
        """How many bytes of a block have come without its end: not 0 at close means cut in the middle."""
        return len(self._buffer) - self._start + len(START_BLOCK) if self._inside else 0

    @property
    def idle(self) -> bool:
        """Whether everything that came was given out: no block begun, none waiting."""
        return not self._inside and not bytes(self._buffer[self._start :]).strip(b"\r\n")

    def feed(self, chunk: bytes) -> None:
        """Take what the peer sent."""
        del self._buffer[: self._start]
        self._scan -= self._start
        self._start = 0
        self._buffer += chunk

    def next_frame(self) -> bytes | None:
        """Give the content of the next whole block, or None when more bytes are needed.

        Raises FramingInvalid when the peer exceeds a limit; the connection is then of no more use.
        """
        if not self._inside and not self._find_start():
            return None
        return self._find_end()

    def close(self) -> bytes | None:
        """The peer has closed: give the last block if only its CR is missing. Then ask `incomplete`."""
        if not self._inside or not self._buffer.endswith(END_BLOCK, self._start):
            return None
        return self._take(len(self._buffer) - len(END_BLOCK), len(self._buffer))

    def _find_start(self) -> bool:
        found = self._buffer.find(START_BLOCK, self._start)
        end = found if found >= 0 else len(self._buffer)
        between = self._buffer[self._start : end]
        self._start = self._scan = end + len(START_BLOCK) if found >= 0 else end
        self._inside = found >= 0
        self._count_garbage(len(between) - between.count(b"\r") - between.count(b"\n"))
        return self._inside

    def _count_garbage(self, count: int) -> None:
        self.skipped += count
        if self.skipped > self._garbage_limit:
            raise FramingInvalid(
                f"more than {self._garbage_limit} bytes came outside of MLLP blocks",
                next_step="check that the peer speaks MLLP (VT, message, FS, CR) without TLS or HTTP on this port",
            )

    def _find_end(self) -> bytes | None:
        while boundary := _BOUNDARY.search(self._buffer, self._scan):
            if self._buffer[boundary.start()] == END_BLOCK[0]:
                self._check_length(boundary.start())
                after = boundary.end() + self._buffer.startswith(CARRIAGE_RETURN, boundary.end())
                return self._take(boundary.start(), after)
            self.cut += 1
            self._start = self._scan = boundary.end()
        self._scan = max(self._scan, len(self._buffer) - _LONGEST_BOUNDARY + 1)
        self._check_length(len(self._buffer) - len(END_BLOCK))  # the last byte may be the FS of a full block
        return None

    def _check_length(self, end: int) -> None:
        if end - self._start > self._limit:
            raise FramingInvalid(
                f"an MLLP block is longer than {self._limit} bytes",
                next_step="send large documents by reference (OBX-2 RP), or raise the limit for this connection",
            )

    def _take(self, end: int, after: int) -> bytes:
        content = bytes(self._buffer[self._start : end])
        self._start = self._scan = after
        self._inside = False
        return content


def frame(content: bytes) -> bytes:
    """Put a message into a block; refuse what a reader would cut."""
    if START_BLOCK in content or END_BLOCK in content:
        raise FramingInvalid(
            "the message holds VT or FS, which MLLP keeps for itself", next_step="escape them"
        )
    return START_BLOCK + content + END_BLOCK + CARRIAGE_RETURN
