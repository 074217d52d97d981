"""Unified Procedure Steps: what is to be done, and one workitem with the states that it went through."""

from starlette.responses import Response

from hilum.core.archive.model import AnyOf, Wildcard
from hilum.core.kernel.errors import Invalid
from hilum.core.workitems import table
from hilum.core.workitems.attributes import text_at
from hilum.core.workitems.model import Key, Workitem, WorkitemQuery, WorkitemState
from hilum.doors.console.site import Visit
from hilum.wire.dicom.shown_attributes import shown_attributes

LIMIT = 200
_OPEN = (WorkitemState.SCHEDULED, WorkitemState.IN_PROGRESS)


def workitems(visit: Visit) -> Response:
    """List workitems by their scheduled start: those that are open, or of one state."""
    found = visit.hub.find_workitems(visit.caller, _query(visit))
    return visit.show(
        "workitems.html", rows=[_row(one) for one in found], states=list(WorkitemState), limit=LIMIT
    )


def workitem(visit: Visit) -> Response:
    """Show one workitem with its attributes and its history; its Transaction UID is in neither."""
    uid = visit.request.path_params["workitem"]
    found = visit.hub.read_workitem(visit.caller, uid)
    return visit.show(
        "workitem.html",
        workitem=found,
        row=_row(found),
        attributes=list(shown_attributes(found.attributes)),
        history=visit.hub.workitem_history(visit.caller, uid),
    )


def _row(workitem: Workitem) -> dict[str, str]:
    texts = {
        "label": table.PROCEDURE_STEP_LABEL,
        "worklist": table.WORKLIST_LABEL,
        "start": table.SCHEDULED_START,
        "priority": table.PRIORITY,
        "readiness": table.READINESS,
        "patient_name": "00100010",
        "patient_id": "00100020",
    }
    read = {name: text_at(workitem.attributes, tag) for name, tag in texts.items()}
    return read | {"uid": workitem.sop_instance_uid, "state": workitem.state}


def _query(visit: Visit) -> WorkitemQuery:
    keys = []
    states = _states(visit.asked("state"))
    if states:
        keys.append(Key(table.STATE, "CS", AnyOf(tuple(state.value for state in states))))
    for name, tag, vr in (("worklist", table.WORKLIST_LABEL, "LO"), ("patient", "00100010", "PN")):
        asked = visit.asked(name)
        if asked:
            keys.append(Key(tag, vr, Wildcard(f"*{asked}*")))
    return WorkitemQuery(tuple(keys), limit=LIMIT)


def _states(asked: str) -> tuple[WorkitemState, ...]:
    if asked == "all":
        return ()
    if asked in ("", "open"):
        return _OPEN
    try:
        return (WorkitemState(asked),)
    except ValueError as error:
        raise Invalid("no such state of a workitem") from error
