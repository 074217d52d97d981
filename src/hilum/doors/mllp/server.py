"""The listener: admits connections up to a bound, and lets them finish when told to stop."""

import socket
import threading
from dataclasses import dataclass, field

import structlog

from hilum.core.hub import Hub
from hilum.doors.mllp.connection import Connection
from hilum.transport.tls import Entrance, ServerTls

_log = structlog.get_logger("hilum.mllp")

_LOOK = 0.2
_PAUSE = 0.1
_GRACE = 5.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one process takes upon itself."""

    maximum_connections: int = 100
    maximum_frame: int = 16 * 1024 * 1024
    idle: float = 300.0


@dataclass(slots=True)
class MllpServer:
    """Serves a listening socket that was bound elsewhere; connections are threads."""

    hub: Hub
    listener: socket.socket
    bounds: Bounds = field(default_factory=Bounds)
    tls: ServerTls | None = None
    entrance: Entrance = Entrance.PLAIN
    _serving: dict[threading.Thread, Connection] = field(default_factory=dict)

    def run(self, stop: threading.Event) -> None:
        """Accept until `stop` is set, then let each connection answer the message that it has."""
        self.listener.settimeout(_LOOK)
        while not stop.is_set():
            try:
                accepted, (address, *_) = self.listener.accept()
            except TimeoutError:
                continue
            except OSError as error:  # such as no free file descriptor: it passes
                _log.warning("connection not accepted", reason=str(error))
                stop.wait(_PAUSE)
                continue
            self._start(accepted, address.removeprefix("::ffff:"))
        self._finish()

    def _start(self, accepted: socket.socket, address: str) -> None:
        self._forget_ended()
        if len(self._serving) >= self.bounds.maximum_connections:
            _log.warning("too many connections", address=address, maximum=self.bounds.maximum_connections)
            accepted.close()
            return
        connection = Connection(
            self.hub, accepted, address, self.bounds.idle, self.bounds.maximum_frame, self.tls, self.entrance
        )
        thread = threading.Thread(target=connection.run, name=f"mllp-{address}", daemon=True)
        self._serving[thread] = connection
        thread.start()

    def _forget_ended(self) -> None:
        self._serving = {thread: each for thread, each in self._serving.items() if thread.is_alive()}

    def _finish(self) -> None:
        for connection in self._serving.values():
            connection.finish()
        for thread in self._serving:
            thread.join(_GRACE)
