"""Command sets: what is written is read again, as pydicom and pynetdicom read it."""

from dataclasses import fields
from io import BytesIO
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pynetdicom import dimse_messages

from hilum.wire.dicom.dimse.codec import decode_command, encode_command
from hilum.wire.dicom.dimse.elements import AE, AT, ELEMENTS, LO, UI, US
from hilum.wire.dicom.dimse.messages import (
    CCancelRequest,
    CEchoRequest,
    CEchoResponse,
    CFindResponse,
    Command,
    CStoreRequest,
    CStoreResponse,
    NActionRequest,
    NActionResponse,
    NGetRequest,
    Request,
    Response,
)
from hilum.wire.dicom.dimse.respond import respond
from hilum.wire.dicom.upper_layer.errors import ProtocolError

legible = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\"), min_size=1, max_size=16
)
VALUES = {
    US: st.integers(0, 0xFFFF),
    UI: st.from_regex(r"[12](\.(0|[1-9][0-9]{0,6})){1,7}", fullmatch=True),
    AE: legible,
    LO: legible,
    AT: st.lists(st.integers(0, 0xFFFFFFFF), min_size=1, max_size=3).map(tuple),
}


def built(message: Any) -> st.SearchStrategy[Any]:
    """Any value of one kind of message."""
    arguments = {
        field.name: VALUES[ELEMENTS[field.name][1]] | (st.none() if field.default is None else st.nothing())
        for field in fields(message)
        if field.name != "has_data_set"
    }
    return st.builds(message, **arguments, has_data_set=st.booleans())


commands = st.one_of([built(message) for message in get_args(Command)])


@given(commands)
def test_a_command_that_is_written_is_read_as_the_same_value(command: Any) -> None:
    assert decode_command(encode_command(command)) == command


@given(commands)
def test_pydicom_reads_the_same_elements(command: Any) -> None:
    octets = encode_command(command)

    read = dcmread(BytesIO(octets), force=True)

    assert read.CommandGroupLength == len(octets) - 12
    assert read.CommandField == command.command_field
    assert (read.CommandDataSetType != 0x0101) == command.has_data_set
    for field in fields(command):
        value = getattr(command, field.name)
        if field.name != "has_data_set" and value is not None:
            theirs = read[field.name].value
            assert (theirs if isinstance(value, int | str) or not isinstance(theirs, int) else (theirs,)) == (
                value if isinstance(value, int | str) else list(value) if len(value) > 1 else value
            )


def test_every_keyword_stands_at_the_tag_that_pydicom_gives_it() -> None:
    for keyword, (element, _) in ELEMENTS.items():
        assert tag_for_keyword(keyword) == element


def their_name(message: Any) -> str:
    name = message.__name__.removesuffix("Request").removesuffix("Response")
    words = "EVENT_REPORT" if name == "NEventReport" else name[1:].upper()
    return f"{name[0]}_{words}_{'RQ' if message.__name__.endswith('Request') else 'RSP'}"


@pytest.mark.parametrize("message", [*get_args(Request), *get_args(Response), CCancelRequest], ids=their_name)
def test_every_message_has_the_elements_that_pynetdicom_knows_for_it(message: Any) -> None:
    theirs = getattr(dimse_messages, their_name(message))()
    expected = {element.keyword for element in theirs.command_set}

    ours = {field.name for field in fields(message)} - {"has_data_set"}

    assert expected - {"CommandGroupLength", "CommandField", "CommandDataSetType"} <= ours


def elements(**values: bytes) -> bytes:
    """A command set by hand."""
    return b"".join(
        b"\0\0" + int(tag[1:], 16).to_bytes(2, "little") + len(value).to_bytes(4, "little") + value
        for tag, value in values.items()
    )


ECHO = {"e0002": b"1.2\0", "e0100": b"\x30\0", "e0110": b"\x07\0", "e0800": b"\x01\x01"}


def test_a_wrong_group_length_and_unknown_elements_are_not_believed() -> None:
    octets = elements(e0000=b"\xff\xff\xff\xff", **ECHO, e5110=b"RETIRED ")

    command = decode_command(octets)

    assert command == CEchoRequest(AffectedSOPClassUID="1.2", MessageID=7)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        elements(**ECHO)[:-1],
        elements(**ECHO)[:-12],
        elements(**ECHO | {"e0100": b"\x31\0"}),
        elements(**ECHO | {"e0100": b"\x30"}),
        elements(**ECHO | {"e0110": b"\x07\0\0\0"}),
        elements(**ECHO | {"e0110": b""}),
        elements(**ECHO) + elements(e0110=b"\x08\0"),
        b"\x08\0\x18\0\0\0\0\0" + elements(**ECHO),
        elements(**ECHO) + b"\0\0\0\x10\xff\xff\xff\xff",
        elements(e0100=b"\x30\0", e0800=b"\x01\x01"),
    ],
)
def test_a_broken_command_set_is_a_protocol_error(octets: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_command(octets)


@given(
    st.binary(max_size=200)
    | st.dictionaries(st.sampled_from(list(ELEMENTS.values())), st.binary(max_size=6)).map(
        lambda chosen: elements(**{f"e{element:04x}": value for (element, _), value in chosen.items()})
    )
)
def test_arbitrary_octets_end_in_a_command_or_a_protocol_error(octets: bytes) -> None:
    try:
        decode_command(octets)
    except ProtocolError:
        return


def test_a_hostile_instance_uid_is_read_as_text_for_the_use_case_to_judge() -> None:
    request = CStoreRequest(AffectedSOPClassUID="1.2", MessageID=1, AffectedSOPInstanceUID="../" * 100)

    again = decode_command(encode_command(request))

    assert again.AffectedSOPInstanceUID == "../" * 100


def test_an_error_comment_is_cut_to_what_its_element_holds() -> None:
    response = CEchoResponse(MessageIDBeingRespondedTo=1, Status=0x0110, ErrorComment="Größe\n" + "x" * 100)

    again = decode_command(encode_command(response))

    assert again.ErrorComment == "Gr??e?" + "x" * 58


def test_a_response_repeats_what_its_request_said() -> None:
    store = CStoreRequest(AffectedSOPClassUID="1.2", MessageID=9, AffectedSOPInstanceUID="1.2.3")
    action = NActionRequest(
        RequestedSOPClassUID="1.5", MessageID=3, RequestedSOPInstanceUID="1.5.1", ActionTypeID=1
    )

    stored, acted = respond(store, 0), respond(action, 0x0110, ErrorComment="no")

    assert stored == CStoreResponse(
        AffectedSOPClassUID="1.2", MessageIDBeingRespondedTo=9, Status=0, AffectedSOPInstanceUID="1.2.3"
    )
    assert acted == NActionResponse(
        AffectedSOPClassUID="1.5",
        MessageIDBeingRespondedTo=3,
        Status=0x0110,
        AffectedSOPInstanceUID="1.5.1",
        ActionTypeID=1,
        ErrorComment="no",
    )


def test_every_request_has_a_response() -> None:
    for message in get_args(Request):
        assert {field.name for field in fields(message)} >= {"MessageID"}
        assert any(answer.command_field == message.command_field | 0x8000 for answer in get_args(Response))


def test_a_pending_find_response_carries_a_data_set() -> None:
    response = CFindResponse(MessageIDBeingRespondedTo=1, Status=0xFF00, has_data_set=True)

    assert decode_command(encode_command(response)).has_data_set


def test_an_attribute_list_is_read_as_tags() -> None:
    request = NGetRequest(
        RequestedSOPClassUID="1.2",
        MessageID=1,
        RequestedSOPInstanceUID="1.3",
        AttributeIdentifierList=(0x00100010,),
    )
    theirs = Dataset()
    theirs.AttributeIdentifierList = 0x00100010

    read = dcmread(BytesIO(encode_command(request)), force=True)

    assert read.AttributeIdentifierList == theirs.AttributeIdentifierList
