"""The supervisor on tiny roles, in a process of its own: forked, ready, restarted, ended together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

_PROGRAM = """
import os, signal, sys, threading
from pathlib import Path
from hilum.engine.supervisor import Supervisor

folder = Path(sys.argv[1])

def steady(stop, ready):
    (folder / "steady").write_text(str(os.getpid()))
    ready()
    stop.wait()
    (folder / "ended").touch()

def mortal(stop, ready):
    with (folder / "mortal").open("a") as file:
        file.write(f"{os.getpid()}\\n")
    ready()
    stop.wait()

def broken(stop, ready):
    raise RuntimeError("cannot start")

known = {"steady": steady, "mortal": mortal, "broken": broken}
roles = {name: known[name] for name in sys.argv[2:]}
sys.exit(Supervisor(roles, lambda: (folder / "ready").touch()).run())
"""

Start = Callable[..., "subprocess.Popen[bytes]"]


def until(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()


def lives(process: int) -> bool:
    return psutil.pid_exists(process) and psutil.Process(process).status() != psutil.STATUS_ZOMBIE


def processes(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a supervisor that is gone after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*roles: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", _PROGRAM, str(tmp_path), *roles]
        started.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def test_it_is_ready_when_every_role_is_and_sigterm_ends_all(start: Start, tmp_path: Path) -> None:
    supervisor = start("steady", "mortal")
    ready = until((tmp_path / "ready").exists)
    children = processes(tmp_path / "steady") + processes(tmp_path / "mortal")

    supervisor.send_signal(signal.SIGTERM)
    code = supervisor.wait(20)

    assert ready
    assert code == 0
    assert (tmp_path / "ended").exists()
    assert len(children) == 2
    assert not any(lives(child) for child in children)


def test_a_role_that_dies_is_started_again_and_the_others_live_on(start: Start, tmp_path: Path) -> None:
    start("steady", "mortal")
    assert until((tmp_path / "ready").exists)
    steady, mortal = processes(tmp_path / "steady"), processes(tmp_path / "mortal")

    os.kill(mortal[0], signal.SIGKILL)
    restarted = until(lambda: len(processes(tmp_path / "mortal")) == 2)

    assert restarted
    assert lives(processes(tmp_path / "mortal")[1])
    assert processes(tmp_path / "steady") == steady
    assert lives(steady[0])


def test_a_role_that_cannot_start_ends_the_others(start: Start, tmp_path: Path) -> None:
    supervisor = start("steady", "broken")

    code = supervisor.wait(20)

    assert code == 1
    assert not (tmp_path / "ready").exists()
    assert not any(lives(child) for child in processes(tmp_path / "steady"))


def test_a_supervisor_that_was_killed_takes_its_roles_along(start: Start, tmp_path: Path) -> None:
    supervisor = start("steady", "mortal")
    assert until((tmp_path / "ready").exists)
    children = processes(tmp_path / "steady") + processes(tmp_path / "mortal")

    supervisor.kill()
    supervisor.wait(20)

    assert until(lambda: not any(lives(child) for child in children))


def test_sigterm_before_it_is_ready_ends_it_too(start: Start, tmp_path: Path) -> None:
    supervisor = start("steady", "mortal")
    assert until((tmp_path / "steady").exists)

    supervisor.send_signal(signal.SIGTERM)

    assert supervisor.wait(8) in {0, 1}
    assert not any(lives(child) for child in processes(tmp_path / "steady"))
