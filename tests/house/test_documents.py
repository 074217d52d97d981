"""Documents can fail: generated pages are compared, and links lead somewhere."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from hilum.cli.reference import pages
from hilum.core.kernel.caller import Permission
from hilum.core.kernel.events import Event
from hilum.settings import Settings
from hilum.settings.tree import FIELDS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("name", pages())
def test_the_generated_page_is_what_the_code_says(name: str) -> None:
    kept = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")

    assert kept == pages()[name], "run `make docs`"


def test_every_setting_event_error_and_permission_has_a_heading() -> None:
    headings = {
        line.lstrip("# ") for page in pages().values() for line in page.splitlines() if line.startswith("#")
    }

    wanted = {section.name for section in fields(Settings)} | set(FIELDS) | set(Permission)
    wanted |= {name for name, event in Event.types.items() if event.__module__.startswith("hilum.")}
    wanted |= {"Invalid", "NotFound", "Conflict", "Refused", "Busy"}
    assert wanted - headings == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)

    broken = [
        target for target in re.findall(r"\]\(([^)\s]+)\)", text) if not leads_somewhere(document, target)
    ]

    assert broken == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("# One place\n")

    assert not leads_somewhere(document, "absent.md")
    assert not leads_somewhere(document, "#another-place")
    assert leads_somewhere(document, "#one-place")


def leads_somewhere(document: Path, target: str) -> bool:
    if re.match(r"[a-z]+:", target):
        return True
    place, _, anchor = target.partition("#")
    file = document.parent / place if place else document
    if not file.exists():
        return False
    return not anchor or file.suffix != ".md" or anchor in anchors(file)


def anchors(file: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_decision_has_a_number_of_its_own() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [int(path.name[:4]) for path in decisions]

    assert numbers == list(range(1, len(decisions) + 1))
    assert [path.read_text(encoding="utf-8").split(".")[0] for path in decisions] == [
        f"# {n}" for n in numbers
    ]
