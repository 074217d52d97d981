"""Turns between processes: SQLite's own lock lets one writer in, but lets the quickest barge in again and again."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hilum.core.kernel.errors import Busy

_GATE, _ROOM = 0, 1
"""Two bytes of the lock file. Who waits for the room holds the gate, so that who left cannot re-enter first."""

_PATIENCE = 30.0
_PAUSE = 0.0005


class Turnstile:
    """A lock file beside the database: writers of all processes enter in turn.

    Only fairness depends on it; that one writes at a time is SQLite's to hold.
    """

    def __init__(self, path: Path) -> None:
        """Open nothing yet; POSIX locks belong to the process, so a forked child makes its own turnstile."""
        self._path = path
        self._file: int | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the room; raises Busy when it does not get free."""
        deadline = time.monotonic() + _PATIENCE
        self._take(_GATE, deadline)
        try:
            self._take(_ROOM, deadline)
        finally:
            self._leave(_GATE)
        try:
            yield
        finally:
            self._leave(_ROOM)

    def close(self) -> None:
        """Close the lock file."""
        opened, self._file = self._file, None
        if opened is not None:
            os.close(opened)

    def _take(self, place: int, deadline: float) -> None:
        while True:
            try:
                fcntl.lockf(self._opened(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Busy(
                        "another process holds the database",
                        next_step="look for a process that is stopped while it writes",
                    ) from None
                time.sleep(_PAUSE)
            else:
                return

    def _leave(self, place: int) -> None:
        fcntl.lockf(self._opened(), fcntl.LOCK_UN, 1, place)

    def _opened(self) -> int:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._file
