"""The worklist: what is scheduled, by day, station and modality."""

from datetime import UTC, date, datetime, timedelta

from starlette.responses import Response

from hilum.core.kernel.errors import Invalid
from hilum.core.orders.model import StepStatus, WorklistQuery
from hilum.doors.console.site import Visit

LIMIT = 200


def worklist(visit: Visit) -> Response:
    """Show the steps of one day, or of all days."""
    day = _asked_day(visit)
    items = visit.hub.worklist(visit.caller, _query(visit, day))
    return visit.show(
        "worklist.html",
        items=items,
        day=day,
        before=day - timedelta(days=1) if day else None,
        after=day + timedelta(days=1) if day else None,
        today=datetime.now(UTC).date(),
        statuses=list(StepStatus),
        limit=LIMIT,
    )


def _query(visit: Visit, day: date | None) -> WorklistQuery:
    text = day.strftime("%Y%m%d") if day else ""
    return WorklistQuery(
        start_date=(text, text),
        modality=visit.asked("modality"),
        station_ae_title=visit.asked("station"),
        status=_statuses(visit.asked("status")),
        limit=LIMIT,
    )


def _statuses(asked: str) -> tuple[StepStatus, ...]:
    if asked in ("", "open"):
        return ()
    if asked == "all":
        return tuple(StepStatus)
    try:
        return (StepStatus(asked),)
    except ValueError as error:
        raise Invalid("no such status of a step") from error


def _asked_day(visit: Visit) -> date | None:
    asked = visit.asked("day")
    if not asked:
        return None
    try:
        return date.fromisoformat(asked)
    except ValueError as error:
        raise Invalid("'day' is not a day", next_step="write YYYY-MM-DD") from error
