"""Cutting elements out of an encoded data set and putting others in, without reading the rest (PS3.5 section 7)."""

from collections.abc import Iterable
from dataclasses import dataclass
from struct import pack

from hilum.wire.dicom.elements import IMPLICIT, NOTHING, UNDEFINED_LENGTH, Coding, Element
from hilum.wire.dicom.source import Source
from hilum.wire.dicom.walker import Walker

ITEM = 0xFFFEE000
_DELIMITER_LENGTH = 8
_LONG_LENGTHS = frozenset({"OB", "OW", "SQ", "UC", "UN", "UR", "UT"})

Piece = bytes | tuple[int, int]
"""New bytes, or from where to where the old ones stay."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an element stands, or would stand: `begin` and `end` are equal where it is absent."""

    begin: int
    end: int
    element: Element | None


def places(data_set: Source, coding: Coding, tags: Iterable[int]) -> dict[int, Place]:
    """Return the places of top-level elements, in one walk forward."""
    walker = Walker(data_set)
    found: dict[int, Place] = {}
    at = 0
    for tag in sorted(tags):
        _, begin = walker.data_set(at, coding, NOTHING, last=tag - 1)
        chosen, at = walker.data_set(begin, coding, {tag: NOTHING}, last=tag)
        found[tag] = Place(begin, at, chosen.get(tag))
    return found


def spliced(edits: dict[int, list[Piece]], at: dict[int, Place], end: int) -> list[Piece]:
    """Return a data set of `end` bytes in which the elements at some places are replaced."""
    pieces: list[Piece] = []
    kept_from = 0
    for tag, replacement in sorted(edits.items()):
        pieces.append((kept_from, at[tag].begin))
        pieces.extend(replacement)
        kept_from = at[tag].end
    pieces.append((kept_from, end))
    return pieces


def head(coding: Coding, tag: int, vr: str, length: int) -> bytes:
    """Return tag, VR and length of an element."""
    order = ">" if coding.big_endian else "<"
    group, number = tag >> 16, tag & 0xFFFF
    if coding.implicit or tag == ITEM:
        return pack(order + "HHI", group, number, length)
    if vr in _LONG_LENGTHS:
        return pack(order + "HH2sHI", group, number, vr.encode("ascii"), 0, length)
    return pack(order + "HH2sH", group, number, vr.encode("ascii"), length)


def element(coding: Coding, tag: int, vr: str, value: bytes) -> bytes:
    """Return an element, its value padded to even length."""
    if len(value) % 2:
        value += b"\0" if vr == "UI" else b" "
    return head(coding, tag, vr, len(value)) + value


def item(coding: Coding, *elements: bytes) -> bytes:
    """Return an item of defined length."""
    content = b"".join(elements)
    return head(coding, ITEM, "", len(content)) + content


def sequence(coding: Coding, tag: int, *items: bytes) -> bytes:
    """Return a sequence of defined length."""
    return element(coding, tag, "SQ", b"".join(items))


def item_coding(data_set: Source, place: Place, coding: Coding) -> Coding:
    """Return how an item of an existing sequence is written: inside UN it is implicit (PS3.5 6.2.2)."""
    is_unknown = not coding.implicit and data_set.read_at(place.begin + 4, 2) == b"UN"
    return IMPLICIT if is_unknown and place.element is not None else coding


def with_item(data_set: Source, place: Place, coding: Coding, tag: int, added: bytes) -> list[Piece]:
    """Return a sequence with one more item at its end, its other items untouched."""
    known = place.element
    if known is None:
        return [sequence(coding, tag, added)]
    if known.length == UNDEFINED_LENGTH:
        delimiter = place.end - _DELIMITER_LENGTH
        return [(place.begin, delimiter), added, (delimiter, place.end)]
    vr = "SQ" if item_coding(data_set, place, coding) is coding else "UN"
    return [head(coding, tag, vr, known.length + len(added)), (known.offset, place.end), added]
