"""Deliver the queue of one destination, first in, first out, while the lease holds."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from hilum.core.access import policy
from hilum.core.access.model import Peer, PeerKind
from hilum.core.hub import Hub
from hilum.core.kernel.errors import Conflict, HilumError, Invalid, NotFound
from hilum.core.routing.model import Attempted, Delivery, Lease, Receipt, Verdict
from hilum.core.routing.ports import Courier

log = structlog.get_logger()

Couriers = Callable[[Peer], Courier]
"""Gives the courier for a peer; raises Invalid when that kind cannot be delivered to."""

LINGER = 2.0
"""Seconds that a connection waits for more before it is closed: a series comes in one image after the other."""

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
        lingered = False
        while not self.stopping():
            batch = self.hub.batch(self.lease, BATCH)
            if not batch:
                if lingered or self.courier is None:
                    return
                lingered = not self.wait(LINGER)
                continue
            lingered = False
            if not self._deliver(batch):
                return

    def _deliver(self, batch: list[Delivery]) -> bool:
        """Send in order; tell whether the queue may go on. Each answer is committed before the next is asked for."""
        for delivery in batch:
            started = datetime.now(UTC)
            receipt = self._send(delivery)
            attempted = Attempted(delivery, receipt, started, datetime.now(UTC))
            self.hub.settle(self.lease, [attempted], self.chance())
            if receipt.verdict in (Verdict.RETRY, Verdict.UNCERTAIN) or self.stopping():
                return False
        return True

    def _send(self, delivery: Delivery) -> Receipt:
        try:
            parcel = self.hub.parcel(delivery)
            if self.courier is None:
                self.courier = self.couriers(self.hub.peer(policy.ENGINE, delivery.destination))
        except NotFound as missing:
            gone = missing.what.startswith("no peer")
            return Receipt(Verdict.RETRY if gone else Verdict.REJECTED, "hilum", str(missing))
        except Invalid as impossible:
            return Receipt(Verdict.REJECTED, "hilum", str(impossible))
        try:
            return self.courier.send(parcel)
        except HilumError as failure:
            return Receipt(Verdict.RETRY, "hilum", str(failure))
        except Exception:
            log.exception("courier failed", destination=delivery.destination, delivery=delivery.key)
            return Receipt(Verdict.RETRY, "hilum", f"internal error, see the log of delivery {delivery.key}")

    def _close(self) -> None:
        try:
            if self.courier is not None:
                self.courier.close()
            self.hub.release(self.lease)
        except (HilumError, OSError) as failure:
            log.warning("lease not released", destination=self.lease.destination, reason=str(failure))


def no_courier(peer: Peer) -> Courier:
    """Raise Invalid: nothing can be delivered to this kind of peer."""
    kinds = ", ".join(kind for kind in PeerKind if kind is not PeerKind.FHIR)
    raise Invalid(
        f"nothing is delivered to peers of kind {peer.kind}", next_step=f"choose a peer of kind {kinds}"
    )
