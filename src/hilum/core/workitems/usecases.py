"""Create, read, change, claim, end, cancel, find."""

from dataclasses import replace
from datetime import datetime

from hilum.core.access import policy
from hilum.core.audit.usecases import record
from hilum.core.kernel.caller import Caller, Permission
from hilum.core.kernel.errors import Busy
from hilum.core.kernel.identifiers import uid
from hilum.core.workitems import rules, table
from hilum.core.workitems.attributes import chosen, one
from hilum.core.workitems.matching import localised, matches
from hilum.core.workitems.model import (
    Attributes,
    Cancellation,
    EventType,
    Reason,
    Remark,
    Workitem,
    WorkitemChange,
    WorkitemConflict,
    WorkitemQuery,
    WorkitemState,
    WorkitemUnknown,
)
from hilum.core.workitems.ports import WorkitemsTransaction
from hilum.core.workitems.telling import tell, tell_subscribers, welcome

MOST_LOOKED_AT = 100_000
"""Workitems that one search looks through at most."""
EXPIRED_AT_ONCE = 500


def create(
    tx: WorkitemsTransaction, caller: Caller, sop_instance_uid: str, given: Attributes
) -> tuple[Workitem, Remark]:
    """N-CREATE (PS3.4 CC.2.5): keep a new workitem, SCHEDULED; raises AttributeFault, WorkitemConflict."""
    policy.demand(caller, Permission.WORKITEMS_CREATE)
    sop_instance_uid = uid(sop_instance_uid or tx.fresh_uid(), "SOP Instance UID")
    attributes, remark = rules.created(given, sop_instance_uid, tx.now)
    workitem = Workitem(sop_instance_uid, WorkitemState.SCHEDULED, attributes, 1, tx.now, tx.now)
    if not tx.workitems.add(workitem):
        raise WorkitemConflict(Reason.DUPLICATE, next_step="create it under another UID")
    _note(tx, caller, workitem, "created")
    record(tx, caller, "workitems.create", _entity(workitem))
    for subscriber in welcome(tx, workitem):
        tell(tx, caller.trace, subscriber, workitem.sop_instance_uid, rules.events_of_creation(attributes))
    return workitem, remark


def read(tx: WorkitemsTransaction, caller: Caller, sop_instance_uid: str) -> Workitem:
    """N-GET (PS3.4 CC.2.7); raises WorkitemUnknown."""
    policy.demand(caller, Permission.WORKITEMS_READ)
    workitem = known(tx, sop_instance_uid)
    record(tx, caller, "workitems.read", _entity(workitem))
    return workitem


def history(tx: WorkitemsTransaction, caller: Caller, sop_instance_uid: str) -> list[WorkitemChange]:
    """Return through which states a workitem went, oldest first; raises WorkitemUnknown."""
    policy.demand(caller, Permission.WORKITEMS_READ)
    return tx.workitems.history(known(tx, sop_instance_uid).sop_instance_uid)


def change(
    tx: WorkitemsTransaction, caller: Caller, sop_instance_uid: str, given: Attributes, transaction_uid: str
) -> None:
    """N-SET (PS3.4 CC.2.6): by anybody while SCHEDULED, by the performer while IN PROGRESS."""
    policy.demand(caller, Permission.WORKITEMS_PERFORM)
    workitem = known(tx, sop_instance_uid)
    rules.demand_changeable(workitem, transaction_uid)
    attributes = rules.changed(workitem, given, tx.now)
    tx.workitems.put(replace(workitem, attributes=attributes, updated=tx.now))
    record(tx, caller, "workitems.change", _entity(workitem))
    tell_subscribers(
        tx, caller.trace, sop_instance_uid, rules.events_of_change(workitem.attributes, attributes)
    )


def change_state(
    tx: WorkitemsTransaction,
    caller: Caller,
    sop_instance_uid: str,
    wanted: WorkitemState,
    transaction_uid: str,
) -> Remark:
    """N-ACTION Change UPS State (PS3.4 CC.2.1): claim it, complete it, cancel what one performs."""
    policy.demand(caller, Permission.WORKITEMS_PERFORM)
    workitem = known(tx, sop_instance_uid)
    remark = rules.next_state(workitem, wanted, transaction_uid)
    if remark is Remark.NOTHING:
        uid(transaction_uid, "Transaction UID")
        _move(tx, caller, replace(workitem, transaction_uid=transaction_uid), wanted, {})
    return remark


def request_cancel(
    tx: WorkitemsTransaction, caller: Caller, sop_instance_uid: str, cancellation: Cancellation
) -> Remark:
    """N-ACTION Request UPS Cancel (PS3.4 CC.2.2): cancel what nobody performs yet, else ask who performs it."""
    policy.demand(caller, Permission.WORKITEMS_CANCEL)
    workitem = known(tx, sop_instance_uid)
    if workitem.state is WorkitemState.COMPLETED:
        raise WorkitemConflict(Reason.ALREADY_COMPLETED)
    if workitem.state is WorkitemState.CANCELED:
        return Remark.ALREADY_CANCELED
    watched = tx.workitems.subscribers_of(sop_instance_uid)
    if workitem.state is WorkitemState.IN_PROGRESS and not watched:
        raise WorkitemConflict(Reason.PERFORMER_OUT_OF_REACH, next_step="speak to the performer yourself")
    record(tx, caller, "workitems.cancel", _entity(workitem), detail=workitem.state)
    tell_subscribers(
        tx, caller.trace, sop_instance_uid, [(EventType.CANCEL_REQUESTED, _request(cancellation))]
    )
    if workitem.state is WorkitemState.IN_PROGRESS:
        _note(tx, caller, workitem, "cancel requested")
        return Remark.NOTHING
    claimed = _move(
        tx, caller, replace(workitem, transaction_uid=tx.fresh_uid()), WorkitemState.IN_PROGRESS, {}
    )
    _move(tx, caller, claimed, WorkitemState.CANCELED, cancellation.attributes)
    return Remark.NOTHING


def find(tx: WorkitemsTransaction, caller: Caller, query: WorkitemQuery) -> list[Workitem]:
    """Return the workitems that match (PS3.4 CC.2.8), by scheduled start; raises Busy when it had to look too long."""
    policy.demand(caller, Permission.WORKITEMS_READ)
    query = replace(query, keys=localised(query.keys, tx.now.tzinfo))
    end = None if query.limit is None else query.offset + query.limit
    found: list[Workitem] = []
    for looked_at, workitem in enumerate(tx.workitems.candidates(query)):
        if looked_at >= MOST_LOOKED_AT:
            raise Busy(
                "too many workitems to look through", next_step="ask for a state, a start or a patient"
            )
        if matches(workitem.attributes, query.keys, tx.now.tzinfo):
            found.append(workitem)
            if end is not None and len(found) >= end:
                break
    record(tx, caller, "workitems.query", "Workitem", detail=f"{len(found)} answers")
    return found[query.offset :]


def expire(tx: WorkitemsTransaction, before: datetime) -> int:
    """Remove workitems that ended before a moment and that nobody locked (CC.2.1.3); returns how many."""
    gone = tx.workitems.expired(before, EXPIRED_AT_ONCE)
    for sop_instance_uid in gone:
        tx.workitems.remove(sop_instance_uid)
        record(tx, policy.ENGINE, "workitems.expire", f"Workitem/{sop_instance_uid}")
    tx.workitems.remove_reports(before)
    return len(gone)


def known(tx: WorkitemsTransaction, sop_instance_uid: str) -> Workitem:
    """Return a workitem; raises WorkitemUnknown (C307)."""
    workitem = tx.workitems.workitem(sop_instance_uid)
    if workitem is None:
        raise WorkitemUnknown(Reason.UNKNOWN)
    return workitem


def _move(
    tx: WorkitemsTransaction, caller: Caller, workitem: Workitem, state: WorkitemState, reasons: Attributes
) -> Workitem:
    """Put a workitem into a state, write that down, and report it."""
    attributes = rules.in_state(workitem, state, tx.now, reasons)
    moved = replace(workitem, state=state, attributes=attributes, updated=tx.now)
    tx.workitems.put(moved)
    _note(tx, caller, moved, "")
    record(tx, caller, "workitems.state", _entity(moved), detail=state)
    tell_subscribers(tx, caller.trace, moved.sop_instance_uid, [rules.state_report(attributes)])
    return replace(moved, version=moved.version + 1)


def _request(cancellation: Cancellation) -> Attributes:
    """Return the information of UPS Cancel Requested (Table CC.2.4-1)."""
    said = chosen(
        cancellation.attributes,
        (table.DISCONTINUATION_REASON, table.CANCELLATION_REASON, table.CONTACT_URI, table.CONTACT_NAME),
    )
    return {"00741236": one("AE", cancellation.requesting_ae), **said}


def _note(tx: WorkitemsTransaction, caller: Caller, workitem: Workitem, detail: str) -> None:
    tx.workitems.add_change(
        WorkitemChange(workitem.sop_instance_uid, workitem.state, caller.source, detail, tx.now)
    )


def _entity(workitem: Workitem) -> str:
    return f"Workitem/{workitem.sop_instance_uid}"
