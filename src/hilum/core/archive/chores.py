"""What follows in the background: each chore is one row, made due when its subject has been quiet for a while."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from hilum.core.archive.events import (
    InstanceReplaced,
    InstancesDeleted,
    InstancesRejected,
    InstancesRestored,
    InstanceStored,
)
from hilum.core.archive.model import Chore, ChoreKind
from hilum.core.archive.ports import ArchiveTransaction
from hilum.core.kernel.events import Event

QUIET = timedelta(seconds=5)
"""So long nothing must come for a series before its summary is made."""

PATIENCE = timedelta(minutes=10)
"""A chore that was taken up and not ended within this time is taken up again."""


def follow(tx: ArchiveTransaction, events: Iterable[Event]) -> None:
    """Make chores due for news: once for each series, however many instances came."""
    touched: set[str] = set()
    for event in events:
        if isinstance(event, InstanceStored | InstanceReplaced):
            touched.add(event.series_instance_uid)
        elif isinstance(event, InstancesRejected | InstancesRestored | InstancesDeleted):
            touched.update(event.series_instance_uids)
    for series_instance_uid in sorted(touched):
        tx.background.put_chore(Chore(ChoreKind.SUMMARISE, series_instance_uid, tx.now + QUIET))


def take_up(tx: ArchiveTransaction) -> Chore | None:
    """Take the chore that has been due for the longest time: put off, so that no other engine takes it meanwhile."""
    due = tx.background.due_chore(tx.now)
    if due is None:
        return None
    taken = replace(due, due=tx.now + PATIENCE)
    tx.background.put_chore(taken)
    return taken
