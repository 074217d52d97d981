"""The outermost frame of every HTTP answer: trace, place, security headers, count, log, last resort."""

import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hilum.core.kernel.errors import HilumError
from hilum.doors._http.addresses import Place, Places
from hilum.doors._http.metrics import Metrics
from hilum.doors._http.problems import Say, UnsupportedMediaType, failure_of, problem
from hilum.doors._http.traces import trace_of

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""Set unless the answer sets its own: nothing inline, nothing from elsewhere, nothing kept by a cache."""

TRACE_HEADER = "X-Trace-Id"
_log = structlog.get_logger("hilum.http")


@dataclass(slots=True)
class _Sent:
    status: int = 0
    octets: int = 0


class Frame:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp, places: Places, metrics: Metrics) -> None:
        self.app = app
        self.places = places
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens inside."""
        if scope["type"] == "websocket":
            await self._open(scope, receive, send)
            return
        started, sent = time.perf_counter(), _Sent()
        headers = Headers(scope=scope)
        trace = trace_of(headers.get("traceparent", ""))
        state = scope.setdefault("state", {})
        state.update(trace=trace, place=Place("", "http", "localhost"), say=problem, door="front")
        outgoing = _dressed(send, sent, trace)

        async def inside() -> None:
            state["place"] = self.places.of(scope, headers)
            _put_prefix(scope, state["place"].prefix)
            _refuse_coding(headers)
            await self.app(scope, receive, outgoing)

        await _guarded(inside, scope, sent, outgoing)
        seconds = time.perf_counter() - started
        self.metrics.count(state["door"], scope["method"], sent.status, seconds)
        _note(scope, sent, seconds, trace)

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a WebSocket handshake through, which comes from a place like any GET; close it where it comes from none."""
        headers = Headers(scope=scope)
        trace = trace_of(headers.get("traceparent", ""))
        state = scope.setdefault("state", {})
        as_http = {**scope, "scheme": {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])}
        try:
            state.update(trace=trace, place=self.places.of(as_http, headers), say=problem, door="front")
            _put_prefix(scope, state["place"].prefix)
            await self.app(scope, receive, send)
        except HilumError:
            await send({"type": "websocket.close", "code": 1008})
        _log.info("web socket", door=state.get("door", "front"), path=_template(scope), trace=trace)


class DoorFrame:
    """Names the door of what happens inside it, and how that door words a failure."""

    def __init__(self, app: ASGIApp, name: str, say: Say) -> None:
        self.app = app
        self.name = name
        self.say = say

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Mark, then go on."""
        scope["state"].update(door=self.name, say=self.say)
        await self.app(scope, receive, send)


def _refuse_coding(headers: Headers) -> None:
    """Read bodies as they are only: what inflates is a bomb, or saves little (RFC 9110 15.5.16)."""
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"", "identity"}:
        raise UnsupportedMediaType(
            "the body has a Content-Encoding, which is not undone here", next_step="send it as it is"
        )


def _put_prefix(scope: Scope, prefix: str) -> None:
    """Put back the prefix that a proxy took off: ASGI's `path` contains `root_path`."""
    if prefix:
        scope["root_path"] = prefix
        if not scope["path"].startswith(prefix + "/"):
            scope["path"] = prefix + scope["path"]


async def _guarded(inside: Callable[[], Awaitable[None]], scope: Scope, sent: _Sent, send: Send) -> None:
    """Turn whatever was raised into the door's answer; once an answer began, it can only break off."""
    try:
        await inside()
    except Exception as error:  # noqa: BLE001  # the outermost frame of the HTTP doors
        if not isinstance(error, HilumError | HTTPException):
            _note_defect(error, scope["state"]["trace"])
        if sent.status:
            raise RuntimeError(f"an answer broke off, trace {scope['state']['trace']}") from None
        request = Request(scope)
        response = scope["state"]["say"](request, failure_of(error, scope["state"]["trace"]))
        await response(scope, _nothing, send)


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def _dressed(send: Send, sent: _Sent, trace: str) -> Send:
    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            sent.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers[TRACE_HEADER] = trace
        elif message["type"] == "http.response.body":
            sent.octets += len(message.get("body", b""))
        await send(message)

    return dressed


def _note(scope: Scope, sent: _Sent, seconds: float, trace: str) -> None:
    """Log the path's template, never the path: UIDs, identifiers and queries are patient data."""
    _log.info(
        "request",
        door=scope["state"]["door"],
        method=scope["method"],
        path=_template(scope),
        status=sent.status,
        octets=sent.octets,
        milliseconds=round(seconds * 1000, 1),
        trace=trace,
    )


def _template(scope: Scope) -> str:
    """Return the pattern of the route that was met."""
    return str(getattr(scope.get("route"), "path", "") or "(no such path)")


def _note_defect(error: Exception, trace: str) -> None:
    """Log where a defect arose; its text may quote what came in, so only its type is kept."""
    stack = "".join(traceback.format_tb(error.__traceback__))
    _log.error("defect", error=type(error).__name__, stack=stack, trace=trace)
