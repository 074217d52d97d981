"""What the forms of the console change, and what they refuse."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from hilum.core.access import policy
from hilum.core.routing.model import DeliveryQuery, DeliveryState

OPERATOR = policy.local_operator("test")


@pytest.fixture
def own(
    fresh_hospital: Any, served: Callable[[Starlette], str], joined: Callable[..., Starlette]
) -> Iterator[httpx.Client]:
    """Ask a console whose record this test may change."""
    with httpx.Client(base_url=served(joined(fresh_hospital.hub))) as client:
        yield client


@pytest.fixture(scope="module")
def shared(site: str) -> Iterator[httpx.Client]:
    """Ask a console whose record no test here changes."""
    with httpx.Client(base_url=site) as client:
        yield client


def test_replaying_twice_is_replaying_once(own: httpx.Client) -> None:
    answers = [own.post("/deliveries/replay", data={"key": "1"}) for _ in range(2)]

    assert [answer.headers["location"] for answer in answers] == [
        "/deliveries/1?replayed=1",
        "/deliveries/1?replayed=0",
    ]


def test_all_dead_of_a_destination_wait_again_after_a_second_question(
    own: httpx.Client,
    fresh_hospital: Any,
) -> None:
    hub = fresh_hospital.hub
    dead = DeliveryQuery("PACS2", (DeliveryState.DEAD,))

    asked = own.post("/deliveries/replay", data={"key": ["1", "2", "3"]})
    done = own.post("/deliveries/replay", data={"all_dead_of": "PACS2", "confirmed": "yes"})

    assert "Send 3 deliveries again?" in asked.text
    assert done.status_code == 303
    assert hub.deliveries(OPERATOR, dead) == []


def test_a_merge_is_taken_back_after_a_second_question(own: httpx.Client, fresh_hospital: Any) -> None:
    hub = fresh_hospital.hub
    retired = hub.read_patient(OPERATOR, fresh_hospital.patient)[1][1]
    path = f"/patients/{retired.public_id}/unmerge"

    asked, done = own.post(path), own.post(path, data={"confirmed": "yes"})

    assert "Take the merge back?" in asked.text
    assert done.status_code == 303
    assert len(hub.read_patient(OPERATOR, fresh_hospital.patient)[1]) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "a b"}, "the name is"),
        ({"name": "../etc"}, "the name is"),
        ({"name": "CT1"}, "kept already"),
        ({"kind": "telnet"}, "how the peer is spoken to"),
        ({"host": "a/b"}, "the host is"),
        ({"port": "0"}, "the port is"),
        ({"port": "99999"}, "the port is"),
        ({"ae_title": "SEVENTEEN_LETTERS"}, "the AE title is"),
        ({"ae_title": "A\\B"}, "the AE title is"),
        ({"kind": "fhir", "url": "javascript:alert(1)"}, "the URL is"),
        ({"kind": "fhir", "url": "https://user:secret@host/"}, "the URL is"),
        ({"kind": "fhir", "url": "https://[/"}, "the URL"),
    ],
)
def test_a_peer_that_cannot_be_is_refused_by_name_of_the_field(
    changes: dict[str, str], said: str, shared: httpx.Client
) -> None:
    form = {
        "name": "NEW",
        "kind": "dicom",
        "ae_title": "NEW",
        "host": "10.0.0.9",
        "port": "104",
        "do": "save",
    }

    answer = shared.post("/peers/new", data=form | changes)

    assert answer.status_code == 400
    assert said in answer.text


def test_what_came_in_is_never_markup(shared: httpx.Client) -> None:
    form = {"name": "<script>alert(1)</script>", "kind": "dicom"}

    pages = [
        shared.post("/peers/new", data=form).text,
        shared.get("/studies", params={"name": '"><img src=x>'}).text,
    ]

    assert all("<script>alert" not in page and "<img src=x" not in page for page in pages)
    assert not any(re.search(r"\son\w+=|style=", page) for page in pages)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/studies/1.2.3", 404),
        ("/studies/..%2F..%2Fetc", 404),
        ("/studies/a.b", 400),
        ("/studies/" + "1" * 300, 400),
        ("/studies?page=x", 400),
        ("/studies?from=tomorrow", 400),
        ("/studies?name=" + "x" * 600, 400),
        ("/studies?name=a%00b", 400),
        ("/studies?page=99999999999", 200),
        ("/messages/9999999999999999999999", 404),
        ("/deliveries/12345", 404),
        ("/deliveries?state=lost", 400),
        ("/worklist?status=lost", 400),
        ("/worklist?day=2026-13-40", 400),
        ("/patients/nobody", 404),
        ("/peers/nobody", 404),
        ("/viewer?StudyInstanceUIDs=a%22b", 400),
        ("/nowhere", 404),
        ("/static/../../templates/error.html", 404),
        ("/static/%2e%2e/templates/error.html", 404),
    ],
)
def test_what_cannot_be_asked_for_is_answered_in_words(path: str, status: int, shared: httpx.Client) -> None:
    answer = shared.get(path)

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert "Traceback" not in answer.text


def test_options_of_a_peer_are_kept_and_shown_again(shared: httpx.Client) -> None:
    form = {
        "name": "OPT",
        "kind": "dicom",
        "ae_title": "OPT",
        "host": "ct.hospital",
        "port": "104",
        "do": "save",
    }

    said = {"option.addresses": "10.0.0.0/24, 10.1.0.1", "option.maximum_associations": "4"}
    saved = shared.post("/peers/new", data=form | said)
    wrong = shared.post("/peers/OPT", data=form | {"option.transfer_syntaxes": "JPEG"})
    page = shared.get("/peers/OPT").text
    shared.post("/peers/OPT/remove", data={"confirmed": "yes"})

    assert saved.status_code in (200, 303)
    assert wrong.status_code == 400
    assert 'value="10.0.0.0/24, 10.1.0.1"' in page
    assert 'name="option.maximum_associations" type="text" value="4"' in page
