"""The server of the play: `hilum serve` as a process of its own, on ports that are free."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from hilum.demo.stage import Stage, StepFailed
from hilum.settings import Address, Settings

_START = 30.0


class Server:
    """A running server."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.settings = settings
        self.log = log
        binds = (text for name, bind in settings.binds.items() for text in (f"--{name}", str(bind)))
        command = [sys.executable, "-m", "hilum", "serve", "--data", str(settings.data.folder), *binds]
        with log.open("ab") as file:
            self._process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)  # noqa: S603  # our own command

    @property
    def url(self) -> str:
        """Return the address of the console."""
        return f"http://{self.settings.http.bind}"

    def wait_until_ready(self) -> float:
        """Return after how many seconds the server was ready; raises StepFailed with the end of its log."""
        started = time.monotonic()
        while time.monotonic() - started < _START:
            if self._process.poll() is not None:
                raise StepFailed(f"the server ended at once: {self._last_words()}")
            try:
                with urllib.request.urlopen(f"{self.url}/health/ready", timeout=2):  # noqa: S310  # our own http URL
                    return time.monotonic() - started
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise StepFailed(f"the server is not ready after {_START:g} s: {self._last_words()}")

    def wait(self) -> int:
        """Stay until the server ends."""
        return self._process.wait()

    def stop(self) -> None:
        """End the server and its roles."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return " | ".join(lines[-3:]) or "it said nothing"


def free(address: Address, what: str, stage: Stage) -> Address:
    """Return the address, or one with a free port when that port is in use, and say so."""
    try:
        return _bindable(address)
    except OSError:
        chosen = _bindable(Address(address.host, 0))
        stage.say(f"    port {address.port} ({what}) is in use; taking {chosen.port}", "yellow")
        return chosen


def _bindable(address: Address) -> Address:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address.host, address.port))
        return Address(address.host, probe.getsockname()[1])
