"""The values of DICOM JSON, checked by their VR before a library meets them (PS3.18 Table F.2.3-1)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.elements import ALL_VRS

_DEEPEST = 64
_MOST_VALUES = 8_000
_LONG_VRS = frozenset({"UC", "UR", "UT", "SQ", *("OB", "OD", "OF", "OL", "OV", "OW", "UN")})
_LONGEST = 65_534
"""Octets of a value whose VR has a length of 16 bits (PS3.5 7.1.2)."""
_NAME_GROUPS = frozenset({"Alphabetic", "Ideographic", "Phonetic"})
_INTEGERS = MappingProxyType(
    {
        "US": range(1 << 16),
        "SS": range(-(1 << 15), 1 << 15),
        "UL": range(1 << 32),
        "SL": range(-(1 << 31), 1 << 31),
        "UV": range(1 << 64),
        "SV": range(-(1 << 63), 1 << 63),
        "IS": range(-(1 << 31), 1 << 31),
    }
)
_FLOATS = frozenset({"FL", "FD", "DS"})
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


def check_values(attributes: object, depth: int = 0) -> None:
    """Raise Invalid unless this is a data set in the JSON model whose values fit their VRs, bulk data left aside."""
    if depth > _DEEPEST:
        raise Invalid(f"the DICOM JSON nests sequences deeper than {_DEEPEST}")
    if not isinstance(attributes, dict):
        raise Invalid("the DICOM JSON holds something else where an object of attributes must be")
    for tag, attribute in attributes.items():
        if not _is_tag(tag) or not isinstance(attribute, dict) or attribute.get("vr") not in ALL_VRS:
            raise Invalid(f"attribute {tag[:16]!r} of the DICOM JSON has no tag or vr of the standard")
        _check_attribute(tag, attribute, depth)


def _check_attribute(tag: str, attribute: Mapping[str, Any], depth: int) -> None:
    vr, values = attribute["vr"], attribute.get("Value", [])
    if not set(attribute) <= {"vr", "Value", "InlineBinary"} or not isinstance(values, list):
        raise Invalid(f"attribute {tag} of the DICOM JSON has neither values nor inline data")
    if len(values) > _MOST_VALUES:
        raise Invalid(f"attribute {tag} of the DICOM JSON has more than {_MOST_VALUES} values")
    if "InlineBinary" in attribute and (vr not in _BINARY or not isinstance(attribute["InlineBinary"], str)):
        raise Invalid(f"attribute {tag} of the DICOM JSON has inline data that its vr {vr} has not")
    if vr not in _LONG_VRS and sum(len(str(value).encode()) + 1 for value in values) > _LONGEST:
        raise Invalid(f"attribute {tag} of the DICOM JSON is longer than its vr {vr} can be")
    if vr == "SQ":
        for item in values:
            check_values(item, depth + 1)
    elif not all(value is None or _fits(vr)(value) for value in values):
        raise Invalid(f"a value of attribute {tag} does not fit its vr {vr}")


def _fits(vr: str) -> Callable[[object], bool]:
    if vr in _INTEGERS:
        return lambda value: _integer(value) in _INTEGERS[vr]
    if vr in _FLOATS:
        return _is_number
    if vr == "PN":
        return _is_name
    if vr == "AT":
        return lambda value: isinstance(value, str) and _is_tag(value)
    return lambda value: isinstance(value, str) and vr not in _BINARY and "\0" not in value


def _is_tag(text: object) -> bool:
    return isinstance(text, str) and len(text) == 8 and all(letter in "0123456789ABCDEF" for letter in text)


def _integer(value: object) -> int | None:
    """Return an integer, or one that a string says: so go those beyond 2^53 (PS3.18 F.2.3)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    is_text = isinstance(value, str) and value.isascii() and value.lstrip("-").isdecimal() and len(value) < 21
    return int(str(value)) if is_text else None


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        try:
            value = float(value) if len(value) < 33 else None
        except ValueError:
            return False
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e38


def _is_name(value: object) -> bool:
    return (
        isinstance(value, dict)
        and set(value) <= _NAME_GROUPS
        and all(isinstance(group, str) and "=" not in group and "\\" not in group for group in value.values())
    )
