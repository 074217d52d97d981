"""What a store must do for deliveries."""

from datetime import datetime
from typing import Protocol

from hilum.core.reports.ports import ReportsTransaction
from hilum.core.routing.model import (
    AskedCommitment,
    Attempt,
    Delivery,
    DeliveryQuery,
    DeliveryState,
    Lease,
    Parcel,
    ParcelKind,
    Queue,
    Receipt,
    Rule,
)
from hilum.core.workitems.ports import WorkitemsTransaction


class RoutingShelf(Protocol):
    """The per-destination queues, ordered by key: the database's own sequence, never a clock."""

    def rules(self) -> list[Rule]:
        """Return the rules in force, in their order."""

    def put_rules(self, rules: list[Rule]) -> None:
        """Replace the rules."""

    def add(self, destination: str, kind: ParcelKind, reference: str, rule: str, trace: str) -> bool:
        """Plan a delivery; the same parcel to the same destination is planned once. Tell whether it is new."""

    def delivery(self, key: int) -> Delivery | None:
        """Return one delivery."""

    def find(self, query: DeliveryQuery) -> list[Delivery]:
        """Return deliveries, newest first."""

    def attempts(self, key: int) -> list[Attempt]:
        """Return the attempts of a delivery in their order."""

    def queues(self) -> list[Queue]:
        """Return how every destination with deliveries stands."""

    def destinations_due(self, now: datetime) -> list[str]:
        """Return destinations whose oldest waiting or uncertain delivery is due."""

    def head(self, destination: str, now: datetime, limit: int) -> list[Delivery]:
        """Return the first waiting or uncertain deliveries in order; none when the first is not due yet."""

    def settle(self, key: int, state: DeliveryState, next_attempt: datetime | None, reason: str) -> None:
        """Set the state after an attempt, with attempts + 1."""

    def add_attempt(self, attempt: Attempt) -> None:
        """Keep one attempt."""

    def destinations_stored(self) -> list[str]:
        """Return destinations with deliveries whose storage commitment is to be asked for."""

    def stored(self, destination: str, limit: int) -> list[Delivery]:
        """Return the first deliveries of a destination whose storage commitment is to be asked for."""

    def of_keys(self, keys: tuple[int, ...]) -> list[Delivery]:
        """Return deliveries by key."""

    def move(
        self, key: int, state: DeliveryState, reason: str, *, attempts: int, next_attempt: datetime
    ) -> None:
        """Set how a delivery stands, and after how many attempts, without an attempt."""

    def put_asked(self, asked: AskedCommitment) -> None:
        """Keep a storage commitment that we ask for."""

    def asked(self, transaction_uid: str) -> AskedCommitment | None:
        """Return a storage commitment that we asked for and that is not over."""

    def asked_before(self, moment: datetime) -> list[AskedCommitment]:
        """Return those that were planned before a moment and are not over."""

    def forget_asked(self, transaction_uid: str) -> None:
        """End a storage commitment that we asked for."""

    def put_back(self, key: int) -> None:
        """Make a dead or sent delivery wait again, due now, attempts 0, at its old place in the queue."""

    def lease(self, destination: str, owner: str, now: datetime, expires: datetime) -> Lease | None:
        """Take or renew the lease unless somebody else holds it; a new owner gets the next fence."""

    def holds(self, lease: Lease, now: datetime) -> bool:
        """Tell, locking the lease for this transaction, whether it is still the newest and not expired."""

    def release(self, lease: Lease) -> None:
        """Give the lease up if it is still ours."""


class Courier(Protocol):
    """Says things to one peer. It connects at need and keeps the connection between parcels."""

    def send(self, parcel: Parcel) -> Receipt:
        """Send one parcel and return what the peer answered; a peer that cannot be reached is a receipt too."""

    def close(self) -> None:
        """Release the connection in the protocol's own way."""


class RoutingTransaction(ReportsTransaction, WorkitemsTransaction, Protocol):
    """A transaction that sees rules and deliveries."""

    @property
    def routing(self) -> RoutingShelf:
        """Rules and deliveries."""
