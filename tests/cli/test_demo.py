"""The day of a hospital, as `make run` plays it."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest
from pydicom.data import get_testdata_file

PLAY = [sys.executable, "-m", "hilum", "demo", "--once"]


def play(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PLAY, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.timeout(240)
def test_every_step_of_the_day_holds_and_the_next_day_too_with_images_of_ones_own(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "notes.txt").write_text("not an image")
    (images / "mr.dcm").write_bytes(Path(str(get_testdata_file("MR_small.dcm", download=False))).read_bytes())

    first = play("--data", tmp_path / "data")
    second = play("--data", tmp_path / "data", "--dicom", images)

    assert first.returncode == 0, first.stdout + first.stderr
    for claim in (
        "the order is on the list",
        "every image is durable and committed",
        "Hilum answers for every image",
        "the second PACS has every image",
        "FHIR DiagnosticReport is final",
        "the EHR has the report",
        "FHIR shows it under P",
    ):
        assert f"ok  {claim}" in first.stdout
    assert "\x1b" not in first.stdout
    assert second.returncode == 0, second.stdout + second.stderr
    assert "C-STORE, 1 images" in second.stdout


def test_a_folder_without_images_is_a_usage_error_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    ended = play("--data", tmp_path / "data", "--dicom", tmp_path / "empty")

    assert ended.returncode == 2
    assert "there is no DICOM image below" in ended.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.timeout(120)
def test_it_stays_up_until_it_is_told_to_stop_and_takes_its_processes_along(tmp_path: Path) -> None:
    command = [*PLAY[:-1], "--data", str(tmp_path / "data")]
    # A shell that starts the tests in the background makes them, and what they start, deaf to SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        words = ""
        for line in demo.stdout:
            words += line
            if "It stays up" in line:
                break
        started = psutil.Process(demo.pid).children(recursive=True)
        (link,) = re.findall(r"http://\S+/welcome/\S+", words)
        signed_in = httpx.get(link)

        demo.send_signal(signal.SIGINT)
        _, complaints = demo.communicate(timeout=60)

    assert signed_in.status_code == 303
    assert demo.returncode == 0
    assert "Traceback" not in complaints
    assert len(started) >= 4
    assert not any(process.is_running() for process in started)
