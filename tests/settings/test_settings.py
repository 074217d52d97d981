"""One typed tree from file, environment and command line."""

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core.kernel.errors import Invalid, Refused
from hilum.settings import Address, Settings, load
from hilum.settings.load import variable_of
from hilum.settings.tree import FIELDS
from hilum.settings.values import address


def write(folder: Path, text: str, name: str = "hilum.toml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = load(environment={})

    assert str(settings.http.bind) == "127.0.0.1:8080"
    assert str(settings.dicom.bind) == "127.0.0.1:11112"
    assert settings.dicom.ae_title == "HILUM"
    assert str(settings.hl7.bind) == "127.0.0.1:2575"
    assert settings.server.roles == ("dicom", "web", "hl7", "engine")
    assert settings.database_url == f"sqlite:///{Path.cwd()}/hilum-data/hilum.db"
    assert settings.objects_url == f"{Path.cwd()}/hilum-data/objects"


def test_environment_beats_file_and_command_line_beats_both(tmp_path: Path) -> None:
    write(tmp_path, '[dicom]\nae_title = "FILE"\nidle = 5\n[hl7]\nidle = 7.5\n')

    settings = load(
        environment={"HILUM_DICOM_AE_TITLE": "ENVIRONMENT", "HILUM_DICOM_IDLE": "6"},
        options={"data.folder": tmp_path, "dicom.ae_title": "OPTION", "http.bind": None},
    )

    assert (settings.dicom.ae_title, settings.dicom.idle, settings.hl7.idle) == ("OPTION", 6.0, 7.5)


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [
        ("[dicom]\nae_titel = 'X'\n", "dicom.ae_titel", "dicom.ae_title"),
        ("[dicm]\nport = 1\n", "dicm", "dicom"),
        ("bind = 'x:1'\n", "bind", "below a [section]"),
    ],
)
def test_an_unknown_key_names_the_file_the_key_and_the_nearest_known_one(
    tmp_path: Path, text: str, key: str, nearest: str
) -> None:
    file = write(tmp_path, text)

    with pytest.raises(Invalid) as raised:
        load(environment={}, options={"data.folder": tmp_path})

    assert str(file) in str(raised.value)
    assert f"'{key}'" in str(raised.value)
    assert nearest in str(raised.value)


def test_an_unknown_variable_names_the_nearest_known_one() -> None:
    with pytest.raises(Invalid, match="HILUM_HTTP_BIND'"):
        load(environment={"HILUM_HTTP_BINDS": "127.0.0.1:1"})


def test_variables_of_the_test_suite_and_of_kubernetes_are_not_settings() -> None:
    outside = {"HILUM_TEST_REQUIRE_ALL": "1", "HILUM_PORT_8080_TCP_ADDR": "x", "HILUM_SERVICE_HOST": "x"}

    settings = load(environment=outside | {"HILUM_PORT": "tcp://10.0.0.1:80"})

    assert settings == Settings()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("http]\nbind = 8080", "HOST:PORT"),
        ("http]\nbind = 'localhost:99999'", "HOST:PORT"),
        ("access]\nopen = 1", "true or false"),
        ("dicom]\nmaximum_associations = true", "a whole number, at least 1"),
        ("dicom]\nmaximum_associations = 0", "a whole number, at least 1"),
        ("dicom]\nidle = nan", "a number, at least 1"),
        ("server]\nroles = ['web', 'wbe']", "a list of dicom, web, hl7, engine"),
        ("server]\nroles = []", "a list of dicom, web, hl7, engine"),
        ("log]\nlevel = 'loud'", "one of debug, info, warning, error"),
        ("dicom]\nae_title = 'LONGER THAN SIXTEEN'", "an AE title"),
        ("dicom]\nae_title = 'BACK\\SLASH'", "an AE title"),
        ("routing]\nrules = ''", "a path"),
    ],
)
def test_a_wrong_value_says_what_was_expected(tmp_path: Path, line: str, expected: str) -> None:
    file = write(tmp_path, f"[{line}\n")

    with pytest.raises(Invalid) as raised:
        load(environment={}, options={"data.folder": tmp_path})

    assert f"must be {expected}" in raised.value.what
    assert str(file) in raised.value.what


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    write(tmp_path, "[dicom\n")

    with pytest.raises(Invalid, match=r"hilum\.toml: not readable as TOML"):
        load(environment={}, options={"data.folder": tmp_path})


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="there is no file"):
        load(config=tmp_path / "absent.toml", environment={})


def test_relative_paths_in_a_file_are_relative_to_its_folder(tmp_path: Path) -> None:
    file = write(tmp_path, "[data]\nfolder = 'here'\n[routing]\nrules = 'rules.yaml'\n", "other.toml")

    settings = load(config=file, environment={})

    assert settings.data.folder == tmp_path / "here"
    assert settings.routing.rules == tmp_path / "rules.yaml"


def test_the_file_in_the_data_folder_cannot_move_the_data_folder(tmp_path: Path) -> None:
    write(tmp_path, "[data]\nfolder = 'elsewhere'\n")

    with pytest.raises(Invalid, match="cannot be set in the data folder itself"):
        load(environment={}, options={"data.folder": tmp_path})


@pytest.mark.parametrize("bind", ["0.0.0.0:8080", "[::]:8080", "192.168.1.4:8080", "hospital.example:8080"])
def test_open_is_refused_unless_every_address_is_loopback(bind: str) -> None:
    with pytest.raises(Refused) as raised:
        load(environment={}, options={"access.open": True, "http.bind": bind})

    assert bind in raised.value.what
    assert "loopback" in raised.value.what


def test_open_is_allowed_on_loopback_addresses() -> None:
    settings = load(
        environment={
            "HILUM_ACCESS_OPEN": "yes",
            "HILUM_HTTP_BIND": "[::1]:0",
            "HILUM_HL7_BIND": "localhost:1",
        }
    )

    assert settings.access.open


def test_every_field_has_a_sentence_and_every_number_a_unit() -> None:
    for path, field in FIELDS.items():
        assert field.metadata["sentence"].rstrip("`").endswith("."), path
        assert (
            field.metadata["unit"]
            or isinstance(field.default, bool)
            or not isinstance(field.default, int | float)
        ), path


def test_every_field_can_be_set_by_a_variable_of_its_own() -> None:
    variables = [variable_of(path) for path in FIELDS]

    assert (
        len(set(variables))
        == len(variables)
        == sum(len(fields(getattr(Settings(), s.name))) for s in fields(Settings))
    )


@given(st.ip_addresses().map(str), st.integers(0, 65535))
def test_an_address_that_is_written_can_be_read(host: str, port: int) -> None:
    written = str(Address(host, port))

    assert address(written) == Address(host, port)
