"""Blobs as local files: written beside, synced, then renamed to their content address."""

import os
import secrets
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from hilum.core.archive.model import Blob
from hilum.core.kernel.errors import NotFound
from hilum.stores.objects.digests import address, is_digest
from hilum.stores.objects.failing import busy
from hilum.stores.objects.seals import Seals
from hilum.stores.objects.spooling import SpoolFile, make_spool_folder

_SYNCS_AT_ONCE = 16
_LONGEST_BESIDE = 8 << 20
"""Octets: the sync of more than this takes so long that no transaction should wait for it."""


class LocalSpool:
    """Core's `Spool` on a local file.

    The file gets its address by a second name, and only then is it synced, so that one commit of the file system's
    journal holds both. A crash before that may leave an address with half a blob: no row refers to it. Such an address
    is never trusted. Where there is a blob already, ours is synced first and then takes its place, which mends a damaged
    one and makes its date new, so that no sweep takes it before this transaction ends.
    """

    def __init__(self, root: Path, folder: Path, syncing: Executor) -> None:
        """Create the temporary file; raises Busy."""
        self._root = root
        self._syncing = syncing
        self._synced: Future[None] | None = None
        self._file = SpoolFile(folder)
        self._blob: Blob | None = None
        self._folder = ""
        self._kept = False
        self.write = self._file.write
        self.read_at = self._file.read_at

    @property
    def size(self) -> int:
        """Octets written so far."""
        return self._file.size

    def seal(self) -> Blob:
        """Return the address, and begin to sync in another thread: a sync waits for the disk and holds no interpreter."""
        if self._blob is None:
            digest = self._file.finish()
            self._folder = f"{self._root}/{digest[:2]}"
            target = f"{self._folder}/{digest}"
            if self._file.name(target):
                self._synced = self._syncing.submit(self._file.sync)
                if self._file.size > _LONGEST_BESIDE:
                    self._synced.result()
            else:
                self._file.sync()
                self._file.replace(target)
            self._blob = Blob(digest, self._file.size)
        return self._blob

    def keep(self) -> Blob:
        """Return once file and name are on the disk; raises Busy."""
        blob = self.seal()
        if not self._kept:
            _sync_folder(self._folder)  # at the same time as the file: the journal commits both at once
            if self._synced is not None:
                self._synced.result()
            self._kept = True
        return blob

    def discard(self) -> None:
        """Forget the bytes; harmless after `keep`, and when called twice."""
        if self._synced is not None:
            wait([self._synced])  # whether it worked is of no interest any more, but the file is in its hands
        self._file.close()


class LocalObjects:
    """Core's `Objects` below one folder: 256 folders of blobs, and one of spools on the same file system."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        """Make the folders, and remove what a crash left; raises Busy."""
        self._root = Path(root).absolute()
        self._spools = self._root / "spool"
        self._seals = Seals()
        self._syncing = ThreadPoolExecutor(_SYNCS_AT_ONCE, thread_name_prefix="sync")
        try:
            _make_folders(self._root)
            make_spool_folder(self._spools)
        except OSError as error:
            raise busy(error) from None

    def spool(self) -> LocalSpool:
        """Return a new spool; raises Busy."""
        return LocalSpool(self._root, self._spools, self._syncing)

    def open(self, digest: str) -> BinaryIO:
        """Return a seekable reader of a blob; raises NotFound, Damaged where it was altered, Busy."""
        try:
            file = self._path(digest).open("rb")
        except FileNotFoundError:
            raise NotFound("no such blob", next_step="run `hilum archive verify`") from None
        except OSError as error:
            raise busy(error) from None
        try:
            self._seals.check(digest, file)
        except OSError as error:
            file.close()
            raise busy(error) from None
        except BaseException:
            file.close()
            raise
        return file

    def contains(self, digest: str) -> bool:
        """Tell whether a blob is kept."""
        return self._path(digest).exists()

    def remove(self, digest: str, written_before: datetime | None = None) -> None:
        """Remove a blob that no row refers to; harmless when it is gone, or was written again since."""
        path = self._path(digest)
        try:
            if written_before is None or path.stat().st_mtime < written_before.timestamp():
                path.unlink()
        except FileNotFoundError:
            """Gone already."""
        except OSError as error:
            raise busy(error) from None

    def digests(self, older_than: datetime) -> list[str]:
        """Return the digests of blobs written before a moment, for the sweep."""
        before = older_than.timestamp()
        return [entry.name for entry in self._blobs() if entry.stat().st_mtime < before]

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

    def _path(self, digest: str) -> Path:
        return self._root / address(digest)

    def _blobs(self) -> Iterator[os.DirEntry[str]]:
        for name in _FOLDERS:
            with suppress(FileNotFoundError), os.scandir(self._root / name) as entries:
                yield from (entry for entry in entries if is_digest(entry.name))


_FOLDERS = tuple(f"{number:02x}" for number in range(256))


def _make_folders(root: Path) -> None:
    """Make what is missing and sync it once: after that, only the folder of a blob changes."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    missing = set(_FOLDERS) - {path.name for path in root.iterdir()}
    for name in missing:
        (root / name).mkdir(mode=0o700, exist_ok=True)
    if missing:
        _sync_folder(root)
        _sync_folder(root.parent)


def _sync_folder(path: str | Path) -> None:
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise busy(error) from None
