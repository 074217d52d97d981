"""Come in: by password, or once by a link; set the password; leave."""

from collections.abc import Callable
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hilum.core.access.model import Session
from hilum.core.access.usecases import SESSION_LIFETIME, SHORTEST_PASSWORD
from hilum.core.kernel.caller import CallerKind
from hilum.core.kernel.errors import Invalid, Refused
from hilum.doors._http.callers import cookie_name, demand_own_page, place, trace
from hilum.doors._http.endpoints import Endpoint
from hilum.doors.console.backoff import check
from hilum.doors.console.site import Site, Visit, own_path
from hilum.transport.backoff import Backoff

SignIn = Callable[[], tuple[str, Session]]


def sign_in_page(site: Site) -> Endpoint:
    """Show the form; who is let in without a password (`--open`) goes straight on."""

    async def endpoint(request: Request) -> Response:
        if site.hub.open_to_all:
            return RedirectResponse(place(request).prefix + "/", 303)
        first_start = not await run_in_threadpool(site.hub.has_users)
        return site.render(request, "sign_in.html", problem="", first_start=first_start, name="")

    return endpoint


def sign_in(site: Site, backoff: Backoff) -> Endpoint:
    """Check name and password."""

    async def endpoint(request: Request) -> Response:
        demand_own_page(request)
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), max_num_fields=10))
        name, password = form.get("name", "").strip()[:256], form.get("password", "")[:1024]
        address = place(request).address
        check(backoff, address)
        try:
            secret, _ = await run_in_threadpool(site.hub.sign_in, name, password, address, trace(request))
        except Refused as refused:
            backoff.failed(address)
            return site.render(
                request, "sign_in.html", 403, problem=refused.what, first_start=False, name=name
            )
        backoff.succeeded(address)
        return _signed_in(request, secret, own_path(request.query_params.get("next", "/")))

    return endpoint


def welcome(site: Site, backoff: Backoff) -> Endpoint:
    """Sign in by a one-time link, then ask for a password. A browser's prefetch does not use the link up."""

    async def endpoint(request: Request) -> Response:
        if request.method != "GET" or "prefetch" in request.headers.get("sec-purpose", ""):
            return Response(status_code=204)
        address = place(request).address
        check(backoff, address)
        link = request.path_params["secret"]
        try:
            secret, _ = await run_in_threadpool(site.hub.sign_in_by_link, link, address, trace(request))
        except Refused:
            backoff.failed(address)
            raise
        return _signed_in(request, secret, "/password")

    return endpoint


def password(visit: Visit) -> Response:
    """Show the form for a new password."""
    if visit.caller.kind is not CallerKind.USER:
        raise Refused("only a signed-in user has a password", next_step="sign in first")
    return visit.show("password.html", problem="", shortest=SHORTEST_PASSWORD)


def set_password(visit: Visit) -> Response:
    """Keep a new password that was typed twice alike."""
    first, second = visit.form.get("password", ""), visit.form.get("again", "")
    problem = "" if first == second else "the two are not alike"
    try:
        if not problem:
            visit.hub.set_password(visit.caller, str(first), visit.admission.secret)
    except Invalid as invalid:
        problem = f"{invalid.what}: {invalid.next_step}"
    if problem:
        return visit.show("password.html", 400, problem=problem, shortest=SHORTEST_PASSWORD)
    return visit.go("/", done="password")


def sign_out(visit: Visit) -> Response:
    """End the session."""
    if visit.admission.session is not None:
        visit.hub.sign_out(visit.caller, visit.admission.secret)
    response = visit.go("/sign-in")
    response.delete_cookie(
        cookie_name(visit.request), secure=_secure(visit.request), httponly=True, samesite="lax"
    )
    return response


def _signed_in(request: Request, secret: str, path: str) -> Response:
    """Set the session cookie: not for scripts, not for other sites' requests (RFC 6265bis 4.1.2)."""
    response = RedirectResponse(place(request).prefix + path, 303)
    response.set_cookie(
        cookie_name(request),
        secret,
        max_age=int(SESSION_LIFETIME.total_seconds()),
        path="/",
        secure=_secure(request),
        httponly=True,
        samesite="lax",
    )
    return response


def _secure(request: Request) -> bool:
    return place(request).scheme == "https"
