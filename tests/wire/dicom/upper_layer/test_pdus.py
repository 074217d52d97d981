"""PDUs: what is written is read again, and nothing that is read can hurt."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynetdicom.pdu import (
    A_ABORT_RQ,
    A_ASSOCIATE_AC,
    A_ASSOCIATE_RJ,
    A_ASSOCIATE_RQ,
    A_RELEASE_RP,
    A_RELEASE_RQ,
)

from hilum.wire.dicom.upper_layer.decoding import decode_fragments, decode_pdu
from hilum.wire.dicom.upper_layer.encoding import encode_pdu
from hilum.wire.dicom.upper_layer.errors import AbortReason, AbortSource, ProtocolError
from hilum.wire.dicom.upper_layer.pdus import (
    Abort,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    ContextResult,
    PDUType,
    PresentationContext,
    PresentationContextResult,
    RejectResult,
    RejectSource,
    ReleaseRequest,
    ReleaseResponse,
)
from hilum.wire.dicom.upper_layer.user_information import (
    AsynchronousOperationsWindow,
    RoleSelection,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentity,
    UserIdentityResponse,
    UserIdentityType,
    UserInformation,
)

CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"

uids = st.from_regex(r"[12](\.(0|[1-9][0-9]{0,6})){1,7}", fullmatch=True)
titles = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\"), min_size=1, max_size=16
)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
context_ids = st.sampled_from(range(1, 256, 2))
shared_information = {
    "maximum_length": u32,
    "implementation_class_uid": uids,
    "implementation_version_name": titles,
    "asynchronous_operations_window": st.none() | st.builds(AsynchronousOperationsWindow, u16, u16),
    "role_selections": st.lists(st.builds(RoleSelection, uids, st.booleans(), st.booleans()), max_size=3).map(
        tuple
    ),
    "extended_negotiations": st.lists(
        st.builds(SOPClassExtendedNegotiation, uids, st.binary(max_size=6)), max_size=3
    ).map(tuple),
    "common_extended_negotiations": st.lists(
        st.builds(SOPClassCommonExtendedNegotiation, uids, uids, st.lists(uids, max_size=3).map(tuple)),
        max_size=3,
    ).map(tuple),
}
identities = st.builds(
    UserIdentity,
    st.sampled_from(UserIdentityType),
    st.binary(min_size=1, max_size=40),
    st.binary(max_size=40),
    st.booleans(),
)
requests = st.builds(
    AssociateRequest,
    titles,
    titles,
    st.lists(
        st.builds(PresentationContext, context_ids, uids, st.lists(uids, min_size=1, max_size=4).map(tuple)),
        max_size=8,
        unique_by=lambda context: context.context_id,
    ).map(tuple),
    st.builds(UserInformation, **shared_information, user_identity=st.none() | identities),
    uids,
    u16,
)
results = st.one_of(
    st.builds(PresentationContextResult, context_ids, st.just(ContextResult.ACCEPTANCE), uids),
    st.builds(PresentationContextResult, context_ids, st.sampled_from(list(ContextResult)[1:])),
)
accepts = st.builds(
    AssociateAccept,
    titles,
    titles,
    st.lists(results, max_size=8, unique_by=lambda result: result.context_id).map(tuple),
    st.builds(
        UserInformation,
        **shared_information,
        user_identity_response=st.none() | st.builds(UserIdentityResponse, st.binary(max_size=20)),
    ),
    uids,
    u16,
)
short_pdus = st.one_of(
    st.builds(
        AssociateReject, st.sampled_from(RejectResult), st.sampled_from(RejectSource), st.integers(0, 255)
    ),
    st.builds(Abort, st.sampled_from(AbortSource), st.sampled_from(AbortReason)),
    st.just(ReleaseRequest()),
    st.just(ReleaseResponse()),
)
pdus = st.one_of(requests, accepts, short_pdus)


def read(octets: bytes) -> Any:
    return decode_pdu(octets[0], memoryview(octets)[6:])


@given(pdus)
def test_a_pdu_that_is_written_is_read_as_the_same_value(pdu: Any) -> None:
    octets = encode_pdu(pdu)

    again = read(octets)

    assert again == pdu
    assert int.from_bytes(octets[2:6], "big") == len(octets) - 6


@given(st.one_of(requests, accepts), st.data())
def test_a_broken_associate_pdu_is_a_protocol_error_or_another_pdu_and_nothing_else(
    pdu: Any, chosen: st.DataObject
) -> None:
    octets = bytearray(encode_pdu(pdu))
    for _ in range(chosen.draw(st.integers(1, 4))):
        octets[chosen.draw(st.integers(6, len(octets) - 1))] = chosen.draw(st.integers(0, 255))
    cut = chosen.draw(st.integers(6, len(octets)))

    try:
        again = read(bytes(octets[:cut]))
    except ProtocolError:
        return

    assert type(again) is type(pdu)


@given(st.integers(0, 255), st.binary(max_size=400))
def test_arbitrary_octets_end_in_a_pdu_or_a_protocol_error(pdu_type: int, body: bytes) -> None:
    for decode in (lambda octets: decode_pdu(pdu_type, octets), decode_fragments):
        with suppress(ProtocolError):
            decode(memoryview(body))


@pytest.mark.parametrize(
    "filler",
    [
        b"\x20\0\0\0",
        b"\x99\0\0\0",
        b"\x50\0\0\0",
        b"\0\0\0\0",
        b"\x20\0\xff\xff",
        b"\x50\0\xff\xfc" + b"\x54\0\0\0" * 16383,
    ],
)
def test_a_mebibyte_of_items_is_refused(filler: bytes) -> None:
    fixed = encode_pdu(AssociateRequest("A", "B", ()))[6:74]
    body = memoryview(fixed + filler * ((1 << 20) // len(filler)))

    with pytest.raises(ProtocolError):
        decode_pdu(PDUType.ASSOCIATE_RQ, body)


def test_a_message_fragment_is_a_view_of_what_was_received() -> None:
    body = bytearray(b"\0\0\0\x06\x01\x02abcd\0\0\0\x02\x03\x01")

    first, second = decode_fragments(memoryview(body))

    assert (first.context_id, first.is_command, first.is_last, bytes(first.payload)) == (
        1,
        False,
        True,
        b"abcd",
    )
    assert (second.context_id, second.is_command, second.is_last, bytes(second.payload)) == (
        3,
        True,
        False,
        b"",
    )
    assert first.payload.obj is body


@pytest.mark.parametrize(
    "body", [b"", b"\0\0\0\x02\x01", b"\0\0\0\x01\x01\0", b"\xff\xff\xff\xff\x01\0", b"\0\0\0\x03\x01\0"]
)
def test_a_p_data_whose_lengths_lie_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_fragments(memoryview(body))


def test_items_of_unknown_types_are_skipped() -> None:
    octets = bytearray(encode_pdu(AssociateRequest("A", "B", (PresentationContext(1, CT, (EXPLICIT,)),))))
    octets += b"\x77\0\0\x03abc"

    pdu = read(bytes(octets))

    assert pdu.presentation_contexts[0].abstract_syntax == CT


def test_the_answer_may_repeat_the_ae_titles_wrongly() -> None:
    octets = bytearray(encode_pdu(AssociateAccept("A", "B", ())))
    octets[10:42] = bytes(range(128, 160))

    pdu = read(bytes(octets))

    assert (pdu.called_ae_title, pdu.calling_ae_title) == ("", "")


def test_secrets_of_a_user_identity_stay_out_of_its_repr() -> None:
    identity = UserIdentity(UserIdentityType.USERNAME_AND_PASSCODE, b"alice", b"secret")

    text = repr(AssociateRequest("A", "B", (), UserInformation(user_identity=identity)))

    assert "alice" not in text
    assert "secret" not in text


PEERS = {
    AssociateRequest: A_ASSOCIATE_RQ,
    AssociateAccept: A_ASSOCIATE_AC,
    AssociateReject: A_ASSOCIATE_RJ,
    ReleaseRequest: A_RELEASE_RQ,
    ReleaseResponse: A_RELEASE_RP,
    Abort: A_ABORT_RQ,
}


def is_within_what_pynetdicom_writes(pdu: Any) -> bool:
    """It cannot write the empty transfer syntax of a rejected context."""
    if isinstance(pdu, AssociateAccept):
        return all(context.transfer_syntax for context in pdu.presentation_contexts)
    return True


@settings(max_examples=60)
@given(pdus.filter(is_within_what_pynetdicom_writes))
def test_pynetdicom_reads_what_we_write_and_writes_it_so_that_we_read_it(pdu: Any) -> None:
    theirs = PEERS[type(pdu)]()
    theirs.decode(encode_pdu(pdu))

    again = read(theirs.encode())

    assert again == pdu
