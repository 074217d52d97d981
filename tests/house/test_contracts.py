"""The order of rooms holds, and each contract is seen to fail once."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

BROKEN = {
    "Rooms: top may see below": ("core/kernel/errors.py", "import hilum.wire.hl7v2"),
    "Capabilities: news travels upward only as events": (
        "core/patients/rules.py",
        "import hilum.core.archive",
    ),
    "One standard does not know another": ("wire/fhir/bundle.py", "import hilum.wire.dicom"),
    "One door does not know another": ("doors/mllp/session.py", "import hilum.doors.dimse"),
    "Wire is pure: no use-case, no I/O": ("wire/dicom/fetch.py", "import socket"),
    "Core owns no clock, no chance, no environment, no I/O": ("core/kernel/clock.py", "import time"),
}
"""For every contract one file with one import that it must not have."""


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [program, "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder / "src"), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """An empty house: the rooms that the contracts name, and the contracts themselves."""
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    for room in _rooms():
        folder = tmp_path / "src" / room.replace(".", "/")
        folder.mkdir(parents=True)
        for place in (folder, *folder.parents):
            if place == tmp_path / "src":
                break
            (place / "__init__.py").touch()
    return tmp_path


def _rooms() -> list[str]:
    rooms = set()
    for contract in CONTRACTS:
        rooms |= {name for key in ("modules", "source_modules") for name in contract.get(key, [])}
        rooms |= {name for name in contract.get("forbidden_modules", []) if name.startswith("hilum.")}
        for container in contract.get("containers", []):
            layers = (name.strip() for layer in contract["layers"] for name in layer.split("|"))
            rooms |= {f"{container}.{name.strip('()')}" for name in layers}
    return sorted(rooms)


def test_the_order_of_rooms_holds() -> None:
    linted = lint_imports(ROOT)

    assert linted.returncode == 0, linted.stdout


def test_an_empty_house_keeps_every_contract(house: Path) -> None:
    linted = lint_imports(house)

    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "0 broken" in linted.stdout


@pytest.mark.parametrize("contract", [contract["name"] for contract in CONTRACTS])
def test_every_contract_is_seen_to_fail(house: Path, contract: str) -> None:
    path, line = BROKEN[contract]
    broken = house / "src" / "hilum" / path
    broken.parent.mkdir(parents=True, exist_ok=True)
    broken.write_text(line + "\n")

    linted = lint_imports(house)

    assert linted.returncode == 1
    assert f"{contract} BROKEN" in linted.stdout


@pytest.mark.parametrize("room", ["hilum/extras", "hilum/core/extras"])
def test_a_room_that_is_not_on_the_plan_fails(house: Path, room: str) -> None:
    folder = house / "src" / room
    folder.mkdir()
    (folder / "__init__.py").touch()

    linted = lint_imports(house)

    assert linted.returncode != 0
    assert "extras" in linted.stdout
