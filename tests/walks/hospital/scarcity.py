"""What a server may run short of: room on its disk, and its database."""

import os
import select
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

DATABASE_SERVER = ("127.0.0.1", 5432)


class SmallDisk:
    """A file system of its own, small enough to be filled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Leave no room."""
        with self._filler.open("ab", buffering=0) as filler:
            for size in (1 << 16, 1 << 12, 1):
                _write_until_full(filler.fileno(), size)

    def make_room(self) -> None:
        """Take away what filled it."""
        self._filler.unlink()


def _write_until_full(file: int, size: int) -> None:
    try:
        while True:
            os.write(file, bytes(size))
    except OSError:
        return


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount a small disk on a folder."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder], check=True)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def can_mount(folder: Path) -> bool:
    """Tell whether this account may mount."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    )
    if done.returncode == 0:
        subprocess.run(["umount", folder], check=True)
    return done.returncode == 0


class Wire:
    """The way to the database: can be cut, and put back on the same port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._listener: socket.socket | None = None
        self._ends: set[socket.socket] = set()
        self._flowing = threading.Event()
        self._flowing.set()

    def connect(self) -> Self:
        """Let connections through."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def cut(self) -> None:
        """Break every connection, and refuse new ones."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for end in list(self._ends):
            with suppress(OSError):  # it has ended already
                end.shutdown(socket.SHUT_RDWR)

    def freeze(self) -> None:
        """Carry nothing any more; connections stay open, and new ones are accepted."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Carry on with what was held up."""
        self._flowing.set()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                here, _ = listener.accept()
            except OSError:
                return
            there = socket.create_connection(DATABASE_SERVER)
            threading.Thread(target=self._carry, args=(here, there), daemon=True).start()

    def _carry(self, here: socket.socket, there: socket.socket) -> None:
        with here, there:
            self._ends |= {here, there}
            try:
                while self._carry_once({here: there, there: here}):
                    pass
            except OSError:
                return
            finally:
                self._ends -= {here, there}

    def _carry_once(self, other: dict[socket.socket, socket.socket]) -> bool:
        for ready in select.select(list(other), [], [])[0]:
            chunk = ready.recv(65536)
            self._flowing.wait()
            if not chunk:
                return False
            other[ready].sendall(chunk)
        return True
