"""The sub-operations of a C-MOVE: one or several associations to its destination, each with a thread of its own.

The door's thread stays with the mover: it hears a C-CANCEL and an abort, and tells how far things are.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import BinaryIO, Self

import structlog

from hilum.core.archive.model import Retrieved
from hilum.core.kernel.errors import HilumError
from hilum.core.routing.model import InstanceParcel, Receipt, Verdict
from hilum.doors.dimse.session import Destination
from hilum.doors.dimse.sub_operations import Outcome, is_status, outcome_of
from hilum.wire.dicom.dimse.status import Category

log = structlog.get_logger()

_MOST_KINDS = 64
"""Classes and transfer syntaxes that one association can hold, two contexts each (PS3.8 9.3.2.2)."""
_AHEAD = 8 << 20
"""Octets of the next object that the machine is asked to read while the one before is being answered."""
_SECOND_ATTEMPT = 0.3
"""Seconds before it: a destination that restarts is back, one that refuses refuses again."""
_FAREWELL = 5.0
"""Seconds that sub-operations under way have to end when no more are wanted."""

OpenBlob = Callable[[str], BinaryIO]
_NO_REFUSAL = Receipt(Verdict.UNCERTAIN, "hilum", "the sub-association ended")
Done = tuple[str, Outcome]
"""SOP Instance UID, and what became of it."""


@dataclass(slots=True)
class _Opened:
    """An instance whose bytes are open already, or why they cannot be had."""

    retrieved: Retrieved
    open_blob: OpenBlob
    file: BinaryIO | None = None
    failure: Outcome | None = None

    @property
    def parcel(self) -> InstanceParcel:
        """Return what a courier takes; at a second attempt it opens the bytes anew."""
        return InstanceParcel(self.retrieved, self._open)

    def _open(self, digest: str) -> BinaryIO:
        file, self.file = self.file, None
        return file or self.open_blob(digest)

    def close(self) -> None:
        """Close what nobody read."""
        if self.file is not None:
            self.file.close()


@dataclass(slots=True)
class _Worker:
    """One association and its thread."""

    destination: Destination
    thread: threading.Thread = field(default_factory=threading.Thread)
    is_associated: bool = False
    held: list[_Opened] = field(default_factory=list)
    """What it took and did not tell yet: the instance under way, and the one after it."""


@dataclass(slots=True)
class SubAssociations:
    """Sends instances in their order; a context: what is left at its end is not sent."""

    open_destination: Callable[[], Destination]
    open_blob: OpenBlob
    chosen: Sequence[Retrieved]
    at_once: int
    _kinds: list[tuple[str, str]] = field(default_factory=list)
    _waiting: deque[Retrieved] = field(default_factory=deque)
    _done: SimpleQueue[Done] = field(default_factory=SimpleQueue)
    _workers: list[_Worker] = field(default_factory=list)
    _at_work: int = 0
    _refusal: Receipt = _NO_REFUSAL
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        """Begin."""
        self._kinds = list(dict.fromkeys(map(_kind, self.chosen)))
        is_many = len(self._kinds) > _MOST_KINDS
        self._waiting.extend(
            sorted(self.chosen, key=lambda one: self._kinds.index(_kind(one))) if is_many else self.chosen
        )
        if self.chosen:
            self._begin_workers(1)
        return self

    def _begin_workers(self, number: int) -> None:
        for _ in range(number):
            worker = _Worker(self.open_destination())
            worker.thread = threading.Thread(target=self._run, args=(worker,), daemon=True)
            with self._lock:
                self._at_work += 1
                self._workers.append(worker)
            worker.thread.start()

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        """Let associations be released; after a failure, and where none was given yet, they are cut."""
        self.stop()
        for worker in list(self._workers):
            if failed or not worker.is_associated:
                worker.destination.cut()
        deadline = time.monotonic() + _FAREWELL
        for worker in self._alive():
            worker.thread.join(max(0.0, deadline - time.monotonic()))
        for worker in self._alive():
            worker.destination.cut()

    def _alive(self) -> list[_Worker]:
        return [worker for worker in list(self._workers) if worker.thread.is_alive()]

    def stop(self) -> None:
        """Begin no more sub-operations."""
        self._stopped.set()

    def results(self, seconds: float) -> Iterator[Done]:
        """Yield what was done, waiting so long for the first."""
        with suppress(Empty):
            yield self._done.get(timeout=seconds)
            while True:
                yield self._done.get_nowait()

    def last_results(self) -> Iterator[Done]:
        """Yield what ends now that no more are begun, as long as a farewell takes."""
        self.stop()
        deadline = time.monotonic() + _FAREWELL
        while self._alive() and time.monotonic() < deadline:
            yield from self.results(0.05)
        yield from self.results(0)

    def _run(self, worker: _Worker) -> None:
        """Work on one association; what it leaves is left to the others."""
        try:
            with closing(worker.destination):
                refusal = self._work(worker)
        except Exception:  # the outermost frame of this thread
            log.exception("sub-association failed")
            refusal = Receipt(Verdict.UNCERTAIN, "hilum", "internal error")
        self._leave(worker, refusal)

    def _work(self, worker: _Worker) -> Receipt | None:
        """Send until there is nothing left; return why it cannot go on."""
        refusal = self._associated(worker.destination)
        if refusal is not None:
            return refusal
        worker.is_associated = True
        if worker is self._workers[0]:  # where one finds no association, several would not
            self._begin_workers(min(self.at_once, len(self.chosen)) - 1)
        self._take(worker)
        while worker.held and not self._stopped.is_set():
            self._take(worker)
            outcome = self._sent(worker.destination, worker.held[0])
            if isinstance(outcome, Receipt):
                return outcome
            self._done.put((worker.held.pop(0).retrieved.instance.sop_instance_uid, outcome))
        return None

    def _associated(self, destination: Destination) -> Receipt | None:
        """Associate, at the second attempt where the first found nobody; return why it failed."""
        refusal = destination.expect(self._kinds)
        if refusal is None or not _may_pass(refusal) or self._stopped.wait(_SECOND_ATTEMPT):
            return refusal
        return destination.expect(self._kinds)

    def _take(self, worker: _Worker) -> None:
        """Take an instance and open it, so that its bytes come while the one before is answered."""
        with self._lock:
            if self._stopped.is_set() or not self._waiting:
                return
            opened = _Opened(self._waiting.popleft(), self.open_blob)
            worker.held.append(opened)
        try:
            opened.file = self.open_blob(opened.retrieved.instance.blob.digest)
        except HilumError as error:
            opened.failure = Outcome(Category.FAILURE, error.what)
        else:
            _read_ahead(opened.file)

    def _sent(self, destination: Destination, opened: _Opened) -> Outcome | Receipt:
        """Send one instance, once more on a new association where the first was lost; a receipt says: lost again."""
        if opened.failure is not None:
            return opened.failure
        try:
            with closing(opened):
                receipt = destination.send(opened.parcel)
                if _is_lost(receipt) and _may_pass(receipt) and not self._stopped.wait(_SECOND_ATTEMPT):
                    receipt = destination.send(opened.parcel)
        except HilumError as error:
            return Outcome(Category.FAILURE, error.what)
        return receipt if _is_lost(receipt) else outcome_of(receipt)

    def _leave(self, worker: _Worker, refusal: Receipt | None) -> None:
        """Leave what is left to the other associations; the last one tells all of it as failed."""
        left: list[Retrieved] = []
        with self._lock:
            self._at_work -= 1
            self._refusal = refusal or self._refusal
            self._waiting.extendleft(one.retrieved for one in reversed(worker.held))
            if not self._at_work and not self._stopped.is_set():
                left.extend(self._waiting)
                self._waiting.clear()
        for opened in worker.held:
            opened.close()
        for one in left:
            self._done.put((one.instance.sop_instance_uid, outcome_of(self._refusal)))


def _kind(retrieved: Retrieved) -> tuple[str, str]:
    return retrieved.instance.sop_class_uid, retrieved.instance.transfer_syntax_uid


def _is_lost(receipt: Receipt) -> bool:
    """Tell whether there is no association any more; `hilum` is our own word on one instance."""
    return not is_status(receipt.code) and receipt.code != "hilum"


def _may_pass(receipt: Receipt) -> bool:
    """Tell whether a second attempt has a chance: who is silent once costs a timer each time."""
    return receipt.code in {"connection", "association"}


def _read_ahead(file: BinaryIO) -> None:
    """Ask the machine for the bytes; a reader that is no file has none to ask for."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(file.fileno(), 0, _AHEAD, os.POSIX_FADV_WILLNEED)
