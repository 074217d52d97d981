"""The file format: preamble, prefix and File Meta Information (PS3.10 section 7.1)."""

from dataclasses import dataclass
from struct import pack, unpack
from typing import BinaryIO

from pydicom._dicom_dict import DicomDictionary

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.elements import (
    BIG_ENDIAN,
    EVERYTHING,
    EXPLICIT,
    IMPLICIT,
    Coding,
    DataSet,
)
from hilum.wire.dicom.source import SliceSource, Source, source_of
from hilum.wire.dicom.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from hilum.wire.dicom.upper_layer.user_information import IMPLEMENTATION_CLASS_UID
from hilum.wire.dicom.walker import Walker

_GROUP_LENGTH_HEAD = b"\x02\x00\x00\x00UL\x04\x00"
_PREAMBLE_AND_PREFIX = bytes(128) + b"DICM"
_MOST_META_BYTES = 1 << 20
_MOST_META_ELEMENTS = 64
_LARGEST_FIRST_VALUE = 4096


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What group 0002 says, and where the data set begins; empty where the file does not say."""

    transfer_syntax_uid: str
    data_set_offset: int
    media_storage_sop_class_uid: str = ""
    media_storage_sop_instance_uid: str = ""
    implementation_class_uid: str = ""
    implementation_version_name: str = ""
    source_ae_title: str = ""
    has_preamble: bool = True


def file_meta_bytes(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Return preamble, prefix and group 0002, to be followed by the data set as it arrived.

    It says nothing but what the data set decides, not even our version: equal data sets are equal objects (ADR 13).
    """
    group = b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01"
    group += _short(0x0002, b"UI", sop_class_uid)
    group += _short(0x0003, b"UI", sop_instance_uid)
    group += _short(0x0010, b"UI", transfer_syntax_uid)
    group += _short(0x0012, b"UI", IMPLEMENTATION_CLASS_UID)
    return _PREAMBLE_AND_PREFIX + _GROUP_LENGTH_HEAD + pack("<I", len(group)) + group


def _short(number: int, vr: bytes, text: str) -> bytes:
    """Encode one element of group 0002, padded to even length as its VR wants."""
    value = text.encode("ascii", "replace")
    if len(value) % 2:
        value += b"\0" if vr == b"UI" else b" "
    return pack("<HH2sH", 2, number, vr, len(value)) + value


def read_file_meta(file: bytes | BinaryIO | Source) -> FileMeta:
    """Read the File Meta Information, or recognise a data set that stands alone; Invalid for anything else."""
    source = source_of(file)
    beginning = source.read_at(0, 132)
    if not beginning:
        raise Invalid("the file is empty")
    if beginning[128:] == b"DICM":
        return _read_group_2(source, 132, has_preamble=True)
    if beginning.startswith(b"\x02\x00") and beginning[4:6] in {b"UL", b"OB", b"UI"}:
        # No preamble, perhaps no group length: pydicom writes so unless it is told to write files.
        return _read_group_2(source, 0, has_preamble=False)
    uid = _standalone_transfer_syntax(source, beginning)
    if uid is None:
        raise Invalid(
            "not a DICOM file: no DICM prefix after 128 bytes, and no data set at its start",
            next_step="send DICOM Part 10 files only",
        )
    return FileMeta(transfer_syntax_uid=uid, data_set_offset=0, has_preamble=False)


def _read_group_2(source: Source, offset: int, *, has_preamble: bool) -> FileMeta:
    """Read group 0002, as long as it says it is, or element by element where that is missing or wrong."""
    meta_group = SliceSource(source, offset)
    group, length = _walk_group_2(meta_group, _declared_end(meta_group))
    if meta_group.read_at(length, 2) == b"\x02\x00":
        group, length = _walk_group_2(meta_group, None)
    start = offset + length
    uid = _text(group, 0x00020010) or _guessed_transfer_syntax(source, start)
    return FileMeta(
        transfer_syntax_uid=uid,
        data_set_offset=start,
        media_storage_sop_class_uid=_text(group, 0x00020002),
        media_storage_sop_instance_uid=_text(group, 0x00020003),
        implementation_class_uid=_text(group, 0x00020012),
        implementation_version_name=_text(group, 0x00020013),
        source_ae_title=_text(group, 0x00020016),
        has_preamble=has_preamble,
    )


def _declared_end(meta_group: Source) -> int | None:
    head = meta_group.read_at(0, 12)
    return 12 + unpack("<I", head[8:])[0] if head.startswith(_GROUP_LENGTH_HEAD) and len(head) == 12 else None


def _walk_group_2(meta_group: Source, end: int | None) -> tuple[DataSet, int]:
    walker = Walker(meta_group, most_elements=_MOST_META_ELEMENTS, most_value_bytes=_MOST_META_BYTES)
    try:
        return walker.data_set(0, EXPLICIT, EVERYTHING, last=0x0002FFFF, end=end)
    except Invalid:
        if end is None:
            raise
        return _walk_group_2(meta_group, None)  # a wrong group length


def _text(group: DataSet, tag: int) -> str:
    element = group.get(tag)
    return "" if element is None else element.value.decode("ascii", "replace").strip("\0 ")


def _guessed_transfer_syntax(source: Source, start: int) -> str:
    """Name the encoding of a data set whose meta group does not: a type 1 element, still missing in the field."""
    beginning = source.read_at(start, 132)
    uid = _standalone_transfer_syntax(SliceSource(source, start), beginning)
    if uid is None:
        raise Invalid("the file names no Transfer Syntax UID (0002,0010), and its data set does not show it")
    return uid


def _standalone_transfer_syntax(source: Source, beginning: bytes) -> str | None:
    """Return the encoding in which the first two elements are plausible, if there is one."""
    candidates = (
        (EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT),
        (EXPLICIT_VR_BIG_ENDIAN, BIG_ENDIAN),
        (IMPLICIT_VR_LITTLE_ENDIAN, IMPLICIT),
    )
    for uid, coding in candidates:
        if _begins_a_data_set(source, beginning, coding):
            return uid
    return None


def _begins_a_data_set(source: Source, beginning: bytes, coding: Coding) -> bool:
    if len(beginning) < 8:
        return False
    group, number, code, _ = coding.explicit_head(beginning, 0)
    tag = group << 16 | number
    row = DicomDictionary.get(tag)
    if group != 0x0008 or (row is None and number != 0):
        return False
    if not coding.implicit and number and code.decode("latin-1") not in (row[0] if row else ""):
        return False
    try:
        found, _ = Walker(source, most_value_bytes=_LARGEST_FIRST_VALUE).data_set(
            0, coding, {tag: {}}, last=tag
        )
    except Invalid:
        return False  # not this encoding: the question is which one fits, if any
    return found[tag].length <= _LARGEST_FIRST_VALUE
