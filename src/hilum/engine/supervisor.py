"""Roles are processes: fork them, watch them, start them again, end them together.

Everything is imported and every port is bound before the first fork, so a role that died comes back in milliseconds
and its listening socket never closed in between.
"""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType

import structlog

log = structlog.get_logger()

Role = Callable[[threading.Event, Callable[[], None]], None]
"""Runs until the event is set; calls the second argument once it is ready."""

_ENDING = (signal.SIGTERM, signal.SIGINT)

GRACE = 10.0
"""Seconds that a role may take to end before it is killed."""
SHORTEST_LIFE = 1.0
"""A role that lived shorter than this waits as long before it is started again."""


@dataclass(slots=True)
class Supervisor:
    """Starts one process per role and returns the exit code when told to stop."""

    roles: dict[str, Role]
    on_ready: Callable[[], None]
    children: dict[int, tuple[str, float]] = field(default_factory=dict)
    stopping: bool = False

    def run(self) -> int:
        """Fork, wait for all to be ready, watch until SIGTERM or SIGINT."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        alive_read, alive_write = os.pipe()
        ready_read, ready_write = os.pipe()
        for name in self.roles:
            self._start(name, alive_read, alive_write, ready_write)
        if not self._await_ready(ready_read):
            return self._end(1)
        self.on_ready()
        self._watch(alive_read, alive_write, ready_write)
        return self._end(0)

    def _await_ready(self, ready_read: int) -> bool:
        """Wait until every role said that it is ready; False when one died or a signal came first."""
        missing = len(self.roles)
        while missing and not self.stopping:
            readable, _, _ = select.select([ready_read], [], [], 0.1)
            if readable:
                missing -= len(os.read(ready_read, missing))
            elif self._reap():
                return False
        return not self.stopping

    def _watch(self, alive_read: int, alive_write: int, ready_write: int) -> None:
        while not self.stopping:
            for name, lived in self._reap():
                if lived < SHORTEST_LIFE:
                    time.sleep(SHORTEST_LIFE)
                if not self.stopping:
                    self._start(name, alive_read, alive_write, ready_write)
            time.sleep(0.1)

    def _reap(self) -> list[tuple[str, float]]:
        """Return the names of roles that ended, and how long each lived."""
        ended = []
        for child, (name, since) in list(self.children.items()):
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                del self.children[child]
                log.error("role ended", role=name, status=os.waitstatus_to_exitcode(status))
                ended.append((name, time.monotonic() - since))
        return ended

    def _start(self, name: str, alive_read: int, alive_write: int, ready_write: int) -> None:
        # Held back until the child has handlers of its own: the parent's would swallow what ends it.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        child = os.fork()
        if child == 0:
            os.close(alive_write)
            _name_process(name)
            _run_role(self.roles[name], alive_read, partial(_say_ready, ready_write))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        self.children[child] = (name, time.monotonic())

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _end(self, code: int) -> int:
        self.stopping = True
        for child in self.children:
            os.kill(child, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while self.children and time.monotonic() < deadline:
            for child in list(self.children):
                if os.waitpid(child, os.WNOHANG)[0]:
                    del self.children[child]
            time.sleep(0.02)
        for child in self.children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        return code


def _run_role(role: Role, alive_read: int, ready: Callable[[], None]) -> None:
    """Run a role in the child and leave; the code after fork never returns to the parent's frames."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    threading.Thread(target=_leave_with_parent, args=(alive_read,), daemon=True).start()
    code = 1
    try:
        role(stop, ready)
        code = 0
    except Exception:
        log.exception("role failed")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _say_ready(ready_write: int) -> None:
    """Tell the supervisor by one octet."""
    os.write(ready_write, b".")


def _name_process(role: str) -> None:
    """Let `ps` and `top` tell the roles apart, where the kernel lets a process name itself."""
    comm = Path("/proc/self/comm")
    if comm.exists():
        comm.write_text(f"hilum-{role}", encoding="ascii")


def _leave_with_parent(alive_read: int) -> None:
    """End at once when the supervisor is gone, even by kill -9: its end of the pipe closes with it."""
    os.read(alive_read, 1)
    os._exit(1)
