"""The day of a hospital, as `make run` plays it."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

PLAY = [sys.executable, "-m", "hilum", "demo", "--once"]


@pytest.mark.timeout(180)
def test_every_step_of_the_day_holds(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*PLAY, "--data", str(tmp_path / "data")], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "every step held" in ended.stdout
    for claim in (
        "the order is on the list",
        "every image is durable and committed",
        "Hilum answers for every image",
        "the second PACS has every image",
        "FHIR DiagnosticReport is final",
        "the EHR has the report",
        "FHIR shows it under P",
    ):
        assert f"ok  {claim}" in ended.stdout
    assert "\x1b" not in ended.stdout


@pytest.mark.timeout(180)
def test_the_day_can_be_played_again_in_the_same_folder_with_images_of_ones_own(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "notes.txt").write_text("not an image")
    (images / "mr.dcm").write_bytes(Path(str(get_testdata_file("MR_small.dcm", download=False))).read_bytes())
    command = [*PLAY, "--data", str(tmp_path / "data"), "--dicom", str(images)]
    subprocess.run(command, capture_output=True, check=True)

    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "C-STORE, 1 images" in ended.stdout


def test_a_folder_without_images_ends_the_day_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    command = [*PLAY, "--data", str(tmp_path / "data"), "--dicom", str(tmp_path / "empty")]

    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert "there is no DICOM image below" in ended.stdout
