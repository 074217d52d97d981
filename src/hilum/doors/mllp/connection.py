"""One connection: blocks in, acknowledgements out, strictly one after the other."""

import secrets
import socket
import time
from dataclasses import dataclass, field

import structlog

from hilum.core.access.admission import Sender
from hilum.core.access.certificates import Line
from hilum.core.access.model import PeerKind
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Refused
from hilum.doors.mllp.answer import answer, answer_to_noise, note_defect
from hilum.transport.secure_socket import SecureSocket
from hilum.transport.tls import Entrance, ServerTls, certificate_of, greeted, why
from hilum.wire.hl7v2.body import Limits
from hilum.wire.hl7v2.errors import FramingInvalid
from hilum.wire.hl7v2.mllp import Framer, frame

_log = structlog.get_logger("hilum.mllp")

_CHUNK = 64 * 1024
_TRUST = 60.0
"""Seconds after which a connection is asked again who it is: a peer may have been removed meanwhile."""
_MOST_SENDERS = 64
"""Senders on one connection that are remembered."""
_GREETING_SECONDS = 10.0
_SEND_SECONDS = 30.0
_FAREWELL_SECONDS = 1.0


@dataclass(slots=True)
class Connection:
    """Serves one peer until it leaves, breaks the rules, or is silent for too long."""

    hub: Hub
    socket: socket.socket | SecureSocket
    address: str
    idle: float
    maximum_frame: int
    tls: ServerTls | None = None
    entrance: Entrance = Entrance.PLAIN
    _callers: dict[Sender, tuple[Caller, float]] = field(default_factory=dict)
    """Who was admitted, and when."""
    _refusal: Refused | None = None
    _closing: bool = False
    _line: Line = field(init=False)
    _framer: Framer = field(init=False)

    def __post_init__(self) -> None:
        """Prepare to read blocks."""
        self._framer = Framer(limit=self.maximum_frame)
        self._line = Line(self.address)

    def run(self) -> None:
        """Serve. Nothing that this peer does reaches another connection."""
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._greeted():
                self._serve()
        except OSError as error:
            _log.info("connection ended", address=self.address, reason=type(error).__name__)
        except Exception as error:  # noqa: BLE001  # the outermost frame of this connection's thread
            note_defect(error, "")
        finally:
            self.socket.close()

    def _greeted(self) -> bool:
        """Shake hands by TLS where that is due; tell whether the connection goes on."""
        if self.tls is None or self.entrance is Entrance.PLAIN or not isinstance(self.socket, socket.socket):
            return True
        try:
            secured = greeted(self.socket, self.tls, self.entrance, _GREETING_SECONDS)
        except OSError as error:
            trace = secrets.token_hex(16)
            _log.warning("TLS handshake failed", address=self.address, reason=why(error), trace=trace)
            self.hub.note_failed_handshake(self.address, trace)
            return False
        if secured is not None:
            self.socket = secured
            self._line = Line(self.address, secure=True, certificate=certificate_of(secured))
        return True

    def finish(self) -> None:
        """End after the message that is being answered; called from another thread."""
        self._closing = True
        try:
            self.socket.shutdown(socket.SHUT_RD)
        except OSError:
            return  # it has ended already

    def _serve(self) -> None:
        deadline = time.monotonic() + self.idle
        while not self._closing:
            chunk = self._received(deadline)
            if not chunk:
                self._left()
                return
            self._framer.feed(chunk)
            if self._answer_frames():
                deadline = time.monotonic() + self.idle
            if self._closing:
                self._part()

    def _received(self, deadline: float) -> bytes:
        """Read once. The deadline moves only with whole messages, so that a byte now and then does not hold it."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        self.socket.settimeout(remaining)
        return self.socket.recv(_CHUNK)

    def _answer_frames(self) -> int:
        answered = 0
        try:
            while not self._closing and (content := self._framer.next_frame()) is not None:
                self._answer(content)
                answered += 1
        except FramingInvalid as error:
            _log.warning("not MLLP", address=self.address, reason=error.what)
            self._closing = True
            self._say(answer_to_noise(error))
        return answered

    def _answer(self, content: bytes) -> None:
        answered = answer(self.hub, self._admission, content, Limits(length=self.maximum_frame))
        self._say(answered.content)
        if self._refusal is not None:
            self._closing = True

    def _say(self, content: bytes | None) -> None:
        if content is not None:
            self.socket.settimeout(_SEND_SECONDS)
            self.socket.sendall(frame(content))

    def _admission(self, trace: str, sender: Sender) -> Caller:
        """Say who this is; a stranger is told so once, then the connection ends."""
        if self._refusal is not None:
            raise self._refusal
        caller, admitted = self._callers.get(sender, (None, 0.0))
        if caller is None or time.monotonic() - admitted > _TRUST:
            try:
                caller = self.hub.admit_address(PeerKind.MLLP, self._line, trace, sender)
            except Refused as refusal:
                self._refusal = refusal
                raise
            if len(self._callers) >= _MOST_SENDERS:
                self._callers.clear()
            self._callers[sender] = (caller, time.monotonic())
        return caller

    def _left(self) -> None:
        """The peer has closed, or we are stopping."""
        last = self._framer.close()
        if last is not None:
            self._answer(last)
        if self._framer.incomplete:
            _log.warning("a message was cut", address=self.address, octets=self._framer.incomplete)

    def _part(self) -> None:
        """Close so that the last answer arrives: unread bytes would make the kernel reset the connection."""
        self.socket.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + _FAREWELL_SECONDS
        while (remaining := deadline - time.monotonic()) > 0:
            self.socket.settimeout(remaining)
            if not self.socket.recv(_CHUNK):
                return
