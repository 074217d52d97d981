"""The pool of workers: bounded in number, memory and time, each started when it is first needed (ADR 25)."""

import json
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType

import structlog

from hilum.core.kernel.errors import Busy, Invalid
from hilum.wire.dicom.frame_work import FrameAnswer, FrameTask
from hilum.workers.worker import ANSWERED, ASKED, put

log = structlog.get_logger()

_START_SECONDS = 30.0
_MOST_SAID = 64 << 10
_KEPT_SHARED_BYTES = 64 << 20
"""The shared file of a worker is cut back to nothing after a task that needed more."""
_ENVIRONMENT = MappingProxyType({"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"})
"""All that a worker is told: what a server has in its environment may be secret."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many workers there are, and what each may take for one frame."""

    workers: int = 2
    memory: int = 2 << 30
    """Address space of a worker, in octets."""
    seconds: int = 30
    """CPU time and wall time of one task."""


class WorkerDied(Exception):  # the pool turns it into Invalid
    """A worker ended, or did not answer in time, and was ended."""


class WorkerPool:
    """A `FrameWorker`: does one task in a process of its own, many at once."""

    def __init__(self, bounds: Bounds = Bounds()) -> None:
        self._bounds = bounds
        self._idle: list[_Worker] = []
        self._room = threading.BoundedSemaphore(bounds.workers)
        self._lock = threading.Lock()

    def __call__(self, task: FrameTask) -> FrameAnswer:
        """Do one task; raises Invalid where a frame cannot be worked on, also because it broke its worker.

        Raises Busy when every worker is at work for longer than a task may take.
        """
        with self._a_worker() as worker:
            try:
                return worker.work(task, self._bounds.seconds)
            except WorkerDied as death:
                log.warning("pixel worker ended", reason=str(death))
                raise Invalid(f"the frame cannot be worked on: {death}") from death

    def close(self) -> None:
        """End every idle worker."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()

    @contextmanager
    def _a_worker(self) -> "Iterator[_Worker]":
        if not self._room.acquire(timeout=self._bounds.seconds):
            raise Busy("every pixel worker is at work", next_step="try again, or raise pixels.workers")
        try:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            worker = worker or _Worker(self._bounds)
            try:
                yield worker
            finally:
                self._take_back(worker)
        finally:
            self._room.release()

    def _take_back(self, worker: "_Worker") -> None:
        """Keep a worker that answered its last task; one that did not is in a state that nobody knows."""
        if worker.at_work:
            worker.end()
            return
        with self._lock:
            self._idle.append(worker)


class _Worker:
    """One process, and the two file descriptors that join it to us."""

    def __init__(self, bounds: Bounds) -> None:
        self.at_work = False
        self._shared = _shared_file()
        self._heads, theirs = socket.socketpair()
        numbers = (theirs.fileno(), self._shared)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and module, numbers only
                [
                    sys.executable,
                    "-m",
                    "hilum.workers.worker",
                    *map(str, (*numbers, bounds.memory, bounds.seconds)),
                ],
                pass_fds=numbers,
                env={**_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self._heads.settimeout(_START_SECONDS)
        try:
            ready = self._heads.recv(1)
        except OSError:
            ready = b""
        if not ready:
            self.end()
            raise Busy(
                "a pixel worker does not start",
                next_step="check pixels.memory, and the memory of this machine",
            )

    def work(self, task: FrameTask, seconds: float) -> FrameAnswer:
        """Hand a task over and wait for its answer; raises Invalid as the worker says, WorkerDied when it is gone."""
        self.at_work = True
        pickled = pickle.dumps(replace(task, frame=replace(task.frame, encoded=b"")))
        put(self._shared, pickled, task.frame.encoded)
        done, said_length, length = self._asked(
            len(pickled), len(task.frame.encoded), time.monotonic() + seconds
        )
        said, content = self._read(min(said_length, _MOST_SAID), 0), self._read(length, said_length)
        if os.fstat(self._shared).st_size > _KEPT_SHARED_BYTES:
            os.ftruncate(self._shared, 0)
        description = _object(said)
        self.at_work = False
        if not done:
            raise Invalid(str(description.get("what", "")), peer_said=str(description.get("peer_said", "")))
        return _answer(description, content)

    def _asked(self, task_length: int, frame_length: int, deadline: float) -> tuple[bool, int, int]:
        """Send the head of a task and read the head of its answer, until a deadline."""
        head = b""
        try:
            self._heads.sendall(ASKED.pack(task_length, frame_length))
            while len(head) < ANSWERED.size:
                self._heads.settimeout(max(0.001, deadline - time.monotonic()))
                received = self._heads.recv(ANSWERED.size - len(head))
                if not received:
                    raise WorkerDied("it broke its worker")
                head += received
        except TimeoutError as error:
            raise WorkerDied("it took too long") from error
        except OSError as error:
            raise WorkerDied("it broke its worker") from error
        done, said_length, length = ANSWERED.unpack(head)
        return done, said_length, length

    def _read(self, length: int, offset: int) -> bytes:
        """Read what the worker has put; a length that lies costs nothing."""
        if offset + length > os.fstat(self._shared).st_size:
            raise WorkerDied("its worker answered nonsense")
        read = os.pread(self._shared, length, offset)
        while len(read) < length and (more := os.pread(self._shared, length - len(read), offset + len(read))):
            read += more
        return read

    def end(self) -> None:
        """End the process and forget its files."""
        self._process.kill()
        self._process.wait()
        self._heads.close()
        os.close(self._shared)


def _shared_file() -> int:
    """Return a file without a name: in memory where the system has such files."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("hilum-pixels")
    number, path = tempfile.mkstemp()
    os.unlink(path)  # noqa: PTH108  a name given by mkstemp as text
    return number


def _object(said: bytes) -> dict[str, object]:
    """Read what a worker says of its answer: JSON and never a pickle, since a codec may have been taken over."""
    try:
        read = json.loads(said)
    except ValueError as error:
        raise WorkerDied("its worker answered nonsense") from error
    if not isinstance(read, dict):
        raise WorkerDied("its worker answered nonsense")
    return read


def _answer(description: dict[str, object], content: bytes) -> FrameAnswer:
    match description:
        case {
            "photometric_interpretation": str(photometric_interpretation),
            "bits_allocated": int(bits_allocated),
            "bits_stored": int(bits_stored),
            "pixel_representation": int(pixel_representation),
            "is_lossy": bool(is_lossy),
            "keeps_words": bool(keeps_words),
        }:
            return FrameAnswer(
                content,
                photometric_interpretation[:16],
                bits_allocated,
                bits_stored,
                pixel_representation,
                is_lossy,
                keeps_words,
            )
        case _:
            raise WorkerDied("its worker answered nonsense")
