"""Which local blobs were seen whole by this process, and have not been touched since (ADR 30)."""

import hashlib
import os
import threading
import time
from collections import OrderedDict
from typing import BinaryIO

from hilum.core.archive.lifecycle import Damaged

LARGEST = 64 << 20
"""Octets of the longest blob that is read whole before it is handed out; longer ones are for `verify`."""
_LASTING = 24 * 3600.0
_MOST = 100_000
_CHUNK = 1 << 20

_Stamp = tuple[int, int, int, int]


class Seals:
    """The last blobs that were seen whole, each with the stamp of its file: a touched file is looked at again."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[_Stamp, float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, digest: str, file: BinaryIO) -> None:
        """Raise Damaged when the bytes are not those of the digest, OSError when they cannot be read."""
        status = os.fstat(file.fileno())
        if status.st_size > LARGEST:
            return
        stamp = status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        now = time.monotonic()
        known = self._seen.get(digest)
        if known is not None and known[0] == stamp and now - known[1] < _LASTING:
            return
        hashed = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            hashed.update(chunk)
        file.seek(0)
        if hashed.hexdigest() != digest:
            raise Damaged(digest)
        with self._lock:
            self._seen[digest] = (stamp, now)
            while len(self._seen) > _MOST:
                self._seen.popitem(last=False)
