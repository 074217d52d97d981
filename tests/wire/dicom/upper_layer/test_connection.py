"""A connection: each role's life, whatever the chunks, and the end of every misbehaviour."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.wire.dicom.upper_layer.connection import Connection
from hilum.wire.dicom.upper_layer.encoding import encode_pdu
from hilum.wire.dicom.upper_layer.errors import AbortReason, AbortSource, ProtocolError, StateError
from hilum.wire.dicom.upper_layer.events import (
    Aborted,
    AssociateRejected,
    AssociateRequested,
    DataFragment,
    Event,
    Released,
    ReleaseRequested,
    TransportClosed,
)
from hilum.wire.dicom.upper_layer.limits import Limits
from hilum.wire.dicom.upper_layer.negotiation import Supported, negotiate, propose
from hilum.wire.dicom.upper_layer.pdus import (
    REJECT_CALLED_AE_TITLE,
    Abort,
    AssociateAccept,
    AssociateRequest,
    ReleaseRequest,
    ReleaseResponse,
)
from hilum.wire.dicom.upper_layer.states import Role, State, Timer
from hilum.wire.dicom.upper_layer.user_information import UserInformation

CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
REQUEST = encode_pdu(propose("HILUM", "CT1", [(CT, [EXPLICIT])]))


def events(connection: Connection) -> list[Event]:
    found = []
    while (event := connection.next_event()) is not None:
        found.append(event)
    return found


def octets(message: Any) -> bytes:
    return b"".join(b"".join(buffers) for buffers in message)


def test_both_roles_know_the_same_contexts_after_the_answer(associate: Any) -> None:
    acceptor, requestor = associate()

    assert acceptor.state is requestor.state is State.ESTABLISHED
    assert acceptor.contexts == requestor.contexts
    assert (acceptor.contexts[1].abstract_syntax, acceptor.contexts[1].transfer_syntax) == (CT, EXPLICIT)


def test_a_body_that_is_received_whole_reaches_the_reader_without_a_copy(associate: Any) -> None:
    acceptor, requestor = associate()
    sent = octets(requestor.send_message(1, b"command"))
    acceptor.receive(sent[: acceptor.needed])
    assert acceptor.next_event() is None
    body = bytearray(sent[6:])
    assert acceptor.needed == len(body)

    acceptor.receive(body)
    fragment = acceptor.next_event()

    assert fragment == DataFragment(1, True, True, memoryview(b"command"))
    assert fragment.payload.obj is body


@given(cuts=st.lists(st.integers(1, 60), min_size=1, max_size=40), payload=st.binary(max_size=900))
def test_however_the_octets_are_cut_the_same_events_come_out(cuts: list[int], payload: bytes) -> None:
    acceptor, requestor = Connection(Role.ACCEPTOR), Connection(Role.REQUESTOR)
    request = propose("HILUM", "CT1", [(CT, [EXPLICIT])])
    acceptor.receive(requestor.send_associate_request(request))
    acceptor.next_event()
    requestor.receive(acceptor.send_associate_accept(negotiated(request)))
    requestor.next_event()
    sent = octets(requestor.send_message(1, b"command", payload)) + requestor.send_release_request()

    found, offset = [], 0
    while offset < len(sent):
        for cut in cuts:
            acceptor.receive(sent[offset : offset + cut])
            offset += cut
            found += events(acceptor)

    assert b"".join(event.payload for event in found[:-1]) == b"command" + payload
    assert found[-1] == ReleaseRequested()


def negotiated(request: AssociateRequest) -> AssociateAccept:
    return negotiate(request, {CT: Supported((EXPLICIT,))}, limits=Limits(maximum_length_received=256))


def test_a_release_is_answered_and_then_the_transport_closes(associate: Any) -> None:
    acceptor, requestor = associate()

    acceptor.receive(requestor.send_release_request())
    assert acceptor.next_event() == ReleaseRequested()
    requestor.receive(acceptor.send_release_response())
    assert requestor.next_event() == Released()
    acceptor.receive_closed()

    assert acceptor.next_event() == TransportClosed(is_orderly=True)
    assert acceptor.state is requestor.state is State.CLOSED


def test_two_releases_at_once_end_as_the_standard_plays_them(associate: Any) -> None:
    acceptor, requestor = associate()
    from_acceptor, from_requestor = acceptor.send_release_request(), requestor.send_release_request()
    acceptor.receive(from_requestor)
    requestor.receive(from_acceptor)
    assert [acceptor.next_event(), requestor.next_event()] == [ReleaseRequested(), ReleaseRequested()]

    acceptor.receive(requestor.send_release_response())
    assert acceptor.next_event() == Released()
    requestor.receive(acceptor.send_release_response())

    assert requestor.next_event() == Released()
    assert (requestor.state, acceptor.state) == (State.CLOSED, State.AWAITING_CLOSE)


def test_a_message_may_still_be_sent_after_the_peer_asked_for_release(associate: Any) -> None:
    acceptor, requestor = associate()
    acceptor.receive(requestor.send_release_request())
    acceptor.next_event()

    requestor.receive(octets(acceptor.send_message(1, b"late")))

    assert bytes(requestor.next_event().payload) == b"late"


def test_a_rejected_requestor_is_told_why() -> None:
    acceptor, requestor = Connection(Role.ACCEPTOR), Connection(Role.REQUESTOR)
    acceptor.receive(requestor.send_associate_request(propose("HILUM", "CT1", [(CT, [EXPLICIT])])))
    assert isinstance(acceptor.next_event(), AssociateRequested)

    requestor.receive(acceptor.send_associate_reject(REJECT_CALLED_AE_TITLE))

    assert requestor.next_event() == AssociateRejected(REJECT_CALLED_AE_TITLE)
    assert requestor.state is State.CLOSED
    assert (acceptor.state, acceptor.timer) == (State.AWAITING_CLOSE, Timer.ARTIM)


def test_timers_follow_the_state(associate: Any) -> None:
    fresh, asking = Connection(Role.ACCEPTOR), Connection(Role.REQUESTOR)
    asking.send_associate_request(propose("HILUM", "CT1", [(CT, [EXPLICIT])]))
    acceptor, _ = associate()

    timers = [fresh.timer, asking.timer, acceptor.timer]

    assert timers == [Timer.ARTIM, Timer.ACSE, Timer.IDLE]


def test_an_abort_of_the_peer_is_reported_once_and_nothing_is_read_after_it(associate: Any) -> None:
    acceptor, requestor = associate()

    acceptor.receive(requestor.send_abort() + b"garbage")

    assert events(acceptor) == [Aborted(AbortSource.SERVICE_USER, AbortReason.NOT_SPECIFIED)]
    assert (acceptor.state, acceptor.needed) == (State.CLOSED, 0)


def test_a_transport_that_ends_inside_an_association_is_not_orderly(associate: Any) -> None:
    acceptor, requestor = associate()
    acceptor.receive(octets(requestor.send_message(1, b"whole"))[:-1])

    acceptor.receive_closed()

    assert events(acceptor) == [TransportClosed(is_orderly=False)]
    assert events(acceptor) == []


HTTP = b"GET / HTTP/1.1\r\n"
TLS = b"\x16\x03\x01\x02\x00\x01"


@pytest.mark.parametrize(
    ("received", "reason"),
    [
        (HTTP, AbortReason.UNRECOGNIZED_PDU),
        (TLS, AbortReason.UNRECOGNIZED_PDU),
        (b"\x04\0\0\0\0\x08", AbortReason.UNEXPECTED_PDU),
        (b"\x05\0\0\0\0\x04", AbortReason.UNEXPECTED_PDU),
        (b"\x01\0\xff\xff\xff\xff", AbortReason.INVALID_PDU_PARAMETER_VALUE),
        (b"\x01\0\0\0\0\x04", AbortReason.INVALID_PDU_PARAMETER_VALUE),
    ],
)
def test_a_stranger_is_turned_away_by_its_first_six_octets(received: bytes, reason: AbortReason) -> None:
    acceptor = Connection(Role.ACCEPTOR)
    acceptor.receive(received[:6])

    with pytest.raises(ProtocolError) as caught:
        acceptor.next_event()
    answer = acceptor.send_abort(caught.value)

    assert caught.value.reason is reason
    assert answer == encode_pdu(
        Abort(AbortSource.SERVICE_USER)
    )  # AA-1: before an association nobody provides
    assert (acceptor.state, acceptor.needed) == (State.AWAITING_CLOSE, 0)


@pytest.mark.parametrize(
    "received",
    [
        b"\x04\0\x7f\xff\xff\xff",  # longer than we announced
        b"\x04\0\0\0\0\x05",
        b"\x05\0\0\0\0\x05",
        REQUEST,
        encode_pdu(ReleaseResponse()),
        b"\x04\0\0\0\0\x06\0\0\0\x02\x03\x02",  # a context that was not accepted
        b"\x04\0\0\0\0\x06\0\0\0\x03\x01\x02",
    ],
)
def test_a_peer_that_misbehaves_in_an_association_is_aborted_by_the_provider(
    associate: Any, received: bytes
) -> None:
    acceptor, _ = associate()
    acceptor.receive(received)

    with pytest.raises(ProtocolError) as caught:
        events(acceptor)
    with pytest.raises(ProtocolError):
        acceptor.next_event()

    assert acceptor.send_abort(caught.value) == encode_pdu(
        Abort(AbortSource.SERVICE_PROVIDER, caught.value.reason)
    )


def test_what_stands_before_the_broken_pdu_is_still_reported(associate: Any) -> None:
    acceptor, requestor = associate()

    acceptor.receive(octets(requestor.send_message(1, b"good")) + HTTP)

    assert bytes(acceptor.next_event().payload) == b"good"
    with pytest.raises(ProtocolError):
        acceptor.next_event()


def test_a_peer_that_takes_almost_nothing_per_pdu_is_aborted() -> None:
    acceptor = Connection(Role.ACCEPTOR)
    request = AssociateRequest("A", "B", (), UserInformation(maximum_length=8))

    acceptor.receive(encode_pdu(request))

    with pytest.raises(ProtocolError):
        acceptor.next_event()


@pytest.mark.parametrize(
    "send",
    [
        lambda connection: connection.send_release_request(),
        lambda connection: connection.send_release_response(),
        lambda connection: connection.send_message(1, b"command"),
        lambda connection: connection.send_associate_request(propose("A", "B", [(CT, [EXPLICIT])])),
    ],
)
def test_what_may_not_be_sent_now_is_our_own_error_and_changes_nothing(send: Any) -> None:
    acceptor = Connection(Role.ACCEPTOR)

    with pytest.raises(StateError):
        send(acceptor)

    assert acceptor.state is State.AWAITING_ASSOCIATE_REQUEST


@given(st.binary(max_size=300), st.booleans())
def test_whatever_a_peer_sends_only_a_protocol_error_comes_of_it(
    received: bytes, is_established: bool
) -> None:
    acceptor = Connection(Role.ACCEPTOR)
    acceptor.receive(REQUEST if is_established else b"")
    if is_established:
        acceptor.send_associate_accept(negotiated(acceptor.next_event().request))
    acceptor.receive(received)

    try:
        events(acceptor)
    except ProtocolError as error:
        acceptor.send_abort(error)

    assert acceptor.next_event() is None


def test_a_pdu_that_trickles_in_by_octets_is_joined_in_linear_work(associate: Any) -> None:
    acceptor, requestor = associate()
    sent = octets(requestor.send_message(1, b"c", bytes(100_000)))

    found = []
    for position in range(len(sent)):
        acceptor.receive(sent[position : position + 1])
        found += events(acceptor)

    assert sum(len(event.payload) for event in found) == 100_001


def test_release_request_and_response_are_pdus_of_ten_octets() -> None:
    assert encode_pdu(ReleaseRequest()) == b"\x05\0\0\0\0\x04\0\0\0\0"
    assert encode_pdu(ReleaseResponse()) == b"\x06\0\0\0\0\x04\0\0\0\0"
