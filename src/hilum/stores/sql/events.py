"""The outbox of events."""

from sqlalchemy import bindparam, func, select, update

from hilum.core.kernel.events import Event, Recorded
from hilum.stores.sql.opened import Opened
from hilum.stores.sql.prepared import adding
from hilum.stores.sql.schema import events

_REACTOR = 0x48494C55
"""Number of the advisory lock that lets one reactor work at a time ("HILU")."""

_APPEND = adding(events)
_WAITING = (
    select(events.c.sequence, events.c.name, events.c.body, events.c.trace, events.c.occurred)
    .where(events.c.settled.is_(None))
    .order_by(events.c.sequence)
    .limit(bindparam("most"))
)
_SETTLE = update(events).where(events.c.sequence == bindparam("at")).values(settled=bindparam("now"))
_ALONE = select(func.pg_advisory_xact_lock(_REACTOR))


class SqlEvents:
    """Core's `EventShelf`."""

    def __init__(self, opened: Opened) -> None:
        """Work inside one transaction."""
        self._opened = opened

    def append(self, event: Event, trace: str) -> None:
        """Write the event with the transaction."""
        self._opened.brings_work = True
        _APPEND.run(
            self._opened.connection,
            {
                "name": type(event).__name__,
                "body": event.body(),
                "trace": trace,
                "occurred": self._opened.now,
                "settled": None,
            },
        )

    def waiting(self, limit: int) -> list[Recorded]:
        """Return events not yet reacted to, in database order, locked for this transaction.

        On PostgreSQL one advisory lock admits one reactor at a time: row locks would let a second one skip or
        overtake the first, and deliveries would be planned out of order. SQLite has one writer anyway.
        """
        connection = self._opened.connection
        if connection.dialect.name == "postgresql":
            connection.execute(_ALONE)
        return [
            Recorded(sequence, Event.revive(name, body), trace, occurred)
            for sequence, name, body, trace, occurred in connection.execute(_WAITING, {"most": limit})
        ]

    def settle(self, sequences: list[int]) -> None:
        """Mark events as reacted to."""
        if sequences:
            now = self._opened.now
            self._opened.connection.execute(_SETTLE, [{"at": sequence, "now": now} for sequence in sequences])
