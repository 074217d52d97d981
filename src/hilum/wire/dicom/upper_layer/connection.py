"""One association without a socket and without a clock: octets in, events out; calls in, octets out (PS3.8)."""

from collections import deque
from collections.abc import Iterator
from struct import Struct

from hilum.wire.dicom.upper_layer.decoding import decode_fragments, decode_pdu
from hilum.wire.dicom.upper_layer.encoding import encode_pdu
from hilum.wire.dicom.upper_layer.errors import AbortReason, AbortSource, ProtocolError, StateError
from hilum.wire.dicom.upper_layer.events import (
    Aborted,
    AssociateAccepted,
    AssociateRejected,
    AssociateRequested,
    Event,
    Released,
    ReleaseRequested,
    TransportClosed,
)
from hilum.wire.dicom.upper_layer.fragmentation import DataSet, fragment_message
from hilum.wire.dicom.upper_layer.inbox import Inbox, Octets
from hilum.wire.dicom.upper_layer.limits import DEFAULT_LIMITS, Limits
from hilum.wire.dicom.upper_layer.negotiation import AcceptedContext, accepted_contexts
from hilum.wire.dicom.upper_layer.pdus import (
    PDU,
    Abort,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    PDUType,
    ReleaseRequest,
    ReleaseResponse,
)
from hilum.wire.dicom.upper_layer.states import TIMERS, TRANSITIONS, Direction, Role, State, Timer

_PDU_HEADER = Struct(">BxI")
_TYPES = {int(pdu_type): pdu_type for pdu_type in PDUType}
_DEAF = {State.CLOSED, State.AWAITING_CLOSE}
_WITHOUT_ASSOCIATION = {*_DEAF, State.AWAITING_ASSOCIATE_REQUEST, State.READY_TO_REQUEST}


class Connection:
    """The upper layer of one transport connection, in either role.

    Read exactly `needed` octets, give them to `receive`, take events with `next_event` until it returns None. Whatever
    is chunked otherwise works as well, at the price of a copy. A ProtocolError wants `send_abort(error)` and the end.
    """

    def __init__(self, role: Role, limits: Limits = DEFAULT_LIMITS) -> None:
        self.role = role
        self.state = State.READY_TO_REQUEST if role is Role.REQUESTOR else State.AWAITING_ASSOCIATE_REQUEST
        self.contexts: dict[int, AcceptedContext] = {}
        self.request: AssociateRequest | None = None
        self._limits = limits
        self._maximum_length_sent = limits.maximum_length_sent
        self._inbox = Inbox()
        self._body: tuple[PDUType, int] | None = None
        self._events: deque[Event] = deque()
        self._failure: ProtocolError | None = None
        self._transport_is_closed = False

    # What the transport asks

    @property
    def timer(self) -> Timer:
        """Which timer runs now (PS3.8 9.1.5); the transport holds the clock."""
        return TIMERS[self.state]

    @property
    def needed(self) -> int:
        """How many octets complete the header or body that is awaited; 0 when nothing more is read."""
        if self.state in _DEAF:
            return 0
        return self._inbox.missing(self._body[1] if self._body else _PDU_HEADER.size)

    # Octets in, events out

    def receive(self, octets: Octets) -> None:
        """Take what the peer sent; its memory must stay as it is while fragments of it are in use."""
        if self.state not in _DEAF:
            self._inbox.put(octets)

    def receive_closed(self) -> None:
        """Take note that the peer closed the transport."""
        self._transport_is_closed = True

    def next_event(self) -> Event | None:
        """The next thing that happened, or None: more octets are needed."""
        if self._failure:
            raise self._failure
        try:
            while not self._events and self._read():
                pass
        except ProtocolError as error:
            self._failure = error
            if self.state is State.AWAITING_ASSOCIATE_REQUEST:  # AA-1, not AA-8
                error.source = AbortSource.SERVICE_USER
            raise
        return self._events.popleft() if self._events else self._closing()

    def _closing(self) -> Event | None:
        """The last event of all, once (PS3.8 AA-4, AA-5, AR-5)."""
        if not self._transport_is_closed:
            return None
        self._transport_is_closed = False
        is_orderly = self.state in _WITHOUT_ASSOCIATION and self._inbox.is_empty
        self.state = State.CLOSED
        return TransportClosed(is_orderly)

    def _read(self) -> bool:
        """Read one header or one body, if it is whole."""
        if self.state in _DEAF:
            self._inbox.clear()
            return False
        octets = self._inbox.take(self._body[1] if self._body else _PDU_HEADER.size)
        if octets is None:
            return False
        if self._body is None:
            self._body = self._admit(*_PDU_HEADER.unpack(octets))
        else:
            pdu_type, self._body = self._body[0], None
            self._handle(pdu_type, octets)
        return True

    def _admit(self, number: int, length: int) -> tuple[PDUType, int]:
        """Judge a PDU by its header, before one octet of its body is read."""
        pdu_type = _TYPES.get(number)
        if pdu_type is None:
            raise ProtocolError("the PDU type is unknown", AbortReason.UNRECOGNIZED_PDU)
        if (Direction.RECEIVED, pdu_type, self.state) not in TRANSITIONS[self.role]:
            raise ProtocolError("the PDU is not expected now", AbortReason.UNEXPECTED_PDU)
        if not self._fits(pdu_type, length):
            raise ProtocolError("the PDU is longer or shorter than it may be")
        return pdu_type, length

    def _fits(self, pdu_type: PDUType, length: int) -> bool:
        """Whether a PDU of this type may be this long (PS3.8 9.3, D.1)."""
        if pdu_type is PDUType.P_DATA_TF:
            return 6 <= length <= self._limits.maximum_length_received
        if pdu_type in {PDUType.ASSOCIATE_RQ, PDUType.ASSOCIATE_AC}:
            return 68 <= length <= self._limits.maximum_associate_length
        return length == 4

    def _handle(self, pdu_type: PDUType, body: memoryview) -> None:
        """Turn one PDU into events and the next state."""
        if pdu_type is PDUType.P_DATA_TF:
            fragments = decode_fragments(body, self._limits)
            if not all(fragment.context_id in self.contexts for fragment in fragments):
                raise ProtocolError("a presentation data value is of a context that was not accepted")
            self._events.extend(fragments)
        else:
            self._events.append(self._report(decode_pdu(pdu_type, body, self._limits)))
        self.state = TRANSITIONS[self.role][Direction.RECEIVED, pdu_type, self.state]

    def _report(self, pdu: PDU) -> Event:
        """The event of a PDU, and what the connection learns from it."""
        match pdu:
            case AssociateRequest():
                self._learn_maximum_length(pdu)
                self.request = pdu
                return AssociateRequested(pdu)
            case AssociateAccept():
                self._learn_maximum_length(pdu)
                self._agree(pdu)
                return AssociateAccepted(pdu)
            case AssociateReject():
                return AssociateRejected(pdu)
            case ReleaseRequest():
                return ReleaseRequested()
            case ReleaseResponse():
                return Released()
            case Abort():
                return Aborted(pdu.source, pdu.reason)

    def _learn_maximum_length(self, pdu: AssociateRequest | AssociateAccept) -> None:
        """The longest P-DATA-TF that the peer takes; 0 is without limit (PS3.8 D.1.1)."""
        theirs = pdu.user_information.maximum_length or self._limits.maximum_length_sent
        if theirs < self._limits.smallest_length_sent:
            raise ProtocolError("the maximum length is too short to send anything")
        self._maximum_length_sent = min(theirs, self._limits.maximum_length_sent)

    def _agree(self, accept: AssociateAccept) -> None:
        """Keep the contexts that the request and its answer agree on."""
        if self.request is None:
            raise StateError("there is no request to answer")
        self.contexts = accepted_contexts(self.request, accept)

    # Calls in, octets out

    def send_associate_request(self, request: AssociateRequest) -> bytes:
        """A-ASSOCIATE-RQ (AE-2)."""
        octets = self._send(PDUType.ASSOCIATE_RQ, request)
        self.request = request
        return octets

    def send_associate_accept(self, accept: AssociateAccept) -> bytes:
        """A-ASSOCIATE-AC (AE-7)."""
        octets = self._send(PDUType.ASSOCIATE_AC, accept)
        self._agree(accept)
        return octets

    def send_associate_reject(self, reject: AssociateReject) -> bytes:
        """A-ASSOCIATE-RJ (AE-8): wait for the peer to close, as long as ARTIM allows."""
        return self._send(PDUType.ASSOCIATE_RJ, reject)

    def send_release_request(self) -> bytes:
        """A-RELEASE-RQ (AR-1)."""
        return self._send(PDUType.RELEASE_RQ, ReleaseRequest())

    def send_release_response(self) -> bytes:
        """A-RELEASE-RP (AR-4, AR-9)."""
        return self._send(PDUType.RELEASE_RP, ReleaseResponse())

    def send_abort(self, error: ProtocolError | None = None) -> bytes:
        """A-ABORT: for the peer's error (AA-8), or because we want no more (AA-1)."""
        self._failure = None
        self._events.clear()
        if error is None or error.source is AbortSource.SERVICE_USER:  # the reason is then not significant
            return self._send(PDUType.ABORT, Abort())
        return self._send(PDUType.ABORT, Abort(error.source, error.reason))

    def send_message(
        self, context_id: int, command_set: bytes, data_set: DataSet | None = None
    ) -> Iterator[list[Octets]]:
        """P-DATA-TF PDUs of one message (DT-1, AR-7), as lists of buffers for `sendmsg`."""
        self._move(PDUType.P_DATA_TF)
        if context_id not in self.contexts:
            raise StateError("the presentation context was not accepted")
        return fragment_message(context_id, command_set, data_set, self._maximum_length_sent, self._limits)

    def _send(self, pdu_type: PDUType, pdu: PDU) -> bytes:
        """Encode first: what cannot be encoded leaves the state as it was."""
        octets = encode_pdu(pdu)
        self._move(pdu_type)
        return octets

    def _move(self, pdu_type: PDUType) -> None:
        """Enter the state that follows on sending this PDU."""
        following = TRANSITIONS[self.role].get((Direction.SENT, pdu_type, self.state))
        if following is None:
            raise StateError(f"{pdu_type.name} cannot be sent in state {self.state.name}")
        self.state = following
