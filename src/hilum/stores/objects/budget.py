"""How much may be arriving at once, and how much room the disk keeps: senders are put off before either runs out."""

import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hilum.core.archive.model import Blob
from hilum.core.archive.ports import Objects, Spool
from hilum.core.archive.receiving import Receiving
from hilum.core.kernel.errors import Busy


class DiskUsage(Protocol):
    """What `shutil.disk_usage` tells."""

    @property
    def total(self) -> int:
        """Octets of the disk."""

    @property
    def free(self) -> int:
        """Octets that are free."""


_STEP = 1 << 20
"""Octets that are taken from the budget at once: a look at the disk for each."""
_LARGEST_SHARE = 20
"""The floor is a twentieth of the disk at most: a small disk can be used too."""


@dataclass(slots=True)
class Budget:
    """Core's `ReceivingBudget` in the memory of one process; the disk is the same for all."""

    limit: int
    """Octets that may be arriving at once; 0: any."""
    floor: int
    """Octets that are to stay free on the disk; 0: none."""
    folder: Path
    """Where bytes wait while they arrive."""
    usage: Callable[[Path], DiskUsage] = shutil.disk_usage
    _taken: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def spool(self, objects: Objects, holder: str, most: int) -> Spool:
        """Return a spool whose octets count; raises Busy at once when there is no room."""
        self.take(holder, most, 0)
        return _CountedSpool(objects.spool(), self, holder, most)

    def receiving(self) -> Receiving:
        """Return what is arriving now, in all processes, and what the disk has."""
        disk = self.usage(self.folder)
        return Receiving(_size_of(self.folder), self.limit, disk.free, self._floor_of(disk.total))

    def take(self, holder: str, most: int, size: int) -> None:
        """Take octets for a sender that may have `most` of them (0: any); raises Busy and takes none."""
        self._demand_room(size)
        with self._lock:
            if most and self._taken[holder] + size > most:
                raise Busy("this sender has too much under way at once", next_step=_LATER)
            if self.limit and self._taken.total() + size > self.limit:
                raise Busy("too much is arriving at once", next_step=_LATER)
            self._taken[holder] += size

    def give_back(self, holder: str, size: int) -> None:
        """Give back what was taken."""
        with self._lock:
            self._taken[holder] -= size
            if self._taken[holder] <= 0:
                del self._taken[holder]

    def _demand_room(self, size: int) -> None:
        if not self.floor:
            return
        disk = self.usage(self.folder)
        if disk.free - size < self._floor_of(disk.total):
            raise Busy(
                "the disk of the object store is nearly full",
                next_step="make room, or lower limits.free_disk",
            )

    def _floor_of(self, total: int) -> int:
        return min(self.floor, total // _LARGEST_SHARE)


_LATER = "send it again later, or fewer at once"


class _CountedSpool:
    """A spool that asks for room before it writes, and gives it back when its bytes are kept or forgotten."""

    def __init__(self, spool: Spool, budget: Budget, holder: str, most: int) -> None:
        self._spool, self._budget, self._holder, self._most = spool, budget, holder, most
        self._taken = self._left = 0
        self._put = spool.write
        self.read_at = spool.read_at
        limits = [limit for limit in (budget.limit, most) if limit]
        self._step = min(_STEP, *(limit // 16 for limit in limits)) if limits else _STEP

    @property
    def size(self) -> int:
        """Octets written so far."""
        return self._spool.size

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append; raises Busy when there is no room."""
        length = len(chunk)
        if length > self._left:
            size = max(length - self._left, self._step)
            self._budget.take(self._holder, self._most, size)
            self._taken += size
            self._left += size
        self._left -= length
        self._put(chunk)

    def seal(self) -> Blob:
        """Say that all bytes are there."""
        return self._spool.seal()

    def keep(self) -> Blob:
        """Make the bytes durable; they are no longer arriving then."""
        blob = self._spool.keep()
        self._release()
        return blob

    def discard(self) -> None:
        """Forget the bytes."""
        self._spool.discard()
        self._release()

    def _release(self) -> None:
        taken, self._taken = self._taken, 0
        if taken:
            self._budget.give_back(self._holder, taken)


def _size_of(folder: Path) -> int:
    size = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                size += entry.stat().st_size
            except FileNotFoundError:
                continue  # kept or forgotten meanwhile
    return size
