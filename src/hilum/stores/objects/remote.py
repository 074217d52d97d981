"""Blobs in an object store that speaks S3, GCS or Azure: spooled to a local file, then uploaded whole."""

import io
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from hilum.core.archive.model import Blob
from hilum.core.kernel.errors import Busy, NotFound
from hilum.stores.objects.digests import address, is_digest
from hilum.stores.objects.failing import busy
from hilum.stores.objects.spooling import SpoolFile, make_spool_folder

_READ_AHEAD = 1 << 20
_FRESH = timedelta(hours=12)
"""A blob that was uploaded within this time is not uploaded again; an older one is, so that its date is new to the sweep."""

_RETRY: Any = {"max_retries": 4, "retry_timeout": timedelta(seconds=20)}
_SECONDS = "30s"


class RemoteObjects:
    """Core's `Objects` below one URL. The client is made at first use: its threads do not survive a fork."""

    def __init__(self, url: str, spool_dir: str | os.PathLike[str]) -> None:
        """Make the folder of spools, and remove what a crash left there; raises Busy."""
        self._url = url
        self._spools = Path(spool_dir)
        self._client: Any = None
        self._lock = threading.Lock()
        try:
            make_spool_folder(self._spools)
        except OSError as error:
            raise busy(error) from None

    def spool(self) -> "RemoteSpool":
        """Return a new spool; raises Busy."""
        return RemoteSpool(self, self._spools)

    def open(self, digest: str) -> BinaryIO:
        """Return a seekable reader of a blob; raises NotFound."""
        size, _ = self._head(address(digest))
        return io.BufferedReader(_RangeReader(self, address(digest), size), _READ_AHEAD)

    def contains(self, digest: str) -> bool:
        """Tell whether a blob is kept."""
        try:
            self._head(address(digest))
        except NotFound:
            return False
        return True

    def remove(self, digest: str, written_before: datetime | None = None) -> None:
        """Remove a blob that no row refers to; harmless when it is gone, or was written again since."""
        path = address(digest)
        try:
            if written_before is not None and self._head(path)[1] >= written_before:
                return
            with _answering():
                obstore.delete(self.client(), path)
        except NotFound:
            """Gone already."""

    def digests(self, older_than: datetime) -> list[str]:
        """Return the digests of blobs written before a moment, for the sweep."""
        with _answering():
            return [
                name
                for page in obstore.list(self.client())
                for entry in page
                if entry["last_modified"] < older_than and is_digest(name := Path(entry["path"]).name)
            ]

    def check(self) -> None:
        """Write, read and remove a probe; raises Busy with the reason."""
        probe = self.spool()
        try:
            probe.write(secrets.token_bytes(512))
            blob = probe.keep()
        finally:
            probe.discard()
        with self.open(blob.digest) as reader:
            reader.read()
        self.remove(blob.digest)

    def put(self, path: Path, digest: str) -> None:
        """Upload a spooled file, unless the same bytes came lately; raises Busy."""
        target = address(digest)
        if not self._is_fresh(target):
            with _answering():
                obstore.put(self.client(), target, path)

    def get(self, path: str, start: int, length: int) -> bytes:
        """Return a range of a blob; raises Busy."""
        with _answering():
            return bytes(obstore.get_range(self.client(), path, start=start, length=length))

    def client(self) -> Any:  # noqa: ANN401  # one of obstore's store classes, by the URL
        """Return the store's client: credentials and endpoint come from the provider's own environment names."""
        with self._lock:
            if self._client is None:
                plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
                options: Any = {"allow_http": plain, "timeout": _SECONDS}
                with _answering():
                    self._client = from_url(self._url, client_options=options, retry_config=_RETRY)
            return self._client

    def _head(self, path: str) -> tuple[int, datetime]:
        with _answering():
            head = obstore.head(self.client(), path)
        return head["size"], head["last_modified"]

    def _is_fresh(self, path: str) -> bool:
        try:
            _, written = self._head(path)
        except NotFound:
            return False
        return written > datetime.now(UTC) - _FRESH


class RemoteSpool:
    """Core's `Spool` on a local file that is uploaded when it is kept."""

    def __init__(self, store: RemoteObjects, folder: Path) -> None:
        """Create the temporary file; raises Busy."""
        self._store = store
        self._file = SpoolFile(folder)
        self._blob: Blob | None = None
        self.write = self._file.write
        self.read_at = self._file.read_at

    @property
    def size(self) -> int:
        """Octets written so far."""
        return self._file.size

    def seal(self) -> Blob:
        """Upload the bytes under their SHA-256: that takes too long for a transaction to wait for it."""
        if self._blob is None:
            digest = self._file.finish()
            self._store.put(self._file.path, digest)
            self._blob = Blob(digest, self._file.size)
        return self._blob

    def keep(self) -> Blob:
        """Return the address: what is uploaded is durable."""
        return self.seal()

    def discard(self) -> None:
        """Forget the local file; harmless after `keep`, and when called twice."""
        self._file.close()


class _RangeReader(io.RawIOBase):
    """A seekable reader that asks for one range at a time; the buffer above it decides how much."""

    def __init__(self, store: RemoteObjects, path: str, size: int) -> None:
        self._store, self._path, self._size, self._at = store, path, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  # whatever holds octets
        view = memoryview(buffer).cast("B")
        length = min(len(view), self._size - self._at)
        if length <= 0:
            return 0
        view[:length] = self._store.get(self._path, self._at, length)
        self._at += length
        return length


@contextmanager
def _answering() -> Iterator[None]:
    """Put the remote store's refusals in core's words. Its texts name URLs and keys, so only their kind is kept."""
    try:
        yield
    except FileNotFoundError:
        raise NotFound("no such blob", next_step="run `hilum doctor`") from None
    except (BaseError, OSError, ValueError) as error:
        raise Busy(
            "the object store cannot do this now",
            peer_said=type(error).__name__,
            next_step="check its URL, credentials and network, then try again",
        ) from None
