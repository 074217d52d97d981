"""What a person has to look at, and what was done by whom."""

from starlette.responses import Response

from hilum.doors.console.paging import asked_number
from hilum.doors.console.site import Visit

PAGE = 100


def conflicts(visit: Visit) -> Response:
    """List open conflicts, newest first."""
    found = visit.hub.conflicts(visit.caller, PAGE + 1)
    return visit.show("conflicts.html", conflicts=found[:PAGE], more=len(found) > PAGE)


def audit(visit: Visit) -> Response:
    """List the trail, newest first."""
    before = asked_number(visit, "before")
    found = visit.hub.audit(visit.caller, PAGE + 1, before)
    older = found[PAGE - 1].sequence if len(found) > PAGE else None
    return visit.show("audit.html", entries=found[:PAGE], older=older, paged=before is not None)
