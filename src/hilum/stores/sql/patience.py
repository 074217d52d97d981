"""How long a database may take over one transaction: a server that is frozen keeps its connections open and says nothing.

TCP sees nothing wrong with it, and a timeout that the server keeps is frozen with the server. So we watch: whose time is
over loses its connection, which ends the wait.
"""

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from hilum.core.kernel.errors import Busy

_LONGEST_LOOK = 1.0


@dataclass(slots=True, eq=False)
class _Wait:
    driver: Any
    until: float
    is_over: bool = False
    """It ended by itself: its connection may be another's by now."""
    was_cut: bool = False


class Patience:
    """Cuts the connection of a transaction that takes longer than it may. All may take equally long."""

    def __init__(self, seconds: float) -> None:
        """Watch nothing yet: the thread begins with the first transaction, after any fork."""
        self.seconds = seconds
        self._waits: deque[_Wait] = deque()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._watcher: threading.Thread | None = None

    @contextmanager
    def with_connection(self, connection: Connection) -> Iterator[None]:
        """Let what happens inside take its time; raises Busy when that was over."""
        wait = _Wait(connection.connection.dbapi_connection, time.monotonic() + self.seconds)
        with self._lock:
            self._waits.append(wait)
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="database patience", daemon=True)
                self._watcher.start()
        try:
            yield
        except SQLAlchemyError:
            if wait.was_cut:
                raise self._refusal() from None
            raise
        finally:
            with self._lock:
                wait.is_over = True

    def close(self) -> None:
        """End the watch."""
        self._closing.set()

    def _refusal(self) -> Busy:
        return Busy(
            f"the database did not answer within {self.seconds:g} seconds",
            next_step="look whether its server is frozen or overloaded; service returns by itself",
        )

    def _watch(self) -> None:
        while not self._closing.wait(min(_LONGEST_LOOK, self.seconds / 4)):
            now = time.monotonic()
            with self._lock:
                while self._waits and (self._waits[0].is_over or self._waits[0].until < now):
                    _cut(self._waits.popleft())


def _cut(wait: _Wait) -> None:
    if wait.is_over:
        return
    wait.was_cut = True
    with (
        suppress(psycopg.Error, OSError),  # it is closed already
        socket.socket(fileno=os.dup(wait.driver.fileno())) as transport,
    ):
        transport.shutdown(socket.SHUT_RDWR)
