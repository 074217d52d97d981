"""Hostile objects end in a clear error, or are read, within one second and 100 MB: each in a process of its own."""

import io
import json
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.core.kernel.errors import HilumError, Invalid
from hilum.wire.dicom.header import read_header
from hilum.wire.dicom.part10 import file_meta_bytes
from hilum.wire.dicom.source import BytesSource, DeflatedSource

EXPLICIT, DEFLATED, J2K = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.90"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
UNDEFINED = 0xFFFFFFFF
MOST_SECONDS, MOST_MEGABYTES = 1.0, 100

_READERS = """
import json, resource, sys, time
from io import BytesIO
from hilum.core.kernel.errors import HilumError
from hilum.wire.dicom.attributes import check_complete
from hilum.wire.dicom.frame_work import RenderingOptions, no_worker, render_frame
from hilum.wire.dicom.header import read_header
from hilum.wire.dicom.json_model import instance_json
from hilum.wire.dicom.pixels import open_pixels
from hilum.wire.dicom.transcoding import transcoded
read = {
    "header": read_header,
    "complete": check_complete,
    "json": lambda file: instance_json(file, str),
    "frames": lambda file: open_pixels(file).table(),
    "transcoded": lambda file: sum(map(len, transcoded(file, "1.2.840.10008.1.2", no_worker))),
    "rendered": lambda file: render_frame(file, 1, RenderingOptions(), no_worker),
}
file, found = open(sys.argv[1], "rb"), {}
for name, reader in read.items():
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        reader(file)
        said = ""
    except HilumError as error:
        said = str(error)
    seconds = time.process_time() - began
    found[name] = [said, seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024]
print(json.dumps(found))
"""


def element(tag: int, vr: bytes, value: bytes, claimed: int | None = None) -> bytes:
    length = len(value) if claimed is None else claimed
    if vr in {b"SQ", b"OW", b"OB", b"UN", b"UT"}:
        return pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, length) + value
    return pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, length) + value


def item(length: int = 0) -> bytes:
    return pack("<HHI", 0xFFFE, 0xE000, length)


ITEM_END, SEQUENCE_END = pack("<HHI", 0xFFFE, 0xE00D, 0), pack("<HHI", 0xFFFE, 0xE0DD, 0)
CLASS_AND_INSTANCE = element(0x00080016, b"UI", SECONDARY_CAPTURE.encode() + b"\0") + element(
    0x00080018, b"UI", b"1.2.3.4\0"
)
STUDY_AND_SERIES = element(0x0020000D, b"UI", b"1.2.3\0") + element(0x0020000E, b"UI", b"1.2.3.1\0")
IDENTIFIED = CLASS_AND_INSTANCE + STUDY_AND_SERIES
MILLION = 1_000_000


def us(tag: int, value: int) -> bytes:
    return element(tag, b"US", pack("<H", value))


def described(rows: int, columns: int, frames: int = 1) -> bytes:
    return b"".join(
        [
            IDENTIFIED,
            us(0x00280002, 1),
            element(0x00280004, b"CS", b"MONOCHROME2 "),
            element(0x00280008, b"IS", str(frames).encode().ljust(12)),
            us(0x00280010, rows),
            us(0x00280011, columns),
            us(0x00280100, 16),
            us(0x00280101, 16),
            us(0x00280102, 15),
            us(0x00280103, 0),
        ]
    )


def nested(tag: int, depth: int) -> bytes:
    return (element(tag, b"SQ", b"", UNDEFINED) + item(UNDEFINED)) * depth + (ITEM_END + SEQUENCE_END) * depth


def bomb(head: bytes, megabytes: int = 600) -> bytes:
    """Return deflated bytes that grow by a thousand: 600 MB are 612 KB."""
    deflater = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    pieces = [deflater.compress(head)]
    pieces += [deflater.compress(bytes(1 << 20)) for _ in range(megabytes)]
    return b"".join(pieces) + deflater.flush()


def encapsulated(*fragments: tuple[int, bytes], table: bytes = b"") -> bytes:
    content = b"".join(item(length) + value for length, value in ((len(table), table), *fragments))
    return element(0x7FE00010, b"OB", content + SEQUENCE_END, UNDEFINED)


def siz(width: int, height: int) -> bytes:
    """Return the beginning of a JPEG 2000 codestream that claims a size."""
    return b"\xff\x4f\xff\x51" + pack(">HH8IH3B", 41, 0, width, height, 0, 0, width, height, 0, 0, 1, 7, 1, 1)


OBJECTS: Mapping[str, tuple[str, Callable[[], bytes]]] = {
    "deflated bomb in the pixels": (
        DEFLATED,
        lambda: bomb(described(60000, 60000) + element(0x7FE00010, b"OW", b"", 600 << 20)),
    ),
    "deflated bomb before the identifiers": (
        DEFLATED,
        lambda: bomb(CLASS_AND_INSTANCE + element(0x00091010, b"UN", b"", 600 << 20)),
    ),
    "a million empty items before the identifiers": (
        EXPLICIT,
        lambda: (
            CLASS_AND_INSTANCE
            + element(0x00081111, b"SQ", item() * MILLION + SEQUENCE_END, UNDEFINED)
            + STUDY_AND_SERIES
        ),
    ),
    "a million empty items behind the identifiers": (
        EXPLICIT,
        lambda: IDENTIFIED + element(0x00400555, b"SQ", item() * MILLION + SEQUENCE_END, UNDEFINED),
    ),
    "a million empty items of a sequence of defined length": (
        EXPLICIT,
        lambda: IDENTIFIED + element(0x00400555, b"SQ", item() * MILLION),
    ),
    "a million elements": (EXPLICIT, lambda: IDENTIFIED + element(0x00400555, b"SH", b"") * MILLION),
    "10000 nested sequences before the identifiers": (
        EXPLICIT,
        lambda: CLASS_AND_INSTANCE + nested(0x00081110, 10_000) + STUDY_AND_SERIES,
    ),
    "10000 nested sequences behind the identifiers": (
        EXPLICIT,
        lambda: IDENTIFIED + nested(0x00400555, 10_000),
    ),
    "an element that claims 3 GB": (EXPLICIT, lambda: IDENTIFIED + element(0x00400555, b"UT", b"x", 3 << 30)),
    "an item that claims 3 GB": (
        EXPLICIT,
        lambda: IDENTIFIED + element(0x00400555, b"SQ", item(3 << 30) + SEQUENCE_END, UNDEFINED),
    ),
    "an item longer than its sequence": (
        EXPLICIT,
        lambda: IDENTIFIED + element(0x00400275, b"SQ", item(4000) + bytes(8), 16) + bytes(4000),
    ),
    "native pixels that claim 3 GB": (
        EXPLICIT,
        lambda: described(40000, 40000) + element(0x7FE00010, b"OW", bytes(100), 3_200_000_000),
    ),
    "rows, columns and frames beyond all disks": (
        EXPLICIT,
        lambda: described(65535, 65535, 999_999) + element(0x7FE00010, b"OW", bytes(100)),
    ),
    "a fragment that claims 3 GB": (
        J2K,
        lambda: described(512, 512) + encapsulated((3 << 30, siz(512, 512))),
    ),
    "an offset table that points beside its fragments": (
        J2K,
        lambda: (
            described(16, 16, 3)
            + encapsulated(*[(4, b"\xff\x4f\xff\x51")] * 4, table=pack("<3I", 0, 0xFFFFFFF0, 7))
        ),
    ),
    "an offset table for a million frames that are not there": (
        J2K,
        lambda: described(16, 16, 999_999) + encapsulated((4, b"\xff\x4f\xff\x51"), table=bytes(3_999_996)),
    ),
    "a JPEG 2000 header that claims 60000 x 60000": (
        J2K,
        lambda: described(60000, 60000) + encapsulated((60, siz(60000, 60000).ljust(60, b"\0"))),
    ),
}
READABLE_HEADER = {
    name
    for name in OBJECTS
    if not name.endswith("before the identifiers") and name != "an item longer than its sequence"
}


@pytest.mark.parametrize("name", OBJECTS)
def test_a_hostile_object_costs_no_more_than_a_second_and_100_megabytes(name: str, tmp_path: Path) -> None:
    transfer_syntax_uid, data_set = OBJECTS[name]
    path = tmp_path / "hostile.dcm"
    path.write_bytes(file_meta_bytes(SECONDARY_CAPTURE, "1.2.3.4", transfer_syntax_uid) + data_set())

    ended = subprocess.run(
        [sys.executable, "-c", _READERS, path], check=True, capture_output=True, text=True, timeout=60
    )

    found = json.loads(ended.stdout)
    assert {reader: cost for reader, cost in found.items() if cost[1] > MOST_SECONDS} == {}
    assert {reader: cost for reader, cost in found.items() if cost[2] > MOST_MEGABYTES} == {}
    assert (found["header"][0] == "") == (name in READABLE_HEADER)
    assert found["rendered"][0], "no picture is made of it"


def test_a_bomb_is_612_kilobytes() -> None:
    assert 580_000 < len(bomb(b"")) < 640_000


@pytest.mark.parametrize(
    "magic", [b"MZ\x90\0", b"\x7fELF", b"%PDF-1.7\n", b"PK\x03\x04", b"<html><script>", b"II*\0"]
)
def test_a_preamble_that_is_another_file_does_not_change_what_is_read(magic: bytes) -> None:
    plain = file_meta_bytes(SECONDARY_CAPTURE, "1.2.3.4", EXPLICIT) + IDENTIFIED
    polyglot = magic.ljust(128, b"\0") + plain[128:]

    assert read_header(polyglot) == read_header(plain)


@given(
    st.binary(max_size=200_000),
    st.lists(st.tuples(st.integers(0, 6_000_000), st.integers(0, 70_000)), max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_a_deflated_source_reads_like_the_bytes_that_were_deflated(
    seed: bytes, reads: list[tuple[int, int]]
) -> None:
    plain = (seed or b"x") * (1 + 3_000_000 // (len(seed) or 1))
    deflater = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
    source = DeflatedSource(BytesSource(b"head" + deflater.compress(plain) + deflater.flush()), 4)

    for offset, size in reads:
        assert source.read_at(offset, size) == plain[offset : offset + size]


@given(st.binary(max_size=3000))
def test_any_deflated_bytes_are_read_or_refused(deflated: bytes) -> None:
    source = DeflatedSource(BytesSource(deflated), 0, most=1 << 20)
    try:
        read = source.read_at(0, 1 << 21)
    except Invalid:
        return

    assert len(read) <= 1 << 20


@given(st.binary(max_size=2000))
def test_any_data_set_behind_any_preamble_is_read_or_refused(data_set: bytes) -> None:
    for preamble in (b"", file_meta_bytes(SECONDARY_CAPTURE, "1.2.3.4", EXPLICIT)):
        try:
            read_header(io.BytesIO(preamble + data_set))
        except HilumError:
            continue
