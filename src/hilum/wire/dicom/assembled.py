"""Metadata and bulk data, which came apart, to one Part 10 object (PS3.18 10.5.1.4, 8.7.3.3; PS3.5 A.4)."""

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from struct import pack
from types import MappingProxyType
from typing import Any

from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset

from hilum.core.kernel.errors import Invalid
from hilum.core.kernel.identifiers import uid
from hilum.wire.dicom.data_sets import declare_character_set, encoded, texts_of
from hilum.wire.dicom.elements import UNDEFINED_LENGTH
from hilum.wire.dicom.json_model import JsonDataSet, data_set_of_json
from hilum.wire.dicom.part10 import file_meta_bytes
from hilum.wire.dicom.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, RLE_LOSSLESS, transfer_syntax

PIXEL_DATA = "7FE00010"
_PIXEL_TAG = 0x7FE00010
_ITEM, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE0DD
_4 = "1.2.840.10008.1.2.4."
_BY_MEDIA_TYPE = MappingProxyType(
    {
        "application/octet-stream": EXPLICIT_VR_LITTLE_ENDIAN,
        "image/jpeg": _4 + "70",
        "image/dicom-rle": RLE_LOSSLESS,
        "image/x-dicom-rle": RLE_LOSSLESS,
        "image/jls": _4 + "80",
        "image/x-jls": _4 + "80",
        "image/jp2": _4 + "90",
        "image/jpx": _4 + "92",
        "image/jphc": _4 + "201",
        "image/jxl": _4 + "110",
        "video/mpeg": _4 + "100",
        "video/mp4": _4 + "102",
    }
)
"""PS3.18 Table 8.7.3-4: the default transfer syntax of a media type."""
_JPEG_PROCESSES = MappingProxyType({0xC0: "50", 0xC1: "51", 0xC3: "70"})
"""Start of frame to transfer syntax (ISO/IEC 10918-1 B.1.1.3): a lossy JPEG is none of process 14."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """One bulk value on its way in: what it was announced as, its length, and its bytes from start to end."""

    media_type: str
    transfer_syntax_uid: str
    length: int
    chunks: Callable[[int, int], Iterator[bytes]]


def data_sets_of_json(text: str) -> Iterator[JsonDataSet]:
    """Yield the objects of a DICOM JSON array, one at a time, or the one object that stands alone; raises Invalid."""
    decoder, place = json.JSONDecoder(), _after_space(text, 0)
    is_array = text[place : place + 1] == "["
    place = _after_space(text, place + is_array)
    while place < len(text) and text[place] != "]":
        try:
            data_set, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            raise Invalid("the DICOM JSON is malformed", peer_said=str(error)[:200]) from error
        yield data_set
        place = _after_space(text, place)
        if not is_array:
            break
        if text[place : place + 1] == ",":
            place = _after_space(text, place + 1)
        elif text[place : place + 1] != "]":
            raise Invalid("the DICOM JSON array has no comma or end where it must have one")
    if is_array != (text[place:].strip() == "]"):
        raise Invalid("the DICOM JSON does not end where it must")


def uids_of(data_set: JsonDataSet) -> tuple[str, str]:
    """Return SOP Class and Instance UID as far as they can be read, for a failure to name."""
    return _said(data_set, "00080016"), _said(data_set, "00080018")


def part10_chunks(
    data_set: JsonDataSet, pixels: Sequence[Bulk], bulk_data_of: Callable[[str], bytes]
) -> Iterator[bytes]:
    """Yield a Part 10 object: the metadata, other bulk values by their URI, and last the pixels as they are.

    Compressed pixels are one part for each frame, uncompressed ones follow each other (PS3.18 8.7.3.3). Raises Invalid
    before the first chunk.
    """
    syntax_uid = _transfer_syntax(data_set, pixels)
    plain = {tag: one for tag, one in data_set.items() if not tag.startswith("0002")}
    if pixels:
        plain.pop(PIXEL_DATA, None)
    written = _written(plain, bulk_data_of, syntax_uid)
    meta = file_meta_bytes(
        uid(_said(data_set, "00080016"), "SOP Class UID (0008,0016)"),
        uid(_said(data_set, "00080018"), "SOP Instance UID (0008,0018)"),
        syntax_uid,
    )
    before, behind = written
    return _chunks(meta + before, data_set, pixels, syntax_uid, behind)


def _chunks(
    head: bytes, data_set: JsonDataSet, pixels: Sequence[Bulk], syntax_uid: str, tail: bytes
) -> Iterator[bytes]:
    yield head
    if pixels and transfer_syntax(syntax_uid).encapsulated:
        yield from _encapsulated(pixels)
    elif pixels:
        yield from _native(data_set, pixels)
    yield tail


def _encapsulated(pixels: Sequence[Bulk]) -> Iterator[bytes]:
    """Yield fragments, one a frame, behind an empty offset table (PS3.5 A.4)."""
    yield _head("OB", UNDEFINED_LENGTH) + _item(0)
    for frame in pixels:
        yield _item(frame.length + frame.length % 2)
        yield from frame.chunks(0, frame.length)
        yield bytes(frame.length % 2)
    yield pack("<HHI", _SEQUENCE_END >> 16, _SEQUENCE_END & 0xFFFF, 0)


def _native(data_set: JsonDataSet, pixels: Sequence[Bulk]) -> Iterator[bytes]:
    length = sum(one.length for one in pixels)
    if length >= UNDEFINED_LENGTH:
        raise Invalid("the pixels are longer than one element can be")
    bits = data_set.get("00280100", {}).get("Value", [16])[0]
    yield _head("OB" if isinstance(bits, int) and bits <= 8 else "OW", length + length % 2)
    for one in pixels:
        yield from one.chunks(0, one.length)
    yield bytes(length % 2)


def _head(vr: str, length: int) -> bytes:
    return pack("<HH2sHI", _PIXEL_TAG >> 16, _PIXEL_TAG & 0xFFFF, vr.encode(), 0, length)


def _item(length: int) -> bytes:
    return pack("<HHI", _ITEM >> 16, _ITEM & 0xFFFF, length)


def _written(
    plain: dict[str, Any], bulk_data_of: Callable[[str], bytes], syntax_uid: str
) -> tuple[bytes, bytes]:
    """Encode what stands before the pixels, and what stands behind them."""
    before = {tag: one for tag, one in plain.items() if tag <= PIXEL_DATA}
    behind = {tag: one for tag, one in plain.items() if tag > PIXEL_DATA}
    if PIXEL_DATA in plain and transfer_syntax(syntax_uid).encapsulated:
        raise Invalid("compressed pixels stand inside the metadata", next_step="send them as bulk data parts")
    return _encoded(before, bulk_data_of), _encoded(behind, bulk_data_of)


def _encoded(attributes: dict[str, Any], bulk_data_of: Callable[[str], bytes]) -> bytes:
    if not attributes:
        return b""
    with disable_value_validation():
        data_set = data_set_of_json(attributes, bulk_data_of)
        _declare(data_set)
        try:
            return encoded(data_set, EXPLICIT_VR_LITTLE_ENDIAN)
        except (ValueError, TypeError, AttributeError, struct.error, OverflowError) as error:
            raise Invalid("the metadata cannot be encoded", peer_said=str(error)[:200]) from error


def _declare(data_set: Dataset) -> None:
    """Keep the character set that the metadata names, where it holds every letter; else UTF-8, which JSON is in."""
    texts = texts_of(data_set)
    if "SpecificCharacterSet" in data_set or not all(map(str.isascii, texts)):
        named = data_set.get("SpecificCharacterSet") or ""
        terms = (named,) if isinstance(named, str) else tuple(map(str, named))
        declare_character_set(data_set, texts, terms)


def _transfer_syntax(data_set: JsonDataSet, pixels: Sequence[Bulk]) -> str:
    """Return the transfer syntax: of the pixel part, else of its media type, else uncompressed."""
    for one in pixels[:1]:
        said = one.transfer_syntax_uid
        if said:
            return uid(said, "the transfer-syntax of the pixel data")
        if one.media_type == "image/jpeg":
            return _jpeg_syntax(one)
        named = _said(data_set, "00020010") or _said(data_set, "00083002")
        if named and transfer_syntax(named).frame_media_type == one.media_type:
            return named
        if one.media_type not in _BY_MEDIA_TYPE:
            raise Invalid(
                "the pixel data is of a media type that no transfer syntax has (PS3.18 Table 8.7.3-4)"
            )
        return _BY_MEDIA_TYPE[one.media_type]
    return EXPLICIT_VR_LITTLE_ENDIAN


def _jpeg_syntax(frame: Bulk) -> str:
    """Name the process of a JPEG by its start of frame."""
    beginning = b"".join(frame.chunks(0, min(frame.length, 64 << 10)))
    place = 2
    while place + 4 <= len(beginning) and beginning[place] == 0xFF:
        process = _JPEG_PROCESSES.get(beginning[place + 1])
        if process:
            return _4 + process
        place += 2 + struct.unpack_from(">H", beginning, place + 2)[0]
    return _BY_MEDIA_TYPE["image/jpeg"]


def _said(data_set: JsonDataSet, tag: str) -> str:
    attribute = data_set.get(tag) if isinstance(data_set, dict) else None
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return str(values[0])[:64] if isinstance(values, list) and values else ""


def _after_space(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place
