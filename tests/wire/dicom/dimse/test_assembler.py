"""The assembler: commands whole, data sets as they arrive, nothing out of turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.wire.dicom.dimse.assembler import CommandReceived, MessageAssembler
from hilum.wire.dicom.dimse.codec import encode_command
from hilum.wire.dicom.dimse.messages import CEchoRequest, CStoreRequest
from hilum.wire.dicom.upper_layer.errors import ProtocolError
from hilum.wire.dicom.upper_layer.events import DataFragment
from hilum.wire.dicom.upper_layer.limits import Limits

STORE = CStoreRequest(AffectedSOPClassUID="1.2", MessageID=1, AffectedSOPInstanceUID="1.2.3")
ECHO = CEchoRequest(AffectedSOPClassUID="1.2", MessageID=2)


def part(octets: bytes, *, is_command: bool, is_last: bool = True, context_id: int = 1) -> DataFragment:
    return DataFragment(context_id, is_command, is_last, memoryview(octets))


@given(st.integers(1, 40))
def test_a_command_in_any_number_of_fragments_is_one_command(size: int) -> None:
    assembler = MessageAssembler()
    octets = encode_command(STORE)
    pieces = [octets[start : start + size] for start in range(0, len(octets), size)]

    got = [assembler.put(part(piece, is_command=True, is_last=False)) for piece in pieces]
    last = assembler.put(part(b"", is_command=True))

    assert set(got) == {None}
    assert last == CommandReceived(1, STORE)


def test_data_set_fragments_pass_as_they_are_until_the_last() -> None:
    assembler = MessageAssembler()
    assembler.put(part(encode_command(STORE), is_command=True))
    first, last = part(b"ab", is_command=False, is_last=False), part(b"cd", is_command=False)

    passed = [
        assembler.put(first),
        assembler.is_between_messages,
        assembler.put(last),
        assembler.is_between_messages,
    ]

    assert passed[0] is first
    assert passed[2] is last
    assert (passed[1], passed[3]) == (False, True)


def test_a_command_without_a_data_set_is_a_whole_message() -> None:
    assembler = MessageAssembler()

    received = [assembler.put(part(encode_command(ECHO), is_command=True, context_id=n)) for n in (1, 3)]

    assert received == [CommandReceived(1, ECHO), CommandReceived(3, ECHO)]
    assert assembler.is_between_messages


@pytest.mark.parametrize(
    "fragments",
    [
        [part(b"ab", is_command=False)],
        [part(encode_command(ECHO), is_command=True), part(b"ab", is_command=False)],
        [part(encode_command(STORE), is_command=True), part(encode_command(ECHO), is_command=True)],
        [part(encode_command(STORE), is_command=True), part(b"ab", is_command=False, context_id=3)],
        [part(b"\0", is_command=True, is_last=False), part(b"\0", is_command=True, context_id=3)],
    ],
)
def test_fragments_out_of_turn_are_a_protocol_error(fragments: list[DataFragment]) -> None:
    assembler = MessageAssembler()

    with pytest.raises(ProtocolError):
        [assembler.put(fragment) for fragment in fragments]


@pytest.mark.parametrize("octets", [b"", bytes(1000)])
def test_an_endless_command_set_is_a_protocol_error(octets: bytes) -> None:
    assembler = MessageAssembler(Limits(maximum_command_length=9_999, maximum_command_fragments=20))
    endless = part(octets, is_command=True, is_last=False)

    with pytest.raises(ProtocolError):
        [assembler.put(endless) for _ in range(21)]
