"""The DICOM port: a thread for each connection that speaks, within limits."""

import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from hilum.core.access.certificates import Line
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Busy, Refused
from hilum.doors.dimse import association as door
from hilum.doors.dimse.identity import claim_of
from hilum.doors.dimse.lobby import Lobby
from hilum.doors.dimse.services import SUPPORTED
from hilum.doors.dimse.session import OpenDestination, Session
from hilum.transport.backoff import Backoff
from hilum.transport.dicom import Association, AssociationEnded, Timers
from hilum.transport.secure_socket import SecureSocket
from hilum.transport.tls import Entrance, ServerTls, certificate_of, greeted, why
from hilum.wire.dicom.frame_work import FrameWorker, no_worker
from hilum.wire.dicom.upper_layer.errors import ProtocolError
from hilum.wire.dicom.upper_layer.limits import Limits
from hilum.wire.dicom.upper_layer.negotiation import Supported, refuse
from hilum.wire.dicom.upper_layer.pdus import (
    REJECT_CALLED_AE_TITLE,
    REJECT_CALLING_AE_TITLE,
    REJECT_CONGESTION,
    REJECT_FOR_NOW,
    REJECT_LOCAL_LIMIT,
    REJECT_NO_REASON,
    AssociateRequest,
)
from hilum.wire.dicom.upper_layer.states import Role

log = structlog.get_logger()

_GRACE = 5.0
"""Seconds that associations may take to end when the server stops."""
_PAUSE = 0.05
_LOOK = 0.2
_MOST_SILENT = 512
"""Connections that may wait in the lobby; they cost a file descriptor each, but no thread."""
_CONNECTIONS_PER_ASSOCIATION = 4
"""Connections that began to ask, or are being rejected, are counted too."""


@dataclass(slots=True)
class DimseServer:
    """Accepts associations on a bound socket until told to stop."""

    hub: Hub
    ae_title: str
    any_called_ae_title: bool
    open_destination: OpenDestination
    maximum_associations: int
    most_answers: int
    longest_instance: int
    limits: Limits
    timers: Timers
    tls: ServerTls | None = None
    """Without it nobody is greeted by TLS."""
    sub_associations: int = 1
    """How many associations one C-MOVE may hold with its destination at once."""
    pending_interval: float = 0.1
    """Seconds between two pending responses of a retrieval, at least."""
    supported: Mapping[str, Supported] = field(default_factory=lambda: SUPPORTED)
    """What an association may agree on."""
    frame_worker: FrameWorker = field(default=no_worker, kw_only=True)
    _connections: set[socket.socket] = field(default_factory=set)
    _associations: Counter[str] = field(default_factory=Counter)
    """How many there are, by the name of the caller."""
    _backoff: Backoff = field(default_factory=Backoff)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(
        self, listener: socket.socket, stop: threading.Event, entrance: Entrance = Entrance.PLAIN
    ) -> None:
        """Accept until `stop`; then give associations a moment, and cut what is left. One thread for each listener."""
        lobby = Lobby(listener, _MOST_SILENT, self.timers.artim)
        while not stop.is_set():
            for transport, address in lobby.speakers(_LOOK):
                self._start(transport, address, entrance)
        lobby.close()
        self._end()

    def _start(self, transport: socket.socket, address: str, entrance: Entrance) -> None:
        with self._lock:
            full = len(self._connections) >= self.maximum_associations * _CONNECTIONS_PER_ASSOCIATION
            if not full:
                self._connections.add(transport)
        if full:
            log.warning("connection not accepted", address=address, reason="too many connections")
            transport.close()
            return
        try:
            threading.Thread(target=self._run, args=(transport, address, entrance), daemon=True).start()
        except RuntimeError as error:  # no more threads
            log.warning("connection not accepted", address=address, reason=str(error))
            self._forget(transport)
            transport.close()

    def _run(self, transport: socket.socket, address: str, entrance: Entrance) -> None:
        """Serve one connection. Nothing that happens here may reach another one."""
        trace = secrets.token_hex(8)
        try:
            greeted_by = self._greeted(transport, address, trace, entrance)
            if greeted_by is not None:
                association = Association(greeted_by[0], Role.ACCEPTOR, self.limits, self.timers)
                self._serve(association, greeted_by[1], trace)
        except OSError as error:  # it was gone before it was greeted
            log.info("connection lost", trace=trace, reason=error.strerror)
        finally:
            transport.close()
            self._forget(transport)

    def _greeted(
        self, transport: socket.socket, address: str, trace: str, entrance: Entrance
    ) -> tuple[socket.socket | SecureSocket, Line] | None:
        """Shake hands by TLS where that is due; None when it failed."""
        if self.tls is None or entrance is Entrance.PLAIN:
            return transport, Line(address)
        try:
            secured = greeted(transport, self.tls, entrance, self.timers.artim)
        except OSError as error:
            log.warning("TLS handshake failed", trace=trace, address=address, reason=why(error))
            self.hub.note_failed_handshake(address, trace)
            return None
        if secured is None:
            return transport, Line(address)
        return secured, Line(address, secure=True, certificate=certificate_of(secured))

    def _serve(self, association: Association, line: Line, trace: str) -> None:
        try:
            self._converse(association, line, trace)
        except AssociationEnded as ended:
            if not ended.orderly:
                log.info("association ended", trace=trace, how=ended.how)
                association.abort()
        except ProtocolError as error:
            log.warning("association aborted", trace=trace, reason=str(error))
            association.abort(error)
        except Exception:
            log.exception("association failed", trace=trace)
            association.abort()

    def _forget(self, transport: socket.socket) -> None:
        with self._lock:
            self._connections.discard(transport)

    def _converse(self, association: Association, line: Line, trace: str) -> None:
        request = door.await_request(association)
        refusal = refuse(request)
        if refusal is not None:
            door.reject(association, refusal)
            return
        session = self._admitted(association, request, line, trace)
        if session is None:
            return
        if not self._occupied(session.caller):
            log.warning("association put off", trace=trace, reason="too many associations")
            door.reject(association, REJECT_LOCAL_LIMIT)
            return
        try:
            door.accept(session, request, self.limits)
            door.serve(session)
        finally:
            with self._lock:
                self._associations.subtract([_holder(session.caller)])

    def _occupied(self, caller: Caller) -> bool:
        """Take a place among all associations and among those of the peer; tell whether there was one."""
        own = caller.options.maximum_associations or self.maximum_associations
        with self._lock:
            free = self._associations.total() < self.maximum_associations
            free = free and self._associations[_holder(caller)] < own
            if free:
                self._associations.update([_holder(caller)])
        return free

    def _admitted(
        self, association: Association, request: AssociateRequest, line: Line, trace: str
    ) -> Session | None:
        if not self.any_called_ae_title and request.called_ae_title != self.ae_title:
            door.reject(association, REJECT_CALLED_AE_TITLE)
            return None
        try:
            caller = self.hub.admit_association(request.calling_ae_title, line, trace)
        except Refused as error:
            log.warning("association refused", trace=trace, address=line.address, reason=error.what)
            door.reject(association, REJECT_CALLING_AE_TITLE)
            return None
        except Busy as error:
            log.warning("association put off", trace=trace, reason=error.what)
            door.reject(association, REJECT_CONGESTION)
            return None
        acting = self._spoken_for(association, request, caller)
        return None if acting is None else self._session(association, request, acting)

    def _spoken_for(
        self, association: Association, request: AssociateRequest, caller: Caller
    ) -> Caller | None:
        """Check the user that the association names; whoever fails too often has to wait (PS3.7 D.3.3.7)."""
        claim = claim_of(request)
        if claim is not None and self._backoff.left(caller.address) > 0:
            log.warning("association put off", trace=caller.trace, reason="too many failed identities")
            door.reject(association, REJECT_FOR_NOW)
            return None
        try:
            acting = self.hub.admit_user(caller, claim)
        except Refused as error:
            self._backoff.failed(caller.address)
            log.warning("user identity refused", trace=caller.trace, peer=caller.name, reason=error.what)
            door.reject(association, REJECT_NO_REASON)
            return None
        if acting is not caller:
            self._backoff.succeeded(caller.address)
        return acting

    def _session(self, association: Association, request: AssociateRequest, caller: Caller) -> Session:
        return Session(
            hub=self.hub,
            caller=caller,
            association=association,
            ae_title=self.ae_title,
            peer_ae_title=request.calling_ae_title,
            open_destination=self.open_destination,
            frame_worker=self.frame_worker,
            most_answers=self.most_answers,
            longest_instance=self.longest_instance,
            sub_associations=self.sub_associations,
            pending_interval=self.pending_interval,
            supported=self.supported,
        )

    def _end(self) -> None:
        """Let associations end; those that do not are cut, and have the time to clear up."""
        if self._all_ended(_GRACE):
            return
        with self._lock:
            left = list(self._connections)
        for transport in left:
            with suppress(OSError):  # closed meanwhile
                transport.shutdown(socket.SHUT_RDWR)
        self._all_ended(_GRACE)

    def _all_ended(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with self._lock:
                if not self._connections:
                    return True
            time.sleep(_PAUSE)
        return False


def _holder(caller: Caller) -> str:
    """Return whose places an association takes: those of the peer, whoever its user is."""
    return caller.peer or caller.name
