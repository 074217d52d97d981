"""Encoded values to plain values, leniently: a header must be readable although its device wrote it badly."""

import re
from struct import Struct
from types import MappingProxyType

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.character_sets import CharacterSet
from hilum.wire.dicom.elements import DataSet, Element, tag_text

# One text value may not be longer than this; the rest is cut off (the longest VR of a header, LO, allows 64).
LONGEST_TEXT = 1024

# PS3.5 Table 6.2-1: VR -> what struct calls one value of it.
NUMBER_FORMATS = MappingProxyType({
    "US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d",
    "OW": "H", "OL": "I", "OV": "Q", "OF": "f", "OD": "d", "US or SS": "H", "US or SS or OW": "H", "US or OW": "H",
})  # fmt: skip
_STRUCTS = {
    (vr, big): Struct((">" if big else "<") + code)
    for vr, code in NUMBER_FORMATS.items()
    for big in (False, True)
}
# PS3.5 6.2: the VRs to which the Specific Character Set applies.
TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_LONGEST_UID = 64
_CONTROL = dict.fromkeys([*range(32), 127], None)
_INT_32 = range(-(1 << 31), 1 << 31)


def text_of(element: Element | None, character_set: CharacterSet) -> str:
    """Return a value as text, without padding and control characters, cut at `LONGEST_TEXT`."""
    if element is None or not element.value:
        return ""
    value = element.value
    text = (
        value.decode("ascii")
        if value.isascii() and b"\x1b" not in value
        else _decoded(element, character_set)
    )
    if not text.isprintable():
        # NUL ends no string in a database, and a line break in an identifier forges a second one.
        text = text.translate(_CONTROL)
    return text[:LONGEST_TEXT].strip(" ")


def _decoded(element: Element, character_set: CharacterSet) -> str:
    return character_set.decode(element.value, name=element.vr == "PN")


def uid_of(element: Element | None) -> str:
    """Return a UID that keeps the rules of PS3.5 section 9, leading zeros of a component aside; else empty."""
    if element is None:
        return ""
    uid = element.value.decode("latin-1").strip(" \0")
    return uid if len(uid) <= _LONGEST_UID and _UID.fullmatch(uid) else ""


def required_uid(data_set: DataSet, tag: int, keyword: str) -> str:
    """Return a UID, or Invalid that names the attribute which is missing or malformed."""
    element = data_set.get(tag)
    if element is None or not element.value.strip(b" \0"):
        raise Invalid(f"{keyword} {tag_text(tag)} is missing or empty")
    uid = uid_of(element)
    if not uid:
        raise Invalid(f"{keyword} {tag_text(tag)} is not a UID: up to 64 characters, digits and dots only")
    return uid


def integer_of(element: Element | None) -> int | None:
    """Return the first value as a 32-bit integer, of IS, DS or a binary VR; None if it is not one."""
    number = number_of(element)
    if number is None or number != int(number) or int(number) not in _INT_32:
        return None
    return int(number)


def number_of(element: Element | None) -> float | None:
    """Return the first value as a number; None where there is none."""
    numbers = numbers_of(element)
    return numbers[0] if numbers else None


def numbers_of(element: Element | None) -> list[float]:
    """Return all finite values of a numeric element, of text or binary VR, in order."""
    if element is None or not element.value:
        return []
    packed = _STRUCTS.get((element.vr, element.big_endian))
    if packed is not None:
        whole = len(element.value) - len(element.value) % packed.size
        return [number for (number,) in packed.iter_unpack(element.value[:whole]) if _finite(number)]
    texts = element.value.decode("latin-1").split("\\")
    return [number for number in map(_parse_number, texts) if number is not None]


def _finite(number: float) -> bool:
    return number - number == 0  # false for NaN and both infinities


def _parse_number(text: str) -> float | None:
    try:
        number = float(text.strip(" \0"))
    except ValueError:
        return None
    return number if _finite(number) else None


def date_of(element: Element | None) -> str:
    """Return a DA value; the ACR-NEMA form YYYY.MM.DD becomes YYYYMMDD (PS3.5 6.2)."""
    text = _ascii(element)
    return text.replace(".", "") if len(text) == 10 else text


def time_of(element: Element | None) -> str:
    """Return a TM value; the ACR-NEMA form HH:MM:SS becomes HHMMSS (PS3.5 6.2)."""
    return _ascii(element).replace(":", "")


def _ascii(element: Element | None) -> str:
    if element is None:
        return ""
    text = element.value.decode("latin-1")
    if not text.isprintable():
        text = text.translate(_CONTROL)
    return text.strip(" ")[:64]
