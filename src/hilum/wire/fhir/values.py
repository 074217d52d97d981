"""Primitive values and elements: what R4's regular expressions allow, and nothing empty (FHIR R4 2.24, 2.6.2)."""

import json
import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hilum.core.kernel.errors import Invalid

Resource = dict[str, Any]
Element = dict[str, Any]

_SPACES = re.compile(r"\s+")
_LONGEST_INTEGER = 2_147_483_647
# Control characters have no place in a FHIR string (2.24.0.1), surrogates and noncharacters in no text at all.
_UNSPEAKABLE = frozenset({"Cc", "Cs"})
_MARK = "\ufdd0"
"""A noncharacter, so it is in no text that passed `text`: stands around a decimal until it is written."""
_MARKED = re.compile(f'"{_MARK}([^"{_MARK}]*){_MARK}"')


def element(**fields: Any) -> Element:  # noqa: ANN401  # any JSON value
    """Return an element without its empty fields: R4 allows no empty string, list or object (2.6.2)."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def text(value: str) -> str:
    """Return a FHIR string: lines kept, other space made plain, what cannot be written left out."""
    cleaned = "".join(_speakable(character) for character in value)
    return cleaned.strip() and cleaned


def line(value: str) -> str:
    """Return a string on one line."""
    return _SPACES.sub(" ", text(value)).strip()


def code(value: str) -> str:
    """Return a code: no space but single ones inside."""
    return line(value)


def uri(value: str) -> str:
    """Return a URI without space."""
    return _SPACES.sub("", text(value))


def unsigned(value: str | int) -> int | None:
    """Return an unsignedInt; None for what is no such number (IS may be negative)."""
    try:
        number = int(str(value).strip()[:16])
    except ValueError:
        return None
    return number if 0 <= number <= _LONGEST_INTEGER else None


def dumps(resource: Mapping[str, Any], *, pretty: bool = False) -> bytes:
    """Write JSON; a Decimal keeps its digits, since 1.50 and 1.5 are two values in FHIR (2.24.0.1)."""
    written = json.dumps(
        resource,
        ensure_ascii=False,
        indent=2 if pretty else None,
        separators=None if pretty else (",", ":"),
        default=_marked,
    )
    return _MARKED.sub(r"\1", written).encode() if _MARK in written else written.encode()


def _marked(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{_MARK}{value}{_MARK}"
    raise Invalid(f"a {type(value).__name__} is no JSON value")


def _speakable(character: str) -> str:
    if character in "\n\t\r " or "!" <= character <= "~":
        return character
    if character.isspace():
        return " "
    hidden = unicodedata.category(character) in _UNSPEAKABLE
    return "" if hidden or _is_noncharacter(ord(character)) else character


def _is_noncharacter(point: int) -> bool:
    return 0xFDD0 <= point <= 0xFDEF or point & 0xFFFE == 0xFFFE
