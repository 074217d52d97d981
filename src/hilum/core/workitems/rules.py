"""The state table, the attribute requirements, and which events follow a change (PS3.4 CC.1.1, CC.2)."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from hilum.core.workitems import table
from hilum.core.workitems.attributes import chosen, has_value, items_at, moment_text, one, text_at
from hilum.core.workitems.model import (
    UPS_PUSH,
    AttributeFault,
    Attributes,
    EventType,
    Fault,
    Reason,
    Remark,
    Workitem,
    WorkitemConflict,
    WorkitemState,
)

Event = tuple[EventType, dict[str, Mapping[str, Any]]]
"""An event and its information (PS3.4 Table CC.2.4-1)."""

DEFAULT_WORKLIST_LABEL = "HILUM"
FINAL = (WorkitemState.COMPLETED, WorkitemState.CANCELED)
_ALREADY = {
    WorkitemState.CANCELED: Remark.ALREADY_CANCELED,
    WorkitemState.COMPLETED: Remark.ALREADY_COMPLETED,
}
_OWN = (table.SOP_CLASS_UID, table.SOP_INSTANCE_UID, table.TRANSACTION_UID)


def created(given: Attributes, sop_instance_uid: str, now: datetime) -> tuple[dict[str, Any], Remark]:
    """Return the attributes of a new workitem (CC.2.5.3), and whether type 2 attributes had to be filled in.

    Raises AttributeFault, and WorkitemConflict for any other state than SCHEDULED (C309).
    """
    missing = [row for row in table.ROWS if row.create == "1" and not has_value(given, row.tag)]
    for row in missing:
        raise AttributeFault(row.tag, row.keyword, Fault.EMPTY if row.tag in given else Fault.MISSING)
    if text_at(given, table.STATE) != WorkitemState.SCHEDULED:
        raise WorkitemConflict(Reason.NOT_SCHEDULED, next_step="create it with the state SCHEDULED")
    _demand_empty(given)
    _check_values(given)
    kept: dict[str, Any] = {tag: value for tag, value in given.items() if tag not in _OWN}
    lacking = [row for row in table.ROWS if row.create in ("2", "0") and row.tag not in given]
    kept |= {row.tag: {"vr": row.vr} for row in lacking if row.tag != table.TRANSACTION_UID}
    if not has_value(given, table.WORKLIST_LABEL):
        kept[table.WORKLIST_LABEL] = one("LO", DEFAULT_WORKLIST_LABEL)
    kept[table.SOP_CLASS_UID] = one("UI", UPS_PUSH)
    kept[table.SOP_INSTANCE_UID] = one("UI", sop_instance_uid)
    kept[table.MODIFIED] = one("DT", moment_text(now))
    filled = [row for row in lacking if row.tag != table.TRANSACTION_UID]
    return kept, Remark.CREATED_WITH_MODIFICATIONS if filled else Remark.NOTHING


def _demand_empty(given: Attributes) -> None:
    """What only the performer may say later is empty at first."""
    for row in table.ROWS:
        if row.create == "0" and has_value(given, row.tag):
            raise AttributeFault(row.tag, row.keyword, Fault.WRONG)


def _check_values(given: Attributes) -> None:
    for tag, allowed in ((table.READINESS, table.READINESS_STATES), (table.PRIORITY, table.PRIORITIES)):
        if tag in given and text_at(given, tag) not in allowed:
            raise AttributeFault(tag, table.BY_TAG[tag].keyword, Fault.WRONG)


def demand_changeable(workitem: Workitem, transaction_uid: str) -> None:
    """Raise WorkitemConflict unless the workitem may be changed by who gives this Transaction UID (CC.2.6.3)."""
    match workitem.state:
        case WorkitemState.SCHEDULED if transaction_uid:
            raise WorkitemConflict(
                Reason.NOT_IN_PROGRESS, next_step="send no Transaction UID, or claim it first"
            )
        case WorkitemState.IN_PROGRESS if not transaction_uid:
            raise WorkitemConflict(
                Reason.NO_TRANSACTION_UID, next_step="send the UID that it was claimed with"
            )
        case WorkitemState.IN_PROGRESS if transaction_uid != workitem.transaction_uid:
            raise WorkitemConflict(
                Reason.WRONG_TRANSACTION_UID, next_step="send the UID that it was claimed with"
            )
        case WorkitemState.COMPLETED | WorkitemState.CANCELED:
            raise WorkitemConflict(Reason.MAY_NO_LONGER_BE_UPDATED)
        case _:
            return


def changed(workitem: Workitem, given: Attributes, now: datetime) -> dict[str, Any]:
    """Return the attributes after an N-SET: given ones replace by top-level tag (CC.2.6.2). Raises AttributeFault."""
    sent = {tag: value for tag, value in given.items() if tag != table.TRANSACTION_UID}
    for tag in sent:
        _check_settable(workitem, sent, tag)
    _check_values(sent)
    return {**workitem.attributes, **sent, table.MODIFIED: one("DT", moment_text(now))}


def _check_settable(workitem: Workitem, given: Attributes, tag: str) -> None:
    """Refuse what N-SET may not set; repeating the value that is kept changes nothing, and is let pass."""
    if given[tag] == workitem.attributes.get(tag):
        return
    row = table.BY_TAG.get(tag)
    if tag in (table.SOP_CLASS_UID, table.SOP_INSTANCE_UID):
        raise AttributeFault(
            tag, "SOPClassUID" if tag == table.SOP_CLASS_UID else "SOPInstanceUID", Fault.NOT_ALLOWED
        )
    if row is not None and not row.change:
        raise AttributeFault(tag, row.keyword, Fault.NOT_ALLOWED)
    if row is not None and row.change == "1" and not has_value(given, tag):
        raise AttributeFault(tag, row.keyword, Fault.EMPTY)


def next_state(workitem: Workitem, wanted: WorkitemState, transaction_uid: str) -> Remark:
    """Judge a Change UPS State by PS3.4 Table CC.1.1-2; raises WorkitemConflict. A remark means: nothing to do."""
    state = workitem.state
    if wanted is WorkitemState.SCHEDULED:
        raise WorkitemConflict(Reason.ONLY_CREATED_SCHEDULED, next_step="create another workitem")
    if not transaction_uid:
        raise WorkitemConflict(
            Reason.NO_TRANSACTION_UID, next_step="send a Transaction UID of your own making"
        )
    if state is not WorkitemState.SCHEDULED and transaction_uid != workitem.transaction_uid:
        raise WorkitemConflict(
            Reason.WRONG_TRANSACTION_UID, next_step="send the UID that it was claimed with"
        )
    if state is WorkitemState.SCHEDULED and wanted is not WorkitemState.IN_PROGRESS:
        raise WorkitemConflict(Reason.NOT_IN_PROGRESS, next_step="claim it first: IN PROGRESS")
    if state is wanted:
        if state is WorkitemState.IN_PROGRESS:
            raise WorkitemConflict(Reason.ALREADY_IN_PROGRESS)
        return _ALREADY[state]
    if state in FINAL:
        raise WorkitemConflict(Reason.MAY_NO_LONGER_BE_UPDATED)
    return Remark.NOTHING


def in_state(workitem: Workitem, state: WorkitemState, now: datetime, reasons: Attributes) -> dict[str, Any]:
    """Return the attributes in a new state; raises WorkitemConflict where a final state lacks what it requires."""
    attributes: dict[str, Any] = dict(workitem.attributes)
    if state is WorkitemState.CANCELED:
        attributes[table.PROGRESS] = {"vr": "SQ", "Value": [_canceled_progress(attributes, now, reasons)]}
    if state in FINAL:
        for keyword in lacking(attributes, state):
            raise WorkitemConflict(
                Reason.FINAL_STATE_REQUIREMENTS, detail=keyword, next_step=f"set {keyword} before the end"
            )
    attributes[table.STATE] = one("CS", state.value)
    attributes[table.MODIFIED] = one("DT", moment_text(now))
    return attributes


def _canceled_progress(attributes: Attributes, now: datetime, reasons: Attributes) -> dict[str, Any]:
    """Fill in when and why it was canceled where the performer did not say (Table CC.2.5-3, codes X)."""
    filled: dict[str, Any] = {
        table.CANCELLATION_TIME: one("DT", moment_text(now)),
        table.DISCONTINUATION_REASON: one("SQ", dict(table.UNSPECIFIED_REASON)),
    }
    filled |= chosen(reasons, (table.DISCONTINUATION_REASON, table.CANCELLATION_REASON))
    said = next(iter(items_at(attributes, table.PROGRESS)), {})
    return filled | {tag: value for tag, value in said.items() if has_value(said, tag) or tag not in filled}


def lacking(attributes: Attributes, state: WorkitemState) -> Iterator[str]:
    """Yield the keywords that PS3.4 Table CC.2.5-3 requires in a final state, and that are not there."""
    wanted = {table.Final.REQUIRED}
    wanted.add(table.Final.IF_COMPLETED if state is WorkitemState.COMPLETED else table.Final.IF_CANCELED)
    yield from (
        row.keyword for row in table.ROWS if row.final in wanted and not has_value(attributes, row.tag)
    )
    if state is WorkitemState.COMPLETED:
        performed = next(iter(items_at(attributes, table.PERFORMED)), {})
        yield from (row.keyword for row in table.PERFORMED_ROWS if not has_value(performed, row.tag))
        if table.OUTPUT_INFORMATION.tag not in performed:
            yield table.OUTPUT_INFORMATION.keyword


def state_report(attributes: Attributes) -> Event:
    """Return the UPS State Report of what is (event type 1)."""
    progress = next(iter(items_at(attributes, table.PROGRESS)), {})
    information = {tag: attributes[tag] for tag in (table.READINESS, table.STATE)}
    reasons = chosen(progress, (table.DISCONTINUATION_REASON, table.CANCELLATION_REASON))
    return EventType.STATE_REPORT, information | reasons


def events_of_creation(attributes: Attributes) -> list[Event]:
    """Return what global subscribers are told of a new workitem (CC.2.4.3)."""
    is_assigned = any(has_value(attributes, tag) for tag in (table.STATION_NAMES, table.HUMAN_PERFORMERS))
    return [state_report(attributes), *([_assigned(attributes)] if is_assigned else [])]


def events_of_change(before: Attributes, after: Attributes) -> list[Event]:
    """Return what subscribers are told of an N-SET (CC.2.4.3)."""
    events: list[Event] = []
    if before.get(table.READINESS) != after.get(table.READINESS):
        events.append(state_report(after))
    if any(before.get(tag) != after.get(tag) for tag in (table.STATION_NAMES, table.HUMAN_PERFORMERS)):
        events.append(_assigned(after))
    if _progress(before) != _progress(after):
        events.append((EventType.PROGRESS_REPORT, {table.PROGRESS: after[table.PROGRESS]}))
    return events


def _progress(attributes: Attributes) -> list[dict[str, Any]]:
    items = items_at(attributes, table.PROGRESS)
    return [{tag: item[tag] for tag in table.PROGRESS_TELLING if tag in item} for item in items]


def _assigned(attributes: Attributes) -> Event:
    """Return the UPS Assigned event (type 5): stations, and the code and organization of the first performer."""
    performer = next(iter(items_at(attributes, table.HUMAN_PERFORMERS)), {})
    stations = chosen(attributes, (table.STATION_NAMES,))
    return EventType.ASSIGNED, stations | chosen(performer, ("00404009", "00404036"))
