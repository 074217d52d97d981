"""Turn what a file, a variable or an option says into the type of its field."""

import re
from collections.abc import Callable, Mapping
from dataclasses import Field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hilum.core.kernel.errors import Invalid
from hilum.settings.tree import Address

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%]+)\]|(?P<host>[^\s:\[\]]+)):(?P<port>[0-9]{1,5})")
_TRUTH = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}
_AE_TITLE = re.compile(r"[\x21-\x5b\x5d-\x7e](?:[\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?")


def value_of(setting: "Field[Any]", given: object, where: str, base: Path) -> Any:  # noqa: ANN401  # of the field's type
    """Return `given` in the type of the field; raises Invalid that says where, what was expected and what came.

    A relative path is relative to `base`: the folder of the file that says it.
    """
    try:
        value = _READERS[_kind(setting)](given)
    except (ValueError, TypeError) as error:
        raise _unexpected(setting, given, where) from error
    if isinstance(value, Path) and not value.is_absolute():
        value = base / value
    _check(setting, value, where)
    return value


def expected(setting: "Field[Any]") -> str:
    """Return the words for what a field takes."""
    choices: tuple[str, ...] = setting.metadata["choices"]
    words = _WORDS[_kind(setting)]
    if choices:
        words = f"{'a list' if isinstance(setting.default, tuple) else 'one'} of {', '.join(choices)}"
    least = setting.metadata["least"]
    return words + (f", at least {least}" if least is not None else "")


def address(text: str) -> Address:
    """Read `HOST:PORT`; raises ValueError."""
    found = _ADDRESS.fullmatch(text.strip())
    if found is None or int(found["port"]) > 65535:
        raise ValueError(text)
    return Address(found["six"] or found["host"], int(found["port"]))


def _kind(setting: "Field[Any]") -> type:
    return (
        Path
        if setting.default is None
        else Path
        if isinstance(setting.default, Path)
        else type(setting.default)
    )


def _check(setting: "Field[Any]", value: object, where: str) -> None:
    least, choices = setting.metadata["least"], setting.metadata["choices"]
    members = value if isinstance(value, tuple) else (value,)
    if (least is not None and value < least) or (choices and (not members or set(members) - set(choices))):
        raise _unexpected(setting, value, where)
    if setting.name == "ae_title" and not _AE_TITLE.fullmatch(str(value)):
        raise Invalid(f"{where} must be an AE title (PS3.5 6.2: 1 to 16 printable characters, no backslash)")


def _unexpected(setting: "Field[Any]", given: object, where: str) -> Invalid:
    shown = f"{given!r}"[:80]
    return Invalid(f"{where} must be {expected(setting)}; got {shown}", next_step="mend the value")


def _text(given: object) -> str:
    if not isinstance(given, str):
        raise TypeError
    return given


def _flag(given: object) -> bool:
    if isinstance(given, str):
        given = _TRUTH.get(given.strip().lower())
    if not isinstance(given, bool):
        raise TypeError
    return given


def _whole(given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, int | str):
        raise TypeError
    return int(given)


def _number(given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise TypeError
    value = float(given)
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124  # NaN is the value unlike itself
        raise ValueError
    return value


def _address(given: object) -> Address:
    return given if isinstance(given, Address) else address(_text(given))


def _path(given: object) -> Path:
    if not isinstance(given, str | Path) or not str(given):
        raise TypeError
    return Path(given).expanduser()


def _texts(given: object) -> tuple[str, ...]:
    members = given.split(",") if isinstance(given, str) else given
    if not isinstance(members, list | tuple):
        raise TypeError
    return tuple(_text(member).strip() for member in members)


_READERS: Mapping[type, Callable[[object], object]] = MappingProxyType(
    {str: _text, bool: _flag, int: _whole, float: _number, Address: _address, Path: _path, tuple: _texts}
)
_WORDS: Mapping[type, str] = MappingProxyType(
    {
        str: "text",
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        Address: "HOST:PORT",
        Path: "a path",
        tuple: "a list of texts",
    }
)
