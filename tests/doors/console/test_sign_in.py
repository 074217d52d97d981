"""Who comes in, and how: the one-time link, the password, the session, the token of every form."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from hilum.core.access import policy
from hilum.core.access.model import Peer, PeerKind
from hilum.core.hub import Hub

PASSWORD = "a long sentence for tests"
OPERATOR = policy.local_operator("test")


@pytest.fixture
def ada(closed: tuple[Hub, str]) -> Iterator[httpx.Client]:
    """Ask as somebody who came in by a link."""
    hub, url = closed
    with httpx.Client(base_url=url) as client:
        client.get(f"/welcome/{hub.issue_link(OPERATOR, 'ada')}")
        yield client


def _csrf(client: httpx.Client, path: str = "/peers/new") -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get(path).text)
    assert found
    return found[1]


def test_without_a_session_every_page_leads_to_the_door(closed: tuple[Hub, str]) -> None:
    _, url = closed

    answers = [httpx.get(url + path) for path in ("/", "/studies", "/studies/1.2.3", "/peers/CT1", "/audit")]

    assert {answer.status_code for answer in answers} == {303}
    assert answers[2].headers["location"] == "/sign-in?next=%2Fstudies%2F1.2.3"


def test_at_first_start_the_door_tells_of_the_link(closed: tuple[Hub, str]) -> None:
    _, url = closed

    page = httpx.get(url + "/sign-in").text

    assert "one-time link" in page
    assert "There is no default one" in page


def test_a_link_signs_in_once_and_asks_for_a_password(closed: tuple[Hub, str]) -> None:
    hub, url = closed
    link = hub.issue_link(OPERATOR, "ada")

    first, second = httpx.get(f"{url}/welcome/{link}"), httpx.get(f"{url}/welcome/{link}")

    assert first.status_code == 303
    assert first.headers["location"] == "/password"
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= {
        part.strip() for part in first.headers["set-cookie"].split(";")
    }
    assert second.status_code == 403
    assert "the link was used or is too old" in second.text
    assert "set-cookie" not in second.headers


def test_a_prefetch_does_not_use_the_link_up(closed: tuple[Hub, str]) -> None:
    hub, url = closed
    path = f"{url}/welcome/{hub.issue_link(OPERATOR, 'ada')}"

    httpx.get(path, headers={"Sec-Purpose": "prefetch"})
    httpx.head(path)

    assert httpx.get(path).headers["location"] == "/password"


def test_behind_https_the_cookie_is_bound_to_this_host(closed: tuple[Hub, str]) -> None:
    hub, url = closed
    link = hub.issue_link(OPERATOR, "ada")

    answer = httpx.get(f"{url}/welcome/{link}", headers={"X-Forwarded-Proto": "https"})

    assert answer.headers["set-cookie"].startswith("__Host-hilum=")
    assert "Secure" in answer.headers["set-cookie"]


def test_a_password_is_set_and_then_opens_the_door(ada: httpx.Client, closed: tuple[Hub, str]) -> None:
    _, url = closed
    form = {"csrf": _csrf(ada, "/password"), "password": PASSWORD, "again": PASSWORD}
    ada.post("/password", data=form)

    answer = httpx.post(url + "/sign-in?next=/studies", data={"name": "ada", "password": PASSWORD})

    assert answer.status_code == 303
    assert answer.headers["location"] == "/studies"


@pytest.mark.parametrize(
    ("first", "again", "said"), [("short", "short", "12 to 256"), (PASSWORD, "other", "not alike")]
)
def test_a_password_that_will_not_do_is_said(first: str, again: str, said: str, ada: httpx.Client) -> None:

    answer = ada.post("/password", data={"csrf": _csrf(ada, "/password"), "password": first, "again": again})

    assert answer.status_code == 400
    assert said in answer.text


@pytest.mark.parametrize("next_page", ["https://evil.example", "//evil.example", "/\\evil.example", "evil"])
def test_signing_in_leads_nowhere_else(next_page: str, ada: httpx.Client, closed: tuple[Hub, str]) -> None:
    _, url = closed
    ada.post("/password", data={"csrf": _csrf(ada, "/password"), "password": PASSWORD, "again": PASSWORD})

    answer = httpx.post(
        url + "/sign-in", params={"next": next_page}, data={"name": "ada", "password": PASSWORD}
    )

    assert answer.headers["location"] == "/"


def test_wrong_name_and_wrong_password_read_alike(closed: tuple[Hub, str]) -> None:
    hub, url = closed
    hub.issue_link(OPERATOR, "ada")

    answers = [httpx.post(url + "/sign-in", data={"name": name, "password": "x"}) for name in ("ada", "bob")]

    assert {answer.status_code for answer in answers} == {403}
    assert all("name or password is wrong" in answer.text for answer in answers)


def test_after_some_failures_one_has_to_wait(closed: tuple[Hub, str]) -> None:
    _, url = closed

    answers = [httpx.post(url + "/sign-in", data={"name": "ada", "password": "x"}) for _ in range(6)]

    assert [answer.status_code for answer in answers] == [403] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1


@pytest.mark.parametrize("form", [{}, {"csrf": "0" * 32}])
def test_a_form_without_the_token_of_its_session_changes_nothing(
    form: dict[str, str], ada: httpx.Client, closed: tuple[Hub, str]
) -> None:
    hub, _ = closed
    hub.put_peer(OPERATOR, Peer("CT1", PeerKind.MLLP, "10.0.0.5", 104))

    answer = ada.post("/peers/CT1/remove", data=form | {"confirmed": "yes"})

    assert answer.status_code == 403
    assert [peer.name for peer in hub.peers(OPERATOR)] == ["CT1"]


def test_a_script_sends_the_token_as_a_header(ada: httpx.Client, closed: tuple[Hub, str]) -> None:
    hub, _ = closed
    hub.put_peer(OPERATOR, Peer("CT1", PeerKind.MLLP, "10.0.0.5", 104))

    answer = ada.post("/peers/CT1/test", headers={"X-CSRF-Token": _csrf(ada)})

    assert answer.status_code == 200
    assert "connection refused" in answer.text


def test_signing_out_ends_the_session(ada: httpx.Client) -> None:
    cookie = dict(ada.cookies)

    ada.post("/sign-out", data={"csrf": _csrf(ada)})

    assert httpx.get(str(ada.base_url), cookies=cookie).status_code == 303


def test_a_part_asked_for_without_a_session_sends_the_whole_page_to_the_door(closed: tuple[Hub, str]) -> None:
    _, url = closed

    answer = httpx.get(url + "/live", headers={"HX-Request": "true", "HX-Request-Type": "partial"})

    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] == "/sign-in"


@pytest.mark.needs("chromium")
def test_the_first_person_comes_in_by_the_link_in_a_browser(page: Page, closed: tuple[Hub, str]) -> None:
    hub, url = closed
    page.goto(f"{url}/welcome/{hub.issue_link(OPERATOR, 'ada')}")

    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_text("The password is kept.")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("path", ["/sign-in", "/password"])
def test_axe_finds_nothing_at_the_door(
    path: str, page: Page, closed: tuple[Hub, str], axe: Callable[[Page], Any]
) -> None:
    hub, url = closed
    if path == "/password":
        page.goto(f"{url}/welcome/{hub.issue_link(OPERATOR, 'ada')}")
    page.goto(url + path)

    found = axe(page)

    assert found.violations_count == 0, found.generate_report()


def test_who_may_only_search_sees_only_that(
    fresh_hospital: Any, served: Callable[[Any], str], joined: Any
) -> None:
    hub = fresh_hospital.hub
    secret = hub.create_token(OPERATOR, "reader", ("archive.query",), None)
    with httpx.Client(base_url=served(joined(hub)), headers={"Authorization": f"Bearer {secret}"}) as reader:
        study = f"/studies/{fresh_hospital.ct_study}"
        shown = [reader.get(path) for path in ("/", "/live", "/recent", "/studies", study, f"{study}/viewer")]
        refused = [
            reader.get(path)
            for path in ("/peers", "/messages", "/deliveries/1", "/conflicts", "/audit", "/patients")
        ]

    assert [answer.status_code for answer in shown] == [200] * 6
    assert [answer.status_code for answer in refused] == [403] * 6
    assert 'href="/audit"' not in shown[0].text
    assert "No cause of the abdominal pain found." not in shown[4].text
    assert "Novak" in shown[4].text
