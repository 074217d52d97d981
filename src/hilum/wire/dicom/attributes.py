"""Single attributes by keyword, for routing conditions, and the check that an object is whole."""

import re
from collections.abc import Iterable
from typing import BinaryIO

from pydicom.datadict import keyword_dict

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.character_sets import UNDECLARED, character_set_of
from hilum.wire.dicom.elements import (
    NOTHING,
    PIXEL_DATA,
    UNDEFINED_LENGTH,
    Element,
    Remainder,
    dictionary_vr,
    open_data_set,
    tag_text,
)
from hilum.wire.dicom.part10 import FileMeta, read_file_meta
from hilum.wire.dicom.source import Source, source_of
from hilum.wire.dicom.values import NUMBER_FORMATS, numbers_of, text_of
from hilum.wire.dicom.walker import Walker

_CHARACTER_SET = 0x00080005
_HEX_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?")


def tag_of(keyword: str) -> int:
    """Return the tag of a keyword (`StationName`) or of a written tag (`00081010`, `(0008,1010)`)."""
    tag = keyword_dict.get(keyword)
    if tag is not None:
        return tag
    written = _HEX_TAG.fullmatch(keyword)
    if written is None:
        raise Invalid(f"no DICOM attribute is called {keyword[:64]!r}", next_step="use a keyword of PS3.6")
    return int(written[1] + written[2], 16)


def attribute_texts(
    file: bytes | BinaryIO | Source, keywords: Iterable[str], meta: FileMeta | None = None
) -> dict[str, str]:
    """Return top-level attributes as text by the name they were asked for; multiple values joined by a backslash.

    What is absent is left out. Sequences and bulk values have no text: asking for them is Invalid.
    """
    tags = {keyword: tag_of(keyword) for keyword in keywords}
    for keyword, tag in tags.items():
        if dictionary_vr(tag) == "SQ" or tag == PIXEL_DATA:
            raise Invalid(f"{keyword} {tag_text(tag)} has no value that can be compared as text")
    if not tags:
        return {}
    source = source_of(file)
    meta = meta or read_file_meta(source)
    data_set, coding = open_data_set(source, meta.data_set_offset, meta.transfer_syntax_uid)
    selection = dict.fromkeys([_CHARACTER_SET, *tags.values()], NOTHING)
    found, _ = Walker(data_set).data_set(0, coding, selection, last=max(tags.values()))
    declared = found.get(_CHARACTER_SET)
    character_set = UNDECLARED if declared is None else character_set_of(declared.value)
    return {
        keyword: text_of(found[tag], character_set) if _is_text(found[tag]) else _number_text(found[tag])
        for keyword, tag in tags.items()
        if tag in found
    }


def _is_text(element: Element) -> bool:
    return element.vr not in NUMBER_FORMATS


def _number_text(element: Element) -> str:
    return "\\".join(f"{number:.15g}" for number in numbers_of(element))


def check_complete(file: bytes | BinaryIO | Source, meta: FileMeta | None = None) -> None:
    """Step over every element up to the end of the pixel data; Invalid where the object ends before."""
    source = source_of(file)
    meta = meta or read_file_meta(source)
    check_remainder(Remainder(*open_data_set(source, meta.data_set_offset, meta.transfer_syntax_uid), 0))


def check_remainder(remainder: Remainder) -> None:
    """Do so from where somebody stopped to read."""
    data_set, coding, offset = remainder
    found, following = Walker(data_set).data_set(offset, coding, {PIXEL_DATA: NOTHING}, last=PIXEL_DATA)
    pixels = found.get(PIXEL_DATA)
    if pixels is None or pixels.length in {0, UNDEFINED_LENGTH}:
        return
    if not data_set.read_at(following - 1, 1):
        raise Invalid(
            f"truncated: the pixel data claims {pixels.length} bytes at byte {pixels.offset}, "
            "the object ends before",
            next_step="ask the sender for the object again",
        )
