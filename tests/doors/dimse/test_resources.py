"""What storing costs: a full disk, large objects, many associations at once."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from hilum.core.hub import Hub
from hilum.stores.objects import objects_from_url
from hilum.stores.passwords import Argon2Passwords
from hilum.stores.sql import Database
from hilum.wire.dicom.data_sets import encoded
from hilum.wire.dicom.dimse.messages import CEchoRequest, CStoreRequest

VERIFICATION = "1.2.840.10008.1.1"
CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
PLAIN = [(CT, [EXPLICIT])]
MEBIBYTE = 1 << 20

_SERVER = """
import socket, sys, threading
from hilum.core.hub import Hub
from hilum.doors.dimse.server import DimseServer
from hilum.stores.objects import objects_from_url
from hilum.stores.passwords import Argon2Passwords
from hilum.stores.sql import Database
from hilum.transport.dicom import Timers
from hilum.wire.dicom.upper_layer.limits import Limits
url, root = sys.argv[1:]
hub = Hub(Database(url), objects_from_url(root + "/objects", root + "/spool"), Argon2Passwords(), None, open_to_all=True)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
DimseServer(hub, "HILUM", True, None, 8, 10, 1 << 34, Limits(), Timers()).serve(listener, threading.Event())
"""


@pytest.fixture
def process(sqlite_url: str, tmp_path: Path) -> Iterator[tuple[psutil.Process, int]]:
    """A server in a process of its own, and its port."""
    words = [sys.executable, "-c", _SERVER, sqlite_url, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, encoding="ascii") as server:
        assert server.stdout is not None
        yield psutil.Process(server.pid), int(server.stdout.readline())
        server.terminate()


class Stream:
    """A data set that is never whole in memory: a header, then zeros."""

    def __init__(self, head: bytes, zeros: int) -> None:
        self.head, self.left = head, zeros

    def read(self, size: int) -> bytes:
        piece, self.head = self.head[:size], self.head[size:]
        zeros = min(size - len(piece), self.left)
        self.left -= zeros
        return piece + bytes(zeros)


def test_an_object_of_300_megabytes_passes_through_little_memory(
    process: tuple[psutil.Process, int], dial: Any, numbered: Any
) -> None:
    server, port = process
    size = 300 * MEBIBYTE
    head = encoded(numbered(2), EXPLICIT)[:-132] + size.to_bytes(4, "little")
    request = CStoreRequest(AffectedSOPClassUID=CT, MessageID=2, AffectedSOPInstanceUID="1.2.3.1.1.2")

    with dial(port, PLAIN) as peer:
        assert peer.store(numbered(1)).Status == 0
        before = server.memory_info().rss
        answer = peer.ask(CT, request, Stream(head, size))
        after = server.memory_info().rss

    assert answer.Status == 0
    assert after - before < 50 * MEBIBYTE


def test_four_large_objects_at_once_pass_through_little_memory(
    process: tuple[psutil.Process, int], dial: Any, numbered: Any
) -> None:
    server, port = process
    size = 64 * MEBIBYTE
    resident: list[int] = []

    def send(number: int) -> int:
        head = encoded(numbered(number), EXPLICIT)[:-132] + size.to_bytes(4, "little")
        request = CStoreRequest(
            AffectedSOPClassUID=CT, MessageID=2, AffectedSOPInstanceUID=f"1.2.3.1.1.{number}"
        )
        with dial(port, PLAIN) as peer:
            status: int = peer.ask(CT, request, Stream(head, size)).Status
        resident.append(server.memory_info().rss)
        return status

    with dial(port, PLAIN) as peer:
        assert peer.store(numbered(1)).Status == 0
    before = server.memory_info().rss
    with ThreadPoolExecutor(4) as senders:
        statuses = list(senders.map(send, range(2, 6)))

    assert statuses == [0] * 4
    assert max(resident) - before < 60 * MEBIBYTE


def test_2000_silent_connections_cost_no_thread_and_keep_nobody_out(
    process: tuple[psutil.Process, int], dial: Any
) -> None:
    server, port = process
    took: list[float] = []

    with ExitStack() as silent:
        for _ in range(2000):
            silent.enter_context(socket.create_connection(("127.0.0.1", port), 30))
        for _ in range(3):
            began = time.monotonic()
            with dial(port, [(VERIFICATION, [EXPLICIT])]) as peer:
                assert (
                    peer.ask(VERIFICATION, CEchoRequest(AffectedSOPClassUID=VERIFICATION, MessageID=1)).Status
                    == 0
                )
            took.append(time.monotonic() - began)
        threads = server.num_threads()

    assert min(took) < 1
    assert threads < 20


@contextmanager
def _small_disk(path: Path) -> Iterator[None]:
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="mounting needs root")
def test_a_full_disk_is_told_and_service_returns_by_itself(
    sqlite_url: str, tmp_path: Path, serve: Any, dial: Any, numbered: Any
) -> None:
    full = tmp_path / "full"
    with _small_disk(full):
        database = Database(sqlite_url)
        objects = objects_from_url(full / "objects", full / "spool")
        hub = Hub(database, objects, Argon2Passwords(), lambda _digest, _keywords: {}, open_to_all=True)
        filler = full / "filler"
        large = numbered(1, Rows=700, Columns=700, PixelData=bytes(980_000))
        with dial(serve(hub), PLAIN) as peer:
            filler.write_bytes(bytes(int(3.4 * MEBIBYTE)))
            refused = peer.store(large)
            left = list((full / "objects" / "spool").iterdir())
            filler.unlink()
            taken = peer.store(large)
        database.close()

    assert (refused.Status, taken.Status) == (0xA700, 0)
    assert refused.ErrorComment == "the object store cannot do this now"
    assert left == []


def test_32_associations_storing_one_new_study_make_one_of_each(
    database: Database, tmp_path: Path, serve: Any, dial: Any, numbered: Any
) -> None:
    objects = objects_from_url(tmp_path / "objects", tmp_path / "spool")
    hub = Hub(database, objects, Argon2Passwords(), lambda _digest, _keywords: {}, open_to_all=True)
    port, together, statuses = serve(hub), threading.Barrier(32), []

    def send(number: int) -> None:
        with dial(port, PLAIN) as peer:
            together.wait(30)
            statuses.extend(peer.store(numbered(32 * turn + number)).Status for turn in (1, 2))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    from hilum.core.access import policy
    from hilum.core.patients.model import PatientQuery

    operator = policy.local_operator("test")
    totals = hub.totals(operator)
    assert statuses == [0] * 64
    assert (totals["studies"], totals["series"], totals["instances"]) == (1, 1, 64)
    assert hub.find_patients(operator, PatientQuery(include_merged=True))[1] == 1
