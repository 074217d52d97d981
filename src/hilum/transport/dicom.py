"""One DICOM association over a TCP socket: exact reads, kernel timeouts, gathered writes (PS3.8 9.1)."""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from hilum.transport.secure_socket import SecureSocket
from hilum.wire.dicom.dimse.assembler import CommandReceived, MessageAssembler
from hilum.wire.dicom.dimse.codec import encode_command
from hilum.wire.dicom.dimse.messages import CCancelRequest, Command
from hilum.wire.dicom.upper_layer.connection import Connection
from hilum.wire.dicom.upper_layer.errors import ProtocolError
from hilum.wire.dicom.upper_layer.events import (
    Aborted,
    DataFragment,
    Event,
    Released,
    ReleaseRequested,
    TransportClosed,
)
from hilum.wire.dicom.upper_layer.fragmentation import DataSet
from hilum.wire.dicom.upper_layer.inbox import Octets
from hilum.wire.dicom.upper_layer.limits import Limits
from hilum.wire.dicom.upper_layer.states import Role, State, Timer

_TIMEVAL = struct.Struct("@ll")
_QUICK_ACKNOWLEDGE = getattr(socket, "TCP_QUICKACK", None)
"""Linux: acknowledge at once. A stock client that leaves Nagle on waits 40 ms per message without it."""
_MOST_BUFFERS = 512
"""Below IOV_MAX everywhere."""
_SINK = 65_536


@dataclass(frozen=True, slots=True)
class Timers:
    """Seconds. `artim` PS3.8 9.1.5; `acse` for answers owed to us; `idle` between PDUs, and for one PDU to pass."""

    artim: float = 10.0
    acse: float = 30.0
    idle: float = 60.0


class AssociationEnded(Exception):
    """The association is over: `how` says by whom, without wire values."""

    def __init__(self, how: str, *, orderly: bool = False) -> None:
        super().__init__(how)
        self.how = how
        self.orderly = orderly


class PeerSilent(AssociationEnded):
    """The peer did not say, or take, in time what it owed."""


class Association:
    """Blocking face of a `Connection`. Not for two threads at once."""

    def __init__(
        self, transport: socket.socket | SecureSocket, role: Role, limits: Limits, timers: Timers
    ) -> None:
        self.connection = Connection(role, limits)
        self._socket = transport
        self._assembler = MessageAssembler(limits)
        self._timers = timers
        self._armed = -1.0
        self._message_id = 0
        self._event: Event | None = None
        """Seen while looking for news, not taken yet."""
        self._ahead: CommandReceived | None = None
        """Read while looking for a C-CANCEL, not handled yet; nothing is read behind it."""
        self._is_mute = False
        """Whether what we wrote last stands half on the wire, so that nothing can follow it."""
        transport.setblocking(True)
        transport.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(timers.idle))

    # What comes

    def next_event(self) -> Event:
        """Return what happens next; raises ProtocolError, AssociationEnded when the peer is silent too long."""
        event, self._event = self._event, None
        while event is None:
            event = self.connection.next_event()
            if event is None:
                self._receive()
        return event

    def next_message(self) -> CommandReceived:
        """Return the next command; raises AssociationEnded. A release is answered here."""
        ahead, self._ahead = self._ahead, None
        return ahead or self._read_command()

    def fragments(self) -> Iterator[memoryview]:
        """Yield the data set of the message under way as it arrives; each piece is valid until the next."""
        while True:
            event = self.next_event()
            if not isinstance(event, DataFragment):
                self._leave(event)
            elif isinstance(received := self._assembler.put(event), DataFragment):
                yield received.payload
                if received.is_last:
                    return

    def has_news(self) -> bool:
        """Tell, without waiting, whether the peer said anything more, or closed."""
        if self._event is None:
            self._event = self.connection.next_event()
        if self._event is not None:
            return True
        try:
            self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True  # the next read says what it is
        return True

    def cancelled(self, message_id: int) -> bool:
        """Tell, without waiting for the peer to speak, whether it cancelled an operation (PS3.7 9.3.2.3).

        Whatever else it said is left for `next_message`. A C-CANCEL of another message came too late: it is dropped.
        """
        while self._ahead is None and self.has_news():
            received = self._read_command()
            if not isinstance(received.command, CCancelRequest):
                self._ahead = received
            elif received.command.MessageIDBeingRespondedTo == message_id:
                return True
        return False

    # What goes

    def send(self, context_id: int, command: Command, data_set: DataSet | None = None) -> None:
        """Send a message; a data set of any length is streamed. One that breaks off takes the association with it."""
        whole = False
        try:
            for buffers in self.connection.send_message(context_id, encode_command(command), data_set):
                self._write_all(buffers)
            whole = True
        finally:
            if not whole:  # half a message cannot be taken back
                self.abort()

    def write(self, octets: bytes) -> None:
        """Send what the connection encoded."""
        self._write_all([octets])

    def next_message_id(self) -> int:
        """Return a message ID for a request of ours (PS3.7 9.1)."""
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    # The end

    def abort(self, error: ProtocolError | None = None) -> None:
        """Send A-ABORT where there is somebody to tell, without waiting for room, and close (PS3.8 AA-1, AA-2, AA-8)."""
        never_asked = error is None and self.connection.state is State.AWAITING_ASSOCIATE_REQUEST
        if self._is_mute or never_asked or self.connection.state is State.CLOSED:
            self.close()
            return
        try:
            self._socket.send(self.connection.send_abort(error), socket.MSG_DONTWAIT)
        except OSError:
            self.close()  # the peer is gone, or takes nothing: there is nobody to tell
        else:
            self.await_close()

    def await_close(self) -> None:
        """Let the peer close first, as long as ARTIM allows, and drop what it still sends (PS3.8 AR-4, AA-6); close."""
        deadline = time.monotonic() + self._timers.artim
        sink = bytearray(_SINK)
        try:
            while (seconds := deadline - time.monotonic()) > 0:
                self._arm(seconds)
                if not self._socket.recv_into(sink):
                    break
        except OSError:
            pass  # it waited long enough, or reset: over either way
        self.close()

    def cut(self) -> None:
        """End the transport from another thread: whoever reads or writes here is told that the peer closed it."""
        with suppress(OSError):  # it is over already
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the transport."""
        self._is_mute = True
        self._socket.close()

    def _read_command(self) -> CommandReceived:
        while True:
            event = self.next_event()
            if not isinstance(event, DataFragment):
                self._leave(event)
            elif isinstance(received := self._assembler.put(event), CommandReceived):
                return received

    def _leave(self, event: Event) -> None:
        match event:
            case ReleaseRequested():
                self.write(self.connection.send_release_response())
                self.await_close()
                raise AssociationEnded("released", orderly=True)
            case Released():
                raise AssociationEnded("released", orderly=True)
            case Aborted():
                raise AssociationEnded("aborted by the peer")
            case TransportClosed(is_orderly):
                raise AssociationEnded("closed by the peer", orderly=is_orderly)
            case _:
                raise AssociationEnded("an event that no message awaits")

    def _seconds(self) -> float:
        match self.connection.timer:
            case Timer.ARTIM:
                return self._timers.artim
            case Timer.ACSE:
                return self._timers.acse
            case _:
                return self._timers.idle

    def _receive(self) -> None:
        """Read exactly what completes a header or body: one system call each, into memory of its own."""
        buffer = bytearray(self.connection.needed)
        if not buffer:
            raise AssociationEnded("the association is over already")
        got = self._fill(memoryview(buffer))
        self.connection.receive(buffer if got == len(buffer) else memoryview(buffer)[:got])
        if got < len(buffer):
            self.connection.receive_closed()

    def _fill(self, view: memoryview) -> int:
        """Return how much came before the peer closed; raises AssociationEnded when it takes too long over it."""
        got, seconds = 0, self._seconds()
        deadline = time.monotonic() + seconds
        while got < len(view):
            self._arm(seconds)
            try:
                count = self._socket.recv_into(view[got:], 0, socket.MSG_WAITALL)
            except BlockingIOError:
                count = -1
            except OSError:
                count = 0
            if count == 0:
                return got
            got += max(count, 0)
            seconds = deadline - time.monotonic()
            if got < len(view) and seconds <= 0:
                raise PeerSilent("the peer was silent for too long")
        return got

    def _arm(self, seconds: float) -> None:
        """Set the kernel's receive timeout when it changes, and ask for quick acknowledgement every time."""
        if seconds != self._armed:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(seconds))
            self._armed = seconds
        if _QUICK_ACKNOWLEDGE is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACKNOWLEDGE, 1)

    def _write_all(self, buffers: list[Octets]) -> None:
        """Send everything within the idle time, however little the peer takes at once."""
        pending = [memoryview(one) for one in buffers]
        deadline = time.monotonic() + self._timers.idle
        self._is_mute = True
        while pending:
            try:
                sent = self._socket.sendmsg(pending[:_MOST_BUFFERS])
            except BlockingIOError as error:
                raise PeerSilent("the peer took nothing for too long") from error
            except OSError as error:
                raise AssociationEnded("closed by the peer") from error
            while pending and sent >= len(pending[0]):
                sent -= len(pending.pop(0))
            if sent:
                pending[0] = pending[0][sent:]
            if pending and time.monotonic() > deadline:
                raise PeerSilent("the peer took too little for too long")
        self._is_mute = False


def _timeval(seconds: float) -> bytes:
    whole = max(0.001, seconds)
    return _TIMEVAL.pack(int(whole), int(whole % 1 * 1_000_000))
