"""MLLP framing: any chunking gives the same blocks; limits hold; what was cut is known."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.wire.hl7v2.errors import FramingInvalid
from hilum.wire.hl7v2.mllp import Framer, frame

_CONTENT = st.binary(max_size=60).map(lambda octets: octets.replace(b"\x0b", b"-").replace(b"\x1c", b"-"))


def _drain(framer: Framer) -> list[bytes]:
    return list(iter(framer.next_frame, None))


def _fed(*chunks: bytes) -> list[bytes]:
    framer = Framer()
    found = []
    for chunk in chunks:
        framer.feed(chunk)
        found += _drain(framer)
    return found


@given(st.lists(_CONTENT, max_size=8), st.lists(st.integers(0, 500), max_size=12))
def test_any_chunking_gives_the_blocks_that_were_sent(contents: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frame(content) for content in contents)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]

    found = _fed(*(stream[start:end] for start, end in itertools.pairwise(edges)))

    assert found == contents


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_arbitrary_bytes_give_blocks_or_a_framing_error_whatever_the_chunks(chunks: list[bytes]) -> None:
    whole = _fed(b"".join(chunks))

    piecewise = _fed(*chunks)

    assert piecewise == whole


def test_several_blocks_in_one_chunk_come_out_in_order() -> None:
    found = _fed(frame(b"one") + frame(b"two") + b"\x0bthr")

    assert found == [b"one", b"two"]


def test_bytes_between_blocks_are_skipped_and_counted() -> None:
    framer = Framer()

    framer.feed(b"junk\r\n" + frame(b"MSH|") + b"\r\nmore")
    found = _drain(framer)

    assert found == [b"MSH|"]
    assert framer.skipped == 8


def test_too_many_bytes_between_blocks_end_the_connection() -> None:
    framer = Framer(garbage_limit=10)
    framer.feed(b"GET / HTTP/1.1\r\nHost: hilum\r\n\r\n")

    with pytest.raises(FramingInvalid, match="outside of MLLP blocks"):
        framer.next_frame()


def test_a_block_over_the_limit_is_refused_before_it_ends() -> None:
    framer = Framer(limit=100)
    framer.feed(b"\x0b" + b"x" * 102)

    with pytest.raises(FramingInvalid, match="longer than 100 bytes"):
        framer.next_frame()


@pytest.mark.parametrize("at_once", [True, False])
def test_a_block_of_exactly_the_limit_passes(at_once: bool) -> None:
    framer = Framer(limit=100)
    stream = frame(b"x" * 100)

    found = []
    for chunk in [stream] if at_once else [stream[n : n + 1] for n in range(len(stream))]:
        framer.feed(chunk)
        found += _drain(framer)

    assert found == [b"x" * 100]


def test_blocks_before_a_broken_one_are_still_given() -> None:
    framer = Framer(limit=10)
    framer.feed(frame(b"one") + frame(b"x" * 50))

    first = framer.next_frame()

    assert first == b"one"
    with pytest.raises(FramingInvalid):
        framer.next_frame()


def test_a_block_cut_in_the_middle_is_known_at_close() -> None:
    framer = Framer()
    framer.feed(frame(b"one") + b"\x0bMSH|^~\\&|half")
    _drain(framer)

    last = framer.close()

    assert last is None
    assert framer.incomplete == len(b"\x0bMSH|^~\\&|half")


def test_a_clean_close_leaves_nothing_incomplete() -> None:
    framer = Framer()
    framer.feed(frame(b"one"))
    _drain(framer)

    last = framer.close()

    assert last is None
    assert framer.incomplete == 0


def test_the_last_block_may_lack_its_carriage_return_at_close() -> None:
    framer = Framer()
    framer.feed(b"\x0bMSH|x\x1c")
    before = framer.next_frame()

    last = framer.close()

    assert before is None
    assert last == b"MSH|x"
    assert framer.incomplete == 0


def test_a_block_may_lack_its_carriage_return_when_the_next_one_follows() -> None:
    found = _fed(b"\x0bone\x1c\x0btwo\x1c\r")

    assert found == [b"one", b"two"]


def test_a_block_begun_anew_replaces_the_unfinished_one() -> None:
    framer = Framer()

    framer.feed(b"\x0bMSH|^~\\&|cut off\x0bMSH|^~\\&|whole\x1c\r")
    found = _drain(framer)

    assert found == [b"MSH|^~\\&|whole"]
    assert framer.cut == 1


def test_a_vertical_tab_in_text_does_not_begin_a_block() -> None:
    found = _fed(b"\x0bMSH|line one\x0bline two\x1c\r")

    assert found == [b"MSH|line one\x0bline two"]


def test_a_separator_byte_without_its_carriage_return_is_content() -> None:
    found = _fed(b"\x0bMSH|a\x1cb\x1c\r")

    assert found == [b"MSH|a\x1cb"]


@pytest.mark.parametrize("content", [b"a\x0bb", b"a\x1c\rb"])
def test_what_a_reader_would_cut_is_not_framed(content: bytes) -> None:
    with pytest.raises(FramingInvalid, match="VT or FS"):
        frame(content)


def test_a_long_block_in_single_bytes_is_read_without_searching_it_again_each_time() -> None:
    content = bytes(range(0x20, 0x7F)) * 3000  # searched anew for each byte, this would be 40 GB

    found = _fed(*(octet.to_bytes() for octet in frame(content)))

    assert found == [content]
