"""`hilum serve` as a process of its own, with its roles, as an operator starts, stops and kills it."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

from hilum.app import build_hub
from hilum.core.access import policy
from hilum.core.access.model import Peer
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.settings import load
from hilum.stores.sql import Database

PATIENCE = 30.0
AE_TITLE = "HILUM"
OPERATOR: Caller = policy.local_operator("walk")


class Server:
    """One server: its data folder, its database and its ports outlive its processes."""

    def __init__(
        self, folder: Path, database_url: str = "", *options: str, ports: Iterator[int] | None = None
    ) -> None:
        self.folder = folder
        self.database_url = database_url
        self.options = options
        self.log = folder.parent / f"{folder.name}.log"
        self.http, self.dicom, self.hl7 = ports or free_ports(3)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the HTTP doors are."""
        return f"http://127.0.0.1:{self.http}"

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start, without waiting for anything."""
        binds = {"--http": self.http, "--dicom": self.dicom, "--hl7": self.hl7}
        where = [part for name, port in binds.items() for part in (name, f"127.0.0.1:{port}")]
        command = [*_HILUM, "serve", *self._place(), *where, *self.options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        return self.process

    def start(self) -> Self:
        """Start, and return once `/health/ready` says so; raises with the end of the log when it does not."""
        process = self.launch()
        eventually(self.is_ready, "the server is not ready", lambda: process.poll() is None, self.last_words)
        return self

    def is_ready(self) -> bool:
        """Tell whether `/health/ready` answers 200."""
        return self.health() == 200

    def health(self) -> int:
        """Return the status of `/health/ready`, 0 when nobody answers."""
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=10).status_code
        except httpx.TransportError:
            return 0

    def stop(self) -> int:
        """SIGTERM, and return the exit code."""
        self._running.terminate()
        return self._running.wait(PATIENCE)

    def kill(self) -> None:
        """Kill -9 of the supervisor and every role at one moment, as when the power fails for this process tree."""
        for process in [self.supervisor, *self.roles().values()]:
            process.send_signal(signal.SIGKILL)
        self._running.wait(PATIENCE)

    def kill_supervisor(self) -> list[psutil.Process]:
        """Kill -9 of the supervisor alone; returns its children."""
        children = self.supervisor.children(recursive=True)
        self.supervisor.send_signal(signal.SIGKILL)
        self._running.wait(PATIENCE)
        return children

    def kill_role(self, name: str) -> None:
        """Kill -9 of one role."""
        self.roles()[name].send_signal(signal.SIGKILL)

    @property
    def supervisor(self) -> psutil.Process:
        """The process that was started."""
        return psutil.Process(self._running.pid)

    def roles(self) -> dict[str, psutil.Process]:
        """Return the role processes by name."""
        return {child.name().removeprefix("hilum-"): child for child in self.supervisor.children()}

    def last_words(self) -> str:
        """Return the end of the log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])

    def hilum(self, *arguments: str) -> str:
        """Run a command of the command line on this server's data folder and return what it printed."""
        command = [*_HILUM, *arguments, *self._place()]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def hub(self) -> Iterator[Hub]:
        """Open this server's record beside it."""
        options = {"data.folder": self.folder, "database.url": self.database_url or None}
        settings = load(config=None, environment={}, options=options)
        database = Database(settings.database_url)
        try:
            yield build_hub(settings, database)
        finally:
            database.close()

    def ask(self, question: Callable[[Hub, Caller], Any]) -> Any:
        """Ask the record one question as the local operator."""
        with self.hub() as hub:
            return question(hub, OPERATOR)

    def add_peers(self, *peers: Peer) -> None:
        """Add peers."""
        with self.hub() as hub:
            for peer in peers:
                hub.put_peer(OPERATOR, peer)

    def end(self) -> None:
        """Leave no process behind, whatever happened."""
        if self.process is None or self.process.poll() is not None:
            return
        family = [self.supervisor, *self.supervisor.children(recursive=True)]
        for process in family:
            if process.is_running():
                process.kill()
        self.process.wait(PATIENCE)

    @property
    def _running(self) -> "subprocess.Popen[bytes]":
        assert self.process is not None, "the server was never started"
        return self.process

    def _place(self) -> list[str]:
        return ["--data", str(self.folder), *(["--database", self.database_url] if self.database_url else [])]


def eventually(
    look: Callable[[], Any],
    otherwise: str,
    meanwhile: Callable[[], bool] = lambda: True,
    tell: Callable[[], str] = str,
) -> Any:
    """Look again until there is something, as long as `meanwhile` holds: what another process does takes a moment."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, f"{otherwise}: {tell()}"
        assert meanwhile(), f"{otherwise}: {tell()}"
        time.sleep(0.05)
    return found


def free_ports(number: int) -> Iterator[int]:
    """Return different ports that nobody listened on a moment ago."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        ports = [probe.getsockname()[1] for probe in probes]
    return iter(ports)


_HILUM = (sys.executable, "-m", "hilum")
