"""`/api`: status, peers, deliveries, messages, conflicts, audit, rejections, and replay."""

import json
from dataclasses import asdict
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hilum.core.exchange.model import InboundMessage
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Invalid, NotFound
from hilum.core.routing.model import DeliveryQuery, DeliveryState
from hilum.doors._http.app import Door
from hilum.doors._http.endpoints import answered, streamed
from hilum.doors.api.answers import HIGHEST_KEY, as_json, limit_of, number_of
from hilum.doors.api.lifecycle import Conflicts, Lifecycle

_MOST_REPLAYED = 10_000


def api_door(hub: Hub) -> Door:
    """Return the API, which stands at `/api`."""
    api, lifecycle, conflicts = _Api(hub), Lifecycle(hub), Conflicts(hub)
    gets = {
        "/status": api.status,
        "/peers": api.peers,
        "/deliveries": api.deliveries,
        "/deliveries/{key:int}": api.delivery,
        "/messages": api.messages,
        "/conflicts": api.conflicts,
        "/audit": api.audit,
    }
    gets |= {"/conflicts/resolved": conflicts.resolved, "/conflicts/{key:int}": conflicts.one}
    gets |= {"/rejections": lifecycle.rejections, "/tombstones": lifecycle.tombstones}
    posts = {
        "/deliveries/replay": api.replay,
        "/conflicts/{key:int}/resolve": conflicts.resolve,
        "/conflicts/{key:int}/undo": conflicts.undo,
        "/rejections": lifecycle.reject,
        "/rejections/{key:int}/restore": lifecycle.restore,
    }
    routes = [Route(path, answered(hub, answer)) for path, answer in gets.items()]
    routes += [Route(path, streamed(hub, answer), methods=["POST"]) for path, answer in posts.items()]
    return Door("api", "/api", routes)


class _Api:
    """One method a path."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def status(self, _request: Request, caller: Caller) -> Response:
        """Return totals of the archive and how every queue stands."""
        totals, queues = self._hub.totals(caller), self._hub.queues(caller)
        return as_json({"archive": totals, "queues": [asdict(queue) for queue in queues]})

    def peers(self, _request: Request, caller: Caller) -> Response:
        """Return the configured peers."""
        return as_json(asdict(peer) for peer in self._hub.peers(caller))

    def deliveries(self, request: Request, caller: Caller) -> Response:
        """Return deliveries, newest first: `destination`, `state`, `before`, `limit`."""
        asked = request.query_params
        query = DeliveryQuery(
            destination=asked.get("destination", ""),
            states=tuple(_state(one) for one in asked.getlist("state")),
            before_key=number_of(asked.get("before")),
            limit=limit_of(request),
        )
        return as_json(asdict(delivery) for delivery in self._hub.deliveries(caller, query))

    def delivery(self, request: Request, caller: Caller) -> Response:
        """Return one delivery with its attempts."""
        key: int = request.path_params["key"]
        if key > HIGHEST_KEY:
            raise NotFound(f"no delivery has the number {key}", next_step="GET /api/deliveries")
        delivery, attempts = self._hub.delivery(caller, key)
        return as_json({**asdict(delivery), "history": [asdict(attempt) for attempt in attempts]})

    async def replay(self, request: Request, caller: Caller) -> Response:
        """Make deliveries wait again: `{"keys": [1, 2]}`; those that wait already are left alone."""
        keys = _keys(await request.body())
        replayed = await run_in_threadpool(self._hub.replay, caller, keys)
        return as_json({"replayed": replayed})

    def messages(self, request: Request, caller: Caller) -> Response:
        """Return HL7 messages without their bodies, newest first: `before`, `limit`."""
        found = self._hub.messages(caller, limit_of(request), number_of(request.query_params.get("before")))
        return as_json(_message(message) for message in found)

    def conflicts(self, request: Request, caller: Caller) -> Response:
        """Return open conflicts, newest first: `limit`."""
        return as_json(asdict(conflict) for conflict in self._hub.conflicts(caller, limit_of(request)))

    def audit(self, request: Request, caller: Caller) -> Response:
        """Return audit entries, newest first: `before`, `limit`."""
        found = self._hub.audit(caller, limit_of(request), number_of(request.query_params.get("before")))
        return as_json(asdict(entry) for entry in found)


def _message(message: InboundMessage) -> dict[str, Any]:
    return {
        "key": message.key,
        "peer": message.peer,
        "control_id": message.envelope.control_id,
        "message_type": message.envelope.message_type,
        "answer": message.answer,
        "reason": message.reason,
        "trace": message.trace,
        "received": message.received,
    }


def _state(text: str) -> DeliveryState:
    try:
        return DeliveryState(text)
    except ValueError as error:
        raise Invalid("no such state", next_step=f"choose of: {', '.join(DeliveryState)}") from error


def _keys(body: bytes) -> list[int]:
    try:
        keys = json.loads(body)["keys"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise Invalid('the body must be {"keys": [1, 2]}') from error
    if not isinstance(keys, list) or len(keys) > _MOST_REPLAYED or not all(map(_is_key, keys)):
        raise Invalid(f"`keys` is a list of at most {_MOST_REPLAYED} numbers")
    return keys


def _is_key(value: object) -> bool:
    return type(value) is int and 0 <= value <= HIGHEST_KEY
