"""Peers, rules, tokens and deliveries at the command line."""

import io
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hilum.cli.frame import Exit


@pytest.fixture
def listening_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_dicom_peer_is_a_modality_and_keeps_the_name_of_its_host(hilum: Any) -> None:
    added = hilum("peers", "add", "ct01", "--dicom", "CT01@localhost:104")

    listed = hilum("peers", "list", "--json").json
    assert added.code == Exit.OK
    assert listed[0]["where"] == "CT01@localhost:104"
    assert listed[0]["roles"] == ["modality"]
    assert listed[0]["check_host"]


def test_an_mllp_peer_is_an_information_system_with_its_issuer(hilum: Any) -> None:
    hilum("peers", "add", "ris", "--mllp", "[::1]:2575", "--issuer", "HOSPITAL")

    listed = hilum("peers", "list", "--json").json
    assert (listed[0]["where"], listed[0]["roles"], listed[0]["default_issuer"]) == (
        "[::1]:2575",
        ["information-system"],
        "HOSPITAL",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("x",),
        ("x", "--dicom", "A@h:1", "--mllp", "h:1"),
        ("x", "--dicom", "10.0.0.7:104"),
        ("x", "--dicom", "A@10.0.0.7"),
        ("x", "--dicom", "SEVENTEENLETTERS1@10.0.0.7:104"),
        ("x", "--mllp", "10.0.0.7:0"),
        ("x", "--mllp", "10.0.0.7:99999"),
        ("x", "--dicomweb", "ftp://pacs"),
        ("x", "--fhir", "https://user:secret@fhir"),
        ("../x", "--mllp", "10.0.0.7:1"),
        ("x", "--mllp", "10.0.0.7:1", "--role", "king"),
    ],
)
def test_a_peer_that_makes_no_sense_is_a_usage_error_with_a_next_step(
    hilum: Any, arguments: tuple[str, ...]
) -> None:
    ended = hilum("peers", "add", *arguments)

    assert ended.code == Exit.USAGE
    assert "next:" in ended.err
    assert hilum("peers", "list", "--json").json == []


def test_removing_an_unknown_peer_is_a_usage_error(hilum: Any) -> None:
    assert hilum("peers", "remove", "nobody").code == Exit.USAGE


def test_a_removed_peer_is_gone(hilum: Any) -> None:
    hilum("peers", "add", "ris", "--mllp", "127.0.0.1:1")

    removed = hilum("peers", "remove", "ris")

    assert removed.code == Exit.OK
    assert hilum("peers", "list", "--json").json == []


def test_a_peer_that_listens_is_tested_ok(hilum: Any, listening_port: int) -> None:
    hilum("peers", "add", "ris", "--mllp", f"127.0.0.1:{listening_port}")

    tested = hilum("peers", "test", "ris", "--json")

    assert tested.code == Exit.OK
    assert tested.json[0]["answer"] == "ok"


@pytest.mark.parametrize("command", [("echo",), ("peers", "test")])
@pytest.mark.parametrize(
    "how",
    [
        "--mllp 127.0.0.1:{}",
        "--dicom PACS@127.0.0.1:{}",
        "--dicomweb http://127.0.0.1:{}",
        "--fhir http://127.0.0.1:{}",
    ],
)
def test_a_peer_that_is_not_there_is_unreachable(
    hilum: Any, closed_port: int, command: tuple[str, ...], how: str
) -> None:
    hilum("peers", "add", "gone", *how.format(closed_port).split())

    tested = hilum(*command, "gone", "--json")

    assert tested.code == Exit.UNREACHABLE
    assert tested.json[0]["answer"] == "unreachable"
    assert tested.json[0]["said"]


def test_a_table_is_plain_and_aligned_when_nobody_watches(hilum: Any) -> None:
    hilum("peers", "add", "ris", "--mllp", "127.0.0.1:1")

    listed = hilum("peers", "list")

    heading, row = listed.out.splitlines()
    assert heading.split()[:3] == ["NAME", "KIND", "WHERE"]
    assert row.index("mllp") == heading.index("KIND")
    assert "\x1b" not in listed.out


def test_a_token_is_shown_once_and_listed_without_its_secret(hilum: Any) -> None:
    created = hilum(
        "token", "create", "--scope", "archive.*", "--scope", "patients.read", "--name", "ai", "--days", "30"
    )

    listed = hilum("token", "list", "--json")
    assert created.code == Exit.OK
    assert created.out.strip().startswith("hilum_")
    assert created.out.strip() not in listed.out
    assert (listed.json[0]["name"], listed.json[0]["scopes"]) == ("ai", ["archive.*", "patients.read"])


def test_a_token_is_revoked_by_the_key_that_the_list_shows(hilum: Any) -> None:
    hilum("token", "create", "--scope", "*", "--name", "ai")
    key = hilum("token", "list", "--json").json[0]["key"]

    revoked = hilum("token", "revoke", key)

    assert revoked.code == Exit.OK
    assert hilum("token", "list", "--json").json[0]["revoked"]
    assert hilum("token", "revoke", key).code == Exit.USAGE


def test_users_are_listed_kept_out_and_let_in(hilum: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    link = hilum("users", "link", "ada")
    monkeypatch.setattr("sys.stdin", io.StringIO("a long enough sentence\n"))
    password = hilum("users", "password", "ada")
    hilum("users", "disable", "ada")
    kept_out = hilum("users", "list", "--json").json
    hilum("users", "enable", "ada")

    assert link.out.startswith("/welcome/")
    assert password.code == Exit.OK
    assert (kept_out[0]["name"], kept_out[0]["has_password"], kept_out[0]["disabled"]) == ("ada", True, True)
    assert not hilum("users", "list", "--json").json[0]["disabled"]
    assert hilum("users", "disable", "nobody").code == Exit.USAGE


def test_an_unknown_scope_is_a_usage_error_that_lists_the_scopes(hilum: Any) -> None:
    ended = hilum("token", "create", "--scope", "archive.qery")

    assert ended.code == Exit.USAGE
    assert "archive.query" in ended.err


def test_rules_are_loaded_and_written_back(hilum: Any, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("rules:\n- name: all\n  when:\n    event: instance-stored\n  to:\n  - pacs2\n")
    hilum("peers", "add", "pacs2", "--dicom", "PACS2@127.0.0.1:104")

    loaded = hilum("routes", "load", file)

    assert loaded.code == Exit.OK
    assert hilum("routes", "list", "--yaml").out == file.read_text()


def test_rules_to_an_unknown_peer_are_not_loaded(hilum: Any, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("rules: [{name: all, to: [nobody]}]")

    loaded = hilum("routes", "load", file)

    assert loaded.code == Exit.USAGE
    assert "nobody" in loaded.err
    assert hilum("routes", "list", "--json").json == []


def test_a_mistake_in_a_rules_file_names_file_and_line(hilum: Any, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("rules:\n- name: all\n  too: [x]\n")

    loaded = hilum("routes", "load", file)

    assert loaded.code == Exit.USAGE
    assert f"{file}:3: unknown key 'too'" in loaded.err


def test_deliveries_are_listed_and_a_missing_one_is_a_usage_error(hilum: Any) -> None:
    assert hilum("deliveries", "list", "--json").json == []
    assert hilum("deliveries", "show", "7").code == Exit.USAGE
    assert hilum("deliveries", "replay").code == Exit.USAGE
    assert hilum("deliveries", "list", "--state", "lost").code == Exit.USAGE
    assert hilum("deliveries", "replay", "--dead").code == Exit.OK


def test_the_doctor_of_an_empty_folder_says_what_is_missing_and_makes_nothing(
    hilum: Any, folder: Path
) -> None:
    ended = hilum("doctor", "--json")

    found = {row["check"]: row for row in ended.json}
    assert found["database"]["state"] == "warn"
    assert found["database"]["next_step"] == "hilum serve makes it"
    assert {"port http", "port dicom", "port hl7", "disk"} <= set(found)
    assert not folder.exists()


def test_the_doctor_finds_a_peer_that_is_gone(hilum: Any, closed_port: int) -> None:
    hilum("peers", "add", "gone", "--mllp", f"127.0.0.1:{closed_port}")

    ended = hilum("doctor", "--json")

    found = {row["check"]: row["state"] for row in ended.json}
    assert ended.code == Exit.PARTIAL
    assert found["peer gone"] == "fail"
    assert (found["database"], found["storage"], found["clock"], found["sign-in"]) == (
        "ok",
        "ok",
        "ok",
        "warn",
    )


def test_the_doctor_sees_a_clock_that_was_set_back(hilum: Any, folder: Path) -> None:
    hilum("peers", "add", "ris", "--mllp", "127.0.0.1:1")
    with sqlite3.connect(folder / "hilum.db") as database:
        database.execute("UPDATE audit_entries SET occurred = occurred + 1000000 * 86400 * 365")
    database.close()

    ended = hilum("doctor", "--json")

    (clock,) = [row for row in ended.json if row["check"] == "clock"]
    assert clock["state"] == "fail"
    assert "set the clock" in clock["next_step"]


def test_options_of_a_peer_are_set_shown_and_unset(hilum: Any) -> None:
    hilum(
        "peers", "add", "ct01", "--dicom", "CT01@10.0.0.7:104", "--set", "addresses=10.0.0.0/24, ct.hospital"
    )

    hilum("peers", "set", "ct01", "maximum_associations=4", "transfer_syntaxes=1.2.840.10008.1.2.1")
    shown = hilum("peers", "show", "ct01", "--json").json
    hilum("peers", "set", "ct01", "addresses=")

    assert shown["options"] == {
        "addresses": ["10.0.0.0/24", "ct.hospital"],
        "transfer_syntaxes": ["1.2.840.10008.1.2.1"],
        "maximum_associations": 4,
    }
    assert "ADDRESSES" not in hilum("peers", "show", "ct01").out
    assert "MAXIMUM ASSOCIATIONS  4" in hilum("peers", "show", "ct01").out


@pytest.mark.parametrize("text", ["colour=red", "maximum_associations=many", "addresses", "permissions=fly"])
def test_an_option_that_makes_no_sense_is_a_usage_error(hilum: Any, text: str) -> None:
    hilum("peers", "add", "ct01", "--dicom", "CT01@10.0.0.7:104")

    ended = hilum("peers", "set", "ct01", text)

    assert ended.code == Exit.USAGE
    assert "next:" in ended.err


def test_a_host_that_nobody_knows_is_kept_with_a_warning(hilum: Any) -> None:
    added = hilum("peers", "add", "ct01", "--dicom", "CT01@ct.invalid:104")

    assert added.code == Exit.OK
    assert "nobody knows the host" in added.err


@pytest.mark.parametrize(("days", "state"), [(300, "ok"), (5, "warn"), (-1, "fail")])
def test_the_doctor_looks_when_a_certificate_ends(
    hilum: Any, folder: Path, authority: Any, days: int, state: str
) -> None:
    certificate, key = authority.issue("doctor", days=days)
    folder.mkdir()
    (folder / "hilum.toml").write_text(f"[tls]\ncertificate = '{certificate}'\nkey = '{key}'\n")

    found = {one["check"]: one["state"] for one in hilum("doctor", "--json").json}

    assert found["certificate doctor.crt"] == state
