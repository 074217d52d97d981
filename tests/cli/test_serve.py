"""`hilum serve` as a process: what it prints, what it opens, how it ends."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

EVERYWHERE_FREE = ("--http", "127.0.0.1:0", "--dicom", "127.0.0.1:0", "--hl7", "127.0.0.1:0")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "hilum", "serve", "--data", str(tmp_path), *EVERYWHERE_FREE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        yield process
        process.terminate()


def said(server: subprocess.Popen[str]) -> str:
    """Return what the server prints up to the link."""
    assert server.stdout is not None
    lines = []
    for line in server.stdout:
        lines.append(line)
        if "sign-in" in line:
            break
    return "".join(lines)


def test_a_first_start_prints_the_doors_and_a_link_that_signs_in_once(server: subprocess.Popen[str]) -> None:
    words = said(server)

    (link,) = re.findall(r"http://\S+[0-9a-f]{32}", words)
    assert httpx.get(link).status_code == 303
    assert httpx.get(link).status_code == 403
    assert "mllp://127.0.0.1:" in words
    assert "HILUM@127.0.0.1:" in words


def test_a_server_that_is_told_to_stop_ends_with_success_and_frees_its_ports(
    server: subprocess.Popen[str],
) -> None:
    ports = re.findall(r"127\.0\.0\.1:(\d+)", said(server))

    server.send_signal(signal.SIGTERM)

    assert server.wait(20) == 0
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(port))) != 0


def test_a_port_in_use_is_an_error_that_names_the_address(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = f"127.0.0.1:{holder.getsockname()[1]}"
        command = [sys.executable, "-m", "hilum", "serve", "--data", str(tmp_path), *EVERYWHERE_FREE]

        ended = subprocess.run([*command, "--http", taken], capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert taken in ended.stderr
    assert "next:" in ended.stderr
    assert "Traceback" not in ended.stderr
