"""Run commands in this process, on a data folder of their own."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hilum.cli.frame import run


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Hilum = Callable[..., Ended]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def hilum(folder: Path, capsys: pytest.CaptureFixture[str]) -> Hilum:
    """Run a command with `--data`, and return its exit code and what it wrote."""

    def command(*arguments: object) -> Ended:
        code = run([*map(str, arguments), "--data", str(folder)])
        written = capsys.readouterr()
        return Ended(code, written.out, written.err)

    return command
