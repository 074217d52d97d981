"""Peers as processes: the play tells each what to do, one JSON line at a time; all else goes over real sockets."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from hilum.core.kernel.errors import HilumError
from hilum.demo.stage import StepFailed

Deed = Callable[..., dict[str, Any]]


class Actor:
    """One peer, seen from the play."""

    def __init__(self, name: str, module: str, *arguments: str) -> None:
        self.name = name
        command = [sys.executable, "-m", f"hilum.demo.{module}", *arguments]
        # In a session of its own: Ctrl-C ends the play, and the play ends its peers.
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.port = int(self._read().get("port", 0))

    def ask(self, deed: str, **arguments: object) -> dict[str, Any]:
        """Let the peer do something and return what came of it; raises StepFailed with its own words."""
        assert self._process.stdin is not None  # noqa: S101  # it was asked for as a pipe
        self._process.stdin.write(json.dumps({"deed": deed, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def leave(self) -> None:
        """End the peer: its input closes."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101  # it was asked for as a pipe
        line = self._process.stdout.readline()
        if not line:
            raise StepFailed(f"{self.name} ended; see its words above")
        outcome: dict[str, Any] = json.loads(line)
        if "failure" in outcome:
            raise StepFailed(f"{self.name}: {outcome['failure']}")
        return outcome


def act(deeds: Mapping[str, Deed], port: int = 0) -> None:
    """Run a peer: say where it listens, then do what is asked until the input ends."""
    _write({"port": port})
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            _write(deeds[asked["deed"]](**asked["arguments"]))
        except (HilumError, OSError) as error:
            _write({"failure": str(error)})


def _write(outcome: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(outcome) + "\n")
    sys.stdout.flush()
