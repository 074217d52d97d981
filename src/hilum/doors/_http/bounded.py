"""One connection whose other end may be hostile: bounded head, bounded silence, bounded refusal to read."""

import asyncio
from asyncio.events import TimerHandle

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

LONGEST_HEAD = 64 * 1024
"""Octets of a request line with its fields, beyond the piece in which they began."""
HEAD_TIME = 20.0
"""Seconds from the connection, or from the first octet of a request, to the end of its head."""
DEAF_TIME = 60.0
"""Seconds for which a client may leave its answer unread before it is let go."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol reads heads of any length at any speed, and waits for ever for a client that does not read."""

    _in_head = False
    _head = 0
    _head_timer: TimerHandle | None = None
    _deaf_timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._stop(self._head_timer)
        self._stop(self._deaf_timer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head that began in an earlier piece."""
        began_before = self._in_head
        super().data_received(data)
        if began_before and self._in_head:
            self._head += len(data)
            if self._head > LONGEST_HEAD and not self.transport.is_closing():
                self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        """Note that a head began."""
        super().on_message_begin()
        self._in_head, self._head = True, 0
        self._await_head()

    def on_headers_complete(self) -> None:
        """Note that the head is whole."""
        self._in_head = False
        self._stop(self._head_timer)
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """Begin to wait for a client that has stopped reading."""
        super().pause_writing()
        self._stop(self._deaf_timer)
        self._deaf_timer = self.loop.call_later(DEAF_TIME, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that the client reads again."""
        self._stop(self._deaf_timer)
        super().resume_writing()

    def _await_head(self) -> None:
        self._stop(self._head_timer)
        self._head_timer = self.loop.call_later(HEAD_TIME, self.timeout_keep_alive_handler)

    @staticmethod
    def _stop(timer: TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()


class BoundedWebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol flushes before it closes: a client that takes nothing would stay for as long as it likes."""

    _deaf_timer: TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait for a client that has stopped reading."""
        super().pause_writing()
        self._stop()
        self._deaf_timer = self.loop.call_later(DEAF_TIME, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that the client reads again."""
        self._stop()
        super().resume_writing()

    def _stop(self) -> None:
        if self._deaf_timer is not None:
            self._deaf_timer.cancel()
