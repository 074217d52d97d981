"""Deflated text with open places: what it becomes is what anybody's gunzip says."""

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.slotted import OPEN, SLOT, Slotted, filling_of, gzipped, slotted

ASCII = st.text(st.characters(max_codepoint=126, min_codepoint=32), max_size=400).map(str.encode)


@given(st.lists(ASCII, min_size=1, max_size=12), st.text("abc/:.", max_size=SLOT))
def test_filled_places_come_out_of_gunzip_where_they_were_open(segments: list[bytes], url: str) -> None:
    filling = filling_of(url) or b""

    answer = b"".join(gzipped([slotted(segments).filled(filling)]))

    assert gzip.decompress(answer) == filling.join(segments)
    assert filling.lstrip() == url.encode().lstrip()


@given(st.lists(ASCII | st.lists(ASCII, min_size=1, max_size=4).map(tuple), max_size=6))
def test_texts_one_after_the_other_are_one_gzip_stream(parts: list[bytes | tuple[bytes, ...]]) -> None:
    filling = filling_of("http://a") or b""

    given_parts = [p if isinstance(p, bytes) else slotted(list(p)).filled(filling) for p in parts]
    answer = b"".join(gzipped(given_parts))

    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    whole = b"".join(p if isinstance(p, bytes) else filling.join(p) for p in parts)
    assert reader.decompress(answer) == whole
    assert reader.eof  # one member: what follows the first is lost to some readers


def test_one_text_serves_every_address_without_being_deflated_again() -> None:
    segments = [b'{"BulkDataURI":'] + [b'/instances/%d"},{"BulkDataURI":' % number for number in range(500)]
    kept = slotted([*segments, b'/x"}'])

    answers = [
        b"".join(gzipped([b"[", kept.filled(filling_of(f'"{url}') or b""), b"]"]))
        for url in ("http://one/dicom-web", "https://another.example/hilum/dicom-web")
    ]

    uris = [json.loads(gzip.decompress(answer))[6]["BulkDataURI"] for answer in answers]
    assert uris == ["http://one/dicom-web/instances/6", "https://another.example/hilum/dicom-web/instances/6"]
    assert kept.text() == OPEN.join([*segments, b'/x"}'])


def test_an_address_that_is_too_long_or_no_ascii_fits_no_place() -> None:
    assert filling_of("x" * (SLOT + 1)) is None
    assert filling_of("http://käse") is None


@pytest.mark.parametrize("change", [lambda d: d[:-9], lambda d: b"\xff" + d[1:], lambda d: d * 2])
def test_damage_is_told(change: object) -> None:
    kept = slotted([b"a" * 100, b"b" * 100])

    damaged = Slotted(change(kept.deflated), kept.crc, kept.size, kept.places)  # type: ignore[operator]  # a lambda

    with pytest.raises(Invalid):
        damaged.text()
