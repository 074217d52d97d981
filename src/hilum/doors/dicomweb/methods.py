"""Routes whose methods have functions of their own."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hilum.doors._http.endpoints import Endpoint

_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE")


def routed(path: str, endpoints: Mapping[str, Endpoint]) -> Route:
    """Answer each method by its endpoint, HEAD as GET, and OPTIONS with their names; any other is 405."""
    by_method = dict(endpoints)
    if "GET" in by_method:
        by_method["HEAD"] = by_method["GET"]
    names = [name for name in _METHODS if name in by_method or name == "OPTIONS"]
    by_method["OPTIONS"] = _allowing(names)

    async def endpoint(request: Request) -> Response:
        return await by_method[request.method](request)

    return Route(path, endpoint, methods=names)


def _allowing(methods: list[str]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        del request
        return Response(status_code=204, headers={"Allow": ", ".join(methods)})

    return endpoint
