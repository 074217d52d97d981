"""Who sends this request: a bearer token, a session cookie, or nobody (with `--open` only)."""

import hmac
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from hilum.core.access.model import Session
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Refused
from hilum.doors._http.addresses import Place, host_name, is_loopback
from hilum.doors._http.problems import Unauthenticated

CSRF_FIELD = "csrf"
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Admission:
    """Who was let in, and by which session if by one."""

    caller: Caller
    session: Session | None = None
    secret: str = ""


async def caller_of(request: Request, hub: Hub) -> Caller:
    """Return who sends a request; raises Unauthenticated (401), Refused (403)."""
    return (await admission_of(request, hub)).caller


async def admission_of(request: Request, hub: Hub) -> Admission:
    """Return who sends a request, and by which session; raises Unauthenticated (401), Refused (403)."""
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind:
        return Admission(await _by_token(request, hub, kind, secret.strip()))
    demand_own_page(request)
    cookie = request.cookies.get(cookie_name(request), "")
    if cookie:
        admission = await _by_session(request, hub, cookie)
        if admission is not None:
            return admission
    return Admission(await _nobody(request, hub))


def place(request: Request) -> Place:
    """Return where a request comes from, as the frame found it."""
    found: Place = request.state.place
    return found


def trace(request: Request) -> str:
    """Return the trace of a request."""
    found: str = request.state.trace
    return found


def cookie_name(request: Request) -> str:
    """Return the name of the session cookie; `__Host-` binds it to https, this host and `/` (RFC 6265bis 4.1.3)."""
    return "__Host-hilum" if place(request).scheme == "https" else "hilum"


async def _by_token(request: Request, hub: Hub, kind: str, secret: str) -> Caller:
    """Admit `Authorization: Bearer` (RFC 6750 2.1)."""
    if kind.lower() != "bearer" or not secret:
        raise Unauthenticated("only bearer tokens are read here", next_step="hilum token create --scope ...")
    try:
        return await run_in_threadpool(hub.admit_token, secret, place(request).address, trace(request))
    except Refused as refused:
        raise Unauthenticated(refused.what, next_step=refused.next_step) from refused


async def _by_session(request: Request, hub: Hub, cookie: str) -> Admission | None:
    try:
        caller, session = await run_in_threadpool(
            hub.admit_session, cookie, place(request).address, trace(request)
        )
    except Refused:
        return None
    await _demand_csrf(request, session)
    return Admission(caller, session, cookie)


async def _nobody(request: Request, hub: Hub) -> Caller:
    """Admit a request without credentials, with `--open`, and only under a name that no stranger can own.

    A name with dots may be a stranger's that was bent to a loopback address (DNS rebinding).
    """
    name = host_name(place(request).host)
    try:
        caller = await run_in_threadpool(hub.admit_nobody, place(request).address, trace(request))
    except Refused as refused:
        raise Unauthenticated(refused.what, next_step=refused.next_step) from refused
    if "." in name and not is_loopback(name):
        raise Refused("with --open only loopback names are answered", next_step="use http://127.0.0.1:PORT")
    return caller


def demand_own_page(request: Request) -> None:
    """Refuse a change that another site's page sends (Fetch Metadata; where a browser lacks it, Origin: RFC 6454 7)."""
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site", "")
    origin = request.headers.get("origin", "")
    own_origin = not origin or origin.partition("://")[2] == place(request).host
    if site not in ("none", "same-origin") if site else not own_origin:
        raise Refused(
            "another site's page may not change anything here",
            next_step="open the console itself; behind a proxy, pass the Host field on",
        )


async def _demand_csrf(request: Request, session: Session) -> None:
    """Ask for the session's token with every change: header for scripts, hidden field for forms."""
    if request.method in SAFE_METHODS:
        return
    given = request.headers.get(CSRF_HEADER, "")
    if not given and request.headers.get("content-type", "").split(";")[0].strip().lower() == _FORM:
        field = (await request.form()).get(CSRF_FIELD, "")
        given = field if isinstance(field, str) else ""
    if not hmac.compare_digest(given.encode(), session.csrf.encode()):
        raise Refused("the form is from another session", next_step="load the page again")
