"""The viewer's page, its settings, a token for its requests, and its files."""

import json
from collections.abc import Mapping
from importlib import resources
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from hilum.core.access.usecases import VIEWER_LIFETIME
from hilum.core.hub import Hub
from hilum.core.kernel.caller import CallerKind, Permission
from hilum.core.kernel.errors import NotFound
from hilum.doors._http.app import Door
from hilum.doors._http.callers import Admission, admission_of, place
from hilum.doors._http.problems import Unauthenticated
from hilum.doors.viewer.files import File, ViewerSite

_PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' blob: data:; worker-src 'self' blob:; "
    "frame-src 'self' blob:; object-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Scripts come from here only, and none is inline (ADR 32 says why text may become code)."""

_SCRIPT_POLICY = "script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval'; object-src 'none'; base-uri 'none'"
"""A worker lives under the policy of its own file."""

_HEADERS: Mapping[str, str] = {
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def viewer_door(hub: Hub, site: ViewerSite) -> Door:
    """Return the viewer, which stands at `/viewer`: OHIF's own routes below it all lead to its one page."""
    viewer = _Viewer(hub, site)
    routes = [
        Route("/", viewer.open),
        Route("/app-config.js", viewer.configuration),
        Route("/token", viewer.token, methods=["POST"]),
        Route("/{path:path}", viewer.file),
    ]
    return Door("viewer", "/viewer", routes)


class _Viewer:
    """One method a path."""

    def __init__(self, hub: Hub, site: ViewerSite) -> None:
        self._hub = hub
        self._site = site
        environment = Environment(
            loader=PackageLoader("hilum", "web/viewer"), autoescape=True, undefined=StrictUndefined
        )
        self._page = environment.get_template("index.html")
        self._script = (resources.files("hilum") / "web/viewer/app-config.js").read_text(encoding="utf-8")

    async def open(self, request: Request) -> Response:
        """`/viewer?StudyInstanceUIDs=...` -> the reading mode for them; without them, the list of studies."""
        if "StudyInstanceUIDs" in request.query_params:
            return RedirectResponse(
                f"{_base(request)}viewer?{urlencode(request.query_params.multi_items())}", 303
            )
        return self._shown(request)

    async def configuration(self, request: Request) -> Response:
        """Return what the viewer is told: where it stands, and what its session needs to ask for a token."""
        own = request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
        admission = await self._admission(request) if own else None
        told = {
            "base": _base(request),
            "root": place(request).prefix,
            "csrf": admission.session.csrf if admission and admission.session else "",
            "admitted": admission is not None,
            "store": admission is not None and Permission.ARCHIVE_STORE in admission.caller.permissions,
        }
        text = f"const hilum = {json.dumps(told)};\n{self._script}"
        return Response(text, media_type="text/javascript", headers=_HEADERS)

    async def token(self, request: Request) -> Response:
        """Return a bearer token for some minutes, for the viewer's own requests; none is needed with `--open`."""
        admission = await admission_of(request, self._hub)
        if admission.caller.kind is CallerKind.OPEN:
            return JSONResponse({"token": "", "seconds": 0})
        secret = await run_in_threadpool(self._hub.viewer_token, admission.caller)
        return JSONResponse({"token": secret, "seconds": int(VIEWER_LIFETIME.total_seconds())})

    async def file(self, request: Request) -> Response:
        """Return a file of the package; any other path without a suffix is one of the viewer's own routes."""
        name = request.path_params["path"]
        file = self._site.files.get(name)
        if file is not None:
            return _sent(request, file)
        if "." in name.rpartition("/")[2]:
            raise NotFound("the viewer has no such file", next_step="build it anew: make viewer")
        return self._shown(request)

    def _shown(self, request: Request) -> Response:
        text = self._page.render(base=_base(request), script=self._site.script, style=self._site.style)
        headers = {**_HEADERS, "Content-Security-Policy": _PAGE_POLICY}
        return Response(text, media_type="text/html", headers=headers)

    async def _admission(self, request: Request) -> Admission | None:
        """Return who asks; nobody is no failure, since a link may bring a token of its own."""
        try:
            return await admission_of(request, self._hub)
        except Unauthenticated:
            return None


def _base(request: Request) -> str:
    return place(request).prefix + "/viewer/"


def _sent(request: Request, file: File) -> Response:
    headers = {
        **_HEADERS,
        "Cache-Control": "public, max-age=31536000, immutable" if file.immutable else "no-cache",
    }
    if file.media_type == "text/javascript":
        headers["Content-Security-Policy"] = _SCRIPT_POLICY
    compressed = file.compressed if "gzip" in request.headers.get("accept-encoding", "") else None
    if file.compressed is not None:
        headers["Vary"] = "Accept-Encoding"
    if compressed is not None:
        headers["Content-Encoding"] = "gzip"
    return FileResponse(compressed or file.path, headers=headers, media_type=file.media_type)
