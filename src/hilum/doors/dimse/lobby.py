"""Where connections wait until they say something: no thread is spent on silence."""

import selectors
import socket
import time

import structlog

log = structlog.get_logger()

_AT_ONCE = 256
"""So many are let in before those are looked at who wait."""


class Lobby:
    """Lets connections in at a listener, and hands them on at their first octet. Not for two threads at once.

    Who is silent for too long must leave (PS3.8 9.1.5: ARTIM). When it is full, or no file descriptor is left, the one
    that has been silent the longest leaves first, so that somebody who does speak always gets in.
    """

    def __init__(self, listener: socket.socket, most: int, patience: float) -> None:
        """Take a bound socket, how many may wait, and for how many seconds each."""
        self._listener = listener
        self._most = most
        self._patience = patience
        self._waiting: dict[socket.socket, tuple[str, float]] = {}
        """Address and deadline, the oldest first."""
        self._dismissed = 0
        self._selector = selectors.DefaultSelector()
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)

    def speakers(self, timeout: float) -> list[tuple[socket.socket, str]]:
        """Return those who said something, or closed, with their addresses; wait for them up to `timeout` seconds."""
        ready = [key.fileobj for key, _ in self._selector.select(timeout)]
        spoke = [self._leave(one) for one in ready if isinstance(one, socket.socket) and one in self._waiting]
        if self._listener in ready:
            self._let_in()
        self._dismiss_silent()
        self._tell()
        return spoke

    def close(self) -> None:
        """Close every connection that waits."""
        for transport in list(self._waiting):
            self._leave(transport)[0].close()
        self._selector.close()

    def _let_in(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                transport, address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:  # out of file descriptors, or a peer that left while it queued
                log.warning("connection not accepted", reason=error.strerror)
                self._dismiss_oldest()
                return
            if len(self._waiting) >= self._most:
                self._dismiss_oldest()
            self._waiting[transport] = str(address[0]), time.monotonic() + self._patience
            self._selector.register(transport, selectors.EVENT_READ)

    def _dismiss_silent(self) -> None:
        now = time.monotonic()
        while self._waiting and next(iter(self._waiting.values()))[1] < now:
            self._dismiss_oldest()

    def _dismiss_oldest(self) -> None:
        oldest = next(iter(self._waiting), None)
        if oldest is not None:
            self._leave(oldest)[0].close()
            self._dismissed += 1

    def _tell(self) -> None:
        """One line for many: who opens connections without end shall not fill the log."""
        dismissed, self._dismissed = self._dismissed, 0
        if dismissed:
            log.info("silent connections closed", count=dismissed)

    def _leave(self, transport: socket.socket) -> tuple[socket.socket, str]:
        self._selector.unregister(transport)
        return transport, self._waiting.pop(transport)[0]
