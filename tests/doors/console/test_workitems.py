"""The pages of workitems: the list, and one with its history."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from hilum.core.access import policy
from hilum.core.workitems.model import WorkitemState

OPERATOR = policy.local_operator("test")
UID = "1.2.3.4"


def one(vr: str, value: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}


@pytest.fixture
def pages(
    fresh_hospital: Any, joined: Callable[[Any], Starlette], served: Callable[[Starlette], str]
) -> Iterator[httpx.Client]:
    """A client of a console with two workitems: one open, one canceled."""
    step = {
        "00741000": one("CS", "SCHEDULED"), "00741200": one("CS", "HIGH"), "00741202": one("LO", "AI <b>"),
        "00741204": one("LO", "Segment & measure"), "00404041": one("CS", "READY"),
        "00404005": one("DT", "20261201093000"), "00100010": one("PN", {"Alphabetic": "Novak^Jana"}),
        "00404018": one("SQ", {"00080104": one("LO", "Segmentation")}),
    }  # fmt: skip
    hub = fresh_hospital.hub
    for uid in (UID, "1.2.3.5"):
        hub.create_workitem(OPERATOR, uid, json.loads(json.dumps(step)))
    hub.change_workitem_state(OPERATOR, UID, WorkitemState.IN_PROGRESS, "2.25.777777")
    hub.change_workitem_state(OPERATOR, UID, WorkitemState.CANCELED, "2.25.777777")
    with httpx.Client(base_url=served(joined(hub)), trust_env=False, timeout=30) as client:
        yield client


def test_the_list_shows_what_is_open_and_finds_the_rest(pages: httpx.Client) -> None:
    opened = pages.get("/workitems").text
    everything = pages.get("/workitems?state=all").text
    canceled = pages.get("/workitems?state=CANCELED&patient=nov&worklist=AI").text
    nothing = pages.get("/workitems?worklist=other").text

    assert "/workitems/1.2.3.5" in opened
    assert f'/workitems/{UID}"' not in opened
    assert "/workitems/1.2.3.5" in everything
    assert f'/workitems/{UID}"' in canceled
    assert "1.2.3.5" not in canceled
    assert "No workitem is here." in nothing
    assert "AI &lt;b&gt;" in opened
    assert pages.get("/workitems?state=lost").status_code == 400


def test_one_workitem_shows_its_history_and_its_attributes_but_not_its_lock(pages: httpx.Client) -> None:
    page = pages.get(f"/workitems/{UID}").text

    places = [page.index(f'</svg>{word}</span></td><td class="mono">operator') for word in
              ("scheduled", "in progress", "canceled")]  # fmt: skip
    assert places == sorted(places)
    assert "Segment &amp; measure" in page
    assert "Segmentation" in page
    assert "Discontinued for unspecified reason" in page
    assert "777777" not in page
    assert pages.get("/workitems/9.9").status_code == 404


def test_the_pages_ask_for_their_permission(pages: httpx.Client, fresh_hospital: Any) -> None:
    fresh_hospital.hub.open_to_all = False
    token = fresh_hospital.hub.create_token(OPERATOR, "other", ("archive.query",), None)
    bearer = {"Authorization": f"Bearer {token}"}

    assert pages.get("/workitems", headers=bearer).status_code == 403
    assert pages.get(f"/workitems/{UID}", headers=bearer).status_code == 403
    assert "/workitems" not in pages.get("/studies", headers=bearer).text
