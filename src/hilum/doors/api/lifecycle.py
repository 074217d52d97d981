"""`/api/rejections` and `/api/tombstones`: reject, restore, and what was deleted."""

import json
from dataclasses import asdict
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from hilum.core.archive.lifecycle import RejectionReason, Resolution
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Invalid, NotFound
from hilum.core.kernel.identifiers import Identifier, uid
from hilum.doors.api.answers import HIGHEST_KEY, as_json, limit_of


class Lifecycle:
    """One method a path."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def rejections(self, request: Request, caller: Caller) -> Response:
        """Return rejections that hold, newest first: `study`, `limit`."""
        study = request.query_params.get("study", "")
        return as_json(asdict(one) for one in self._hub.rejections(caller, limit_of(request), study))

    def tombstones(self, request: Request, caller: Caller) -> Response:
        """Return what was deleted, newest first: `study`, `limit`."""
        study = request.query_params.get("study", "")
        return as_json(asdict(one) for one in self._hub.tombstones(caller, limit_of(request), study))

    async def reject(self, request: Request, caller: Caller) -> Response:
        """Reject: `{"study": UID, "series": UID, "instance": UID, "reason": "quality", "detail": "why"}`."""
        said = members(await request.body())
        uids = uid(text(said, "study"), "study"), _uid_or_none(said, "series"), _uid_or_none(said, "instance")
        reason, detail = _reason(text(said, "reason")), text(said, "detail")
        made = await run_in_threadpool(self._hub.reject, caller, uids, reason, detail)
        return as_json(asdict(made))

    async def restore(self, request: Request, caller: Caller) -> Response:
        """Take a rejection back: `{"detail": "why"}`."""
        detail = text(members(await request.body()), "detail")
        restored = await run_in_threadpool(self._hub.restore, caller, key_of(request), detail)
        return as_json(asdict(restored))


class Conflicts:
    """One conflict, and what is decided about it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def resolved(self, request: Request, caller: Caller) -> Response:
        """Return resolved conflicts, the latest first: `limit`."""
        return as_json(asdict(one) for one in self._hub.resolved_conflicts(caller, limit_of(request)))

    def one(self, request: Request, caller: Caller) -> Response:
        """Return one conflict, open or resolved."""
        return as_json(asdict(self._hub.conflict(caller, key_of(request))))

    async def resolve(self, request: Request, caller: Caller) -> Response:
        """Resolve: `{"resolution": "keep", "detail": "why"}`; a move names `patient_id` and `issuer` too."""
        said = members(await request.body())
        to = Identifier(text(said, "patient_id"), text(said, "issuer")) if text(said, "patient_id") else None
        resolution, detail = _resolution(text(said, "resolution")), text(said, "detail")
        key = key_of(request)
        done = await run_in_threadpool(self._hub.resolve_conflict, caller, key, resolution, detail, to)
        return as_json(asdict(done))

    async def undo(self, request: Request, caller: Caller) -> Response:
        """Take a resolution back."""
        return as_json(asdict(await run_in_threadpool(self._hub.undo_resolution, caller, key_of(request))))


def _resolution(said: str) -> Resolution:
    try:
        return Resolution(said)
    except ValueError as error:
        raise Invalid("no such resolution", next_step=f"choose of: {', '.join(Resolution)}") from error


def key_of(request: Request) -> int:
    """Return the row number of a path; raises NotFound for one that no row can have."""
    key: int = request.path_params["key"]
    if key > HIGHEST_KEY:
        raise NotFound("there is nothing with this number", next_step="ask for the list")
    return key


def members(body: bytes) -> dict[str, Any]:
    """Read a body that is one JSON object; raises Invalid."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Invalid("the body is no JSON") from error
    if not isinstance(said, dict):
        raise Invalid("the body must be a JSON object")
    return said


def text(said: dict[str, Any], name: str) -> str:
    """Return a member that is text, empty where it is not there; raises Invalid."""
    value = said.get(name, "")
    if not isinstance(value, str):
        raise Invalid(f"`{name}` must be text")
    return value


def _uid_or_none(said: dict[str, Any], name: str) -> str:
    value = text(said, name)
    return uid(value, name) if value else ""


def _reason(said: str) -> RejectionReason:
    try:
        return RejectionReason(said)
    except ValueError as error:
        raise Invalid("no such reason", next_step=f"choose of: {', '.join(RejectionReason)}") from error
