"""What the README tells a reader to type does what it says."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hospital.server import Server
from pydicom.data import get_testdata_file

README = Path(__file__).parents[2] / "README.md"


def _blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def _block(word: str) -> str:
    (found,) = [block for block in _blocks() if word in block]
    return found


def _run(commands: str, folder: Path, **environment: str) -> list[str]:
    """Run each line as a shell does, and return what each printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return [
        subprocess.run(
            ["sh", "-c", line],
            cwd=folder,
            env={**os.environ, "PATH": path, **environment},
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout
        for line in commands.splitlines()
    ]


@pytest.mark.needs("dcmtk")
def test_the_lines_that_send_your_own_store_and_find_it(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", "", "--open").start()
    shutil.copy(str(get_testdata_file("CT_small.dcm")), tmp_path / "image.dcm")
    commands = (
        _block("storescu")
        .replace("127.0.0.1 11112", f"127.0.0.1 {server.dicom}")
        .replace("http://127.0.0.1:8080", server.url)
    )

    try:
        *_, studies, imaging_studies = _run(commands, tmp_path)
    finally:
        server.end()

    assert json.loads(studies)[0]["00201208"]["Value"] == [1]
    assert json.loads(imaging_studies)["total"] == 1


def test_the_lines_that_name_who_may_come_in_are_taken(tmp_path: Path) -> None:
    *naming, serving = _block("hilum peers add").splitlines()

    printed = _run("\n".join(naming), tmp_path, HILUM_DATA_FOLDER=str(tmp_path / "data"))

    assert "hilum_" in printed[-1]
    assert serving.startswith("hilum serve --http 0.0.0.0:8080 ")


def test_the_two_commands_of_the_readme_are_those_of_the_makefile() -> None:
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")

    assert {"make run\n", "make test\n"} <= set(_blocks())
    assert re.search(r"^run:", makefile, re.MULTILINE)
    assert re.search(r"^test:", makefile, re.MULTILINE)
