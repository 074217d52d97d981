"""Deliver the queue of one destination, first in, first out, while the lease holds."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from hilum.core.access import policy
from hilum.core.access.model import Peer, PeerKind
from hilum.core.hub import Hub
from hilum.core.kernel.errors import Busy, Conflict, HilumError, Invalid, NotFound
from hilum.core.routing.model import Attempted, Delivery, Lease, ParcelKind, Receipt, Verdict
from hilum.core.routing.ports import Courier

log = structlog.get_logger()

Couriers = Callable[[Peer], Courier]
"""Gives the courier for a peer; raises Invalid when that kind cannot be delivered to."""

LINGER = 2.0
"""Seconds that a connection waits for more before it is closed: a series comes in one image after the other."""
LOOK = 0.5
"""Seconds between looks while it lingers, when nothing was heard."""

BATCH = 32


@dataclass(slots=True)
class DestinationWorker:
    """One run over one destination: from the first due delivery until the queue is empty or its head must wait."""

    hub: Hub
    couriers: Couriers
    lease: Lease
    wait: Callable[[float], bool]
    chance: Callable[[], float]
    stopping: Callable[[], bool]
    courier: Courier | None = None
    commits: bool = False
    """Whether the peer is asked for storage commitment of what it takes."""

    def run(self) -> None:
        """Deliver, then give the lease up. Whatever goes wrong here must not stop other destinations."""
        try:
            self._deliver_all()
        except Conflict as lost:
            log.warning("lease lost", destination=self.lease.destination, reason=lost.what)
        except HilumError as failure:
            log.warning("delivery paused", destination=self.lease.destination, reason=str(failure))
        except Exception:
            log.exception("delivery failed", destination=self.lease.destination)
        finally:
            self._close()

    def _deliver_all(self) -> None:
        busy_until = time.monotonic()
        while not self.stopping():
            batch = self.hub.batch(self.lease, BATCH)
            if batch:
                if not self._deliver(batch):
                    return
                busy_until = time.monotonic() + LINGER
            elif time.monotonic() >= busy_until:
                return
            else:
                self.wait(LOOK)

    def _deliver(self, batch: list[Delivery]) -> bool:
        """Send in order; tell whether the queue may go on. Each answer is committed before the next is asked for."""
        for delivery in batch:
            started = datetime.now(UTC)
            receipt = self._send(delivery)
            attempted = Attempted(delivery, receipt, started, datetime.now(UTC))
            self.hub.settle(self.lease, attempted, self.chance())
            if receipt.verdict in (Verdict.RETRY, Verdict.UNCERTAIN) or self.stopping():
                return False
        return True

    def _send(self, delivery: Delivery) -> Receipt:
        """Return what the peer answered. What goes wrong before that is a receipt too: nothing may block unseen."""
        try:
            return self._to_be_committed(delivery, self._known_courier().send(self.hub.parcel(delivery)))
        except (NotFound, Invalid) as impossible:
            return Receipt(Verdict.REJECTED, "hilum", str(impossible))
        except HilumError as failure:
            return Receipt(Verdict.RETRY, "hilum", str(failure))
        except Exception:
            log.exception("courier failed", destination=delivery.destination, delivery=delivery.key)
            return Receipt(Verdict.RETRY, "hilum", f"internal error, see the log of delivery {delivery.key}")

    def _to_be_committed(self, delivery: Delivery, receipt: Receipt) -> Receipt:
        """An instance is not settled by C-STORE alone where the peer is asked for storage commitment."""
        wanted = self.commits and delivery.kind is ParcelKind.INSTANCE
        return (
            replace(receipt, verdict=Verdict.STORED)
            if wanted and receipt.verdict is Verdict.ACCEPTED
            else receipt
        )

    def _known_courier(self) -> Courier:
        """Return the courier of this run; raises Busy while the peer is not configured: it may be again."""
        if self.courier is None:
            try:
                peer = self.hub.peer(policy.ENGINE, self.lease.destination)
            except NotFound as missing:
                raise Busy(missing.what, next_step=missing.next_step) from missing
            self.courier = self.couriers(peer)
            self.commits = peer.kind is PeerKind.DICOM and peer.options.commitment
        return self.courier

    def _close(self) -> None:
        """Close the connection, then release the lease: a connection that cannot be closed must not keep it."""
        try:
            if self.courier is not None:
                self.courier.close()
        except Exception:
            log.exception("courier not closed", destination=self.lease.destination)
        try:
            self.hub.release(self.lease)
        except HilumError as failure:
            log.warning("lease not released", destination=self.lease.destination, reason=str(failure))


def no_courier(peer: Peer) -> Courier:
    """Raise Invalid: nothing can be delivered to this kind of peer."""
    kinds = ", ".join(kind for kind in PeerKind if kind is not PeerKind.FHIR)
    raise Invalid(
        f"nothing is delivered to peers of kind {peer.kind}", next_step=f"choose a peer of kind {kinds}"
    )
