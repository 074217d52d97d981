"""The diagnostic viewer opens every object of a real day, saves back, and asks nobody else."""

import io
import json
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from real_day import Objects

from hilum.core.access import policy
from hilum.core.hub import Hub

pytestmark = [pytest.mark.needs("chromium", "viewer"), pytest.mark.timeout(180)]

Open = Callable[[str], Page]
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)


@pytest.fixture
def opened(page: Page, address: str, hub: Hub, day: Objects) -> Iterator[Open]:
    """Sign in and open a path of the viewer; at the end nothing failed and no other host was asked."""
    del day
    wrong: list[str] = []
    page.set_default_timeout(PATIENCE)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("response", lambda answer: wrong.append(answer.url) if answer.status >= 400 else None)
    page.on("request", lambda asked: wrong.append(asked.url) if _foreign(asked.url, address) else None)
    link = hub.issue_link(policy.local_operator("viewer-tests"), "reader")
    page.goto(f"{address}/welcome/{link}")

    def go(path: str) -> Page:
        page.goto(address + path)
        return page

    yield go
    page.goto("about:blank")
    assert wrong == []


def _foreign(url: str, address: str) -> bool:
    return urlsplit(url).scheme in ("http", "https", "ws", "wss") and not url.startswith(address)


def _study(day: Objects, kind: str) -> str:
    one = getattr(day, kind)
    return str((one[0] if isinstance(one, list) else one).StudyInstanceUID)


def _picture(place: Locator) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(place.screenshot())).convert("RGB")).astype(int)


def _wait_for(page: Page, seen: Callable[[], bool], what: str) -> None:
    for _ in range(60):
        if seen():
            return
        page.wait_for_timeout(500)
    pytest.fail(f"never seen: {what}")


def _has_image(pane: Locator) -> bool:
    """Tell whether a pane shows a picture: many pixels brighter than the viewer's own dark."""
    return bool((_picture(pane).max(axis=2) > 50).mean() > 0.05)


def _has_red(pane: Locator) -> bool:
    picture = _picture(pane)
    return bool((picture[..., 0] - picture[..., 2] > 60).mean() > 0.005)


def _has_yellow(pane: Locator) -> bool:
    picture = _picture(pane)
    return bool((picture[..., :2].min(axis=2) - picture[..., 2] > 80).mean() > 0.001)


def test_the_list_shows_every_study_newest_first(opened: Open) -> None:
    page = opened("/viewer")

    expect(page.get_by_text("CT of a ball").first).to_be_visible()
    for text in ("A slide", "A letter in PDF", "Ultrasound cine", "Twelve-lead ECG", "MR in JPEG 2000"):
        expect(page.get_by_text(text).first).to_be_visible()


@pytest.mark.parametrize("kind", ["ct", "compressed", "cine"])
def test_images_are_shown(opened: Open, day: Objects, kind: str) -> None:
    page = opened(f"/viewer?StudyInstanceUIDs={_study(day, kind)}")

    pane = page.locator('[data-cy="viewport-pane"]')
    pane.wait_for()
    _wait_for(page, lambda: _has_image(pane), f"the picture of {kind}")


def test_a_cine_shows_another_frame_when_it_is_scrolled(opened: Open, day: Objects) -> None:
    page = opened(f"/viewer?StudyInstanceUIDs={_study(day, 'cine')}")
    pane = page.locator('[data-cy="viewport-pane"]')
    _wait_for(page, lambda: pane.count() == 1 and _has_image(pane), "the first frame")
    before = _picture(pane)

    pane.hover()
    page.mouse.wheel(0, 300)

    _wait_for(page, lambda: bool((abs(_picture(pane) - before) > 60).mean() > 0.05), "another frame")


def test_a_volume_is_cut_along_three_planes(opened: Open, day: Objects) -> None:
    page = opened(f"/viewer?StudyInstanceUIDs={_study(day, 'ct')}")
    pane = page.locator('[data-cy="viewport-pane"]')
    _wait_for(page, lambda: pane.count() == 1 and _has_image(pane), "the axial stack")

    page.click('[data-cy="Layout"]')
    page.click('[data-cy="MPR"]')

    expect(pane).to_have_count(3)
    _wait_for(page, lambda: all(_has_image(pane.nth(at)) for at in range(3)), "three planes")


def test_an_electrocardiogram_shows_its_leads(opened: Open, day: Objects) -> None:
    page = opened(f"/viewer?StudyInstanceUIDs={_study(day, 'electrocardiogram')}")

    pane = page.locator('[data-cy="viewport-pane"]')
    pane.wait_for()
    _wait_for(page, lambda: _has_yellow(pane), "the names of the leads")


def test_a_document_is_read_in_its_own_frame(opened: Open, day: Objects) -> None:
    page = opened(f"/viewer?StudyInstanceUIDs={_study(day, 'document')}")

    shown = page.locator('object[type="application/pdf"], iframe, embed').first
    shown.wait_for(state="attached")
    source = shown.get_attribute("data") or shown.get_attribute("src") or ""
    assert source.startswith("blob:"), source


def test_a_whole_slide_is_shown_from_its_tiles(opened: Open, day: Objects) -> None:
    page = opened(f"/viewer/microscopy?StudyInstanceUIDs={_study(day, 'slide')}")

    pane = page.locator(".DicomMicroscopyViewer")
    pane.wait_for()
    _wait_for(
        page, lambda: bool((abs(_picture(pane) - (90, 20, 120)).max(axis=2) < 30).mean() > 0.01), "tissue"
    )


def test_a_segmentation_lies_over_its_images(opened: Open, day: Objects) -> None:
    page = opened(f"/viewer?StudyInstanceUIDs={_study(day, 'ct')}")
    pane = page.locator('[data-cy="viewport-pane"]')
    _wait_for(page, lambda: pane.count() == 1 and _has_image(pane), "the images")

    page.get_by_text("Segmentation of the ball").dblclick()

    _wait_for(page, lambda: _has_red(pane), "the overlay")


def test_measurements_of_a_structured_report_are_drawn(opened: Open, day: Objects) -> None:
    page = opened(f"/viewer?StudyInstanceUIDs={_study(day, 'ct')}")
    pane = page.locator('[data-cy="viewport-pane"]')
    _wait_for(page, lambda: pane.count() == 1 and _has_image(pane), "the images")

    page.get_by_text("Length of the ball").dblclick()

    expect(page.get_by_text("56.00 mm").first).to_be_visible()


def test_a_measurement_is_saved_back_as_a_structured_report(
    opened: Open, day: Objects, address: str, token: str
) -> None:
    study = _study(day, "ct")
    page = opened(f"/viewer?StudyInstanceUIDs={study}")
    pane = page.locator('[data-cy="viewport-pane"]')
    _wait_for(page, lambda: pane.count() == 1 and _has_image(pane), "the images")
    before = _objects(address, token, study, "SR")

    page.click('[data-cy="MeasurementTools-split-button-primary"]')
    _draw(page, pane)
    page.get_by_role("button", name="Yes").first.click()
    page.click('[data-cy="trackedMeasurements-btn"]')
    page.get_by_role("button", name="Create SR").click()
    page.get_by_role("button", name="Save").last.click()

    _wait_for(page, lambda: len(_objects(address, token, study, "SR")) == len(before) + 1, "the new report")


def test_a_segmentation_is_saved_back(opened: Open, day: Objects, address: str, token: str) -> None:
    study = _study(day, "ct")
    page = opened(f"/viewer/segmentation?StudyInstanceUIDs={study}")
    pane = page.locator('[data-cy="viewport-pane"]')
    _wait_for(page, lambda: pane.count() == 1 and _has_image(pane), "the images")
    before = _objects(address, token, study, "SEG")
    page.get_by_text("Segmentation of the ball").first.dblclick()
    _wait_for(page, lambda: _has_red(pane), "the overlay")

    page.locator('[data-cy^="segmentation-"][data-cy*="more-btn"]').first.click()
    page.get_by_role("menuitem", name="Export").hover()
    page.get_by_role("menuitem", name="DICOM SEG").first.click()
    page.get_by_role("button", name="Save").last.click()

    _wait_for(
        page, lambda: len(_objects(address, token, study, "SEG")) == len(before) + 1, "the new segmentation"
    )


def _told(script: str) -> dict[str, object]:
    """Return what the server put before the settings of the viewer."""
    return dict(json.loads(script.partition("const hilum = ")[2].partition(";\n")[0]))


def _draw(page: Page, pane: Locator) -> None:
    box = pane.bounding_box()
    assert box is not None
    across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(across - 100, down)
    page.mouse.down()
    page.mouse.move(across, down + 20, steps=5)
    page.mouse.move(across + 100, down, steps=5)
    page.mouse.up()


def _objects(address: str, token: str, study: str, modality: str) -> list[object]:
    client = DICOMwebClient(f"{address}/dicom-web", headers={"Authorization": f"Bearer {token}"})
    return client.search_for_instances(study, search_filters={"Modality": modality})


def test_who_is_not_signed_in_is_led_to_the_door_and_back(page: Page, address: str, day: Objects) -> None:
    study = _study(day, "ct")

    page.goto(f"{address}/viewer?StudyInstanceUIDs={study}")
    page.wait_for_url("**/sign-in?next=*")

    assert f"StudyInstanceUIDs%3D{study}" in page.url


def test_a_link_may_bring_a_token_of_its_own(page: Page, address: str, day: Objects, token: str) -> None:
    page.goto(f"{address}/viewer?StudyInstanceUIDs={_study(day, 'ct')}&token={token}")

    pane = page.locator('[data-cy="viewport-pane"]')
    _wait_for(page, lambda: pane.count() == 1 and _has_image(pane), "the images")
    assert token not in page.url


def test_the_token_of_the_viewer_reads_and_stores_and_no_more(address: str, hub: Hub) -> None:
    operator = policy.local_operator("viewer-tests")
    with httpx.Client(base_url=address, follow_redirects=True) as browser:
        browser.get("/welcome/" + hub.issue_link(operator, "reader"))
        told = browser.get("/viewer/app-config.js").text
        csrf = _told(told)["csrf"]

        given = browser.post("/viewer/token", headers={"X-CSRF-Token": csrf}).json()

    caller = hub.admit_token(given["token"], "127.0.0.1", "viewer-tests")
    assert given["seconds"] == 900
    assert caller.permissions == {
        "archive.query",
        "archive.retrieve",
        "archive.store",
        "patients.read",
        "reports.read",
    }


def test_another_site_learns_no_csrf_token(address: str, hub: Hub) -> None:
    operator = policy.local_operator("viewer-tests")
    with httpx.Client(base_url=address, follow_redirects=True) as browser:
        browser.get("/welcome/" + hub.issue_link(operator, "reader"))

        told = browser.get("/viewer/app-config.js", headers={"Sec-Fetch-Site": "cross-site"})

    assert _told(told.text)["csrf"] == ""
    assert told.headers["cross-origin-resource-policy"] == "same-origin"


def test_no_token_without_the_sessions_own_csrf_token(address: str, hub: Hub) -> None:
    operator = policy.local_operator("viewer-tests")
    with httpx.Client(base_url=address, follow_redirects=True) as browser:
        browser.get("/welcome/" + hub.issue_link(operator, "reader"))

        assert browser.post("/viewer/token").status_code == 403
    assert httpx.post(f"{address}/viewer/token").status_code == 401


@pytest.mark.parametrize("path", ["../../etc/passwd", "..%2f..%2fentry.json", "no.js", "%2e%2e/entry.json"])
def test_only_the_packages_own_files_are_served(address: str, path: str) -> None:
    answer = httpx.get(f"{address}/viewer/{path}")

    assert answer.status_code == 404


def test_files_with_a_hash_in_their_name_are_kept_by_browsers_and_come_compressed(address: str) -> None:
    page = httpx.get(f"{address}/viewer").text
    script = page.partition('<script defer src="')[2].partition('"')[0]

    answer = httpx.get(address + script, headers={"Accept-Encoding": "gzip"})

    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert httpx.get(address + script, headers={"Accept-Encoding": "identity"}).content == answer.content


def test_behind_a_proxy_with_a_prefix_everything_stands_below_it(address: str) -> None:
    headers = {"X-Forwarded-Prefix": "/imaging", "X-Forwarded-Host": "pacs.example.org"}

    page = httpx.get(f"{address}/viewer", headers=headers).text
    told = httpx.get(f"{address}/viewer/app-config.js", headers=headers).text

    assert 'src="/imaging/viewer/app.bundle.' in page
    assert (_told(told)["base"], _told(told)["root"]) == ("/imaging/viewer/", "/imaging")
