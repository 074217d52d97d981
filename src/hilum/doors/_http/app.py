"""One Starlette application of all HTTP doors."""

from collections.abc import Sequence
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from hilum.core.hub import Hub
from hilum.core.kernel.errors import HilumError
from hilum.doors._http.addresses import Places, Proxies, public_place
from hilum.doors._http.bounded import BoundedHttpProtocol, BoundedWebSocketProtocol
from hilum.doors._http.frame import DoorFrame, Frame
from hilum.doors._http.health import health_routes
from hilum.doors._http.limits import BodyLimit
from hilum.doors._http.metrics import Metrics
from hilum.doors._http.problems import NotBuilt, Say, failure_of, problem


@dataclass(frozen=True, slots=True)
class Serving:
    """How the doors are served, whichever they are."""

    trusted_proxies: tuple[str, ...] = ()
    """Addresses and CIDR ranges whose X-Forwarded-* fields are believed, beside this machine."""
    public_url: str = ""
    """The address under which everybody reaches Hilum, when it is not the one that requests name."""
    maximum_body: int = 16 * 2**20
    """Octets of a request body, where a door says nothing else."""
    maximum_connections: int = 1000
    idle: float = 75.0
    """Seconds after which a kept-alive connection is closed."""


_LONGEST_MESSAGE = 64 * 1024
"""Octets of one WebSocket message to us; no door listens to any."""

AS_BY_DEFAULT = Serving()


@dataclass(frozen=True, slots=True)
class Door:
    """One HTTP door: where it stands, what it answers, how it words a failure, how much it reads."""

    name: str
    path: str
    """Where it is mounted; `""` for the console, which comes last."""
    routes: Sequence[BaseRoute]
    say: Say = problem
    largest_body: int | None = None


def http_app(hub: Hub, doors: Sequence[Door], serving: Serving = AS_BY_DEFAULT) -> Starlette:
    """Join the doors, health and figures, and the paths of the contract that are not built yet."""
    metrics = Metrics(hub)
    places = Places(Proxies.of(serving.trusted_proxies), public_place(serving.public_url))
    by_length = sorted(doors, key=lambda door: -len(door.path))
    mounts = [route for door in by_length for route in _mounted(door, serving.maximum_body)]
    return Starlette(
        routes=[*health_routes(hub, metrics), *_not_built("/oauth"), *_not_built("/portal"), *mounts],
        middleware=[Middleware(Frame, places, metrics)],
        exception_handlers={HilumError: _worded, HTTPException: _worded},
    )


def server_config(app: ASGIApp, host: str, port: int, serving: Serving = AS_BY_DEFAULT) -> uvicorn.Config:
    """Return how uvicorn serves: our frame logs, believes proxies and names the server, so uvicorn does not."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=BoundedHttpProtocol,
        ws=BoundedWebSocketProtocol,
        ws_max_size=_LONGEST_MESSAGE,
        ws_ping_interval=20.0,
        ws_ping_timeout=20.0,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        log_config=None,
        timeout_keep_alive=max(int(serving.idle), 1),
        limit_concurrency=serving.maximum_connections,
        timeout_graceful_shutdown=10,
        lifespan="off",
    )


def _mounted(door: Door, maximum_body: int) -> list[BaseRoute]:
    router = Router(list(door.routes), redirect_slashes=False)
    app = DoorFrame(BodyLimit(router, door.largest_body or maximum_body), door.name, door.say)
    mount = Mount(door.path, app=app)
    return [Route(door.path, _WithoutSlash(app, door.path)), mount] if door.path else [mount]


class _WithoutSlash:
    """The very path of a door, as in `/wado?...` and `POST /fhir`: its route `/`, which a mount knows with a slash only."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self.app = app
        self.path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as below the mount."""
        root_path = scope.get("root_path", "") + self.path
        await self.app({**scope, "path": scope["path"] + "/", "root_path": root_path}, receive, send)


def _worded(request: Request, error: Exception) -> Response:
    say: Say = request.state.say
    return say(request, failure_of(error, request.state.trace))


def _not_built(path: str) -> list[Route]:
    """Answer a path name of the contract honestly until its service is built."""

    async def refuse(request: Request) -> Response:
        del request
        raise NotBuilt(
            f"{path} is a reserved path: its service is not part of this release",
            next_step="use a bearer token (hilum token create --scope ...) or the console at /",
        )

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return [Route(path + rest, refuse, methods=methods) for rest in ("", "/{rest:path}")]
