"""What every HTTP answer has, whatever happens inside."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from structlog.testing import capture_logs

from hilum.core.exchange.ports import ExchangeTransaction
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Busy, Conflict, Invalid, NotFound, Refused
from hilum.doors._http.app import Door, http_app
from hilum.doors._http.endpoints import answered, streamed

T = TypeVar("T")


class NoDatabase:
    """A database that went away."""

    def write(self, work: Callable[[ExchangeTransaction], T]) -> T:
        del work
        raise Busy("the database does not answer", next_step="start it")

    def read(self, work: Callable[[ExchangeTransaction], T]) -> T:
        del work
        raise Busy("the database does not answer", next_step="start it")


def _hub(*, open_to_all: bool) -> Hub:
    return Hub(NoDatabase(), None, None, None, open_to_all=open_to_all)  # type: ignore[arg-type]


def _routes(hub: Hub) -> list[Route]:
    errors = {
        "invalid": Invalid("no UID", next_step="mend it"),
        "missing": NotFound("not here"),
        "conflict": Conflict("two of them"),
        "refused": Refused("not yours"),
        "busy": Busy("disk full"),
        "defect": ValueError("DOE^JANE 1970"),
    }

    def fail(request: Request, caller: Caller) -> Response:
        del caller
        raise errors[request.path_params["which"]]

    def who(request: Request, caller: Caller) -> Response:
        return PlainTextResponse(f"{caller.kind} {caller.trace} {request.state.place.base_url}")

    async def length(request: Request, caller: Caller) -> Response:
        del caller
        return PlainTextResponse(str(len(await request.body())))

    return [
        Route("/fail/{which}", answered(hub, fail)),
        Route("/who", answered(hub, who), methods=["GET", "POST"]),
        Route("/length", streamed(hub, length), methods=["POST"]),
    ]


def _app(*, open_to_all: bool = True) -> Starlette:
    hub = _hub(open_to_all=open_to_all)
    return http_app(hub, [Door("trial", "/trial", _routes(hub), largest_body=1000)])


@pytest.fixture
def client(served: Callable[[Starlette], str]) -> Iterator[httpx.Client]:
    """Ask a server that admits everybody on loopback."""
    with httpx.Client(base_url=served(_app())) as asking:
        yield asking


@pytest.fixture
def closed_client(served: Callable[[Starlette], str]) -> Iterator[httpx.Client]:
    """Ask a server that wants credentials."""
    with httpx.Client(base_url=served(_app(open_to_all=False))) as asking:
        yield asking


@pytest.mark.parametrize(
    ("which", "status"),
    [("invalid", 400), ("missing", 404), ("conflict", 409), ("refused", 403), ("busy", 503), ("defect", 500)],
)
def test_each_core_error_has_its_status(which: str, status: int, client: httpx.Client) -> None:
    answer = client.get(f"/trial/fail/{which}")

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.json()["trace"] == answer.headers["x-trace-id"]


def test_busy_says_when_to_come_back(client: httpx.Client) -> None:
    answer = client.get("/trial/fail/busy")

    assert int(answer.headers["retry-after"]) > 0


def test_a_defect_tells_nothing_but_its_trace(serving: Callable[..., Any]) -> None:
    with capture_logs() as logs, serving(_app()) as url:
        answer = httpx.get(url + "/trial/fail/defect")

    assert "DOE" not in answer.text
    assert "DOE" not in str(logs)
    assert [line["error"] for line in logs if line["event"] == "defect"] == ["ValueError"]


def test_without_credentials_the_answer_is_401_and_says_how(closed_client: httpx.Client) -> None:
    answer = closed_client.get("/trial/who")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "hilum token create" in answer.json()["next_step"]


def test_credentials_of_another_kind_are_401_even_when_open(client: httpx.Client) -> None:
    answer = client.get("/trial/who", headers={"Authorization": "Basic YTpi"})

    assert answer.status_code == 401


def test_a_valid_traceparent_is_taken_up(client: httpx.Client) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    answer = client.get("/trial/who", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})

    assert answer.headers["x-trace-id"] == trace
    assert trace in answer.text


@pytest.mark.parametrize(
    "traceparent",
    ["", "x", f"00-{'0' * 32}-00f067aa0ba902b7-01", f"ff-{'1' * 32}-{'2' * 16}-01", "00-" * 500],
)
def test_a_bad_traceparent_starts_a_trace_of_its_own(traceparent: str, client: httpx.Client) -> None:
    answer = client.get("/trial/who", headers={"traceparent": traceparent})

    assert len(answer.headers["x-trace-id"]) == 32
    assert answer.headers["x-trace-id"] not in ("0" * 32, "1" * 32)


@pytest.mark.parametrize("path", ["/trial/who", "/trial/fail/defect", "/nowhere", "/health/live"])
def test_every_answer_forbids_what_is_inline_framed_or_kept(path: str, client: httpx.Client) -> None:
    answer = client.get(path)

    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


def test_the_log_holds_the_template_of_a_path_not_the_path(serving: Callable[..., Any]) -> None:
    with capture_logs() as logs, serving(_app()) as url:
        httpx.get(url + "/trial/fail/missing?PatientName=DOE")

    assert [line["path"] for line in logs if line["event"] == "request"] == ["/fail/{which}"]
    assert "DOE" not in str(logs)


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_longer_than_the_door_reads_is_413(announced: bool, client: httpx.Client) -> None:
    body = b"x" * 2000

    answer = client.post("/trial/length", content=body if announced else iter([body]))

    assert answer.status_code == 413


def test_a_body_within_the_limit_is_read(client: httpx.Client) -> None:
    answer = client.post("/trial/length", content=b"x" * 1000)

    assert answer.text == "1000"


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
def test_a_page_of_another_site_changes_nothing(headers: dict[str, str], client: httpx.Client) -> None:
    answer = client.post("/trial/who", headers=headers)

    assert answer.status_code == 403


def test_a_page_of_our_own_may_ask_for_changes(client: httpx.Client) -> None:
    headers = {"Origin": str(client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}

    answer = client.post("/trial/who", headers=headers)

    assert answer.status_code == 200


def test_a_name_bent_to_loopback_is_not_answered_when_open(client: httpx.Client) -> None:
    answer = client.get("/trial/who", headers={"Host": "rebound.example.org"})

    assert answer.status_code == 403


def test_the_prefix_of_a_proxy_is_part_of_the_base_url_and_not_of_the_route(client: httpx.Client) -> None:
    headers = {"X-Forwarded-Prefix": "/hilum", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "localhost"}

    answer = client.get("/trial/who", headers=headers)

    assert answer.text.endswith("https://localhost/hilum")


@pytest.mark.parametrize("path", ["/oauth", "/oauth/token", "/portal", "/portal/studies/1"])
def test_a_reserved_path_says_that_it_is_not_built(path: str, client: httpx.Client) -> None:
    answer = client.post(path)

    assert answer.status_code == 501
    assert "not part of this release" in answer.json()["detail"]


def test_alive_is_not_ready_when_the_database_is_away(client: httpx.Client) -> None:

    live, ready, metrics = client.get("/health/live"), client.get("/health/ready"), client.get("/metrics")

    assert live.status_code == 200
    assert ready.status_code == 503
    assert "the database does not answer" in ready.json()["detail"]
    assert "hilum_database_up 0.0" in metrics.text


def test_requests_are_counted_by_door(client: httpx.Client) -> None:
    client.get("/trial/who")

    metrics = client.get("/metrics").text

    assert 'hilum_http_requests_total{door="trial",method="GET",status="200"} 1.0' in metrics


def test_figures_are_for_this_machine_or_with_credentials(closed_client: httpx.Client) -> None:
    answer = closed_client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.7"})

    assert answer.status_code == 401
