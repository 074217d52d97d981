"""The JSON API: who may ask, what is answered, what is refused."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from hilum.core.access import policy
from hilum.core.access.model import Peer, PeerKind
from hilum.core.hub import Hub
from hilum.core.kernel.codes import Code
from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients.model import Demographics, PatientStatement
from hilum.core.reports.model import ReportRequest, ReportStatus
from hilum.core.routing.model import ParcelKind
from hilum.doors._http.app import http_app
from hilum.doors.api.routes import api_door
from hilum.stores.objects import objects_from_url
from hilum.stores.passwords import Argon2Passwords
from hilum.stores.sql import Database

OPERATOR = policy.local_operator("test")


@pytest.fixture
def hub(sqlite_url: str, tmp_path: Path) -> Iterator[Hub]:
    """A record with one peer and one delivery that waits for it."""
    database = Database(sqlite_url)
    objects = objects_from_url(tmp_path / "objects", tmp_path / "spool")
    hub = Hub(database, objects, Argon2Passwords(), lambda *_: {})
    hub.put_peer(OPERATOR, Peer("PACS2", PeerKind.DICOM, "10.0.0.7", 11112, "PACS2", roles=("modality",)))
    who = PatientStatement((Identifier("PAT-1", "HOSP"),), Demographics("Novak^Jana", "19670412", "F"))
    report = hub.file_report(
        OPERATOR, ReportRequest(who, Identifier("REP-1"), ReportStatus.FINAL, Code("1", "L", "Report"))
    )
    hub.send(OPERATOR, "PACS2", ParcelKind.REPORT, f"{report.public_id}/{report.version}")
    yield hub
    database.close()


@pytest.fixture
def base(hub: Hub, served: Callable[[Starlette], str]) -> str:
    """Where the API stands."""
    return served(http_app(hub, [api_door(hub)])) + "/api"


@pytest.fixture
def ask(hub: Hub, base: str) -> Iterator[Callable[..., httpx.Response]]:
    """Ask with a token that may do everything."""
    with httpx.Client(
        headers={"Authorization": f"Bearer {hub.create_token(OPERATOR, 'all', ('*',), None)}"}
    ) as client:
        yield lambda method, path, **named: client.request(method, base + path, **named)


def test_the_queue_of_a_peer_can_be_seen(ask: Callable[..., httpx.Response]) -> None:
    status = ask("GET", "/status").json()

    assert status["archive"]["studies"] == 0
    assert [(queue["destination"], queue["waiting"]) for queue in status["queues"]] == [("PACS2", 1)]


@pytest.mark.parametrize(
    "path", ["/peers", "/deliveries", "/messages", "/conflicts", "/audit", "/deliveries/1"]
)
def test_every_list_is_json(path: str, ask: Callable[..., httpx.Response]) -> None:
    answer = ask("GET", path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


def test_a_token_reaches_only_what_its_scope_names(hub: Hub, base: str) -> None:
    secret = hub.create_token(OPERATOR, "queues", ("routing.read",), None)
    headers = {"Authorization": f"Bearer {secret}"}

    answers = [httpx.get(base + path, headers=headers) for path in ("/deliveries", "/peers", "/audit")]

    assert [answer.status_code for answer in answers] == [200, 403, 403]
    assert "peers.read" in answers[1].json()["next_step"]


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer hilum_wrong"}, {"Authorization": "Bearer"}]
)
def test_without_a_good_token_the_answer_is_401(headers: dict[str, str], base: str) -> None:
    answer = httpx.get(base + "/peers", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_what_waits_already_is_not_replayed(ask: Callable[..., httpx.Response]) -> None:
    answer = ask("POST", "/deliveries/replay", json={"keys": [1]})

    assert answer.json() == {"replayed": 0}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"keys": 1}',
        b'{"keys": [true]}',
        b'{"keys": [-1]}',
        b'{"keys": [1e99]}',
        b'{"keys": [9223372036854775808]}',
        b"[" * 100_000,
        b'{"keys": ["1"]}',
        b"\xff\xfe",
    ],
)
def test_a_body_that_is_no_list_of_keys_is_invalid(body: bytes, ask: Callable[..., httpx.Response]) -> None:
    answer = ask("POST", "/deliveries/replay", content=body)

    assert answer.status_code == 400
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/deliveries/99", 404),
        ("/deliveries/9223372036854775808", 404),
        ("/deliveries?state=lost", 400),
        ("/deliveries?before=-1", 400),
        ("/audit?limit=x", 400),
        ("/audit?before=9999999999999999999", 400),
        ("/nowhere", 404),
    ],
)
def test_what_cannot_be_asked_for_is_a_problem(path: str, status: int, ask: Callable[..., Any]) -> None:
    answer = ask("GET", path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_method_that_is_not_there_is_405(ask: Callable[..., httpx.Response]) -> None:
    answer = ask("DELETE", "/peers")

    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
