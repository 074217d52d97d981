"""The command line: names, exit codes, errors."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hilum.cli.frame import Exit, Unreachable, exit_of, printable
from hilum.core.kernel.errors import Busy, Conflict, Invalid, NotFound, Refused


def hilum(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hilum", *arguments], capture_output=True, text=True, cwd=folder, check=False
    )


@pytest.mark.parametrize(
    "command",
    [
        "serve", "demo", "doctor", "import", "send", "echo", "migrate",
        "peers list", "peers add", "peers remove", "peers test",
        "deliveries list", "deliveries show", "deliveries replay",
        "token create", "routes load", "routes list",
    ],
)  # fmt: skip
def test_every_command_of_the_contract_has_help(command: str) -> None:
    ended = hilum(*command.split(), "--help")

    assert ended.returncode == Exit.OK
    assert f"hilum {command}" in ended.stdout


def test_the_version_is_printed() -> None:
    ended = hilum("--version")

    assert ended.stdout.startswith("hilum 0.")


def test_help_imports_no_room() -> None:
    program = "import sys; from hilum.cli.frame import run; run(['--help']); print(sorted(sys.modules))"

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    rooms = {
        "hilum.core.hub",
        "hilum.stores",
        "hilum.doors",
        "sqlalchemy",
        "pydicom",
        "starlette",
        "rich",
        "yaml",
    }
    assert [room for room in rooms if f"'{room}'" in ended.stdout] == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Invalid("x"), 2),
        (NotFound("x"), 2),
        (Conflict("x"), 1),
        (Busy("x"), 1),
        (Unreachable("x"), 3),
        (Refused("x"), 4),
    ],
)
def test_the_exit_code_of_every_error_is_fixed(error: Invalid, code: int) -> None:
    assert exit_of(error) == code


def test_the_exit_codes_are_those_of_the_contract() -> None:
    assert {code.name: code.value for code in Exit} == {
        "OK": 0, "PARTIAL": 1, "USAGE": 2, "UNREACHABLE": 3, "REFUSED": 4,
    }  # fmt: skip


def test_an_unknown_command_names_the_nearest_one_and_exits_with_usage() -> None:
    ended = hilum("piers")

    assert ended.returncode == Exit.USAGE
    assert "peers" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_open_on_an_exposed_address_is_refused_and_says_so(tmp_path: Path) -> None:
    ended = hilum("serve", "--open", "--http", "0.0.0.0:0", "--data", str(tmp_path))

    assert ended.returncode == Exit.REFUSED
    assert "loopback" in ended.stderr
    assert "0.0.0.0:0" in ended.stderr


def test_a_mistyped_setting_is_a_usage_error_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "hilum.toml").write_text("[http]\nbnid = '127.0.0.1:1'\n")

    ended = hilum("settings", "--data", str(tmp_path))

    assert ended.returncode == Exit.USAGE
    assert ended.stderr.splitlines() == [
        f"hilum: {tmp_path / 'hilum.toml'}: unknown key 'http.bnid'",
        "  next: the nearest known key is 'http.bind'",
    ]


def test_settings_are_shown_as_json_without_passwords(tmp_path: Path) -> None:
    url = "postgresql+psycopg://hilum:secret@db/hilum"

    ended = hilum("settings", "--data", str(tmp_path), "--database", url, "--json")

    shown = {row["setting"]: row["value"] for row in json.loads(ended.stdout)}
    assert shown["database.url"] == "postgresql+psycopg://hilum:***@db/hilum"
    assert shown["data.folder"] == str(tmp_path)


def test_control_characters_of_a_peer_do_not_reach_the_terminal() -> None:
    assert printable("a\x1b[2Jb\nc") == "a\N{REPLACEMENT CHARACTER}[2Jb\N{REPLACEMENT CHARACTER}c"
