"""Core error -> HTTP status, once (house plan, section 6), and the problem body of doors without one of their own."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hilum.core.kernel.errors import Busy, Conflict, HilumError, Invalid, NotFound, Refused

RETRY_AFTER = 5
"""Seconds after which what was Busy may be tried again."""


class Unauthenticated(Refused):
    """No credentials came, or they are not good (any more): 401."""


class NotAcceptable(Invalid):
    """No representation is acceptable: 406."""


class TooSlow(Invalid):
    """The body stopped arriving: 408."""


class TooLarge(Invalid):
    """The body is longer than this door reads: 413."""


class UnsupportedMediaType(Invalid):
    """The body is of a media type that this resource does not read: 415."""


class TooManyRequests(Busy):
    """Slower, please: 429."""

    def __init__(self, what: str, retry_after: int) -> None:
        super().__init__(what, next_step=f"wait {retry_after} seconds")
        self.retry_after = retry_after


class NotBuilt(HilumError):
    """A path of the contract whose service is not built yet: 501, said plainly."""


STATUS_OF: Mapping[type[HilumError], int] = {
    Invalid: 400,
    Unauthenticated: 401,
    Refused: 403,
    NotFound: 404,
    NotAcceptable: 406,
    TooSlow: 408,
    Conflict: 409,
    TooLarge: 413,
    UnsupportedMediaType: 415,
    TooManyRequests: 429,
    NotBuilt: 501,
    Busy: 503,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """What every door says of a failure, each in its own format."""

    status: int
    what: str
    trace: str
    error: type[HilumError] | None = None
    """The core error, for doors with issue codes of their own; None for a defect of ours or a routing answer."""
    peer_said: str = ""
    next_step: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


Say = Callable[[Request, Failure], Response]
"""How a door words a failure."""


def failure_of(error: Exception, trace: str) -> Failure:
    """Return what to say of an exception; anything unknown is a defect, named only by its trace."""
    if isinstance(error, HilumError):
        return Failure(
            status=status_of(error),
            what=error.what,
            trace=trace,
            error=type(error),
            peer_said=error.peer_said,
            next_step=error.next_step,
            headers=_headers_of(error),
        )
    if isinstance(error, HTTPException):
        return Failure(error.status_code, error.detail, trace, headers=error.headers or {})
    return Failure(
        500, "an error of ours", trace, next_step=f"look for trace {trace} in the log of the server"
    )


def status_of(error: HilumError) -> int:
    """Return the HTTP status of a core error."""
    return next((STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF), 500)


def problem(request: Request, failure: Failure) -> Response:
    """Return a problem details body (RFC 9457) with `next_step`, `peer_said` and `trace` as extensions."""
    del request
    body = {
        "type": "about:blank",
        "title": HTTPStatus(failure.status).phrase,
        "status": failure.status,
        "detail": failure.what,
        "trace": failure.trace,
    }
    if failure.peer_said:
        body["peer_said"] = failure.peer_said
    if failure.next_step:
        body["next_step"] = failure.next_step
    return Response(
        json.dumps(body), failure.status, dict(failure.headers), media_type="application/problem+json"
    )


def _headers_of(error: HilumError) -> dict[str, str]:
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="hilum"'}
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, Busy):
        return {"Retry-After": str(RETRY_AFTER)}
    return {}
