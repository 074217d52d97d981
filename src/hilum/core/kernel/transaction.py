"""What every transaction offers, and who opens one."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from hilum.core.kernel.events import EventShelf

T = TypeVar("T")
Tx_co = TypeVar("Tx_co", covariant=True)


class Transaction(Protocol):
    """The clock, the chance and the outbox, as arguments: core owns none of them."""

    @property
    def now(self) -> datetime:
        """The moment of this transaction: aware, in the time zone of the server."""

    @property
    def events(self) -> EventShelf:
        """The outbox."""

    def fresh_uid(self) -> str:
        """Return a new UID below 2.25 (PS3.5 B.2)."""

    def fresh_key(self) -> str:
        """Return 32 random hexadecimal digits."""


class Transactor(Protocol[Tx_co]):
    """Opens transactions. `work` may run again after a lost race, so it must not act outside `tx`."""

    def write(self, work: Callable[[Tx_co], T]) -> T:
        """Run `work`, commit, sync, then return its value; roll back when it raises. Raises Busy."""

    def read(self, work: Callable[[Tx_co], T]) -> T:
        """Run `work` on one consistent view; what it appends to the trail is committed right after. Raises Busy."""
