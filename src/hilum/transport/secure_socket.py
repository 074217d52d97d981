"""TLS over a socket that keeps its kernel timeouts: as much of a socket's face as associations and blocks use."""

import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress

_CHUNK = 128 * 1024
_AT_ONCE = 128 * 1024
"""Octets that are sealed before they are sent: the memory that one slow peer can hold."""


class SecureSocket:
    """One TLS connection. Timeouts are those of the socket below; a peer that closes without farewell has closed."""

    def __init__(
        self,
        below: socket.socket,
        context: ssl.SSLContext,
        *,
        server_side: bool,
        server_hostname: str | None = None,
    ) -> None:
        """Prepare; nothing is sent before `handshake`."""
        self._below = below
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        self._ahead = b""
        """Read while looking whether there is anything, not taken yet."""

    def handshake(self, seconds: float) -> None:
        """Agree on keys and see certificates (RFC 8446); raises OSError, of which SSLError is one."""
        deadline = time.monotonic() + seconds
        try:
            while not self._shaken():
                self._below.settimeout(max(deadline - time.monotonic(), 0.001))
                if not self._fetch():
                    raise ConnectionResetError("closed during the TLS handshake")
        finally:
            self._flush()

    @property
    def certificate(self) -> bytes | None:
        """The peer's verified certificate (DER)."""
        return self._tls.getpeercert(binary_form=True)

    def recv_into(self, room: bytearray | memoryview, _count: int = 0, flags: int = 0) -> int:
        """Read as `socket.recv_into`: 0 is the end, BlockingIOError a timeout with nothing read."""
        view, got, whole = memoryview(room), 0, bool(flags & socket.MSG_WAITALL)
        while got < len(view):
            try:
                count = self._read(view[got:])
            except BlockingIOError:
                if got:
                    return got
                raise
            got += count
            if not count or not whole:
                break
        return got

    def recv(self, count: int, flags: int = 0) -> bytes:
        """Read as `socket.recv`; with MSG_PEEK and MSG_DONTWAIT it looks whether one octet is there."""
        if flags & socket.MSG_PEEK:
            self._ahead = self._ahead or self._taken(1, flags & ~socket.MSG_PEEK)
            return self._ahead
        return self._taken(count, flags)

    def sendmsg(self, buffers: Sequence[memoryview]) -> int:
        """Seal and send some of what is given; returns how much of it."""
        sent = 0
        for buffer in buffers:
            part = buffer[: _AT_ONCE - sent]
            sent += self._tls.write(part) if part else 0
            if sent >= _AT_ONCE:
                break
        self._flush()
        return sent

    def send(self, octets: bytes, flags: int = 0) -> int:
        """Seal and send a few octets."""
        count = self._tls.write(octets)
        self._flush(flags)
        return count

    def sendall(self, octets: bytes) -> None:
        """Seal and send all."""
        view = memoryview(octets)
        while view:
            view = view[self.sendmsg([view]) :]

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:
        """Set an option of the socket below."""
        self._below.setsockopt(level, option, value)

    def setblocking(self, flag: bool) -> None:
        """Make the socket below wait, or not."""
        self._below.setblocking(flag)

    def settimeout(self, seconds: float | None) -> None:
        """Set the timeout of the socket below."""
        self._below.settimeout(seconds)

    def fileno(self) -> int:
        """Return the descriptor below, for a selector."""
        return self._below.fileno()

    def shutdown(self, how: int) -> None:
        """Shut the socket below down."""
        self._below.shutdown(how)

    def close(self) -> None:
        """Say farewell where there is room for it (close_notify), and close."""
        with suppress(ssl.SSLError, ValueError):  # the peer need not answer it, and may be gone
            self._tls.unwrap()
        with suppress(OSError):
            self._flush(socket.MSG_DONTWAIT)
        self._below.close()

    def _shaken(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def _taken(self, count: int, flags: int) -> bytes:
        ahead, self._ahead = self._ahead, b""
        if ahead:
            return ahead
        room = bytearray(count)
        return bytes(room[: self._read(memoryview(room), flags)])

    def _read(self, view: memoryview, flags: int = 0) -> int:
        """Read once what is there of application data; waits for it unless MSG_DONTWAIT is set."""
        if self._ahead:
            view[:1], self._ahead = self._ahead, b""
            return 1
        while True:
            try:
                return self._tls.read(len(view), view)  # type: ignore[return-value]  # a count when given room
            except ssl.SSLWantReadError:
                self._flush()
                if not self._fetch(flags):
                    return 0
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return 0

    def _fetch(self, flags: int = 0) -> bool:
        """Take sealed octets from the socket below; tell whether there were any before its end."""
        self._flush()
        sealed = self._below.recv(_CHUNK, flags)
        self._incoming.write(sealed) if sealed else self._incoming.write_eof()
        return bool(sealed)

    def _flush(self, flags: int = 0) -> None:
        if self._outgoing.pending:
            self._below.sendall(self._outgoing.read(), flags)
