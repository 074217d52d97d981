"""The first page: is everything well, and what came today?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.responses import Response

from hilum.core.archive.model import Found, Level, Query
from hilum.core.kernel.caller import Permission
from hilum.core.routing.model import Queue
from hilum.doors._http.callers import place
from hilum.doors.console import words
from hilum.doors.console.site import Visit

RECENT_MESSAGES = 8
RECENT_STUDIES = 8
_SPANS = (timedelta(minutes=5), timedelta(hours=1), timedelta(days=1), timedelta(days=7))
_LOOKED_AT = 200
"""Messages, and changed studies, that the page looks through at most."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure that leads to the list behind it."""

    name: str
    value: str
    note: str
    path: str
    mark: str = "idle"


def overview(visit: Visit) -> Response:
    """Show totals, queues, peers and what came last."""
    return visit.show("overview.html", **{**_live(visit), **_recent(visit)})


def live(visit: Visit) -> Response:
    """Show the figures again; when instances came since, tell the page to ask for the studies too.

    The figures are asked for every few seconds and read nothing of a patient, so they leave no audit entry.
    """
    values = _live(visit)
    response = visit.show("overview_live.html", **values)
    if visit.asked("seen") != str(values["seen"]):
        response.headers["HX-Trigger"] = "studies-changed"
    return response


def recent(visit: Visit) -> Response:
    """Show the latest studies again."""
    return visit.show("overview_recent.html", **_recent(visit))


def _live(visit: Visit) -> dict[str, Any]:
    queues = visit.hub.queues(visit.caller) if visit.may(Permission.ROUTING_READ) else []
    messages = visit.hub.messages(visit.caller, _LOOKED_AT) if visit.may(Permission.ROUTING_READ) else []
    peers = visit.hub.peers(visit.caller) if visit.may(Permission.PEERS_READ) else []
    rejected = sum(1 for message in messages if not words.accepted(message))
    totals = visit.hub.totals(visit.caller)
    return {
        "tiles": _tiles(visit, totals, queues, rejected, len(messages)),
        "queues": queues,
        "messages": messages[:RECENT_MESSAGES],
        "peers": peers,
        "listening": visit.site.listening,
        "seen": totals.get("instances", 0),
    }


def _recent(visit: Visit) -> dict[str, Any]:
    return {
        "studies": _recent_studies(visit),
        "listening": visit.site.listening,
        "base_url": place(visit.request).base_url,
    }


def _tiles(
    visit: Visit, totals: dict[str, int], queues: Sequence[Queue], rejected: int, looked_at: int
) -> list[Tile]:
    tiles = [_studies_tile(visit, totals)]
    if visit.may(Permission.ROUTING_READ):
        tiles += [_waiting_tile(queues), _dead_tile(queues), _rejected_tile(rejected, looked_at)]
    if visit.may(Permission.CONFLICTS_READ):
        conflicts = totals.get("conflicts", 0)
        note = "a person has to decide" if conflicts else "nothing contradicts"
        shape = "doubt" if conflicts else "good"
        tiles.append(Tile("Open conflicts", words.number(conflicts), note, "/conflicts", shape))
    return tiles


def _studies_tile(visit: Visit, totals: dict[str, int]) -> Tile:
    today = visit.hub.count(visit.caller, Query(Level.STUDY, {}, updated_since=_midnight()))
    note = (
        f"{words.count(totals.get('series', 0), 'series', 'series')} · "
        f"{words.count(totals.get('instances', 0), 'instance')} · {words.size(totals.get('octets', 0))} · "
        f"{words.count(today, 'study', 'studies')} received today"
    )
    return Tile("Studies", words.number(totals.get("studies", 0)), note, "/studies")


def _waiting_tile(queues: Sequence[Queue]) -> Tile:
    waiting = sum(queue.waiting for queue in queues)
    oldest = min((queue.oldest_waiting for queue in queues if queue.oldest_waiting), default=None)
    note = f"oldest waits {words.age(oldest)}" if oldest else "every queue is empty"
    shape = "waiting" if waiting else "good"
    return Tile("Deliveries waiting", words.number(waiting), note, "/deliveries?state=waiting", shape)


def _dead_tile(queues: Sequence[Queue]) -> Tile:
    dead = sum(queue.dead for queue in queues)
    where = sum(1 for queue in queues if queue.dead)
    note = f"at {words.count(where, 'destination')}: replay when mended" if dead else "nothing was given up"
    shape = "bad" if dead else "good"
    return Tile("Deliveries dead", words.number(dead), note, "/deliveries?state=dead", shape)


def _rejected_tile(rejected: int, looked_at: int) -> Tile:
    note = f"of the last {words.count(looked_at, 'message')}" if looked_at else "no message came yet"
    shape = "bad" if rejected else "good"
    return Tile("Messages rejected", words.number(rejected), note, "/messages?answer=rejected", shape)


def _recent_studies(visit: Visit) -> list[Found]:
    """Return the studies that changed last, of the last week: those of the shortest span that has enough of them."""
    now = datetime.now(UTC)
    queries = [Query(Level.STUDY, {}, limit=_LOOKED_AT, updated_since=now - span) for span in _SPANS]
    enough = (query for query in queries if visit.hub.count(visit.caller, query) >= RECENT_STUDIES)
    found = visit.hub.find(visit.caller, next(enough, queries[-1]))
    changed = [(one.study.updated, one) for one in found if one.study is not None]
    changed.sort(key=lambda pair: pair[0], reverse=True)
    return [one for _, one in changed[:RECENT_STUDIES]]


def _midnight() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
