"""Answers in FHIR's JSON: what may be answered, versions as ETag, failures as OperationOutcome."""

from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime

from starlette.requests import Request
from starlette.responses import Response

from hilum.core.kernel.errors import Busy, Conflict, HilumError, Invalid, NotFound, Refused
from hilum.doors._http.negotiation import MediaType, choose, parse_accept, parse_media_type
from hilum.doors._http.problems import (
    Failure,
    NotAcceptable,
    NotBuilt,
    TooLarge,
    Unauthenticated,
    UnsupportedMediaType,
)
from hilum.wire.fhir import outcome, values
from hilum.wire.fhir.search import NotSupported
from hilum.wire.fhir.values import Resource


class NotServed(NotFound):
    """A resource type or interaction that this server does not have: 404, issue-type `not-supported`."""


_JSON = MediaType("application", "fhir+json", {"fhirversion": "4.0"})
_OFFERED = (_JSON, MediaType("application", "json"), MediaType("text", "json"))
_SHORT_FORMATS = frozenset({"json"})

ISSUE_CODES: Mapping[type[HilumError], str] = {
    NotSupported: "not-supported",
    NotAcceptable: "not-supported",
    UnsupportedMediaType: "not-supported",
    NotBuilt: "not-supported",
    NotServed: "not-supported",
    TooLarge: "too-long",
    Unauthenticated: "login",
    Invalid: "invalid",
    NotFound: "not-found",
    Conflict: "conflict",
    Refused: "forbidden",
    Busy: "throttled",
}
"""House plan, section 6, in FHIR's words (issue-type)."""

_CODES_OF_STATUS: Mapping[int, str] = {404: "not-found", 405: "not-supported"}


def media_type_of(request: Request) -> str:
    """Return the media type to answer in: `_format` stands before Accept (FHIR R4 3.1.0.1.9); raises NotAcceptable."""
    asked = [value.strip().replace(" ", "+") for value in request.query_params.getlist("_format")]
    if any(value in _SHORT_FORMATS for value in asked):
        return _JSON.essence
    accepted = tuple(_named(value) for value in asked) or parse_accept(request.headers.getlist("accept"))
    chosen = choose(accepted, _OFFERED)
    if chosen is None:
        raise NotAcceptable(
            "only JSON of FHIR R4 is written here", next_step="accept application/fhir+json, or _format=json"
        )
    return chosen[0].essence


def _named(value: str) -> MediaType:
    """A name like `xml` or `ttl` is none of ours."""
    if "/" not in value:
        raise NotAcceptable(f"no such _format here: {value[:32]!r}", next_step="write _format=json")
    return parse_media_type(value)


def answer(request: Request, resource: Resource, media_type: str) -> Response:
    """Return a resource with its version, or 304 when the caller has that version (FHIR R4 3.1.0.5)."""
    headers = _versions(resource)
    known = [one.strip() for one in request.headers.get("if-none-match", "").split(",")]
    if headers.get("ETag") and (headers["ETag"] in known or "*" in known):
        return Response(status_code=304, headers=headers)
    pretty = request.query_params.get("_pretty", "") == "true"
    return Response(values.dumps(resource, pretty=pretty), headers=headers, media_type=media_type)


def say(request: Request, failure: Failure) -> Response:
    """Word a failure as OperationOutcome."""
    del request
    told = [failure.next_step, f"the peer said: {failure.peer_said}" if failure.peer_said else ""]
    told.append(f"trace {failure.trace}" if failure.status >= 500 else "")
    issue = outcome.issue("error", _code_of(failure), "; ".join(part for part in told if part))
    issue["details"] = {"text": values.line(failure.what)}
    body = values.dumps(outcome.operation_outcome([issue]))
    return Response(body, failure.status, dict(failure.headers), media_type=_JSON.essence)


def _code_of(failure: Failure) -> str:
    if failure.error is None:
        return _CODES_OF_STATUS.get(failure.status, "exception")
    return next((ISSUE_CODES[kind] for kind in failure.error.__mro__ if kind in ISSUE_CODES), "exception")


def _versions(resource: Resource) -> dict[str, str]:
    meta = resource.get("meta", {})
    headers = {}
    if "versionId" in meta:
        headers["ETag"] = f'W/"{meta["versionId"]}"'
    if "lastUpdated" in meta:
        headers["Last-Modified"] = format_datetime(datetime.fromisoformat(meta["lastUpdated"]), usegmt=True)
    return headers
