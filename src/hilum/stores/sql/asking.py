"""Storage commitments that we ask for, and the deliveries that they are about."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from hilum.core.routing.model import AskedCommitment, DeliveryState
from hilum.stores.sql.schema import asked_commitments as asked
from hilum.stores.sql.schema import deliveries

_STORED = deliveries.c.state == DeliveryState.STORED.value
_DESTINATIONS = select(deliveries.c.destination).where(_STORED).distinct().order_by(deliveries.c.destination)
_ALL = select(asked.c.transaction_uid, asked.c.destination, asked.c.delivery_keys, asked.c.planned)
_ONE = _ALL.where(asked.c.transaction_uid == bindparam("uid"))
_BEFORE = _ALL.where(asked.c.planned < bindparam("moment")).order_by(asked.c.planned)
_ADD = asked.insert().inline()
_FORGET = delete(asked).where(asked.c.transaction_uid == bindparam("uid"))
_MOVE = (
    update(deliveries)
    .where(deliveries.c.key == bindparam("at"))
    .values(
        state=bindparam("to"),
        reason=bindparam("why"),
        attempts=bindparam("number"),
        next_attempt=bindparam("next"),
        settled=bindparam("ended"),
    )
)
_ENDED = (DeliveryState.COMMITTED, DeliveryState.DEAD)


def destinations(connection: Connection) -> list[str]:
    """Return destinations with deliveries whose storage commitment is to be asked for."""
    return [str(row[0]) for row in connection.execute(_DESTINATIONS)]


def move(
    connection: Connection,
    key: int,
    state: DeliveryState,
    reason: str,
    attempts: int,
    next_attempt: datetime,
    now: datetime,
) -> None:
    """Set how a delivery stands."""
    ended = now if state in _ENDED else None
    change = {"at": key, "to": state.value, "why": reason, "number": attempts, "next": next_attempt}
    connection.execute(_MOVE, change | {"ended": ended})


def keep(connection: Connection, one: AskedCommitment) -> None:
    """Keep a storage commitment that we ask for."""
    row = {"transaction_uid": one.transaction_uid, "destination": one.destination, "planned": one.planned}
    connection.execute(_ADD, row | {"delivery_keys": list(one.delivery_keys)})


def read(connection: Connection, transaction_uid: str) -> AskedCommitment | None:
    """Return one that is not over."""
    row = connection.execute(_ONE, {"uid": transaction_uid}).first()
    return _asked(row) if row else None


def before(connection: Connection, moment: datetime) -> list[AskedCommitment]:
    """Return those that were planned before a moment."""
    return [_asked(row) for row in connection.execute(_BEFORE, {"moment": moment})]


def forget(connection: Connection, transaction_uid: str) -> None:
    """End one."""
    connection.execute(_FORGET, {"uid": transaction_uid})


def _asked(row: Sequence[Any]) -> AskedCommitment:
    transaction_uid, destination, keys, planned = row
    return AskedCommitment(transaction_uid, destination, tuple(keys), planned)
