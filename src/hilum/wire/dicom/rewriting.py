"""Elements as read, written anew in Explicit VR Little Endian (PS3.5 A.2).

Values are copied byte for byte, never interpreted, so that none can fail.
"""

from struct import pack
from types import MappingProxyType

import numpy as np

from hilum.wire.dicom.elements import LONG_VRS, DataSet, Element
from hilum.wire.dicom.json_model import definite_vr

_LONG = frozenset(LONG_VRS.values())
_WORDS = MappingProxyType({
    "US": 2, "SS": 2, "AT": 2, "OW": 2, "UL": 4, "SL": 4, "FL": 4, "OL": 4, "OF": 4,
    "FD": 8, "SV": 8, "UV": 8, "OD": 8, "OV": 8,
})  # fmt: skip


def us_element(tag: int, number: int) -> Element:
    """Return an element of VR US."""
    return element(tag, "US", pack("<H", number))


def element(tag: int, vr: str, value: bytes) -> Element:
    """Return an element that is new."""
    return Element(tag, vr, 0, len(value), value, None, big_endian=False)


def data_set(elements: DataSet, *, signed: bool) -> bytes:
    """Write elements; `signed` is how pixels are where none of them says it."""
    signed = is_signed(elements, signed=signed)
    return b"".join(
        _written(one, definite_vr(one, elements, signed=signed), signed=signed)
        for tag, one in elements.items()
        if tag & 0xFFFF  # lengths of groups, which would be wrong
    )


def is_signed(elements: DataSet, *, signed: bool) -> bool:
    """Read Pixel Representation, `signed` where it is absent."""
    representation = elements.get(0x00280103)
    return signed if representation is None else representation.value.strip(b"\0") != b""


def _written(one: Element, vr: str, *, signed: bool) -> bytes:
    if one.items is not None:
        value = b"".join(_item(item, signed=signed) for item in one.items)
        return element_head(one.tag, "SQ", len(value)) + value
    value = swapped(one.value, vr) if one.big_endian else one.value
    if len(value) % 2:
        value += b" " if vr not in _LONG and vr not in _WORDS and vr != "UI" else b"\0"
    return element_head(one.tag, vr, len(value)) + value


def _item(item: DataSet, *, signed: bool) -> bytes:
    value = data_set(item, signed=signed)
    return pack("<HHI", 0xFFFE, 0xE000, len(value)) + value


def element_head(tag: int, vr: str, length: int) -> bytes:
    """Write tag, VR and length; what is too long for its VR is UN (PS3.5 6.2.2)."""
    if vr not in _LONG and length > 0xFFFE:
        vr = "UN"
    if vr in _LONG:
        return pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr.encode(), 0, length)
    return pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), length)


def swapped(value: bytes, vr: str) -> bytes:
    """Turn big endian words around (PS3.5 7.3)."""
    word = _WORDS.get(vr, 1)
    if word == 1:
        return value
    whole = len(value) - len(value) % word
    return np.frombuffer(value[:whole], f">u{word}").astype(f"<u{word}").tobytes() + value[whole:]
