"""Paths of the FHIR API to views (FHIR R4 3.1.0)."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import hilum
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import NotFound
from hilum.doors._http.app import Door
from hilum.doors._http.callers import caller_of, place
from hilum.doors._http.problems import UnsupportedMediaType
from hilum.doors.fhir import answers
from hilum.doors.fhir.answers import NotServed
from hilum.doors.fhir.asking import Asked, asked_of
from hilum.doors.fhir.views import VIEWS, Desk, Page, View, read_report_version
from hilum.wire.fhir import bundle, outcome
from hilum.wire.fhir.capability import capability_statement
from hilum.wire.fhir.search import Context
from hilum.wire.fhir.values import Resource

LARGEST_FORM = 64 * 1024
_FORM = "application/x-www-form-urlencoded"
_BY_NAME = {view.type.name: view for view in VIEWS}
_VERSION = re.compile(r"([1-9][0-9]{0,8})(-[0-9a-f]{12})?")

Endpoint = Callable[[Request], Awaitable[Response]]
Answer = Callable[[Request, Desk], Response]


def fhir_door(hub: Hub, zone: tzinfo = UTC) -> Door:
    """Return the door as it is mounted at /fhir."""
    return Door("fhir", "/fhir", fhir_routes(hub, zone), answers.say, LARGEST_FORM)


def fhir_routes(hub: Hub, zone: tzinfo = UTC) -> list[Route]:
    """Return the routes; `zone` is the clock of the site, for times that the record holds without an offset."""
    site = _Site(hub, zone)
    return [
        Route("/metadata", site.metadata),
        Route("/{type}", site.answered(_search)),
        Route("/{type}/_search", site.search_by_form, methods=["POST"]),
        Route("/{type}/{id}", site.answered(_read)),
        Route("/{type}/{id}/_history/{version}", site.answered(_read_version)),
    ]


@dataclass(frozen=True, slots=True)
class _Site:
    hub: Hub
    zone: tzinfo

    async def metadata(self, request: Request) -> Response:
        """Return the CapabilityStatement to anybody: who wants to sign in must read how."""
        media_type = answers.media_type_of(request)
        served = [view.type for view in VIEWS]
        statement = capability_statement(_base_url(request), hilum.__version__, served)
        return answers.answer(request, statement, media_type)

    async def search_by_form(self, request: Request) -> Response:
        """Read the form before the caller is asked for, since its CSRF field may be in it."""
        if request.headers.get("content-type", _FORM).split(";")[0].strip().lower() != _FORM:
            raise UnsupportedMediaType("_search reads a form", next_step=f"send {_FORM}")
        form = await request.body()
        desk = self._desk(request, await caller_of(request, self.hub))
        return await run_in_threadpool(_search, request, desk, form)

    def answered(self, answer: Answer) -> Endpoint:
        """Admit the caller, then answer in a thread."""

        async def endpoint(request: Request) -> Response:
            desk = self._desk(request, await caller_of(request, self.hub))
            return await run_in_threadpool(answer, request, desk)

        return endpoint

    def _desk(self, request: Request, caller: Caller) -> Desk:
        dicomweb_url = f"{place(request).base_url}/dicom-web"
        return Desk(self.hub, caller, self.zone, _base_url(request), dicomweb_url)


def _base_url(request: Request) -> str:
    found = place(request)
    return f"{found.scheme}://{found.host}{request.scope.get('root_path', '')}"


def _view(request: Request) -> View:
    name = request.path_params["type"]
    if name not in _BY_NAME:
        raise NotServed("no such resource type here", next_step=f"choose of: {', '.join(_BY_NAME)}")
    return _BY_NAME[name]


def _read(request: Request, desk: Desk) -> Response:
    view, media_type = _view(request), answers.media_type_of(request)
    return answers.answer(request, view.read(desk, request.path_params["id"]), media_type)


def _read_version(request: Request, desk: Desk) -> Response:
    view, media_type = _view(request), answers.media_type_of(request)
    public_id, version = request.path_params["id"], request.path_params["version"]
    met = _VERSION.fullmatch(version)
    if met is None:
        raise NotFound("no such version", next_step="read the resource itself")
    if view.type.versioned:
        return answers.answer(request, read_report_version(desk, public_id, int(met[1])), media_type)
    current = view.read(desk, public_id)
    if current["meta"]["versionId"] != version:
        raise NotFound("only the current version is kept of this type", next_step="read the resource itself")
    return answers.answer(request, current, media_type)


def _search(request: Request, desk: Desk, form: bytes = b"") -> Response:
    view, media_type = _view(request), answers.media_type_of(request)
    asked = asked_of(request, form, Context(desk.base_url, desk.zone))
    if asked.sort and asked.sort != view.order:
        asked.leave_out("_sort")
    found = _searchset(desk, view, asked, view.search(desk, asked))
    return answers.answer(request, found, media_type)


def _searchset(desk: Desk, view: View, asked: Asked, page: Page) -> Resource:
    url = f"{desk.base_url}/{view.type.name}"
    links = {"self": asked.link(url, asked.place)}
    if page.following is not None:
        links["next"] = asked.link(url, page.following)
    if page.preceding is not None:
        links["previous"] = asked.link(url, page.preceding)
    left_out = outcome.unknown_parameters(asked.left_out) if asked.left_out else None
    return bundle.searchset(desk.base_url, links, page.matches, page.total, left_out)
