"""A worker that breaks takes one request with it, never the process that asked."""

import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pydicom
import pytest

from hilum.core.kernel.errors import Busy, Invalid
from hilum.wire.dicom.frame_tables import ImagePixel
from hilum.wire.dicom.frame_work import Decode, Encode, FrameTask, Render, work_on
from hilum.wire.dicom.pixels import EncodedFrame, open_pixels
from hilum.wire.dicom.rendering import RENDERING, RenderingOptions, rendering_of
from hilum.workers.pool import Bounds, WorkerPool

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
HTJ2K, JPEG_XL = "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.110"
EXPLICIT = "1.2.840.10008.1.2.1"


def image(rows: int, columns: int, bits: int = 16) -> ImagePixel:
    return ImagePixel("PixelData", rows, columns, 1, "MONOCHROME2", 0, bits, bits, 0, 1)


def children() -> list[psutil.Process]:
    """Return the workers that run; those of other tests may be gone while we look."""
    found = []
    for one in psutil.Process().children():
        with suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
            found += [one] if "hilum.workers.worker" in " ".join(one.cmdline()) else []
    return found


@pytest.fixture(scope="module")
def pool() -> WorkerPool:
    with_workers = WorkerPool(Bounds(workers=2, memory=1 << 30, seconds=20))
    yield with_workers
    with_workers.close()


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "MR_small_RLE.dcm", "693_J2KI.dcm", "SC_rgb_jpeg_dcmtk.dcm", "liver_1frame.dcm"]
)
def test_a_worker_does_what_this_process_would(pool: WorkerPool, name: str) -> None:
    pixels = open_pixels((FILES / name).read_bytes(), also=RENDERING)
    frame = pixels.encoded_frame(1)
    tasks: list[FrameTask] = [Decode(frame), Render(frame, rendering_of(pixels, 1, RenderingOptions()))]

    done = [pool(task) for task in tasks]

    assert [replace(one, content=bytes(one.content)) for one in map(work_on, tasks)] == done


def test_no_worker_is_started_before_its_first_task_and_none_is_left_after_the_last() -> None:
    pool = WorkerPool(Bounds(workers=1))
    before = len(children())
    pixels = open_pixels((FILES / "CT_small.dcm").read_bytes())

    pool(Encode(pixels.encoded_frame(1), HTJ2K))
    at_work = len(children())
    pool.close()

    assert (at_work - before, len(children()) - before) == (1, 0)


def test_a_frame_that_needs_too_much_memory_is_refused_and_the_next_one_is_done() -> None:
    pool, size = WorkerPool(Bounds(workers=1, memory=300 << 20)), 9_000

    with pytest.raises(Invalid, match=r"memory|cannot be"):
        pool(Decode(EncodedFrame(bytes(size * size * 2), EXPLICIT, image(size, size))))
    small = pool(Decode(EncodedFrame(bytes(8), EXPLICIT, image(2, 2))))
    pool.close()

    assert bytes(small.content) == bytes(8)


def test_a_worker_that_is_killed_at_work_is_an_error_of_that_frame_only() -> None:
    pool = WorkerPool(Bounds(workers=1, seconds=30))
    noise = np.random.default_rng(1).integers(0, 1 << 16, (2000, 2000)).astype("<u2").tobytes()
    slow = Encode(EncodedFrame(noise, EXPLICIT, image(2000, 2000)), JPEG_XL)
    known = {one.pid for one in children()}
    pool(Decode(EncodedFrame(bytes(8), EXPLICIT, image(2, 2))))
    (worker,) = [one for one in children() if one.pid not in known]
    threading.Timer(0.2, os.kill, (worker.pid, signal.SIGSEGV)).start()

    with pytest.raises(Invalid, match="broke its worker"):
        pool(slow)
    after = pool(Decode(EncodedFrame(bytes(8), EXPLICIT, image(2, 2))))
    pool.close()

    assert bytes(after.content) == bytes(8)


def test_a_frame_that_takes_too_long_is_ended() -> None:
    pool = WorkerPool(Bounds(workers=1, seconds=1))
    noise = np.random.default_rng(1).integers(0, 1 << 16, (5000, 5000)).astype("<u2").tobytes()
    before = time.monotonic()

    with pytest.raises(Invalid, match=r"took too long|broke its worker"):
        pool(Encode(EncodedFrame(noise, EXPLICIT, image(5000, 5000)), JPEG_XL))
    took = time.monotonic() - before
    pool.close()

    assert took < 20


def test_when_every_worker_is_at_work_the_next_task_waits_and_then_is_told_so() -> None:
    pool = WorkerPool(Bounds(workers=1, seconds=2))
    pool._room.acquire()

    with pytest.raises(Busy):
        pool(Decode(EncodedFrame(bytes(8), EXPLICIT, image(2, 2))))

    pool._room.release()
    pool.close()


def test_a_worker_knows_no_secret_and_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_DATABASE_URL", "postgresql://secret")
    pool = WorkerPool(Bounds(workers=1, memory=1 << 30, seconds=7))
    known = {one.pid for one in children()}
    pool(Decode(EncodedFrame(bytes(8), EXPLICIT, image(2, 2))))
    (worker,) = [one for one in children() if one.pid not in known]

    environment = worker.environ()
    limits = {
        name: worker.rlimit(getattr(psutil, f"RLIMIT_{name}"))[0] for name in ("AS", "CORE", "FSIZE", "CPU")
    }
    pool.close()

    assert "HILUM_DATABASE_URL" not in environment
    assert (limits["AS"], limits["CORE"], limits["FSIZE"]) == (1 << 30, 0, 1 << 30)
    assert limits["CPU"] <= 60


def test_a_worker_that_answers_nonsense_is_not_believed(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hilum.workers import pool as module

    task = Decode(EncodedFrame(bytes(8), EXPLICIT, image(2, 2)))
    monkeypatch.setattr(module._Worker, "_asked", lambda *_: (True, 10, 1 << 40))

    with pytest.raises(Invalid, match="nonsense"):
        pool(task)
