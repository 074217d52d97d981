"""A stored object in Explicit VR Little Endian: the form that every web client reads (PS3.18 8.7.3.5; PS3.5 A.2).

Values are copied byte for byte, never interpreted, so that none can fail; pixels are decoded one frame at a time.
"""

from collections.abc import Iterator
from struct import pack
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.decoding import DecodedFrame, decode_frame, is_decodable
from hilum.wire.dicom.elements import (
    EVERYTHING,
    LONG_VRS,
    PIXEL_DATA,
    UNDEFINED_LENGTH,
    DataSet,
    Element,
    open_data_set,
)
from hilum.wire.dicom.frame_tables import EXTENDED_OFFSET_TABLE, EXTENDED_OFFSET_TABLE_LENGTHS
from hilum.wire.dicom.json_model import MOST_ELEMENTS, definite_vr
from hilum.wire.dicom.part10 import FileMeta, file_meta_bytes, read_file_meta
from hilum.wire.dicom.pixels import Pixels, open_pixels
from hilum.wire.dicom.source import Source, source_of
from hilum.wire.dicom.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, transfer_syntax
from hilum.wire.dicom.values import integer_of, required_uid
from hilum.wire.dicom.walker import Walker

_PIXEL_GROUP = 0x7FE00000
_MOST_HEADER_BYTES = 256 << 20
_MOST_SINGLE_BITS = 1_000_000_000
_CHUNK = 1 << 20
_OFFSET_TABLES = frozenset({EXTENDED_OFFSET_TABLE, EXTENDED_OFFSET_TABLE_LENGTHS})
_LONG = frozenset(LONG_VRS.values())
_WORDS = MappingProxyType({
    "US": 2, "SS": 2, "AT": 2, "OW": 2, "UL": 4, "SL": 4, "FL": 4, "OL": 4, "OF": 4,
    "FD": 8, "SV": 8, "UV": 8, "OD": 8, "OV": 8,
})  # fmt: skip


def can_be_uncompressed(transfer_syntax_uid: str) -> bool:
    """Say whether objects in a syntax can go out in Explicit VR Little Endian: known, here, and with a codec."""
    syntax = transfer_syntax(transfer_syntax_uid)
    if syntax.encapsulated:
        return is_decodable(transfer_syntax_uid)
    return not syntax.name.startswith("JPIP")


def uncompressed(file: BinaryIO | Source, meta: FileMeta | None = None) -> Iterator[bytes]:
    """Return the chunks of an object in Explicit VR Little Endian; the file must stay open.

    Header and first frame are read at once, so that what cannot be decoded is Invalid before anything went out.
    """
    source = source_of(file)
    meta = meta or read_file_meta(source)
    data_set, coding = open_data_set(source, meta.data_set_offset, meta.transfer_syntax_uid)
    walker = Walker(
        data_set,
        most_elements=MOST_ELEMENTS,
        most_value_bytes=_MOST_HEADER_BYTES,
        most_bulk_bytes=_MOST_HEADER_BYTES,
    )
    elements, _ = walker.data_set(0, coding, EVERYTHING)
    plain = (one.length for one in elements.values() if one.tag < _PIXEL_GROUP and one.items is None)
    if sum(plain) > _MOST_HEADER_BYTES:
        raise Invalid(f"a header of more than {_MOST_HEADER_BYTES} bytes is not transcoded")
    head = file_meta_bytes(
        required_uid(elements, 0x00080016, "SOP Class UID"),
        required_uid(elements, 0x00080018, "SOP Instance UID"),
        EXPLICIT_VR_LITTLE_ENDIAN,
    )
    pixels = elements.get(PIXEL_DATA)
    if pixels is None or pixels.length != UNDEFINED_LENGTH:
        return _copied(head, elements, data_set)
    return _decoded(head, elements, open_pixels(source, meta))


def _copied(head: bytes, elements: DataSet, data_set: Source) -> Iterator[bytes]:
    signed = _is_signed(elements, signed=False)
    yield head + _data_set({tag: one for tag, one in elements.items() if tag < _PIXEL_GROUP}, signed=signed)
    for tag, one in elements.items():
        if tag >= _PIXEL_GROUP:
            vr = definite_vr(one, elements, signed=signed)
            length = one.length + one.length % 2
            yield _head(tag, vr, length)
            yield from _value_chunks(one, _pixel_word(elements, vr) if tag == PIXEL_DATA else vr, data_set)
            yield bytes(length - one.length)


def _pixel_word(elements: DataSet, vr: str) -> str:
    """Return the VR whose words pixels are swapped in: those of their own size, whatever OW says (PS3.5 8.1.1)."""
    return {32: "OL", 64: "OV"}.get(integer_of(elements.get(0x00280100)) or 0, vr) if vr == "OW" else vr


def _value_chunks(one: Element, vr: str, data_set: Source) -> Iterator[bytes]:
    """Read a long value piece by piece: a piece holds whole words."""
    for start in range(0, one.length, _CHUNK):
        piece = data_set.read_at(one.offset + start, min(_CHUNK, one.length - start))
        yield _swapped(piece, vr) if one.big_endian else piece


def _decoded(head: bytes, elements: DataSet, pixels: Pixels) -> Iterator[bytes]:
    first = decode_frame(pixels, 1)
    image = pixels.image
    described = {tag: one for tag, one in elements.items() if tag < _PIXEL_GROUP}
    described |= _description(
        first, elements, is_lossy=pixels.transfer_syntax.lossy, bits=image.bits_allocated
    )
    behind = {tag: one for tag, one in elements.items() if tag > PIXEL_DATA and tag not in _OFFSET_TABLES}
    signed = first.pixels.dtype.kind == "i"
    header = head + _data_set(dict(sorted(described.items())), signed=signed)
    tail = _data_set(behind, signed=signed)
    if image.bits_allocated == 1:
        return iter([header, _single_bits(pixels), tail])
    return _frames(header, first.pixels, pixels, tail)


def _frames(header: bytes, first: npt.NDArray[Any], pixels: Pixels, tail: bytes) -> Iterator[bytes]:
    number_of_frames = pixels.image.number_of_frames
    size = first.nbytes * number_of_frames
    vr = "OB" if first.dtype.itemsize == 1 else "OW"
    if size >= UNDEFINED_LENGTH:
        raise Invalid("the decoded pixels are longer than one element can be", next_step="retrieve frames")
    return _yield_frames(
        header + _head(PIXEL_DATA, vr, size + size % 2), first, pixels, bytes(size % 2) + tail
    )


def _yield_frames(header: bytes, first: npt.NDArray[Any], pixels: Pixels, tail: bytes) -> Iterator[bytes]:
    yield header
    yield _little(first)
    for number in range(2, pixels.image.number_of_frames + 1):
        frame = decode_frame(pixels, number).pixels
        if frame.nbytes != first.nbytes or frame.dtype != first.dtype:
            raise Invalid(f"frame {number} is decoded to another size than the first")
        yield _little(frame)
    yield tail


def native_frame(pixels: Pixels, number: int) -> bytes:
    """Return one frame as native pixels, decoded where it is compressed (PS3.5 8.1)."""
    if not pixels.is_encapsulated:
        return pixels.frame(number)
    frame = decode_frame(pixels, number).pixels
    if pixels.image.bits_allocated == 1:
        return np.packbits(frame.ravel(), bitorder="little").tobytes()
    return _little(frame)


def _little(frame: npt.NDArray[Any]) -> bytes:
    return np.ascontiguousarray(frame, frame.dtype.newbyteorder("<")).tobytes()


def _single_bits(pixels: Pixels) -> bytes:
    """Pack all frames, which follow each other without padding (PS3.5 8.1.1)."""
    image = pixels.image
    if image.rows * image.columns * image.number_of_frames > _MOST_SINGLE_BITS:
        raise Invalid(f"more than {_MOST_SINGLE_BITS} single-bit pixels are not transcoded")
    frames = [decode_frame(pixels, number).pixels.ravel() for number in range(1, image.number_of_frames + 1)]
    packed = np.packbits(np.concatenate(frames), bitorder="little").tobytes()
    packed += bytes(len(packed) % 2)
    return _head(PIXEL_DATA, "OB", len(packed)) + packed


def _description(first: DecodedFrame, elements: DataSet, *, is_lossy: bool, bits: int) -> DataSet:
    """Return the attributes that decoding changes (PS3.3 C.7.6.3)."""
    changed = {0x00280004: _element(0x00280004, "CS", first.photometric_interpretation.encode("ascii"))}
    if bits != 1:
        changed[0x00280100] = _number(0x00280100, first.pixels.dtype.itemsize * 8)
        changed[0x00280103] = _number(0x00280103, int(first.pixels.dtype.kind == "i"))
    if first.pixels.ndim == 3:
        changed[0x00280006] = _number(0x00280006, 0)
    if is_lossy and 0x00282110 not in elements:
        changed[0x00282110] = _element(0x00282110, "CS", b"01")
    return changed


def _number(tag: int, number: int) -> Element:
    return _element(tag, "US", pack("<H", number))


def _element(tag: int, vr: str, value: bytes) -> Element:
    return Element(tag, vr, 0, len(value), value, None, big_endian=False)


def _data_set(elements: DataSet, *, signed: bool) -> bytes:
    signed = _is_signed(elements, signed=signed)
    return b"".join(
        _written(one, definite_vr(one, elements, signed=signed), signed=signed)
        for tag, one in elements.items()
        if tag & 0xFFFF  # lengths of groups, which would be wrong
    )


def _is_signed(elements: DataSet, *, signed: bool) -> bool:
    representation = elements.get(0x00280103)
    return signed if representation is None else representation.value.strip(b"\0") != b""


def _written(one: Element, vr: str, *, signed: bool) -> bytes:
    if one.items is not None:
        value = b"".join(_item(item, signed=signed) for item in one.items)
        return _head(one.tag, "SQ", len(value)) + value
    value = _swapped(one.value, vr) if one.big_endian else one.value
    if len(value) % 2:
        value += b" " if vr not in _LONG and vr not in _WORDS and vr != "UI" else b"\0"
    return _head(one.tag, vr, len(value)) + value


def _item(item: DataSet, *, signed: bool) -> bytes:
    value = _data_set(item, signed=signed)
    return pack("<HHI", 0xFFFE, 0xE000, len(value)) + value


def _head(tag: int, vr: str, length: int) -> bytes:
    """Write tag, VR and length; what is too long for its VR is UN (PS3.5 6.2.2)."""
    if vr not in _LONG and length > 0xFFFE:
        vr = "UN"
    if vr in _LONG:
        return pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr.encode(), 0, length)
    return pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), length)


def _swapped(value: bytes, vr: str) -> bytes:
    """Turn big endian words around (PS3.5 7.3)."""
    word = _WORDS.get(vr, 1)
    if word == 1:
        return value
    whole = len(value) - len(value) % word
    return np.frombuffer(value[:whole], f">u{word}").astype(f"<u{word}").tobytes() + value[whole:]
