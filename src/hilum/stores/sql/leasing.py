"""Leases: who delivers to a destination. Compare and set, with a fence that only grows."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from hilum.core.routing.model import Lease
from hilum.stores.sql.schema import leases

_LOCKED = (
    select(leases.c.destination, leases.c.owner, leases.c.fence, leases.c.expires)
    .where(leases.c.destination == bindparam("at"))
    .with_for_update()
)
_ADD = leases.insert().inline()
_PUT = (
    update(leases)
    .where(leases.c.destination == bindparam("at"))
    .values(owner=bindparam("by"), fence=bindparam("to"), expires=bindparam("until"))
)


def take(connection: Connection, wanted: Lease, now: datetime) -> Lease | None:
    """Take or renew a lease; its fence is 1 for the first owner, one more for each new one."""
    held = _locked(connection, wanted.destination)
    if held is None:
        connection.execute(_ADD, _row(wanted))
        return wanted
    if held.owner != wanted.owner and held.expires > now:
        return None
    fence = held.fence if held.owner == wanted.owner else held.fence + 1
    taken = Lease(wanted.destination, wanted.owner, fence, wanted.expires)
    _put(connection, taken)
    return taken


def holds(connection: Connection, lease: Lease, now: datetime) -> bool:
    """Tell whether a lease is still the newest and not expired; its row stays locked to the end."""
    held = _locked(connection, lease.destination)
    return held is not None and (held.owner, held.fence) == (lease.owner, lease.fence) and held.expires > now


def release(connection: Connection, lease: Lease, now: datetime) -> None:
    """Let a lease expire now, if it is still ours; the fence stays."""
    held = _locked(connection, lease.destination)
    if held is not None and (held.owner, held.fence) == (lease.owner, lease.fence):
        _put(connection, Lease(lease.destination, "", lease.fence, now))


def _locked(connection: Connection, destination: str) -> Lease | None:
    row = connection.execute(_LOCKED, {"at": destination}).first()
    return Lease(*row) if row else None


def _put(connection: Connection, lease: Lease) -> None:
    change = {"at": lease.destination, "by": lease.owner, "to": lease.fence, "until": lease.expires}
    connection.execute(_PUT, change)


def _row(lease: Lease) -> dict[str, object]:
    return {
        "destination": lease.destination,
        "owner": lease.owner,
        "fence": lease.fence,
        "expires": lease.expires,
    }
