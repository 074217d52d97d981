"""Deliveries: what was sent where, what the receiver said, and sending it again."""

from starlette.responses import Response

from hilum.core.archive.model import Exact, Level, Query
from hilum.core.kernel.caller import Permission
from hilum.core.kernel.errors import Invalid
from hilum.core.routing.model import Delivery, DeliveryQuery, DeliveryState, ParcelKind
from hilum.doors.console.paging import asked_number, named_key
from hilum.doors.console.site import Visit

PAGE = 50
MOST_AT_ONCE = 500
"""Deliveries that one transaction replays."""
MOST_OF_A_DESTINATION = 100_000


def deliveries(visit: Visit) -> Response:
    """List deliveries, newest first, by destination and state."""
    before = asked_number(visit, "before")
    query = DeliveryQuery(
        destination=visit.asked("destination"),
        states=_states(visit.asked("state")),
        reference=visit.asked("reference"),
        before_key=before,
        limit=PAGE + 1,
    )
    found = visit.hub.deliveries(visit.caller, query)
    return visit.show(
        "deliveries.html",
        deliveries=found[:PAGE],
        older=found[PAGE - 1].key if len(found) > PAGE else None,
        paged=before is not None,
        queues=visit.hub.queues(visit.caller),
        states=list(DeliveryState),
    )


def delivery(visit: Visit) -> Response:
    """Show one delivery: the attempts, and what was answered to each."""
    found, attempts = visit.hub.delivery(visit.caller, named_key(visit))
    return visit.show(
        "delivery.html", delivery=found, attempts=attempts, parcel_path=_parcel_path(visit, found)
    )


def replay(visit: Visit) -> Response:
    """Make the chosen deliveries wait again: one, several, or all dead ones of a destination.

    Repeating the form changes nothing: what waits already is left alone. More than one asks a second time.
    """
    destination = visit.said("all_dead_of")
    keys = _dead_keys(visit, destination) if destination else [_key(text) for text in visit.chosen("key")]
    if not keys:
        return visit.go("/deliveries", replayed=0)
    if len(keys) > 1 and visit.said("confirmed") != "yes":
        return visit.show("replay.html", keys=keys, destination=destination)
    replayed = sum(
        visit.hub.replay(visit.caller, keys[start : start + MOST_AT_ONCE])
        for start in range(0, len(keys), MOST_AT_ONCE)
    )
    if len(keys) == 1:
        return visit.go(f"/deliveries/{keys[0]}", replayed=replayed)
    return visit.go("/deliveries", replayed=replayed)


def _dead_keys(visit: Visit, destination: str) -> list[int]:
    """Return the dead deliveries of a destination, oldest first, so that the order of sending is kept."""
    keys: list[int] = []
    before: int | None = None
    while len(keys) < MOST_OF_A_DESTINATION:
        query = DeliveryQuery(destination, (DeliveryState.DEAD,), before_key=before, limit=MOST_AT_ONCE)
        found = visit.hub.deliveries(visit.caller, query)
        keys += [one.key for one in found]
        if len(found) < MOST_AT_ONCE:
            break
        before = found[-1].key
    return keys[::-1]


def _states(asked: str) -> tuple[DeliveryState, ...]:
    if not asked:
        return ()
    try:
        state = DeliveryState(asked)
    except ValueError as error:
        raise Invalid("no such state of a delivery", next_step=", ".join(DeliveryState)) from error
    return (state, DeliveryState.UNCERTAIN) if state is DeliveryState.WAITING else (state,)


def _key(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Invalid("a delivery is named by a whole number")
    return int(text)


def _parcel_path(visit: Visit, found: Delivery) -> str:
    """Return the page of what was sent, where it has one."""
    if found.kind is not ParcelKind.INSTANCE or not visit.may(Permission.ARCHIVE_QUERY):
        return ""
    query = Query(Level.INSTANCE, {"sop_instance_uid": Exact(found.reference)}, limit=1)
    met = visit.hub.find(visit.caller, query)
    return f"/studies/{met[0].study.study_instance_uid}" if met and met[0].study else ""
