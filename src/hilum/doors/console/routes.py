"""All pages of the console, on one page."""

from os import PathLike, stat_result

from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from hilum.core.hub import Hub
from hilum.doors._http.app import Door
from hilum.doors.console import (
    deliveries,
    messages,
    overview,
    patients,
    peers,
    records,
    sign_in,
    studies,
    workitems,
    worklist,
)
from hilum.doors.console.site import WEB, Listening, Page, Site, TestPeer
from hilum.transport.backoff import Backoff

AS_BY_DEFAULT = Listening()


def console_door(hub: Hub, test_peer: TestPeer, listening: Listening = AS_BY_DEFAULT) -> Door:
    """Return the console, which stands at `/`; `test_peer` speaks to a peer as its courier does."""
    site = Site(hub, test_peer, listening)
    routes = [*_entrance(site), *_pages(site), Mount("/static", _Assets(directory=WEB / "static"))]
    return Door("console", "", routes, say=site.say)


class _Assets(StaticFiles):
    """Styles and scripts: kept by browsers, asked for again each time by ETag."""

    def file_response(
        self,
        full_path: str | PathLike[str],
        stat_result: stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Allow caching, unlike pages."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _entrance(site: Site) -> list[BaseRoute]:
    backoff = Backoff()
    return [
        Route("/sign-in", sign_in.sign_in_page(site)),
        Route("/sign-in", sign_in.sign_in(site, backoff), methods=["POST"]),
        Route("/welcome/{secret}", sign_in.welcome(site, backoff)),
        Route("/viewer", studies.open_viewer),
    ]


def _pages(site: Site) -> list[BaseRoute]:
    def get(path: str, page: Page) -> Route:
        return Route(path, site.page(page))

    def post(path: str, page: Page) -> Route:
        return Route(path, site.page(page), methods=["POST"])

    return [
        get("/", overview.overview),
        get("/live", overview.live),
        get("/recent", overview.recent),
        get("/studies", studies.studies),
        get("/studies/{study}", studies.study),
        get("/studies/{study}/viewer", studies.viewer),
        get("/studies/{study}/frames", studies.frames),
        get("/worklist", worklist.worklist),
        get("/workitems", workitems.workitems),
        get("/workitems/{workitem}", workitems.workitem),
        get("/patients", patients.patients),
        get("/patients/{patient}", patients.patient),
        post("/patients/{patient}/unmerge", patients.unmerge),
        get("/messages", messages.messages),
        get("/messages/{key:int}", messages.message),
        get("/deliveries", deliveries.deliveries),
        post("/deliveries/replay", deliveries.replay),
        get("/deliveries/{key:int}", deliveries.delivery),
        get("/peers", peers.peers),
        get("/peers/new", peers.edit),
        post("/peers/new", peers.save),
        get("/peers/{peer}", peers.edit),
        post("/peers/{peer}", peers.save),
        post("/peers/{peer}/test", peers.test),
        post("/peers/{peer}/remove", peers.remove),
        get("/conflicts", records.conflicts),
        get("/audit", records.audit),
        get("/password", sign_in.password),
        post("/password", sign_in.set_password),
        post("/sign-out", sign_in.sign_out),
    ]
