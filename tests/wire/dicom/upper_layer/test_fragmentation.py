"""Fragmentation: a message of any length arrives whole, in PDUs that the peer takes."""

from io import BytesIO
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hilum.wire.dicom.upper_layer.decoding import decode_fragments
from hilum.wire.dicom.upper_layer.fragmentation import fragment, fragment_message
from hilum.wire.dicom.upper_layer.limits import Limits


class Trickle:
    """A source that returns fewer octets than it is asked for."""

    def __init__(self, octets: bytes, most: int) -> None:
        self.source, self.most = BytesIO(octets), most

    def read(self, size: int) -> bytes:
        return self.source.read(min(size, self.most))


def received(batches: Any) -> list[memoryview]:
    wire = memoryview(b"".join(b"".join(buffers) for buffers in batches))
    pdus, offset = [], 0
    while offset < len(wire):
        length = int.from_bytes(wire[offset + 2 : offset + 6], "big")
        pdus.append(wire[offset + 6 : offset + 6 + length])
        offset += 6 + length
    return pdus


@given(
    command=st.binary(min_size=1, max_size=200),
    data_set=st.none() | st.binary(max_size=3000),
    maximum_length=st.integers(128, 1200),
    kind=st.sampled_from(["memory", "file", "trickle"]),
)
def test_a_message_arrives_whole_and_no_pdu_is_longer_than_the_peer_takes(
    command: Any, data_set: Any, maximum_length: int, kind: str
) -> None:
    sources = {"memory": lambda octets: octets, "file": BytesIO, "trickle": lambda octets: Trickle(octets, 7)}
    source = None if data_set is None else sources[kind](data_set)

    pdus = received(fragment_message(5, command, source, maximum_length))

    fragments = [part for pdu in pdus for part in decode_fragments(pdu)]
    commands = [part for part in fragments if part.is_command]
    parts = [part for part in fragments if not part.is_command]
    assert all(len(pdu) <= maximum_length for pdu in pdus)
    assert b"".join(part.payload for part in commands) == command
    assert b"".join(part.payload for part in parts) == (data_set or b"")
    assert [part.is_last for part in commands] == [False] * (len(commands) - 1) + [True]
    assert [part.is_last for part in parts] == (
        [False] * (len(parts) - 1) + [True] if data_set is not None else []
    )
    assert all(len(part.payload) % 2 == 0 for part in fragments if not part.is_last)
    assert fragments == commands + parts


def test_octets_in_memory_are_sent_as_views_of_them() -> None:
    data_set = bytearray(10_000)

    payloads = [payload for _, payload in fragment(1, data_set, 4096, is_command=False)]

    assert [len(payload) for payload in payloads] == [4090, 4090, 1820]
    assert all(payload.obj is data_set for payload in payloads)


def test_a_stream_is_read_no_further_than_one_block_ahead() -> None:
    source = BytesIO(bytes(1_000_000))
    limits = Limits(maximum_length_sent=16_384)

    first = next(fragment_message(1, b"command", source, 16_384, limits))

    assert sum(map(len, first)) <= 16_384 + 1024
    assert source.tell() <= 2 * 131_072


def test_small_pdus_share_a_write() -> None:
    batches = list(fragment_message(1, b"command", bytes(500_000), 4096))

    assert len(batches) < 6
