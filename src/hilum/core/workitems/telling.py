"""Who is told: subscriptions, and the reports that follow from them (PS3.4 CC.2.3, CC.2.4)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from hilum.core.access import policy
from hilum.core.audit.usecases import record
from hilum.core.kernel.caller import Caller, Permission
from hilum.core.kernel.errors import NotFound
from hilum.core.workitems import rules
from hilum.core.workitems.attributes import one
from hilum.core.workitems.events import WorkitemReported
from hilum.core.workitems.matching import localised, matches
from hilum.core.workitems.model import (
    ALL_WORKITEMS,
    FILTERED_WORKITEMS,
    Attributes,
    Channel,
    EventType,
    Key,
    Reason,
    Report,
    Subscriber,
    Workitem,
    WorkitemConflict,
    WorkitemQuery,
    WorkitemUnknown,
)
from hilum.core.workitems.ports import WorkitemsTransaction

GLOBAL = (ALL_WORKITEMS, FILTERED_WORKITEMS)
Told = tuple[str, Channel]
"""AE title and channel of a subscriber."""


def subscribe(
    tx: WorkitemsTransaction,
    caller: Caller,
    sop_instance_uid: str,
    wanted: Subscriber,
) -> None:
    """N-ACTION Subscribe (PS3.4 CC.2.3), by Table CC.2.3-2; raises WorkitemUnknown (C307, C308).

    `sop_instance_uid` is of one workitem, or well-known; `wanted` says who, by which channel, and the lock asked for.
    """
    policy.demand(caller, Permission.WORKITEMS_SUBSCRIBE)
    if wanted.channel is Channel.ASSOCIATION and not tx.access.peers_by_ae_title(wanted.ae_title):
        raise WorkitemUnknown(Reason.RECEIVER_UNKNOWN, "configure it as a peer: hilum peers add")
    lock = wanted.deletion_lock
    if sop_instance_uid in GLOBAL:
        _subscribe_globally(tx, caller.trace, sop_instance_uid, wanted)
    else:
        workitem = _workitem(tx, sop_instance_uid)
        _hear(tx, wanted)
        tx.workitems.subscribe(wanted.ae_title, sop_instance_uid, deletion_lock=lock)
        tell(
            tx,
            caller.trace,
            (wanted.ae_title, wanted.channel),
            sop_instance_uid,
            [rules.state_report(workitem.attributes)],
        )
    detail = f"{wanted.ae_title}{' with lock' if lock else ''}"
    record(tx, caller, "workitems.subscribe", f"Workitem/{sop_instance_uid}", detail=detail)


def unsubscribe(tx: WorkitemsTransaction, caller: Caller, sop_instance_uid: str, ae_title: str) -> None:
    """N-ACTION Unsubscribe: from one workitem, or from everything; raises WorkitemUnknown (C307)."""
    policy.demand(caller, Permission.WORKITEMS_SUBSCRIBE)
    if sop_instance_uid in GLOBAL:
        _stop_globally(tx, ae_title)
        tx.workitems.unsubscribe(ae_title)
    else:
        tx.workitems.unsubscribe(ae_title, _workitem(tx, sop_instance_uid).sop_instance_uid)
    record(tx, caller, "workitems.unsubscribe", f"Workitem/{sop_instance_uid}", detail=ae_title)


def suspend(tx: WorkitemsTransaction, caller: Caller, sop_instance_uid: str, ae_title: str) -> None:
    """N-ACTION Suspend Global Subscription: new workitems are not subscribed to any more; raises WorkitemConflict (C314)."""
    policy.demand(caller, Permission.WORKITEMS_SUBSCRIBE)
    if sop_instance_uid not in GLOBAL:
        raise WorkitemConflict(Reason.NOT_APPROPRIATE, next_step=f"suspend {ALL_WORKITEMS}")
    _stop_globally(tx, ae_title)
    record(tx, caller, "workitems.suspend", f"Workitem/{sop_instance_uid}", detail=ae_title)


def announce_restart(tx: WorkitemsTransaction, fallback: Iterable[str]) -> None:
    """Tell every subscriber, and those of the fallback list, that we are back and lost nothing (CC.2.4.3)."""
    known = {ae_title for ae_title, _ in tx.workitems.all_subscribers()}
    for ae_title in sorted(set(fallback) - known):
        _hear(tx, Subscriber(ae_title, Channel.ASSOCIATION))
    subscribed = dict(tx.workitems.all_subscribers())
    trace = tx.fresh_key()[:16]
    for ae_title in sorted({*subscribed, *fallback}):
        channel = subscribed.get(ae_title, Channel.ASSOCIATION)
        tell(tx, trace, (ae_title, channel), ALL_WORKITEMS, [(EventType.SCP_STATUS_CHANGE, _RESTARTED)])


def welcome(tx: WorkitemsTransaction, workitem: Workitem) -> list[Told]:
    """Subscribe everybody with a fitting global subscription to a new workitem, and return them."""
    told = []
    for subscriber in tx.workitems.global_subscribers():
        if matches(workitem.attributes, subscriber.keys, tx.now.tzinfo):
            tx.workitems.subscribe(
                subscriber.ae_title, workitem.sop_instance_uid, deletion_lock=subscriber.deletion_lock
            )
            told.append((subscriber.ae_title, subscriber.channel))
    return told


def tell_subscribers(
    tx: WorkitemsTransaction,
    trace: str,
    sop_instance_uid: str,
    events: Sequence[tuple[EventType, Attributes]],
) -> None:
    """Write events for everybody subscribed to a workitem."""
    if events:
        for told in tx.workitems.subscribers_of(sop_instance_uid):
            tell(tx, trace, told, sop_instance_uid, events)


def tell(
    tx: WorkitemsTransaction,
    trace: str,
    told: Told,
    sop_instance_uid: str,
    events: Sequence[tuple[EventType, Attributes]],
) -> None:
    """Write events for one subscriber; the engine, and whoever listens, hear of them at the commit."""
    ae_title, channel = told
    numbers = [
        tx.workitems.add_report(ae_title, sop_instance_uid, event_type, information)
        for event_type, information in events
    ]
    by_association = channel is Channel.ASSOCIATION
    tx.events.append(WorkitemReported(ae_title, numbers[0], numbers[-1], by_association), trace)


def report(tx: WorkitemsTransaction, ae_title: str, number: int) -> Report:
    """Return one report, for its delivery; raises NotFound when it is gone."""
    kept = tx.workitems.report(ae_title, number)
    if kept is None:
        raise NotFound("this workitem report is gone")
    return kept


def reports_after(
    tx: WorkitemsTransaction, caller: Caller, ae_title: str, number: int | None, limit: int
) -> tuple[list[Report], int]:
    """Return what a subscriber was told after a number, and the newest number; None is from now on."""
    policy.demand(caller, Permission.WORKITEMS_SUBSCRIBE)
    if number is None:
        return [], tx.workitems.last_report(ae_title)
    reports = tx.workitems.reports_after(ae_title, number, limit)
    return reports, reports[-1].number if reports else number


_RESTARTED: Attributes = {
    "00741242": one("CS", "RESTARTED"),
    "00741244": one("CS", "WARM START"),
    "00741246": one("CS", "WARM START"),
}
"""Subscriptions and workitems are in the database: a restart forgets neither."""


def _subscribe_globally(
    tx: WorkitemsTransaction, trace: str, sop_instance_uid: str, wanted: Subscriber
) -> None:
    """Join all workitems that there are, or that match; with lock, each is reported as it stands (CC.2.4.3)."""
    asked: tuple[Key, ...] = wanted.keys if sop_instance_uid == FILTERED_WORKITEMS else ()
    keys = localised(asked, tx.now.tzinfo)
    tx.workitems.put_subscriber(replace(wanted, globally=True, keys=keys))
    for workitem in tx.workitems.candidates(WorkitemQuery(keys)):
        if matches(workitem.attributes, keys, tx.now.tzinfo):
            uid = workitem.sop_instance_uid
            tx.workitems.subscribe_if_not(wanted.ae_title, uid, deletion_lock=wanted.deletion_lock)
            if wanted.deletion_lock:
                tell(
                    tx,
                    trace,
                    (wanted.ae_title, wanted.channel),
                    uid,
                    [rules.state_report(workitem.attributes)],
                )


def _hear(tx: WorkitemsTransaction, wanted: Subscriber) -> None:
    """Note by which channel a subscriber hears; its global subscription stays as it is."""
    known = tx.workitems.subscriber(wanted.ae_title)
    kept = known or Subscriber(wanted.ae_title, wanted.channel)
    tx.workitems.put_subscriber(replace(kept, channel=wanted.channel))


def _stop_globally(tx: WorkitemsTransaction, ae_title: str) -> None:
    known = tx.workitems.subscriber(ae_title)
    if known is not None:
        tx.workitems.put_subscriber(replace(known, globally=False, deletion_lock=False, keys=()))


def _workitem(tx: WorkitemsTransaction, sop_instance_uid: str) -> Workitem:
    workitem = tx.workitems.workitem(sop_instance_uid)
    if workitem is None:
        raise WorkitemUnknown(Reason.UNKNOWN)
    return workitem
