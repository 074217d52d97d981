"""The contract of the object store: on local files and on S3."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hilum.core.archive.model import Blob
from hilum.core.archive.ports import Objects
from hilum.core.kernel.errors import Busy, Invalid, NotFound
from hilum.stores.objects import objects_from_url

BYTES = bytes(range(256)) * 4000
"""About a megabyte: larger than any buffer on the way."""


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """Address of an S3 server in this process."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_url(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of an empty bucket, with a prefix."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    bucket = f"hilum-{uuid.uuid4().hex}"
    httpx.put(f"{s3_endpoint}/{bucket}").raise_for_status()
    return f"s3://{bucket}/prefix"


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.needs("s3"))])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    """An empty object store of each kind."""
    url = str(tmp_path / "objects") if request.param == "local" else request.getfixturevalue("s3_url")
    return objects_from_url(url, tmp_path / "spool")


def kept(objects: Objects, content: bytes = BYTES) -> Blob:
    spool = objects.spool()
    spool.write(content)
    blob = spool.keep()
    spool.discard()
    return blob


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.parent.name == "spool"]


def test_a_blob_reads_back_under_the_digest_of_its_bytes(objects: Objects) -> None:
    blob = kept(objects)

    with objects.open(blob.digest) as reader:
        content = reader.read()

    assert content == BYTES
    assert blob == Blob(hashlib.sha256(BYTES).hexdigest(), len(BYTES))
    assert objects.contains(blob.digest)


def test_a_reader_seeks(objects: Objects) -> None:
    blob = kept(objects)

    with objects.open(blob.digest) as reader:
        reader.seek(-3, os.SEEK_END)
        tail = reader.read(10)
        reader.seek(1000)
        middle = reader.read(5)
        reader.seek(2, os.SEEK_CUR)
        further, at = reader.read(1), reader.tell()

    assert (tail, middle) == (BYTES[-3:], BYTES[1000:1005])
    assert (further, at) == (BYTES[1007:1008], 1008)


def test_an_empty_blob_is_a_blob(objects: Objects) -> None:
    blob = kept(objects, b"")

    with objects.open(blob.digest) as reader:
        assert reader.read() == b""


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.sampled_from([0, 1, 1000, 16_384, 262_143, 262_144, 262_145, 600_000]), max_size=6))
def test_what_was_written_in_pieces_can_be_read_before_and_after_it_is_kept(
    tmp_path: Path, sizes: list[int]
) -> None:
    objects = objects_from_url(tmp_path / "objects", tmp_path)
    spool, whole = objects.spool(), b""
    for number, size in enumerate(sizes):
        piece = bytes([number]) * size
        spool.write(memoryview(piece) if number % 2 else bytearray(piece))
        whole += piece
        assert spool.size == len(whole)
        assert spool.read_at(len(whole) // 2, 100) == whole[len(whole) // 2 :][:100]

    blob = spool.keep()
    spool.discard()

    assert blob.digest == hashlib.sha256(whole).hexdigest()
    with objects.open(blob.digest) as reader:
        assert reader.read() == whole


def test_reading_beyond_the_end_is_short(objects: Objects) -> None:
    spool = objects.spool()
    spool.write(b"abc")

    assert (spool.read_at(1, 100), spool.read_at(100, 1)) == (b"bc", b"")
    spool.discard()


def test_the_same_bytes_twice_are_one_blob(objects: Objects) -> None:
    first, second = kept(objects), kept(objects)

    assert first == second
    assert objects.digests(datetime.now(UTC) + timedelta(days=1)) == [first.digest]


def test_the_same_bytes_from_many_threads_are_one_blob(objects: Objects) -> None:
    with ThreadPoolExecutor(16) as pool:
        blobs = set(pool.map(lambda _: kept(objects), range(32)))

    assert len(blobs) == 1
    with objects.open(blobs.pop().digest) as reader:
        assert reader.read() == BYTES


def test_discarded_bytes_leave_nothing(objects: Objects, tmp_path: Path) -> None:
    spool = objects.spool()
    spool.write(BYTES)

    spool.discard()
    spool.discard()

    assert objects.digests(datetime.now(UTC) + timedelta(days=1)) == []
    assert leftovers(tmp_path) == []


def test_keeping_leaves_no_temporary_file(objects: Objects, tmp_path: Path) -> None:
    kept(objects)

    assert leftovers(tmp_path) == []


def test_keeping_twice_gives_the_same_blob(objects: Objects) -> None:
    spool = objects.spool()
    spool.write(BYTES)

    assert spool.keep() == spool.keep()
    spool.discard()
    assert objects.contains(hashlib.sha256(BYTES).hexdigest())


def test_an_absent_blob_is_not_found(objects: Objects) -> None:
    with pytest.raises(NotFound):
        objects.open("0" * 64)

    assert not objects.contains("0" * 64)
    objects.remove("0" * 64)


@pytest.mark.parametrize(
    "digest", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 65, "a" * 63 + "/", "a" * 64 + "\n"]
)
def test_what_is_no_digest_never_becomes_a_path(objects: Objects, digest: str) -> None:
    for act in (objects.open, objects.contains, objects.remove):
        with pytest.raises(Invalid):
            act(digest)


def test_a_removed_blob_is_gone_and_may_come_again(objects: Objects) -> None:
    blob = kept(objects)

    objects.remove(blob.digest)
    gone = not objects.contains(blob.digest)
    kept(objects)

    assert gone
    assert objects.contains(blob.digest)


def test_the_sweep_sees_old_blobs_and_spares_those_written_since(objects: Objects) -> None:
    blob = kept(objects)
    now = datetime.now(UTC)

    objects.remove(blob.digest, now - timedelta(hours=1))

    assert objects.contains(blob.digest)
    assert objects.digests(now - timedelta(hours=1)) == []
    objects.remove(blob.digest, now + timedelta(hours=1))
    assert not objects.contains(blob.digest)


def test_a_check_leaves_nothing_behind(objects: Objects) -> None:
    objects.check()

    assert objects.digests(datetime.now(UTC) + timedelta(days=1)) == []


def test_a_damaged_local_blob_is_mended_when_the_same_bytes_come_again(tmp_path: Path) -> None:
    objects = objects_from_url(tmp_path, tmp_path)
    blob = kept(objects)
    path = tmp_path / blob.digest[:2] / blob.digest
    path.write_bytes(BYTES[:-10])

    kept(objects)

    assert path.read_bytes() == BYTES


@pytest.mark.needs("strace")
def test_a_kept_blob_and_its_name_are_synced_and_what_is_there_is_replaced_by_synced_bytes_only(
    tmp_path: Path,
) -> None:
    body = """
import os, sys
from hilum.stores.objects import objects_from_url

objects = objects_from_url(sys.argv[1], sys.argv[1])
for word in (b"first", b"again"):
    spool = objects.spool()
    spool.write(b"x" * 1_000_000)
    spool.keep()
    os.write(1, word)
    spool.discard()
"""
    log = tmp_path / "calls"
    names = "trace=link,linkat,rename,renameat,renameat2,fdatasync,fsync,write"

    subprocess.run(
        ["strace", "-f", "-y", "-e", names, "-o", log, sys.executable, "-c", body, tmp_path / "objects"],
        check=True,
        capture_output=True,
    )

    first, again = (_before(log, word) for word in ("first", "again"))
    assert first.index("link") < min(first.index("fdatasync"), first.index("fsync")), (
        "one journal commit for both"
    )
    assert again.index("fdatasync") < again.index("rename") < again.index("fsync")


def _before(log: Path, word: str) -> list[str]:
    """Return the calls that ended between the last write of the object's bytes and our telling that it is kept."""
    ended: list[str] = []
    for line in log.read_text().splitlines():
        call = re.search(r"(?:<\.\.\. )?(\w+)(?:\(| resumed)", line)
        if call is None or "unfinished" in line:
            continue
        if call[1] == "write":
            if f'"{word}"' in line:
                return ended
            ended.clear()
        else:
            ended.append(call[1])
    raise AssertionError(f"{word} was never written")


def test_local_blobs_may_be_read_by_their_owner_only(tmp_path: Path) -> None:
    objects = objects_from_url(tmp_path / "objects", tmp_path)

    blob = kept(objects)

    path = tmp_path / "objects" / blob.digest[:2] / blob.digest
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "objects").stat().st_mode & 0o777 == 0o700


def test_what_a_crash_left_is_removed_at_the_next_start_and_what_is_still_written_is_spared(
    tmp_path: Path,
) -> None:
    body = """
import os, sys
from hilum.stores.objects import objects_from_url
spool = objects_from_url(sys.argv[1], sys.argv[1]).spool()
spool.write(b"x" * 1000000)
print("written", flush=True)
sys.stdin.read()
"""
    folder = tmp_path / "spool"
    crashed, alive = (
        subprocess.Popen(
            [sys.executable, "-c", body, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    )
    for process in (crashed, alive):
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
    os.kill(crashed.pid, signal.SIGKILL)
    crashed.communicate()
    for path in folder.iterdir():
        os.utime(path, (0, 0))

    objects_from_url(tmp_path, tmp_path)

    assert len(list(folder.iterdir())) == 1
    alive.communicate()


def test_a_full_disk_is_busy_and_service_returns_when_there_is_room(tmp_path: Path) -> None:
    body = """
import resource, sys
from hilum.core.kernel.errors import Busy
from hilum.stores.objects import objects_from_url

objects = objects_from_url(sys.argv[1], sys.argv[1])

def limit(octets):
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, resource.RLIM_INFINITY))

def kept():
    spool = objects.spool()
    try:
        spool.write(b"x" * 1_000_000)
        return spool.keep()
    finally:
        spool.discard()

limit(300_000)
try:
    kept()
except Busy as error:
    print(bool(error.next_step))
limit(resource.RLIM_INFINITY)
print(objects.contains(kept().digest))
"""

    process = subprocess.run(
        [sys.executable, "-c", body, tmp_path], capture_output=True, text=True, check=True
    )

    assert process.stdout.split() == ["True", "True"]
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.needs("s3")
def test_a_remote_store_that_cannot_be_reached_is_busy(
    free_port: int, tmp_path: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port}")
    objects = objects_from_url(s3_url, tmp_path)

    with pytest.raises(Busy) as refusal:
        kept(objects)

    assert refusal.value.next_step
    assert s3_url not in str(refusal.value)


def test_the_folder_of_a_local_store_that_went_away_is_busy(tmp_path: Path) -> None:
    objects = objects_from_url(tmp_path / "objects", tmp_path)
    (tmp_path / "objects").rename(tmp_path / "elsewhere")

    with pytest.raises(Busy) as refusal:
        objects.spool()

    assert str(tmp_path) not in str(refusal.value)
