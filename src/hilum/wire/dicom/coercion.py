"""Objects on their way out show the person as known now; what was received stays beside it.

A merge or a correction never rewrites what is stored: the header is coerced while it is sent, and the received
values stand in the Original Attributes Sequence (PS3.3 C.12.1.1.9; IHE RAD PIR). Bytes are spliced: pixel data are
neither decoded nor held.
"""

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from hilum.core.patients.model import PatientRecord
from hilum.wire.dicom.character_sets import UTF_8_TERM, CharacterSet
from hilum.wire.dicom.data_sets import character_set, items_at
from hilum.wire.dicom.elements import NOTHING, Coding, DataSet, Selection, open_data_set
from hilum.wire.dicom.part10 import FileMeta, read_file_meta
from hilum.wire.dicom.shown_person import (
    ISSUER_OF_PATIENT_ID,
    ISSUER_OF_PATIENT_ID_QUALIFIERS,
    MODIFYING_SYSTEM,
    PATIENT_BIRTH_DATE,
    PATIENT_ID,
    PATIENT_NAME,
    PATIENT_SEX,
    REASON,
    VRS,
    Received,
    modification_date_time,
    replacements,
)
from hilum.wire.dicom.source import FileSource, Source
from hilum.wire.dicom.splice import (
    Piece,
    Place,
    element,
    item,
    item_coding,
    places,
    sequence,
    spliced,
    with_item,
)
from hilum.wire.dicom.text_encoding import encoded_text
from hilum.wire.dicom.transfer_syntaxes import transfer_syntax
from hilum.wire.dicom.utf_8 import utf_8_header
from hilum.wire.dicom.values import date_of, text_of
from hilum.wire.dicom.walker import Walker

ORIGINAL_ATTRIBUTES = 0x04000561
_LENGTHS = (0x00080000, 0x00080001, 0x00100000, 0x04000000)
"""Retired lengths of groups and of all the rest, which would be wrong afterwards (PS3.5 7.2)."""
_SELECTION: Selection = {
    0x00080005: NOTHING,
    **dict.fromkeys(VRS, NOTHING),
    ISSUER_OF_PATIENT_ID_QUALIFIERS: {0x00400032: NOTHING},
}
_PIXEL_GROUP = 0x7FE00000
_CHUNK = 256 << 10
_MOST_HEADER_BYTES = 64 << 20
_MOST_ORIGINAL_BYTES = 64 << 10
# What pydicom raises on a structure that it does not take.
_PYDICOM_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    OSError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class CoercedObject:
    """A Part 10 object as it goes out, readable once or again; the file behind it must stay open."""

    changed: bool
    size: int | None
    """Octets of the whole object; None where only deflating tells."""
    data_set_offset: int
    _file: Source
    _data_set: Source
    _pieces: tuple[Piece, ...]
    _deflated: bool

    def chunks(self, *, data_set_only: bool = False) -> Iterator[bytes]:
        """Yield the bytes; `data_set_only` leaves out preamble and File Meta Information, as C-STORE wants it."""
        if not data_set_only:
            yield from _span(self._file, 0, self.data_set_offset)
        data_set = _bytes_of(self._data_set, self._pieces)
        yield from _deflating(data_set) if self._deflated else data_set


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A data set, how it is written, and where it ends."""

    source: Source
    coding: Coding
    characters: CharacterSet
    end: int


def coerced(
    file: BinaryIO, patient: PatientRecord, received_from: str = "", meta: FileMeta | None = None
) -> CoercedObject:
    """Return a stored object that shows a person; where nothing differs, its bytes pass untouched.

    `received_from` is who sent the object: Source of Previous Values (0400,0564).
    """
    stored = FileSource(file)
    meta = meta or read_file_meta(stored)
    size = file.seek(0, os.SEEK_END)
    source, coding = open_data_set(stored, meta.data_set_offset, meta.transfer_syntax_uid)
    found, _ = Walker(source).data_set(0, coding, _SELECTION, last=PATIENT_SEX)
    characters = character_set(found)
    shown = replacements(_received(found, characters), patient)
    if not shown:
        rest = (meta.data_set_offset, size)
        return CoercedObject(False, size, meta.data_set_offset, stored, stored, (rest,), False)
    deflated = transfer_syntax(meta.transfer_syntax_uid).deflated
    end = _inflated_size(source) if deflated else size - meta.data_set_offset
    data_set = _Encoded(source, coding, characters, end)
    data_set, values = _encodable(data_set, shown)
    pieces = _pieces(data_set, values, patient, received_from)
    return CoercedObject(
        changed=True,
        size=None if deflated else meta.data_set_offset + sum(map(_size, pieces)),
        data_set_offset=meta.data_set_offset,
        _file=stored,
        _data_set=data_set.source,
        _pieces=tuple(pieces),
        _deflated=deflated,
    )


def _received(found: DataSet, characters: CharacterSet) -> Received:
    qualifiers = items_at(found, ISSUER_OF_PATIENT_ID_QUALIFIERS)
    universal = text_of(qualifiers[0].get(0x00400032), characters) if qualifiers else ""
    return Received(
        name=text_of(found.get(PATIENT_NAME), characters),
        patient_id=text_of(found.get(PATIENT_ID), characters),
        issuer=text_of(found.get(ISSUER_OF_PATIENT_ID), characters) or universal,
        birth_date=date_of(found.get(PATIENT_BIRTH_DATE)),
        sex=text_of(found.get(PATIENT_SEX), characters),
        qualified=ISSUER_OF_PATIENT_ID_QUALIFIERS in found,
    )


def _encodable(data_set: _Encoded, shown: dict[int, str | None]) -> tuple[_Encoded, dict[int, bytes | None]]:
    """Return the values in the object's character set, else the object and the values in UTF-8.

    Where the object cannot be transcoded, a value that its character set does not hold is not shown.
    """
    values = _values(shown, data_set.characters)
    if values.keys() == shown.keys():
        return data_set, values
    transcoded = _transcoded(data_set)
    return (data_set, values) if transcoded is None else (transcoded, _values(shown, transcoded.characters))


def _values(shown: dict[int, str | None], characters: CharacterSet) -> dict[int, bytes | None]:
    values: dict[int, bytes | None] = {}
    for tag, text in shown.items():
        value = None if text is None else encoded_text(text, characters.terms, name=VRS[tag] == "PN")
        if text is None or value is not None:
            values[tag] = value
    return values


def _transcoded(data_set: _Encoded) -> _Encoded | None:
    """Return the data set with its header in UTF-8; None where it is too long, or not to be read."""
    _, tail = Walker(data_set.source).data_set(0, data_set.coding, NOTHING, last=_PIXEL_GROUP - 1)
    if tail > _MOST_HEADER_BYTES:
        return None
    try:
        header = utf_8_header(data_set.source.read_at(0, tail), data_set.coding, data_set.characters)
    except _PYDICOM_ERRORS:
        # Known and answered: the caller shows what the received character set can hold.
        return None
    joined = _Joined(header, data_set.source, tail)
    return _Encoded(joined, data_set.coding, CharacterSet((UTF_8_TERM,)), len(header) + data_set.end - tail)


class _Joined:
    """A new header in front of the rest of a data set."""

    __slots__ = ("_header", "_rest", "_tail")

    def __init__(self, header: bytes, rest: Source, tail: int) -> None:
        self._header = header
        self._rest = rest
        self._tail = tail

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset`."""
        first = self._header[offset : offset + size]
        if len(first) == size:
            return first
        behind = max(0, offset - len(self._header))
        return first + self._rest.read_at(self._tail + behind, size - len(first))


def _pieces(
    data_set: _Encoded, values: dict[int, bytes | None], patient: PatientRecord, received_from: str
) -> list[Piece]:
    source, coding = data_set.source, data_set.coding
    at = places(source, coding, [*_LENGTHS, *VRS, ORIGINAL_ATTRIBUTES])
    edits: dict[int, list[Piece]] = {tag: [] for tag in _LENGTHS}
    for tag, value in values.items():
        edits[tag] = [] if value is None else [element(coding, tag, VRS[tag], value)]
    known = at[ORIGINAL_ATTRIBUTES]
    within = item_coding(source, known, coding)
    originals = [_original(source, at[tag], tag, coding, within) for tag in sorted(values)]
    added = _original_item(within, originals, patient, received_from, data_set.characters)
    edits[ORIGINAL_ATTRIBUTES] = with_item(source, known, coding, ORIGINAL_ATTRIBUTES, added)
    return spliced(edits, at, data_set.end)


def _original(source: Source, place: Place, tag: int, coding: Coding, within: Coding) -> bytes:
    """Return an element as it was received; one that was absent is empty."""
    known = place.element
    if known is None or place.end - place.begin > _MOST_ORIGINAL_BYTES:
        return element(within, tag, VRS[tag], b"")
    if within is coding:
        return source.read_at(place.begin, place.end - place.begin)
    return element(within, tag, VRS[tag], known.value)


def _original_item(
    coding: Coding,
    originals: list[bytes],
    patient: PatientRecord,
    received_from: str,
    characters: CharacterSet,
) -> bytes:
    """Return one item of the Original Attributes Sequence (PS3.3 Table C.12.1.1.9-1)."""
    sender = encoded_text(received_from, characters.terms) or b""
    return item(
        coding,
        sequence(coding, 0x04000550, item(coding, *originals)),
        element(coding, 0x04000562, "DT", modification_date_time(patient).encode("ascii")),
        element(coding, 0x04000563, "LO", MODIFYING_SYSTEM.encode("ascii")),
        element(coding, 0x04000564, "LO", sender),
        element(coding, 0x04000565, "CS", REASON.encode("ascii")),
    )


def _size(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece[1] - piece[0]


def _inflated_size(source: Source) -> int:
    size = 0
    while step := len(source.read_at(size, _CHUNK)):
        size += step
    return size


def _bytes_of(data_set: Source, pieces: tuple[Piece, ...]) -> Iterator[bytes]:
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        else:
            yield from _span(data_set, *piece)


def _span(source: Source, begin: int, end: int) -> Iterator[bytes]:
    while begin < end and (chunk := source.read_at(begin, min(_CHUNK, end - begin))):
        begin += len(chunk)
        yield chunk


def _deflating(plain: Iterator[bytes]) -> Iterator[bytes]:
    """Deflate again, padded to an even length (PS3.5 A.5)."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    length = 0
    for chunk in plain:
        if piece := deflater.compress(chunk):
            length += len(piece)
            yield piece
    rest = deflater.flush()
    yield rest + b"\0" if (length + len(rest)) % 2 else rest
