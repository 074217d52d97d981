"""One DICOM association over a TCP socket: exact reads, kernel timeouts, gathered writes (PS3.8 9.1)."""

import select
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

from hilum.wire.dicom.dimse.assembler import CommandReceived, MessageAssembler
from hilum.wire.dicom.dimse.codec import encode_command
from hilum.wire.dicom.dimse.messages import CCancelRequest, Command
from hilum.wire.dicom.upper_layer.connection import Connection
from hilum.wire.dicom.upper_layer.errors import ProtocolError
from hilum.wire.dicom.upper_layer.events import (
    Aborted,
    AssociateRequested,
    DataFragment,
    Event,
    Released,
    ReleaseRequested,
    TransportClosed,
)
from hilum.wire.dicom.upper_layer.fragmentation import DataSet
from hilum.wire.dicom.upper_layer.limits import Limits
from hilum.wire.dicom.upper_layer.states import Role, Timer

_TIMEVAL = struct.Struct("@ll")
_QUICK_ACKNOWLEDGE = getattr(socket, "TCP_QUICKACK", None)
"""Linux: acknowledge at once. A stock client that leaves Nagle on waits 40 ms per message without it."""
_MOST_BUFFERS = 512
"""Below IOV_MAX everywhere."""


@dataclass(frozen=True, slots=True)
class Timers:
    """Seconds. `artim` PS3.8 9.1.5; `acse` for answers owed to us; `idle` between PDUs, and for one PDU to arrive."""

    artim: float = 10.0
    acse: float = 30.0
    idle: float = 60.0


class AssociationEnded(Exception):
    """The association is over: `how` says by whom, without wire values."""

    def __init__(self, how: str, *, orderly: bool = False) -> None:
        super().__init__(how)
        self.how = how
        self.orderly = orderly


class Association:
    """Blocking face of a `Connection`. Not for two threads at once."""

    def __init__(self, transport: socket.socket, role: Role, limits: Limits, timers: Timers) -> None:
        self.connection = Connection(role, limits)
        self._socket = transport
        self._assembler = MessageAssembler(limits)
        self._timers = timers
        self._armed = -1.0
        self._message_id = 0
        transport.setblocking(True)
        transport.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(timers.idle))

    def next_event(self) -> Event:
        """Return what happens next; raises ProtocolError, AssociationEnded when the peer is silent too long."""
        while True:
            event = self.connection.next_event()
            if event is not None:
                return event
            self._receive()

    def next_message(self) -> CommandReceived:
        """Return the next command; raises AssociationEnded. A release is answered here."""
        while True:
            event = self.next_event()
            if isinstance(event, DataFragment):
                received = self._assembler.put(event)
                if isinstance(received, CommandReceived):
                    return received
            else:
                self._leave(event)

    def fragments(self) -> Iterator[memoryview]:
        """Yield the data set of the message under way as it arrives; each piece is valid until the next."""
        while True:
            event = self.next_event()
            if not isinstance(event, DataFragment):
                self._leave(event)
                continue
            received = self._assembler.put(event)
            if isinstance(received, DataFragment):
                yield received.payload
                if received.is_last:
                    return

    def send(self, context_id: int, command: Command, data_set: DataSet | None = None) -> None:
        """Send a message; a data set of any length is streamed."""
        for buffers in self.connection.send_message(context_id, encode_command(command), data_set):
            self._write_all(buffers)

    def cancelled(self, message_id: int) -> bool:
        """Tell, without waiting, whether the peer cancelled an operation (PS3.7 9.3.2.3)."""
        if self.connection.needed and not select.select([self._socket], [], [], 0)[0]:
            return False
        received = self.next_message()
        command = received.command
        return isinstance(command, CCancelRequest) and command.MessageIDBeingRespondedTo == message_id

    def next_message_id(self) -> int:
        """Return a message ID for a request of ours (PS3.7 9.1)."""
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    def write(self, octets: bytes) -> None:
        """Send what the connection encoded."""
        self._write_all([octets])

    def abort(self, error: ProtocolError | None = None) -> None:
        """Send A-ABORT if the peer still listens, and close."""
        try:
            self.write(self.connection.send_abort(error))
        except (OSError, AssociationEnded):
            pass  # the peer is gone already: there is nobody to tell
        finally:
            self.close()

    def close(self) -> None:
        """Close the transport."""
        self._socket.close()

    def await_close(self) -> None:
        """Let the peer close first, as long as ARTIM allows (PS3.8 AR-4, AA-6), then close."""
        try:
            while not isinstance(self.next_event(), TransportClosed):
                pass
        except (AssociationEnded, ProtocolError):
            pass  # the association is over either way
        finally:
            self.close()

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
            case AssociateRequested() | _:
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
        view, got = memoryview(buffer), 0
        seconds = self._seconds()
        deadline = time.monotonic() + seconds
        while got < len(buffer):
            self._arm(seconds)
            try:
                count = self._socket.recv_into(view[got:], 0, socket.MSG_WAITALL)
            except BlockingIOError:
                count = -1
            except OSError:
                count = 0
            if count == 0:
                self.connection.receive(view[:got])
                self.connection.receive_closed()
                return
            got += max(count, 0)
            seconds = deadline - time.monotonic()
            if got < len(buffer) and seconds <= 0:
                raise AssociationEnded("the peer was silent for too long")
        self.connection.receive(buffer)

    def _arm(self, seconds: float) -> None:
        """Set the kernel's receive timeout when it changes, and ask for quick acknowledgement every time."""
        if seconds != self._armed:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(seconds))
            self._armed = seconds
        if _QUICK_ACKNOWLEDGE is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACKNOWLEDGE, 1)

    def _write_all(self, buffers: list[bytes | bytearray | memoryview]) -> None:
        pending = [memoryview(one) for one in buffers]
        while pending:
            try:
                sent = self._socket.sendmsg(pending[:_MOST_BUFFERS])
            except BlockingIOError as error:
                raise AssociationEnded("the peer took nothing for too long") from error
            except OSError as error:
                raise AssociationEnded("closed by the peer") from error
            while pending and sent >= len(pending[0]):
                sent -= len(pending.pop(0))
            if sent:
                pending[0] = pending[0][sent:]


def _timeval(seconds: float) -> bytes:
    whole = max(0.001, seconds)
    return _TIMEVAL.pack(int(whole), int(whole % 1 * 1_000_000))
