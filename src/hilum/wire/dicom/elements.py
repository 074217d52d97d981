"""Encoded data elements: their types, their codings, and how a data set is opened (PS3.5 sections 6.2 and 7)."""

from collections.abc import Mapping
from struct import Struct
from typing import NamedTuple, TypeAlias

from pydicom._dicom_dict import DicomDictionary

from hilum.wire.dicom.source import MOST_INFLATED_BYTES, DeflatedSource, SliceSource, Source
from hilum.wire.dicom.transfer_syntaxes import transfer_syntax

UNDEFINED_LENGTH = 0xFFFFFFFF
ITEM, ITEM_DELIMITATION, SEQUENCE_DELIMITATION = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_DATA = 0x7FE00010
PIXEL_GROUP = 0x7FE0
LAST_TAG = 0xFFFFFFFF

# PS3.5 7.1.2: these VRs have two reserved bytes and a 32-bit length; all others a 16-bit length.
LONG_VRS = {
    vr.encode(): vr for vr in ["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]
}
SHORT_VRS = {
    vr.encode(): vr
    for vr in [
        "AE",
        "AS",
        "AT",
        "CS",
        "DA",
        "DS",
        "DT",
        "FL",
        "FD",
        "IS",
        "LO",
        "LT",
        "PN",
        "SH",
        "SL",
        "SS",
        "ST",
        "TM",
        "UI",
        "UL",
        "US",
    ]
}

ALL_VRS = frozenset({*LONG_VRS.values(), *SHORT_VRS.values()})
PLAIN_VRS = frozenset(SHORT_VRS.values())

# PS3.18 F.2.2: the VRs whose values are bytes.
BULK_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})

# Which elements to keep: tag -> which ones of its items. `EVERYTHING` keeps all.
Selection: TypeAlias = "Mapping[int, Selection] | None"
EVERYTHING: Selection = None
NOTHING: Selection = {}


class Element(NamedTuple):
    """One element as encoded; `value` may be shorter than `length` when a limit cut it."""

    tag: int
    vr: str
    offset: int
    length: int
    value: bytes
    items: "tuple[DataSet, ...] | None"
    big_endian: bool


DataSet: TypeAlias = "dict[int, Element]"


class Remainder(NamedTuple):
    """What of a data set nobody looked at yet: it begins at an element."""

    data_set: Source
    coding: "Coding"
    offset: int


class Coding:
    """How tags and lengths are written in one data set."""

    __slots__ = ("big_endian", "explicit_head", "implicit", "item_head", "long_length")

    def __init__(self, *, implicit: bool, big_endian: bool) -> None:
        order = ">" if big_endian else "<"
        self.implicit = implicit
        self.big_endian = big_endian
        self.explicit_head = Struct(order + "HH2sH").unpack_from
        self.item_head = Struct(order + "HHI").unpack_from
        self.long_length = Struct(order + "I").unpack_from


IMPLICIT = Coding(implicit=True, big_endian=False)
EXPLICIT = Coding(implicit=False, big_endian=False)
BIG_ENDIAN = Coding(implicit=False, big_endian=True)


def tag_text(tag: int) -> str:
    """Write a tag as the standard does: (gggg,eeee)."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def dictionary_vr(tag: int) -> str:
    """Return the VR of PS3.6, possibly a choice such as `US or SS`; UN for what it does not know."""
    row = DicomDictionary.get(tag)
    if row is not None:
        return row[0]
    if tag & 0xFFFF == 0:
        return "UL"
    if tag & 0x10000:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    if tag >> 24 in {0x50, 0x60} and (row := DicomDictionary.get(tag & 0xFF00FFFF)):
        return row[0]  # repeating groups of curves and overlays
    return "UN"


def open_data_set(
    source: Source, offset: int, transfer_syntax_uid: str, *, most_inflated: int = MOST_INFLATED_BYTES
) -> tuple[Source, Coding]:
    """Return the data set as a source that begins at 0 (inflated where need be) and how it is encoded.

    Some devices write another VR encoding than they declare. A first element that cannot be what was declared and
    can be the other one decides.
    """
    syntax = transfer_syntax(transfer_syntax_uid)
    data_set: Source = (
        DeflatedSource(source, offset, most=most_inflated) if syntax.deflated else SliceSource(source, offset)
    )
    if syntax.big_endian:
        return data_set, BIG_ENDIAN
    vr = data_set.read_at(4, 2)
    known = vr in SHORT_VRS or vr in LONG_VRS
    if syntax.implicit_vr:
        return data_set, EXPLICIT if known else IMPLICIT
    lies = len(vr) == 2 and not known and not (vr.isalpha() and vr.isupper())
    return data_set, IMPLICIT if lies else EXPLICIT
