"""A stored object in another transfer syntax: native, deflated or compressed (PS3.5 section 8, 10, Annex A).

How a door uses it: `can_be_transcoded` says what may be offered, `transcoded` gives the Part 10 file in chunks. Header
and first frame are made at once, so that what cannot be done is Invalid before anything went out; then one frame at a
time is in memory. Every frame goes through the `FrameWorker` that the door was given.

Lossless syntaxes keep every stored value. Lossy ones are written only where they are asked for by name; the result is
another image then, with a SOP Instance UID of its own (PS3.3 C.7.6.1.1.5).
"""

import zlib
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from struct import pack
from typing import BinaryIO

import numpy as np

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.decoding import WORDS_KEPT, is_decodable
from hilum.wire.dicom.derivation import LOSSY_IMAGE_COMPRESSION, derived, loss
from hilum.wire.dicom.elements import (
    EVERYTHING,
    PIXEL_DATA,
    UNDEFINED_LENGTH,
    DataSet,
    Element,
    open_data_set,
)
from hilum.wire.dicom.encoding import DEFAULT_QUALITY, ENCODABLE, is_encodable, is_encoded_with_loss
from hilum.wire.dicom.frame_tables import EXTENDED_OFFSET_TABLE, EXTENDED_OFFSET_TABLE_LENGTHS
from hilum.wire.dicom.frame_work import Decode, Encode, FrameAnswer, FrameWorker
from hilum.wire.dicom.implicit import implicit
from hilum.wire.dicom.json_model import MOST_ELEMENTS, definite_vr
from hilum.wire.dicom.overlays import with_overlays_apart
from hilum.wire.dicom.part10 import FileMeta, file_meta_bytes, read_file_meta
from hilum.wire.dicom.pixels import Pixels, open_pixels
from hilum.wire.dicom.rewriting import data_set, element, element_head, is_signed, swapped, us_element
from hilum.wire.dicom.source import DeflatedSource, Source, source_of
from hilum.wire.dicom.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    RLE_LOSSLESS,
    transfer_syntax,
)
from hilum.wire.dicom.values import integer_of, required_uid
from hilum.wire.dicom.walker import Walker

NATIVE = frozenset({EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN})
LOSSLESS_TARGETS = (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.57",
    RLE_LOSSLESS,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    "1.2.840.10008.1.2.4.203",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.81",
)
"""What is chosen from what a receiver accepts, best first: no value changes in any of them."""

ON_DEMAND = tuple(dict.fromkeys([*LOSSLESS_TARGETS, *ENCODABLE]))
"""All that an object can go out in when it is asked for by name; those with loss last."""

_PIXEL_GROUP = 0x7FE00000
_MOST_HEADER_BYTES = 256 << 20
_MOST_INFLATED_HEADER_BYTES = 32 << 20
_MOST_SINGLE_BITS = 1_000_000_000
_MOST_HELD_BYTES = 64 << 20
"""Of codestreams, to write their Basic Offset Table; longer pixel data goes without one, a fragment a frame."""
_CHUNK = 1 << 20
_SEQUENCE_DELIMITER = pack("<HHI", 0xFFFE, 0xE0DD, 0)
_OFFSET_TABLES = frozenset({EXTENDED_OFFSET_TABLE, EXTENDED_OFFSET_TABLE_LENGTHS})


def can_be_transcoded(stored_uid: str, target_uid: str) -> bool:
    """Say whether objects stored in one syntax can go out in another: both known, both with a codec."""
    stored = transfer_syntax(stored_uid)
    readable = is_decodable(stored_uid) if stored.encapsulated else not stored.name.startswith("JPIP")
    return stored_uid == target_uid or (readable and (target_uid in NATIVE or is_encodable(target_uid)))


def is_lossy_target(target_uid: str) -> bool:
    """Say whether a target can only be written with loss, so that it must have been asked for by name."""
    return is_encodable(target_uid) and is_encoded_with_loss(target_uid)


def transcoded(
    file: BinaryIO | Source,
    target_uid: str,
    worker: FrameWorker,
    *,
    meta: FileMeta | None = None,
    quality: int = DEFAULT_QUALITY,
) -> Iterator[bytes]:
    """Return the chunks of a Part 10 object in another transfer syntax; the file must stay open.

    Raises Invalid for what cannot be decoded, or not be written in the target: pixels of a kind that it does not
    hold, or no pixels where it is a way to compress them. `quality` (1 to 100) is that of lossy JPEG.
    """
    source = source_of(file)
    meta = meta or read_file_meta(source)
    encoded, coding = open_data_set(source, meta.data_set_offset, meta.transfer_syntax_uid)
    most = _MOST_INFLATED_HEADER_BYTES if isinstance(encoded, DeflatedSource) else _MOST_HEADER_BYTES
    walker = Walker(encoded, most_elements=MOST_ELEMENTS, most_value_bytes=most, most_bulk_bytes=most)
    elements, _ = walker.data_set(0, coding, EVERYTHING)
    _check_header(elements, most)
    if target_uid in NATIVE:
        chunks = _native(elements, encoded, source, meta, worker)
        return _begun(_meta(elements, target_uid), _as(chunks, target_uid))
    if not is_encodable(target_uid):
        raise Invalid(f"pixels are not written in {transfer_syntax(target_uid).name} here")
    if PIXEL_DATA not in elements:
        raise Invalid(
            "the object has no pixels to compress", next_step="ask for an uncompressed transfer syntax"
        )
    return _begun(b"", _compressed(elements, open_pixels(source, meta), worker, target_uid, quality))


def _check_header(elements: DataSet, most: int) -> None:
    plain = (one.length for one in elements.values() if one.tag < _PIXEL_GROUP and one.items is None)
    if sum(plain) > most:
        raise Invalid(f"a header of more than {most} bytes is not transcoded")


def _meta(elements: DataSet, target_uid: str) -> bytes:
    return file_meta_bytes(
        required_uid(elements, 0x00080016, "SOP Class UID"),
        required_uid(elements, 0x00080018, "SOP Instance UID"),
        target_uid,
    )


def _begun(meta: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Take the first chunk at once, so that what cannot be written is Invalid before anything went out."""
    return chain([meta + next(chunks)], chunks)


def _as(chunks: Iterator[bytes], target_uid: str) -> Iterator[bytes]:
    """Turn a data set in Explicit VR Little Endian into one of its relatives."""
    if target_uid == IMPLICIT_VR_LITTLE_ENDIAN:
        return implicit(chunks)
    return _deflated(chunks) if target_uid == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN else chunks


def _deflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """PS3.5 A.5: RFC 1951 without head, of even length."""
    deflater, size = zlib.compressobj(wbits=-zlib.MAX_WBITS), 0
    for chunk in chunks:
        deflated = deflater.compress(chunk)
        size += len(deflated)
        yield deflated
    rest = deflater.flush()
    yield rest + bytes((size + len(rest)) % 2)


def _native(
    elements: DataSet, encoded: Source, source: Source, meta: FileMeta, worker: FrameWorker
) -> Iterator[bytes]:
    pixels = elements.get(PIXEL_DATA)
    if pixels is None or pixels.length != UNDEFINED_LENGTH:
        return _copied(elements, encoded)
    return _decoded(elements, open_pixels(source, meta), worker)


def _copied(elements: DataSet, encoded: Source) -> Iterator[bytes]:
    """Copy native pixels, and objects that have none."""
    signed = is_signed(elements, signed=False)
    yield data_set({tag: one for tag, one in elements.items() if tag < _PIXEL_GROUP}, signed=signed)
    for tag, one in elements.items():
        if tag >= _PIXEL_GROUP:
            vr = definite_vr(one, elements, signed=signed)
            length = one.length + one.length % 2
            yield element_head(tag, vr, length)
            yield from _value_chunks(one, _pixel_word(elements, vr) if tag == PIXEL_DATA else vr, encoded)
            yield bytes(length - one.length)


def _pixel_word(elements: DataSet, vr: str) -> str:
    """Return the VR whose words pixels are swapped in: those of their own size, whatever OW says (PS3.5 8.1.1)."""
    return {32: "OL", 64: "OV"}.get(integer_of(elements.get(0x00280100)) or 0, vr) if vr == "OW" else vr


def _value_chunks(one: Element, vr: str, encoded: Source) -> Iterator[bytes]:
    """Read a long value piece by piece: a piece holds whole words."""
    for start in range(0, one.length, _CHUNK):
        piece = encoded.read_at(one.offset + start, min(_CHUNK, one.length - start))
        yield swapped(piece, vr) if one.big_endian else piece


def _decoded(elements: DataSet, pixels: Pixels, worker: FrameWorker) -> Iterator[bytes]:
    image = pixels.image
    if image.bits_allocated == 1 and image.rows * image.columns * image.number_of_frames > _MOST_SINGLE_BITS:
        raise Invalid(f"more than {_MOST_SINGLE_BITS} single-bit pixels are not transcoded")
    first = worker(Decode(pixels.encoded_frame(1)))
    header, tail = _around(elements, first, pixels, planar=0)
    bits = image.rows * image.columns * image.number_of_frames if image.bits_allocated == 1 else 0
    size = -(-bits // 8) if bits else len(first.content) * image.number_of_frames
    if size >= UNDEFINED_LENGTH:
        raise Invalid("the decoded pixels are longer than one element can be", next_step="retrieve frames")
    yield header + element_head(PIXEL_DATA, "OB" if first.bits_allocated <= 8 else "OW", size + size % 2)
    yield from _single_bits(first, pixels, worker) if bits else _frames(first, pixels, worker)
    yield bytes(size % 2) + tail


def _frames(first: FrameAnswer, pixels: Pixels, worker: FrameWorker) -> Iterator[bytes]:
    yield bytes(first.content)
    for number in range(2, pixels.image.number_of_frames + 1):
        frame = worker(Decode(pixels.encoded_frame(number)))
        if len(frame.content) != len(first.content):
            raise Invalid(f"frame {number} is decoded to another size than the first")
        yield bytes(frame.content)


def _single_bits(first: FrameAnswer, pixels: Pixels, worker: FrameWorker) -> Iterator[bytes]:
    """Pack all frames, which follow each other without padding (PS3.5 8.1.1)."""
    size = pixels.image.rows * pixels.image.columns
    frames = [first.content]
    frames += [
        worker(Decode(pixels.encoded_frame(n))).content for n in range(2, pixels.image.number_of_frames + 1)
    ]
    yield _packed_together(frames, size)


def _packed_together(frames: Sequence[bytes | memoryview], size: int) -> bytes:
    bits = [np.unpackbits(np.frombuffer(one, np.uint8), bitorder="little")[:size] for one in frames]
    return np.packbits(np.concatenate(bits), bitorder="little").tobytes()


def _compressed(
    elements: DataSet, pixels: Pixels, worker: FrameWorker, target_uid: str, quality: int
) -> Iterator[bytes]:
    first = worker(Encode(pixels.encoded_frame(1), target_uid, quality))
    if target_uid not in WORDS_KEPT:
        elements = with_overlays_apart(elements, pixels, worker)
    if is_encoded_with_loss(target_uid):
        native = pixels.image.native_frame_bits / 8
        elements = derived(elements, target_uid, native / len(first.content))
    header, tail = _around(elements, first, pixels, planar=int(target_uid == RLE_LOSSLESS))
    yield _meta(elements, target_uid) + header + element_head(PIXEL_DATA, "OB", UNDEFINED_LENGTH)
    frames = chain(
        [first.content],
        (
            worker(Encode(pixels.encoded_frame(number), target_uid, quality)).content
            for number in range(2, pixels.image.number_of_frames + 1)
        ),
    )
    yield from _fragments(frames)
    yield _SEQUENCE_DELIMITER + tail


def _fragments(frames: Iterator[bytes | memoryview]) -> Iterator[bytes]:
    """Yield the Basic Offset Table and one fragment a frame (PS3.5 A.4); empty where frames are too many to hold."""
    held: list[bytes] = []
    size = 0
    while size < _MOST_HELD_BYTES and (frame := next(frames, None)) is not None:
        held.append(_item(frame))
        size += len(held[-1])
    more = next(frames, None)
    offsets = [0, *accumulate(map(len, held[:-1]))] if more is None and len(held) > 1 else []
    yield _item(pack(f"<{len(offsets)}I", *offsets))
    yield from held
    if more is not None:
        yield _item(more)
    yield from map(_item, frames)


def _item(content: bytes | memoryview) -> bytes:
    odd = len(content) % 2
    return pack("<HHI", 0xFFFE, 0xE000, len(content) + odd) + bytes(content) + bytes(odd)


def _around(elements: DataSet, first: FrameAnswer, pixels: Pixels, *, planar: int) -> tuple[bytes, bytes]:
    """Write what stands before and behind the pixels, with the attributes that follow them (PS3.3 C.7.6.3)."""
    image = pixels.image
    changed = {0x00280004: element(0x00280004, "CS", first.photometric_interpretation.encode("ascii"))}
    if image.bits_allocated != 1:
        changed[0x00280100] = us_element(0x00280100, first.bits_allocated)
        changed[0x00280103] = us_element(0x00280103, first.pixel_representation)
    if not first.keeps_words:
        changed[0x00280101] = us_element(0x00280101, first.bits_stored)
        changed[0x00280102] = us_element(0x00280102, first.bits_stored - 1)
    if image.samples_per_pixel > 1:
        changed[0x00280006] = us_element(0x00280006, planar)
    if first.is_lossy and LOSSY_IMAGE_COMPRESSION not in elements:
        changed |= loss(elements, pixels.transfer_syntax.uid)
    before = {tag: one for tag, one in elements.items() if tag < _PIXEL_GROUP} | changed
    behind = {tag: one for tag, one in elements.items() if tag > PIXEL_DATA and tag not in _OFFSET_TABLES}
    signed = bool(first.pixel_representation)
    return data_set(dict(sorted(before.items())), signed=signed), data_set(behind, signed=signed)
