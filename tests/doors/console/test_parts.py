"""Pure parts of the console: words, kinds, waiting, and the files it ships."""

import hashlib
import re
from datetime import timedelta
from pathlib import Path

import pytest

from hilum.doors._http.problems import TooManyRequests
from hilum.doors.console import kinds, words
from hilum.doors.console.backoff import check
from hilum.doors.console.site import WEB, own_path
from hilum.transport.backoff import FREE_FAILURES, LONGEST_WAIT, Backoff


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Doe^Jane", "Doe, Jane"),
        ("Novak^Jana^Maria^Dr^PhD", "Dr Novak, Jana Maria PhD"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada, Tarou (山田, 太郎 · やまだ, たろう)"),
        ("=山田^太郎", "山田, 太郎"),
        ("", "—"),
        ("^^^^", "—"),
    ],
)
def test_a_person_name_reads_as_people_write_it(name: str, shown: str) -> None:
    assert words.person(name) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [("20261124", "2026-11-24"), ("20261124104500+0100", "2026-11-24"), ("1987", "1987"), ("", "—")],
)
def test_a_day_reads_as_a_day_or_stays(value: str, shown: str) -> None:
    assert words.day(value) == shown


@pytest.mark.parametrize(
    ("octets", "shown"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (526_000_000, "526 MB"), (2 * 10**15, "2000 TB")],
)
def test_a_size_has_a_unit_that_reads_well(octets: int, shown: str) -> None:
    assert words.size(octets) == shown.replace(" ", words.NO_BREAK)


def test_a_span_is_told_in_its_largest_unit() -> None:
    spans = [timedelta(seconds=-3), timedelta(seconds=59), timedelta(minutes=61), timedelta(days=2, hours=5)]

    assert [words.lasting(span) for span in spans] == ["0 s", "59 s", "1 h", "2 d"]


@pytest.mark.parametrize(
    ("sop_class", "kind"),
    [
        ("1.2.840.10008.5.1.4.1.1.2", ""),
        ("1.2.840.10008.5.1.4.1.1.66.4", ""),
        ("1.2.840.10008.5.1.4.1.1.88.67", "structured report"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "PDF document"),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "waveform"),
        ("1.2.840.10008.5.1.4.1.1.481.3", "radiotherapy structure set"),
        ("1.2.3", ""),
    ],
)
def test_what_has_no_pixels_has_a_name(sop_class: str, kind: str) -> None:
    assert kinds.kind(sop_class) == kind


def _wait(backoff: Backoff, address: str) -> int:
    try:
        check(backoff, address)
    except TooManyRequests as told:
        return told.retry_after
    return 0


def test_the_wait_after_failures_doubles_up_to_a_limit_and_ends_with_success() -> None:
    now = [0.0]
    backoff = Backoff(lambda: now[0])
    waits = []
    for _ in range(FREE_FAILURES + 12):
        backoff.failed("10.0.0.1")
        waits.append(_wait(backoff, "10.0.0.1"))
        now[0] += 1000

    backoff.failed("10.0.0.1")
    backoff.succeeded("10.0.0.1")

    assert _wait(backoff, "10.0.0.1") == 0
    assert _wait(backoff, "10.0.0.2") == 0
    assert waits[: FREE_FAILURES - 1] == [0] * (FREE_FAILURES - 1)
    assert waits[FREE_FAILURES - 1 : FREE_FAILURES + 3] == [2, 3, 5, 9]
    assert waits[-1] == LONGEST_WAIT + 1


def test_what_is_vendored_is_what_was_reviewed() -> None:
    folder = WEB / "static" / "vendor"
    listed = dict(reversed(line.split()) for line in (folder / "SHA256SUMS").read_text().splitlines())

    scripts = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.js")}

    assert scripts == listed
    assert (folder / "htmx-LICENSE.txt").read_text().startswith("Zero-Clause BSD")


@pytest.mark.parametrize("template", sorted((WEB / "templates").rglob("*.html")), ids=lambda path: path.name)
def test_no_template_has_anything_inline_or_from_elsewhere(template: Path) -> None:
    text = template.read_text()

    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:|hx-on|\|safe", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(r'(src|href)="(https?:)?//', text)


@pytest.mark.parametrize("path", ["", "x", "//x", "https://x", "/\\x", "/a\nb"])
def test_a_path_that_leads_elsewhere_leads_home(path: str) -> None:
    assert own_path(path) == "/"
