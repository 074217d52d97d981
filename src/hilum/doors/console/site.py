"""What every page stands on: who visits, the templates, and how a failure reads."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hilum import __version__
from hilum.core.access.model import Peer
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller, Permission
from hilum.core.kernel.errors import Invalid
from hilum.core.patients.model import UNIDENTIFIED
from hilum.core.routing.model import Receipt
from hilum.doors._http.callers import SAFE_METHODS, Admission, admission_of, place
from hilum.doors._http.endpoints import Endpoint
from hilum.doors._http.problems import Failure
from hilum.doors.console import words

TestPeer = Callable[[Peer], Receipt]
"""Speaks to a peer the way its courier does, and tells what the peer said."""

WEB = Path(str(resources.files("hilum") / "web"))


@dataclass(frozen=True, slots=True)
class Listening:
    """Where Hilum hears, for the examples that an empty page shows."""

    dicom: str = "127.0.0.1:11112"
    ae_title: str = "HILUM"
    hl7: str = "127.0.0.1:2575"


@dataclass(frozen=True, slots=True)
class Section:
    """One entry of the navigation."""

    path: str
    name: str
    icon: str
    permission: Permission


SECTIONS = (
    Section("/", "Overview", "overview", Permission.ARCHIVE_QUERY),
    Section("/studies", "Studies", "studies", Permission.ARCHIVE_QUERY),
    Section("/worklist", "Worklist", "worklist", Permission.WORKLIST_QUERY),
    Section("/workitems", "Workitems", "workitems", Permission.WORKITEMS_READ),
    Section("/patients", "Patients", "patients", Permission.PATIENTS_READ),
    Section("/messages", "Messages", "messages", Permission.ROUTING_READ),
    Section("/deliveries", "Deliveries", "deliveries", Permission.ROUTING_READ),
    Section("/peers", "Peers", "peers", Permission.PEERS_READ),
    Section("/conflicts", "Conflicts", "conflicts", Permission.CONFLICTS_READ),
    Section("/audit", "Audit", "audit", Permission.AUDIT_READ),
)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request to a page: who asks, and what the form said."""

    site: "Site"
    request: Request
    admission: Admission
    form: FormData = field(default_factory=FormData)

    @property
    def caller(self) -> Caller:
        """Return who asks."""
        return self.admission.caller

    @property
    def hub(self) -> Hub:
        """Return the hub."""
        return self.site.hub

    def may(self, permission: str) -> bool:
        """Tell whether to show what needs a permission; the use-case decides again."""
        return permission in self.caller.permissions

    def asked(self, name: str) -> str:
        """Return one value of the query, trimmed; raises Invalid when it is too long to be meant."""
        return _sane(self.request.query_params.get(name, ""), name)

    def said(self, name: str) -> str:
        """Return one field of the form, trimmed; raises Invalid when it is too long to be meant."""
        value = self.form.get(name, "")
        return _sane(value if isinstance(value, str) else "", name)

    def chosen(self, name: str) -> list[str]:
        """Return all fields of the form with one name."""
        return [value for value in self.form.getlist(name) if isinstance(value, str)]

    def show(self, template: str, status: int = 200, **values: object) -> Response:
        """Render a page, or only its results when htmx asks for a part."""
        return self.site.render(self.request, template, status, visit=self, **values)

    def go(self, path: str, **query: str | int) -> Response:
        """Send the browser on with GET (RFC 9110 15.4.4)."""
        return _see_other(self.request, path + ("?" + urlencode(query) if query else ""))


Page = Callable[[Visit], Response]


class Site:
    """The hub, the templates, and how to speak to a peer."""

    def __init__(self, hub: Hub, test_peer: TestPeer, listening: Listening) -> None:
        self.hub = hub
        self.test_peer = test_peer
        self.listening = listening
        self._templates = _environment()

    def page(self, answer: Page) -> Endpoint:
        """Admit the visitor, read the form, answer in a thread."""

        async def endpoint(request: Request) -> Response:
            admission = await admission_of(request, self.hub)
            request.state.admission = admission
            form = FormData() if request.method in SAFE_METHODS else await request.form(max_files=0)
            return await run_in_threadpool(answer, Visit(self, request, admission, form))

        return endpoint

    def render(self, request: Request, template: str, status: int = 200, **values: object) -> Response:
        """Render a template for whoever asks."""
        admission: Admission | None = getattr(request.state, "admission", None)
        session = admission.session if admission else None
        part = request.headers.get("hx-request-type") == "partial"
        text = self._templates.get_template(template).render(
            layout="layouts/part.html" if part else "layouts/page.html",
            root=place(request).prefix,
            here=request.url.path.removeprefix(place(request).prefix) or "/",
            asked=request.query_params,
            caller=admission.caller if admission else None,
            signed_in=session is not None,
            csrf=session.csrf if session else "",
            sections=[
                one for one in SECTIONS if admission and one.permission in admission.caller.permissions
            ],
            **values,
        )
        return Response(text, status, media_type="text/html")

    def say(self, request: Request, failure: Failure) -> Response:
        """Word a failure as a page; who is not signed in is led to the door."""
        if failure.status == 401:
            return self._to_sign_in(request)
        response = self.render(request, "error.html", failure.status, failure=failure, visit=None)
        response.headers.update(failure.headers)
        return response

    def _to_sign_in(self, request: Request) -> Response:
        if "hx-request" in request.headers:
            target = place(request).prefix + "/sign-in"
            return Response(status_code=401, headers={"HX-Redirect": target, "WWW-Authenticate": "Session"})
        after = request.url.path.removeprefix(place(request).prefix) if request.method == "GET" else ""
        query = "?" + urlencode({"next": after}) if after not in ("", "/") else ""
        return _see_other(request, "/sign-in" + query)


def own_path(path: str) -> str:
    """Return a path of this site, or `/` for anything that could lead elsewhere."""
    safe = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if safe and path.isprintable() else "/"


def _see_other(request: Request, path: str) -> Response:
    return RedirectResponse(place(request).prefix + path, 303)


def _sane(value: str, name: str) -> str:
    if len(value) > 512 or "\x00" in value:
        raise Invalid(f"'{name}' is too long or holds a NUL", next_step="shorten it")
    return value.strip()


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(WEB / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_FILTERS)
    environment.globals.update(version=__version__, query=_query, unidentified=UNIDENTIFIED)
    return environment


def _query(values: Mapping[str, str], **changes: object) -> str:
    """Return a query string of what was asked with some of it changed."""
    merged = {**values, **{name: str(value) for name, value in changes.items()}}
    return "?" + urlencode({name: value for name, value in merged.items() if value})


def _path_segment(value: object) -> str:
    return quote(str(value), safe="")


def _as_json(value: object) -> str:
    return json.dumps(value)


_FILTERS: Mapping[str, Callable[..., Any]] = {
    "person": words.person,
    "day": words.day,
    "clock": words.clock,
    "ts": words.moment_of_ts,
    "sex": words.sex,
    "size": words.size,
    "age": words.age,
    "lasting": words.lasting,
    "number": words.number,
    "count": words.count,
    "mark": words.mark,
    "segment": _path_segment,
    "as_json": _as_json,
}
