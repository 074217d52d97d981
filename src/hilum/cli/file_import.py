"""Read the Part 10 files below a folder and store what they hold, several at a time."""

import os
import re
import stat
import time
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from hilum.cli.journal import Journal, key_of
from hilum.core.archive.model import AnyOf, Level, Query, StoreOutcome
from hilum.core.archive.ports import Spool
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Busy, HilumError, Invalid
from hilum.wire.dicom.archive_header import indexed_header
from hilum.wire.dicom.attributes import check_complete
from hilum.wire.dicom.header import read_header
from hilum.wire.dicom.part10 import file_meta_bytes, read_file_meta
from hilum.wire.dicom.source import source_of

_CHUNK = 1 << 20
_DIRECTORY_OF_MEDIA = "1.2.840.10008.1.3.10"
_CHECKED_AT_ONCE = 256
_LENGTHS = re.compile(r"(?<![\w(,])\d+(?![\w),])")
"""Lengths and offsets differ from file to file, the reason does not; the numbers of tags stay."""


class Fate(StrEnum):
    """What became of a file."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    REPLACED = "replaced"
    QUARANTINED = "quarantined"
    EARLIER = "taken by an earlier import"
    SKIPPED = "skipped"
    CONFLICT = "conflict"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Result:
    """One file, what became of it, and why."""

    path: Path
    fate: Fate
    size: int = 0
    reason: str = ""


@dataclass(slots=True)
class Tally:
    """The running figures of an import."""

    started: float
    fates: Counter[Fate] = field(default_factory=Counter)
    octets: int = 0
    reasons: dict[tuple[Fate, str], list[Path]] = field(default_factory=dict)

    def count(self, result: Result) -> None:
        """Count one file."""
        self.fates[result.fate] += 1
        self.octets += result.size
        if result.reason:
            kind = _LENGTHS.sub("N", result.reason)
            self.reasons.setdefault((result.fate, kind), []).append(result.path)

    @property
    def rejected(self) -> int:
        """Return how many files were not stored as they should be."""
        return self.fates[Fate.REJECTED] + self.fates[Fate.CONFLICT]

    def __str__(self) -> str:
        """Return the line of progress."""
        seconds = max(time.monotonic() - self.started, 1e-6)
        read = sum(self.fates.values()) - self.fates[Fate.EARLIER]
        return (
            f"{sum(self.fates.values())} files, {self.rejected} rejected, "
            f"{read / seconds:.0f} files/s, {self.octets / seconds / 1e6:.1f} MB/s"
        )

    def report(self, examples: int) -> list[str]:
        """Return the lines of the report: fates, then reasons with some of their files."""
        lines = [f"{number:8} {fate}" for fate, number in self.fates.items()]
        for (fate, reason), paths in sorted(self.reasons.items(), key=lambda one: -len(one[1])):
            lines.append(f"{fate}: {reason} ({len(paths)} files)")
            lines += [f"    {path}" for path in paths[:examples]]
        return lines

    def summary(self) -> dict[str, object]:
        """Return the report as JSON values."""
        reasons = [
            {"fate": fate, "reason": reason, "files": [str(path) for path in paths]}
            for (fate, reason), paths in self.reasons.items()
        ]
        return {fate.name.lower(): self.fates[fate] for fate in Fate} | {
            "octets": self.octets,
            "reasons": reasons,
        }


@dataclass(slots=True)
class FileImport:
    """One run of the import."""

    hub: Hub
    caller: Caller
    journal: Journal
    longest: int
    threads: int

    def results(self, root: Path) -> Iterator[Result]:
        """Store every file at or below `root`, and yield what became of each; raises Busy when nothing can be stored."""
        files = iter(self._with_journal(root))
        with ThreadPoolExecutor(self.threads, thread_name_prefix="import") as pool:
            running: set[Future[Result]] = set()
            while True:
                fetched = list(islice(files, 2 * self.threads - len(running)))
                if not fetched and not running:
                    return
                yield from (known for known in fetched if isinstance(known, Result))
                running |= {pool.submit(self._take, *known) for known in fetched if isinstance(known, tuple)}
                if running:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)

    def _with_journal(self, root: Path) -> Iterator[Result | tuple[Path, str, int]]:
        """Yield files to read, and results for those that an earlier import took and that are still kept."""
        earlier: list[tuple[Path, str, int, str]] = []
        for path, status in walk(root):
            if isinstance(status, OSError):
                yield Result(path, Fate.REJECTED, 0, f"not readable: {status.strerror}")
                continue
            key = key_of(path, status)
            uid = self.journal.taken(key)
            if uid is None:
                yield path, key, status.st_size
                continue
            earlier.append((path, key, status.st_size, uid))
            if len(earlier) == _CHECKED_AT_ONCE:
                yield from self._still_kept(earlier)
                earlier = []
        yield from self._still_kept(earlier)

    def _still_kept(
        self, earlier: list[tuple[Path, str, int, str]]
    ) -> Iterator[Result | tuple[Path, str, int]]:
        """Believe the journal only as far as the database does: it may have been made anew since."""
        uids = tuple({uid for _, _, _, uid in earlier})
        query = Query(Level.INSTANCE, {"sop_instance_uid": AnyOf(uids)})
        kept = bool(uids) and self.hub.count(self.caller, query) == len(uids)
        for path, key, size, _ in earlier:
            yield Result(path, Fate.EARLIER) if kept else (path, key, size)

    def _take(self, path: Path, key: str, size: int) -> Result:
        try:
            if size > self.longest:
                raise Invalid(f"longer than {self.longest} octets")
            with path.open("rb") as file:
                return self._stored(path, key, size, file)
        except Busy as error:
            remedy = "mend that, then run the same command again: it goes on where it stopped"
            raise Busy(f"{path}: {error.what}", peer_said=error.peer_said, next_step=remedy) from error
        except HilumError as error:
            return Result(path, Fate.REJECTED, size, error.what)
        except OSError as error:
            return Result(path, Fate.REJECTED, 0, f"not readable: {error.strerror}")

    def _stored(self, path: Path, key: str, size: int, file: BinaryIO) -> Result:
        source = source_of(file)
        meta = read_file_meta(source)
        if meta.media_storage_sop_class_uid == _DIRECTORY_OF_MEDIA:
            return Result(
                path, Fate.SKIPPED, 0, "a DICOMDIR: the files that it lists are imported by themselves"
            )
        header = read_header(source, meta)
        check_complete(source, meta)
        spool = self.hub.spool()
        try:
            spool.write(
                file_meta_bytes(header.sop_class_uid, header.sop_instance_uid, meta.transfer_syntax_uid)
            )
            _copy(file, meta.data_set_offset, spool)
            stored = self.hub.store(self.caller, spool, indexed_header(header))
        finally:
            spool.discard()
        if stored.outcome is StoreOutcome.REJECTED:
            return Result(path, Fate.REJECTED, size, stored.reason)
        if stored.outcome is StoreOutcome.CONFLICT:
            return Result(
                path, Fate.CONFLICT, size, stored.reason or "kept aside: see the conflicts in the console"
            )
        self.journal.add(key, header.sop_instance_uid)
        return Result(path, Fate(stored.outcome), size)


def walk(root: Path) -> Iterator[tuple[Path, os.stat_result | OSError]]:
    """Yield the regular files at or below `root`, by name, and what cannot be read, with the reason.

    Links are followed; a folder that they lead to again is walked once.
    """
    seen: set[tuple[int, int]] = set()
    waiting = deque([root])
    while waiting:
        path = waiting.popleft()
        try:
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                yield path, status
            elif stat.S_ISDIR(status.st_mode) and (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                waiting.extendleft(sorted(path.iterdir(), reverse=True))
        except OSError as error:
            yield path, error


def _copy(file: BinaryIO, offset: int, spool: Spool) -> None:
    file.seek(offset)
    while chunk := file.read(_CHUNK):
        spool.write(chunk)
