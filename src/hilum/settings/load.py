"""Read the tree: defaults, then one TOML file, then the environment, then the command line."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from hilum.core.kernel.errors import Invalid, Refused
from hilum.settings.tree import FIELDS, Settings
from hilum.settings.values import value_of

FILE_NAME = "hilum.toml"

_PREFIX = "HILUM_"
_NOT_OURS = re.compile(r"HILUM_(TEST_|SERVICE_|PORT(_|$))")
"""Switches of the test suite, and what Kubernetes sets in every pod for a service that is called `hilum`."""

Given = dict[str, Any]
"""Values by key path."""


def load(
    *, config: Path | None = None, environment: Mapping[str, str], options: Mapping[str, Any] | None = None
) -> Settings:
    """Return the settings in force. `options` maps key paths to values; None is not given.

    Raises Invalid with the file and the key, and Refused when `open` meets an address that others can reach.
    """
    options = {path: value for path, value in (options or {}).items() if value is not None}
    outside = _from_environment(environment) | _from_options(options)
    folder = outside.get("data.folder", Settings().data.folder)
    file = config or folder / FILE_NAME
    if config is not None and not config.is_file():
        raise Invalid(f"there is no file {config}", next_step="name an existing file with --config")
    inside = _from_file(file) if file.is_file() else {}
    if config is None and "data.folder" in inside:
        raise Invalid(
            f"{file}: 'data.folder' cannot be set in the data folder itself",
            next_step="use --data or --config",
        )
    return checked(_built(inside | outside))


def checked(settings: Settings) -> Settings:
    """Return the settings, or raise Refused when they would open Hilum to strangers."""
    exposed = [f"{name} = {address}" for name, address in settings.binds.items() if not address.is_loopback]
    if settings.access.open and exposed:
        raise Refused(
            f"--open admits anybody, so every address must be loopback; these are not: {', '.join(exposed)}",
            next_step="listen on 127.0.0.1 or [::1], or leave --open away and add peers and tokens",
        )
    return settings


def variable_of(path: str) -> str:
    """Return the environment variable of a key path."""
    return _PREFIX + path.replace(".", "_").upper()


def _built(given: Given) -> Settings:
    settings = Settings()
    for section in fields(Settings):
        prefix = f"{section.name}."
        here = {path.removeprefix(prefix): value for path, value in given.items() if path.startswith(prefix)}
        if here:
            changed = replace(getattr(settings, section.name), **here)
            settings = replace(settings, **{section.name: changed})
    return settings


def _from_file(file: Path) -> Given:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise Invalid(f"{file}: not readable as TOML: {error}", next_step="mend the file") from error
    given: Given = {}
    sections = [one.name for one in fields(Settings)]
    for section, table in tables.items():
        if section not in sections or not isinstance(table, dict):
            remark = "" if isinstance(table, dict) else "it belongs below a [section]"
            raise _unknown(str(file), section, sections, remark)
        for key, value in table.items():
            path = f"{section}.{key}"
            if path not in FIELDS:
                raise _unknown(str(file), path, FIELDS)
            given[path] = value_of(FIELDS[path], value, f"{file}: '{path}'", file.parent)
    return given


def _from_environment(environment: Mapping[str, str]) -> Given:
    known = {variable_of(path): path for path in FIELDS}
    given: Given = {}
    for variable, text in environment.items():
        if not variable.startswith(_PREFIX) or _NOT_OURS.match(variable):
            continue
        if variable not in known:
            raise _unknown("environment", variable, known)
        path = known[variable]
        given[path] = value_of(FIELDS[path], text, f"environment: '{variable}'", Path())
    return given


def _from_options(options: Mapping[str, Any]) -> Given:
    return {
        path: value_of(FIELDS[path], value, f"command line: '{path}'", Path())
        for path, value in options.items()
    }


def _unknown(where: str, name: str, known: Iterable[str], remark: str = "") -> Invalid:
    nearest = difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)
    said = f"; {remark}" if remark else ""
    return Invalid(
        f"{where}: unknown key '{name}'{said}", next_step=f"the nearest known key is '{nearest[0]}'"
    )
