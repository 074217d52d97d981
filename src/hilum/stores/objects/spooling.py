"""Bytes on their way in: a temporary file, hashed while it is written."""

import fcntl
import hashlib
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from hilum.stores.objects.failing import busy

_GATHER = 1 << 16
"""Smaller pieces are gathered to this size; longer ones, such as those of a long PDU, are written without a copy."""

_YOUNGEST_STALE = 60.0
"""Seconds after which a file that nobody holds locked was left by a crash."""


class SpoolFile:
    """An open temporary file, locked while it is ours, and the SHA-256 of what was written so far."""

    def __init__(self, folder: Path) -> None:
        """Create the file; raises Busy."""
        self.path = folder / secrets.token_hex(16)
        self._gathered = memoryview(bytearray(_GATHER))
        self._filled = 0
        self._beginning = b""
        self._written = 0
        self._hash = hashlib.sha256()
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise busy(error) from None
        self._closed = False

    @property
    def size(self) -> int:
        """Octets written so far."""
        return self._written + self._filled

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append; raises Busy when the disk is full."""
        length = len(chunk)
        if self._filled + length > _GATHER:
            self._flush()
        if length > _GATHER:
            self._put(chunk)
            return
        self._gathered[self._filled : self._filled + length] = chunk
        self._filled += length

    def read_at(self, offset: int, size: int) -> bytes:
        """Return bytes already written; short at the end. The beginning, where headers are, is still in memory."""
        if not self._written and offset + size <= self._filled:
            return bytes(self._gathered[offset : offset + size])
        if offset + size <= len(self._beginning):
            return self._beginning[offset : offset + size]
        self._flush()
        try:
            return os.pread(self._file, size, offset)
        except OSError as error:
            raise busy(error) from None

    def finish(self) -> str:
        """Write what is gathered and return the digest of the whole; raises Busy."""
        self._flush()
        return self._hash.hexdigest()

    def sync(self) -> None:
        """Sync the bytes to the disk; raises Busy."""
        try:
            os.fdatasync(self._file)
        except OSError as error:
            raise busy(error) from None

    def name(self, target: str) -> bool:
        """Give the file a second name, and tell whether that was free and the file system can do it."""
        try:
            os.link(self.path, target)
        except OSError:
            return False
        return True

    def replace(self, target: str) -> None:
        """Move the file in the place of another one; raises Busy."""
        try:
            self.path.replace(target)
        except OSError as error:
            raise busy(error) from None

    def close(self) -> None:
        """Close the file, and remove its first name unless it was moved; harmless when called twice."""
        if self._closed:
            return
        self._closed = True
        os.close(self._file)
        self.path.unlink(missing_ok=True)

    def _flush(self) -> None:
        filled, self._filled = self._filled, 0
        if filled:
            self._put(self._gathered[:filled])

    def _put(self, chunk: bytes | bytearray | memoryview) -> None:
        self._hash.update(chunk)
        rest = memoryview(chunk)
        if self._written == len(self._beginning) < _GATHER:
            self._beginning += rest[: _GATHER - self._written]
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise busy(error) from None
        self._written += len(chunk)


def make_spool_folder(folder: Path) -> None:
    """Make the folder of temporary files, and remove those that a crash left: nobody holds their lock."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = time.time() - _YOUNGEST_STALE
    for entry in os.scandir(folder):
        with suppress(FileNotFoundError):
            if entry.is_file(follow_symlinks=False) and entry.stat().st_mtime < before:
                _remove_if_unlocked(Path(entry.path))


def _remove_if_unlocked(path: Path) -> None:
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except BlockingIOError:
        """Another process writes to it."""
    finally:
        os.close(file)
