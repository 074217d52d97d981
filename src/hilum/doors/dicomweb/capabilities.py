"""What this service can do, told from the routes that it has (PS3.18 8.9, Annex H; WADL)."""

import json
import re
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import quoteattr

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hilum.doors.dicomweb.acceptance import Offer, accepted_ranges, demand
from hilum.doors.dicomweb.paths import service_url

WADL = "application/vnd.sun.wadl+xml"
_NAMESPACE = "http://wadl.dev.java.net/2009/02"
_VARIABLE = re.compile(r"\{([a-z]+)(?::[a-z]+)?\}")
_UNTOLD = frozenset({"HEAD", "OPTIONS"})
"""Which every resource that has GET, and every resource at all, answers."""


def capabilities_route(routes: Sequence[BaseRoute]) -> Route:
    """Return the route of the base URI: OPTIONS describes the others."""
    paths = [(_plain(one.path), sorted((one.methods or set()) - _UNTOLD)) for one in _told(routes)]

    async def describe(request: Request) -> Response:
        offer = demand(accepted_ranges(request), [Offer(WADL), Offer("application/json")])
        text = _wadl(service_url(request), paths) if offer.media_type == WADL else _json(paths)
        headers = {"Content-Type": offer.media_type, "Allow": "OPTIONS", "Vary": "Accept"}
        return Response(text, headers=headers)

    return Route("/", describe, methods=["OPTIONS"])


def _told(routes: Sequence[BaseRoute]) -> Iterator[Route]:
    return (one for one in routes if isinstance(one, Route))


def _plain(path: str) -> str:
    """Return a path as WADL writes it: variables without the pattern that they match."""
    return _VARIABLE.sub(r"{\1}", path).lstrip("/")


def _wadl(base_url: str, paths: Sequence[tuple[str, list[str]]]) -> str:
    resources = "".join(_resource(path, methods) for path, methods in sorted(paths))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<application xmlns="{_NAMESPACE}">'
        f"<resources base={quoteattr(base_url + '/')}>{resources}</resources></application>"
    )


def _resource(path: str, methods: Sequence[str]) -> str:
    variables = "".join(
        f'<param name="{name}" style="template" required="true"/>' for name in _VARIABLE.findall(path)
    )
    told = "".join(f'<method name="{method}"/>' for method in methods)
    return f"<resource path={quoteattr(path)}>{variables}{told}</resource>"


def _json(paths: Sequence[tuple[str, list[str]]]) -> str:
    return json.dumps({"resources": [{"path": path, "methods": methods} for path, methods in sorted(paths)]})
