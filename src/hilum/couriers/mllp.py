"""HL7 v2 over MLLP to one peer: one message in flight, matched to its answer by MSA-2 (HL7 2.5.1, 2.9.2)."""

import selectors
import socket
import time
from dataclasses import dataclass, field

from hilum.core.access.model import Peer
from hilum.core.kernel.errors import Invalid
from hilum.core.routing.model import Parcel, Receipt, ReportParcel, Verdict
from hilum.transport.secure_socket import SecureSocket
from hilum.transport.tls import NO_IDENTITY, Identity, opened, why
from hilum.wire.hl7v2.ack import Acknowledgement, acknowledgement
from hilum.wire.hl7v2.errors import Condition
from hilum.wire.hl7v2.message import Message
from hilum.wire.hl7v2.mllp import MEBIBYTE, Framer, frame
from hilum.wire.hl7v2.report_message import Correspondents, report_message

_CHUNK = 64 * 1024
_STRANGE_ANSWERS = 16
_ECHO_SECONDS = 5.0
# What a peer says by these (HL7 table 0357) may pass; what it says by any other will be the same next time.
_PASSING = frozenset({str(int(Condition.RECORD_LOCKED)), str(int(Condition.APPLICATION_INTERNAL))})


@dataclass(slots=True)
class MllpCourier:
    """Keeps one connection to a peer. After a doubtful answer it closes it: a late one can then never come."""

    peer: Peer
    connect_seconds: float = 10.0
    answer_seconds: float = 30.0
    identity: Identity = NO_IDENTITY
    """What we show, and whom we believe, where the peer is called by TLS."""
    _socket: socket.socket | SecureSocket | None = None
    _framer: Framer = field(default_factory=Framer)

    def send(self, parcel: Parcel) -> Receipt:
        """Send a report as ORU^R01 (RAD-28) and return the peer's own code and words."""
        if not isinstance(parcel, ReportParcel):
            return Receipt(Verdict.REJECTED, "hilum", "only reports go to an HL7 peer")
        correspondents = Correspondents(receiving_application=self.peer.name)
        # The moment is that of the report: each attempt sends the same bytes under the same MSH-10.
        moment = parcel.filed.report.created
        message = report_message(parcel.filed, correspondents, control_id=parcel.control_id, at=moment)
        return self.send_message(message, parcel.control_id)

    def send_message(self, message: bytes, control_id: str) -> Receipt:
        """Send any message and wait for the acknowledgement of this control ID."""
        try:
            connection = self._connected()
            connection.sendall(frame(message))
        except OSError as error:
            # The last byte of the block did not leave: the peer cannot have taken the message.
            self.close()
            return Receipt(Verdict.RETRY, "connection", _words(error, self.peer))
        receipt = self._answer(connection, control_id)
        if receipt.verdict is Verdict.UNCERTAIN:
            self.close()
        return receipt

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket | SecureSocket:
        """Give the open connection; one on which anything came unasked, or which the peer closed, is replaced."""
        if self._socket is not None and not (self._framer.idle and _is_silent(self._socket)):
            self.close()
        if self._socket is None:
            self._socket = _secured(
                socket.create_connection((self.peer.host, self.peer.port), self.connect_seconds),
                self.peer,
                self.identity,
            )
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._framer = Framer(limit=MEBIBYTE)
        self._socket.settimeout(self.answer_seconds)
        return self._socket

    def _answer(self, connection: socket.socket | SecureSocket, control_id: str) -> Receipt:
        """Read until the answer to this message; from here on, silence means that nobody knows."""
        deadline = time.monotonic() + self.answer_seconds
        try:
            for _ in range(_STRANGE_ANSWERS):
                found = acknowledgement(Message(self._next_frame(connection, deadline)))
                if found.control_id == control_id or (not found.control_id and not found.accepted):
                    return _receipt(found)
        except TimeoutError:
            return Receipt(
                Verdict.UNCERTAIN, "connection", f"no acknowledgement within {self.answer_seconds:g} s"
            )
        except OSError as error:
            return Receipt(Verdict.UNCERTAIN, "connection", _words(error, self.peer))
        except Invalid as error:
            return Receipt(Verdict.UNCERTAIN, "hilum", f"the answer is no acknowledgement: {error.what}")
        return Receipt(Verdict.UNCERTAIN, "hilum", "the peer acknowledges other messages than the one sent")

    def _next_frame(self, connection: socket.socket | SecureSocket, deadline: float) -> bytes:
        while (found := self._framer.next_frame()) is None:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            connection.settimeout(remaining)
            chunk = connection.recv(_CHUNK)
            if not chunk:
                return self._last_frame()
            self._framer.feed(chunk)
        return found

    def _last_frame(self) -> bytes:
        found = self._framer.close()
        if found is None:
            raise ConnectionResetError("the peer closed the connection instead of acknowledging")
        return found


def echo(peer: Peer, identity: Identity = NO_IDENTITY) -> Receipt:
    """Connect and leave: HL7 has no message that asks for nothing but an answer."""
    try:
        _secured(socket.create_connection((peer.host, peer.port), _ECHO_SECONDS), peer, identity).close()
    except OSError as error:
        return Receipt(Verdict.RETRY, "connection", _words(error, peer))
    except Invalid as ours:
        return Receipt(Verdict.RETRY, "tls", str(ours))
    return Receipt(
        Verdict.ACCEPTED, "open", "the port is open; HL7 has no echo, so that is all that can be asked"
    )


def _secured(connection: socket.socket, peer: Peer, identity: Identity) -> socket.socket | SecureSocket:
    """Shake hands by TLS where the peer is configured so; raises OSError in clear words, Invalid for our own files."""
    if not peer.options.tls:
        return connection
    try:
        return opened(connection, peer, identity)
    except (OSError, Invalid) as error:
        connection.close()
        if isinstance(error, OSError):
            raise ConnectionError(why(error)) from error
        raise


def _is_silent(connection: socket.socket | SecureSocket) -> bool:
    """Tell whether nothing came since the last answer, not even the end of the connection."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        return not selector.select(0)


def _receipt(found: Acknowledgement) -> Receipt:
    return Receipt(_verdict(found), found.code, found.text[:500])


def _verdict(found: Acknowledgement) -> Verdict:
    """ERR-3 tells a failure that passes from one that stays; without it, AE is tried again and AR is not."""
    if found.accepted:
        return Verdict.ACCEPTED
    if found.conditions:
        return Verdict.RETRY if _PASSING.issuperset(found.conditions) else Verdict.REJECTED
    return Verdict.RETRY if found.code.endswith("E") else Verdict.REJECTED


def _words(error: OSError, peer: Peer) -> str:
    return f"{peer.host}:{peer.port}: {error.strerror or error or type(error).__name__}"
