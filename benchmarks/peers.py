"""The servers that are measured: each starts on free ports in a folder of its own, and is stopped at the end."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.error import URLError
from urllib.request import urlopen

NOWHERE: Mapping[str, int] = MappingProxyType({})
"""Move destinations: the port of each AE title."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where a running server listens."""

    name: str
    dicom_port: int
    qido_url: str = ""
    seconds_to_ready: float = 0.0


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until somebody listens, or the process ended."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"{process.args} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit(f"nobody listens on {port}")


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process until the block ends."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def hilum(
    folder: Path, _environment: dict[str, str], destinations: Mapping[str, int] = NOWHERE
) -> Iterator[Server]:
    """Hilum on its embedded default: every success is synced and committed."""
    dicom, http, hl7 = free_port(), free_port(), free_port()
    program = Path(sys.executable).with_name("hilum")
    command = [
        str(program), "serve", "--open", "--data", str(folder / "hilum"),
        "--http", f"127.0.0.1:{http}", "--dicom", f"127.0.0.1:{dicom}", "--hl7", f"127.0.0.1:{hl7}",
    ]  # fmt: skip
    started = time.monotonic()
    with running(command, {}, folder / "hilum.log") as process:
        await_ready(f"http://127.0.0.1:{http}/health/ready", process)
        took = time.monotonic() - started
        for title, port in destinations.items():
            add = ["peers", "add", title, "--dicom", f"{title}@127.0.0.1:{port}", "--data", folder / "hilum"]
            subprocess.run([program, *add], check=True, capture_output=True)
        yield Server("Hilum", dicom, f"http://127.0.0.1:{http}/dicom-web/studies", took)


def await_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a URL answers 200."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(url, timeout=1):  # noqa: S310  # our own loopback URL
                return
        except (URLError, OSError):
            time.sleep(0.02)
    raise SystemExit(f"{url} never became ready")


@contextmanager
def orthanc(
    folder: Path, environment: dict[str, str], destinations: Mapping[str, int] = NOWHERE
) -> Iterator[Server]:
    """Orthanc with its defaults: SQLite and files, no sync asked for."""
    dicom, http = free_port(), free_port()
    configuration = folder / "orthanc.json"
    configuration.write_text(
        json.dumps(
            {
                "StorageDirectory": str(folder / "orthanc"),
                "IndexDirectory": str(folder / "orthanc"),
                "DicomPort": dicom,
                "HttpPort": http,
                "RemoteAccessAllowed": False,
                "AuthenticationEnabled": False,
                "DicomAlwaysAllowMove": True,
                "DicomModalities": {
                    title: [title, "127.0.0.1", port] for title, port in destinations.items()
                },
            }
        )
    )
    with running(["Orthanc", str(configuration)], environment, folder / "orthanc.log") as process:
        await_port(dicom, process)
        yield Server("Orthanc", dicom)


@contextmanager
def dcmtk(folder: Path, environment: dict[str, str], port: int = 0) -> Iterator[Server]:
    """DCMTK's storescp: writes files, indexes and syncs nothing."""
    port = port or free_port()
    (folder / "storescp").mkdir()
    command = ["storescp", "-od", str(folder / "storescp"), str(port)]
    with running(command, environment, folder / "storescp.log") as process:
        await_port(port, process)
        yield Server("DCMTK storescp", port)


@contextmanager
def pynetdicom(folder: Path, _environment: dict[str, str]) -> Iterator[Server]:
    """The storescp application of pynetdicom: writes files."""
    port = free_port()
    (folder / "pynetdicom").mkdir()
    command = [sys.executable, "-m", "pynetdicom", "storescp", str(port), "-od", str(folder / "pynetdicom")]
    with running(command, {}, folder / "pynetdicom.log") as process:
        await_port(port, process)
        yield Server("pynetdicom storescp", port)


def installed(program: str) -> bool:
    """Tell whether a program of a peer is there."""
    return shutil.which(program) is not None
