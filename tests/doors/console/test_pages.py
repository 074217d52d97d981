"""Every page in a browser: it shows what it is for, nothing breaks the strict policy, axe finds nothing."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from starlette.applications import Starlette

from hilum.core.access import policy
from hilum.core.orders.model import WorklistQuery

pytestmark = pytest.mark.needs("chromium")

PATHS = {
    "overview": "/",
    "studies": "/studies",
    "study": "/studies/{ct_study}",
    "viewer": "/studies/{ct_study}/viewer",
    "worklist": "/worklist",
    "workitems": "/workitems?state=all",
    "workitem": "/workitems/1.2.40",
    "patients": "/patients",
    "patient": "/patients/{patient}",
    "messages": "/messages",
    "message": "/messages/1",
    "deliveries": "/deliveries",
    "delivery": "/deliveries/1",
    "peers": "/peers",
    "peer": "/peers/PACS2",
    "new peer": "/peers/new",
    "conflicts": "/conflicts",
    "audit": "/audit",
    "not found": "/studies/1.2.3",
}


@pytest.fixture
def visited(page: Page, site: str, hospital: Any) -> Iterator[Callable[[str], Page]]:
    """Go to a page of the seeded console; at the end no script failed and the policy was never broken."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None,
    )

    def go(path: str) -> Page:
        names = {name: getattr(hospital, name) for name in ("ct_study", "us_study", "patient")}
        page.goto(site + path.format(**names))
        return page

    yield go
    assert complaints == []


@pytest.mark.parametrize("name", PATHS)
def test_axe_finds_nothing_in_light_and_dark_on(
    name: str, visited: Callable[[str], Page], page: Page
) -> None:
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    visited(PATHS[name])
    page.wait_for_load_state("networkidle")

    light = Axe().run(page)
    page.emulate_media(color_scheme="dark")
    dark = Axe().run(page)

    assert light.violations_count == 0, light.generate_report()
    assert dark.violations_count == 0, dark.generate_report()


@pytest.mark.parametrize("name", PATHS)
def test_nothing_is_wider_than_a_phone_on(name: str, visited: Callable[[str], Page], page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})

    visited(PATHS[name])

    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_overview_counts_and_leads_on(visited: Callable[[str], Page]) -> None:
    page = visited("/")

    dead = page.get_by_role("link", name=re.compile("Deliveries dead"))
    expect(dead).to_contain_text("1")
    expect(page.get_by_role("link", name=re.compile("Open conflicts"))).to_contain_text("1")
    dead.click()

    expect(page).to_have_url(re.compile(r"/deliveries\?state=dead$"))
    expect(page.get_by_text("A900 Data Set does not match SOP Class").first).to_be_visible()


def test_the_overview_asks_again_by_itself(visited: Callable[[str], Page]) -> None:
    page = visited("/")

    with page.expect_response(re.compile(r"/live\?seen=14$")) as answered:
        page.evaluate("document.body.dispatchEvent(new Event('refresh'))")

    assert answered.value.status == 200
    expect(page.get_by_role("link", name=re.compile("Deliveries waiting"))).to_be_visible()


def test_an_empty_overview_says_how_to_send_the_first(
    page: Page, served: Callable[[Starlette], str], empty_app: Starlette
) -> None:
    page.goto(served(empty_app))

    expect(page.get_by_text("storescu -aec HILUM 127.0.0.1 11112 image.dcm")).to_be_visible()
    expect(page.get_by_text("hilum peers add CT1 --dicom CT1@10.0.0.5:104")).to_be_visible()
    expect(page.get_by_text("No HL7 message came yet")).to_be_visible()


def test_studies_narrow_while_one_types_and_rows_follow_the_arrow_keys(
    visited: Callable[[str], Page],
) -> None:
    page = visited("/studies")
    expect(page.get_by_text("1 to 2 of 2 studies")).to_be_visible()

    page.keyboard.press("/")
    page.keyboard.type("nov")
    expect(page.get_by_text("1 to 1 of 1 studies").first).to_be_visible()
    expect(page).to_have_url(re.compile("name=nov"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="CT abdomen with contrast")).to_be_visible()


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("patient_id=PAT-1002", "US knee"),
        ("accession=ACC", "CT abdomen with contrast"),
        ("modality=US", "US knee"),
        ("from=2026-11-24&to=2026-11-24", "US knee"),
        ("name=piet", "US knee"),
        ("name=zzz", "No study matches"),
        ("from=2020-01-01&to=2020-01-02", "No study matches"),
    ],
)
def test_studies_are_found_by(query: str, shown: str, visited: Callable[[str], Page]) -> None:
    page = visited(f"/studies?{query}")

    expect(page.get_by_text(shown).first).to_be_visible()


def test_a_study_shows_person_order_report_series_origin_and_conflict(visited: Callable[[str], Page]) -> None:
    page = visited("/studies/{ct_study}")

    banner = page.get_by_role("region", name="Patient")
    expect(banner).to_contain_text("Dr Novak, Jana")
    expect(banner).to_contain_text("PAT-1001")
    expect(banner).to_contain_text("77-310")
    expect(banner).to_contain_text("1 record merged")
    expect(page.get_by_text("ORD-1")).to_be_visible()
    expect(page.get_by_text("No cause of the abdominal pain found.")).to_be_visible()
    expect(page.get_by_text("from CT1").first).to_be_visible()
    expect(page.get_by_text("1 open conflict")).to_be_visible()
    cover = page.locator(".cover img")
    expect(cover).to_have_count(1)
    cover.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.cover img').naturalWidth > 0")


def test_the_viewer_goes_through_frames_by_key_wheel_and_slider(visited: Callable[[str], Page]) -> None:
    page = visited("/studies/{ct_study}/viewer")
    image = page.locator(".stage img")
    expect(image).to_have_attribute("alt", "CT Abdomen 5.0 B30f, image 1 of 12, frame 1 of 1")
    expect(page.get_by_text("Not for diagnosis", exact=True)).to_be_visible()

    page.keyboard.press("ArrowDown")
    expect(image).to_have_attribute("alt", re.compile("image 2 of 12"))
    page.locator(".stage").hover()
    page.mouse.wheel(0, 100)
    expect(image).to_have_attribute("alt", re.compile("image 3 of 12"))
    page.get_by_label("Image", exact=True).fill("12")

    expect(image).to_have_attribute("alt", re.compile("image 12 of 12"))
    expect(page).to_have_url(re.compile(r"instance=.*\.12$"))


def test_the_viewer_asks_for_a_window(visited: Callable[[str], Page]) -> None:
    page = visited("/studies/{ct_study}/viewer")
    expect(page.locator(".stage img")).to_be_visible()

    with page.expect_response(re.compile(r"frames/1/rendered\?window=300,1500,linear")) as answered:
        page.get_by_role("combobox", name="Window").select_option("Bone")

    assert answered.value.status == 200


def test_the_viewer_says_what_has_no_frames(visited: Callable[[str], Page]) -> None:
    page = visited("/studies/{ct_study}/viewer")

    page.get_by_role("button", name=re.compile("Dose report")).click()

    expect(page.get_by_text("This object is a structured report: it has no frames to show.")).to_be_visible()
    expect(page.get_by_role("link", name="Download the DICOM object")).to_be_visible()


def test_the_viewer_goes_through_the_frames_of_one_object(visited: Callable[[str], Page]) -> None:
    page = visited("/studies/{us_study}/viewer")
    image = page.locator(".stage img")
    expect(image).to_have_attribute("alt", re.compile("image 1 of 1, frame 1 of 5"))

    page.keyboard.press("ArrowRight")
    expect(image).to_have_attribute("alt", re.compile("frame 2 of 5"))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")

    expect(image).to_have_attribute("alt", re.compile("frame 1 of 5"))


def test_viewer_by_query_leads_to_the_frames(visited: Callable[[str], Page]) -> None:
    page = visited("/viewer?StudyInstanceUIDs={us_study}")

    expect(page.locator(".stage img")).to_be_visible()


def test_the_worklist_shows_steps_by_station_and_day(visited: Callable[[str], Page]) -> None:
    page = visited("/worklist")
    expect(page.get_by_text("MR knee left")).to_be_visible()

    page.get_by_label("Station AE title").fill("CT1")
    expect(page.get_by_text("1 step", exact=True).first).to_be_visible()
    expect(page.get_by_text("MR knee left")).to_have_count(0)
    page.get_by_role("link", name="Today").click()
    page.get_by_role("link", name=re.compile(r"^\d{4}")).first.click()

    expect(page.get_by_text("Nothing is scheduled here.")).to_be_visible()


def test_a_retired_identifier_finds_the_survivor(visited: Callable[[str], Page]) -> None:
    page = visited("/patients?identifier=77-310")

    page.get_by_role("link", name="Dr Novak, Jana").click()

    expect(page.get_by_text("merged into", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Diagnostic imaging report")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("CT abdomen")).get_by_role("link")).to_be_visible()


def test_a_message_shows_its_segments(visited: Callable[[str], Page]) -> None:
    page = visited("/messages?answer=rejected")
    expect(page.get_by_text("PID-3 is empty: a patient needs at least one identifier")).to_be_visible()
    expect(page.get_by_text("ADT^A04")).to_have_count(0)

    page.goto(page.url.partition("?")[0])
    page.get_by_role("row", name=re.compile(r"ADT\^A08")).get_by_role("link").click()

    expect(page.get_by_role("rowheader", name="PID")).to_be_visible()
    expect(page.get_by_text("77-310^^^CLINIC-B")).to_be_visible()


def test_a_delivery_tells_what_the_receiver_answered(visited: Callable[[str], Page]) -> None:
    page = visited("/deliveries?state=dead")

    page.get_by_role("row", name=re.compile("PACS2")).get_by_role("link", name="1", exact=True).click()

    expect(page.get_by_role("heading", name="Delivery 1 to PACS2")).to_be_visible()
    expect(page.locator(".timeline")).to_contain_text("A900")


def test_conflicts_lead_to_their_study(visited: Callable[[str], Page]) -> None:
    page = visited("/conflicts")

    page.get_by_role("row", name=re.compile("same-uid")).get_by_role("link").click()

    expect(page.get_by_role("heading", name="CT abdomen with contrast")).to_be_visible()


def test_the_audit_pages_through_the_trail(visited: Callable[[str], Page], hospital: Any) -> None:
    for _ in range(100):
        hospital.hub.worklist(policy.local_operator("test"), WorklistQuery(limit=1))
    page = visited("/audit?before=60")
    expect(page.get_by_text("patients.merge").first).to_be_visible()

    page.get_by_role("link", name="Newest").click()

    expect(page.get_by_text("worklist.query").first).to_be_visible()
    expect(page.get_by_role("link", name="Older")).to_be_visible()


def test_a_peer_is_tested_in_place(visited: Callable[[str], Page]) -> None:
    page = visited("/peers")

    page.get_by_role("button", name="Test PACS2").click()

    row = page.get_by_role("row", name=re.compile("PACS2"))
    expect(row.locator(".answer")).to_contain_text("C-ECHO: Success")
    expect(page).to_have_url(re.compile("/peers$"))


def test_a_peer_is_tested_before_it_is_saved_and_can_be_removed(visited: Callable[[str], Page]) -> None:
    page = visited("/peers/new")

    page.get_by_label("Name").fill("RIS")
    page.get_by_label("Speaks").select_option("mllp")
    expect(page.get_by_label("AE title")).to_be_hidden()
    page.get_by_label("Host", exact=True).fill("127.0.0.1")
    page.get_by_label("Port", exact=True).fill("2576")
    page.get_by_role("button", name="Test without saving").click()
    expect(page.get_by_text("connection refused")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("RIS is saved.")).to_be_visible()
    page.get_by_role("link", name="RIS").click()
    page.get_by_role("button", name="Remove…").click()
    page.get_by_role("button", name="Remove RIS").click()

    expect(page.get_by_text("RIS is removed.")).to_be_visible()


def test_the_theme_is_switched_and_remembered(visited: Callable[[str], Page]) -> None:
    page = visited("/")
    before = page.evaluate("getComputedStyle(document.body).color")

    page.get_by_role("button", name="Switch between light and dark").click()
    page.reload()

    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).color") != before


def test_the_menu_opens_on_a_phone(visited: Callable[[str], Page], page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    visited("/")
    expect(page.get_by_role("link", name="Worklist")).to_be_hidden()

    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Worklist").click()

    expect(page.get_by_role("heading", name="Worklist")).to_be_visible()
