"""Sending at once, without the queue, to outside peers."""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from hilum.cli.frame import Exit


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def bundled(name: str) -> Path:
    return Path(str(get_testdata_file(name, download=False)))


@pytest.fixture
def storescp(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """DCMTK's storescp: its port, and the folder that it fills."""
    port, received = free_port(), tmp_path / "received"
    received.mkdir()
    command = ["storescp", "--output-directory", str(received), "--accept-all", str(port)]
    with subprocess.Popen(command) as process:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port, received
        process.terminate()


@pytest.mark.needs("dcmtk")
def test_a_folder_is_sent_to_an_outside_archive_as_it_is(
    hilum: Any, storescp: tuple[int, Path], tmp_path: Path
) -> None:
    port, received = storescp
    (tmp_path / "images").mkdir()
    for name in ("CT_small.dcm", "MR_small_RLE.dcm"):
        shutil.copy(bundled(name), tmp_path / "images")
    hilum("peers", "add", "archive", "--dicom", f"STORESCP@127.0.0.1:{port}")

    ended = hilum("send", tmp_path / "images", "archive", "--json")

    assert ended.code == Exit.OK, ended.err
    assert {row["code"] for row in ended.json} == {"0000"}
    assert len(list(received.iterdir())) == 2


@pytest.mark.needs("dcmtk")
def test_what_cannot_be_sent_is_reported_and_the_rest_goes_on(
    hilum: Any, storescp: tuple[int, Path], tmp_path: Path
) -> None:
    port, received = storescp
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "notes.txt").write_text("not an image " * 50)
    shutil.copy(bundled("CT_small.dcm"), tmp_path / "images")
    hilum("peers", "add", "archive", "--dicom", f"STORESCP@127.0.0.1:{port}")

    ended = hilum("send", tmp_path / "images", "archive")

    assert ended.code == Exit.PARTIAL
    assert "notes.txt: hilum not a DICOM file" in ended.err
    assert "1 of 2 were accepted by archive" in ended.err
    assert len(list(received.iterdir())) == 1


@pytest.mark.needs("dcmtk")
def test_an_outside_archive_answers_an_echo(hilum: Any, storescp: tuple[int, Path]) -> None:
    hilum("peers", "add", "archive", "--dicom", f"STORESCP@127.0.0.1:{storescp[0]}")

    ended = hilum("echo", "archive", "--json")

    assert ended.code == Exit.OK
    assert ended.json[0]["said"].startswith("0000")


def test_a_message_is_sent_as_it_is_and_its_acknowledgement_decides(hilum: Any, tmp_path: Path) -> None:
    message = b"MSH|^~\\&|RIS|H|HILUM|H|20261124||ADT^A04|M1|P|2.5.1\rPID|1||4711\r"
    (tmp_path / "message.hl7").write_bytes(message)
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hilum("peers", "add", "ehr", "--mllp", f"127.0.0.1:{listener.getsockname()[1]}")
        answering = threading.Thread(target=_answer, args=(listener, heard))
        answering.start()

        ended = hilum("send", tmp_path / "message.hl7", "ehr", "--json")

        answering.join()
    assert ended.code == Exit.REFUSED
    assert ended.json[0]["code"] == "AR"
    assert heard == [b"\x0b" + message + b"\x1c\r"]


def _answer(listener: socket.socket, heard: list[bytes]) -> None:
    connection, _ = listener.accept()
    with connection:
        heard.append(connection.recv(65536))
        connection.sendall(b"\x0bMSH|^~\\&|EHR|H|RIS|H|20261124||ACK|A1|P|2.5.1\rMSA|AR|M1|no\r\x1c\r")


def test_a_peer_that_is_not_there_is_unreachable(hilum: Any) -> None:
    hilum("peers", "add", "gone", "--dicom", f"GONE@127.0.0.1:{free_port()}")

    ended = hilum("send", bundled("CT_small.dcm"), "gone")

    assert ended.code == Exit.UNREACHABLE
