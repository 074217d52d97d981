"""The record's bytes, below their content addresses: local files, or an object store."""

import os
from pathlib import Path

from hilum.core.archive.ports import Objects
from hilum.stores.objects.local import LocalObjects


def arriving_folder(url_or_path: str | os.PathLike[str], spool_dir: str | os.PathLike[str]) -> Path:
    """Return where bytes wait while they arrive: beside the blobs of a local store, else in `spool_dir`."""
    text = os.fspath(url_or_path)
    is_local = "://" not in text or text.startswith("file://")
    return Path(text.removeprefix("file://")) / "spool" if is_local else Path(spool_dir)


def objects_from_url(url_or_path: str | os.PathLike[str], spool_dir: str | os.PathLike[str]) -> Objects:
    """Return the object store of a path or URL (`s3://bucket/prefix`, `gs://`, `az://`).

    `spool_dir` is where bytes on their way to a remote store wait; a local store spools beside its blobs. Nothing is
    connected before its first use, so that a process may fork before it.
    """
    text = os.fspath(url_or_path)
    if "://" not in text or text.startswith("file://"):
        return LocalObjects(text.removeprefix("file://"))
    from hilum.stores.objects.remote import RemoteObjects  # noqa: PLC0415  # obstore costs a start what it serves

    return RemoteObjects(text, spool_dir)
