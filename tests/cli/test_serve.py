"""`hilum serve` as a process: what it prints, what it opens, how it ends."""

import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from hilum.core.access.model import Peer, PeerKind
from hilum.core.kernel.peer_options import PeerOptions
from hilum.core.routing.model import Verdict
from hilum.couriers.mllp import MllpCourier
from hilum.transport.tls import Identity

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


@pytest.mark.needs("dcmtk")
def test_every_door_speaks_tls_when_it_is_told_to(tmp_path: Path, authority: Any) -> None:
    """DCMTK associates, httpx asks, and an HL7 sender of ours gets its acknowledgement, all by TLS."""
    certificate, key = authority.issue("hilum", host="127.0.0.1")
    (tmp_path / "hilum.toml").write_text(
        f"[tls]\ncertificate = '{certificate}'\nkey = '{key}'\nauthorities = '{authority.certificate}'\n"
        "[http]\ntls = true\n[hl7]\ntls = 'required'\n[access]\nopen = true\n"
    )
    command = [sys.executable, "-m", "hilum", "serve", "--data", str(tmp_path), *EVERYWHERE_FREE]
    command += ["--dicom-tls", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            words = said(process)
            ports = {door: int(port) for door, port in re.findall(r"(\S+) +\S+127\.0\.0\.1:(\d+)\n", words)}
            our_certificate, our_key = authority.issue("client")
            context = ssl.create_default_context(cafile=authority.certificate)
            ready = httpx.get(f"https://127.0.0.1:{ports['web']}/health/ready", verify=context)
            secure = ["+tls", our_key, our_certificate, "+cf", authority.certificate, "-rc"]
            echoed = subprocess.run(
                ["echoscu", "-v", *secure, "127.0.0.1", str(ports["dicom-tls"])],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            identity = Identity(our_certificate, our_key, authority.certificate)
            ris = Peer("ris", PeerKind.MLLP, "127.0.0.1", ports["hl7"], options=PeerOptions(tls=True))
            message = b"MSH|^~\\&|EHR|A|HILUM|B|20261124||ADT^A04^ADT_A01|7|P|2.5.1\rEVN|A04|20261124\rPID|1||1^^^A||D^A\r"
            with closing(MllpCourier(ris, identity=identity)) as courier:
                acknowledged = courier.send_message(message, "7")
        finally:
            process.terminate()

    assert ready.status_code == 200
    assert "https://127.0.0.1:" in words
    assert "Received Echo Response (Success)" in echoed.stdout + echoed.stderr
    assert (acknowledged.verdict, acknowledged.code) == (Verdict.ACCEPTED, "AA")


def test_tls_without_a_certificate_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hilum", "serve", "--data", str(tmp_path), *EVERYWHERE_FREE]

    ended = subprocess.run(
        [*command, "--dicom-tls", "127.0.0.1:0"], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 2
    assert "tls.certificate" in ended.stderr
