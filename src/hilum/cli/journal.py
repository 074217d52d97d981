"""Which files an import took already, so that the next run passes over them."""

import hashlib
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from hilum.core.kernel.errors import Busy

_DIGITS = 64


class Journal:
    """Lines of a file's key and the SOP Instance UID that it held; a torn last line is read over.

    A lost line costs one more reading of that file and nothing else: storing the same bytes twice changes nothing.
    """

    def __init__(self, taken: dict[str, str], lines: BinaryIO) -> None:
        self._taken = taken
        self._lines = lines
        self._lock = threading.Lock()

    @classmethod
    def beside(cls, folder: Path, database_url: str, *, fresh: bool = False) -> "Journal":
        """Open the journal of one database in the data folder."""
        name = hashlib.sha256(database_url.encode()).hexdigest()[:12]
        file = folder / f"import-{name}.journal"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lines = file.open("wb" if fresh else "ab+")
            taken = {} if fresh else _read(lines)
        except OSError as error:
            raise Busy(
                f"the import journal cannot be opened: {error}", next_step="mend the data folder"
            ) from error
        return cls(taken, lines)

    def taken(self, key: str) -> str | None:
        """Return the SOP Instance UID of a file that was taken already."""
        return self._taken.get(key)

    def add(self, key: str, sop_instance_uid: str) -> None:
        """Note a file whose instance is committed."""
        with self._lock:
            self._lines.write(f"{key} {sop_instance_uid}\n".encode("ascii", "replace"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()


def key_of(path: Path, status: os.stat_result) -> str:
    """Return the key of a file as it is now: path, size and time of change."""
    identity = b"\0".join(
        [os.fsencode(path.resolve()), str(status.st_size).encode(), str(status.st_mtime_ns).encode()]
    )
    return hashlib.sha256(identity).hexdigest()


def _read(lines: BinaryIO) -> dict[str, str]:
    lines.seek(0)
    content = lines.read()
    if content and not content.endswith(b"\n"):
        lines.write(b"\n")
    whole = (line.decode("ascii", "replace").split(" ") for line in content.splitlines())
    return {parts[0]: parts[1] for parts in whole if len(parts) == 2 and len(parts[0]) == _DIGITS}
