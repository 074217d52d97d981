"""What is kept in every file of the house, and each rule seen to fail once."""

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LONGEST_FILE = 400
LONG_BY_NATURE = {
    "core/hub.py": "the hallway: every capability on one page",
    "stores/sql/schema.py": "the tables of the database, in one place",
}
BANNED_NAMES = {"data", "obj", "info"}
BANNED_WORDS = {"manager", "helper", "helpers", "util", "utils"}
FRAMES = ("engine/", "doors/", "cli/frame.py", "stores/sql/sqlite.py")
"""Where `except Exception` may stand: the engine and the outermost frames of doors and command line, and the writer of
SQLite, which works for many callers at once and hands each its own failure.
"""
MACHINE_PATH = re.compile(
    "(?<![\\w.])/(?:" + "|".join(["wor" + "k", "roo" + "t", "hom" + "e", "Use" + "rs"]) + ")/\\w"
)
REGISTRY = re.compile("py" + r"pi\.org|python" + r"hosted\.org|/opt/py" + "pi|find-" + "links|index-" + "url")
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".lock", ".sh", ".cfg", ".html", ".css", ".txt", ".json", ""}
OWN_WORDS_ALLOWED = {"requirements/lock": "names the option that keeps indexes out of the lock files"}

Rule = Callable[[Path], Iterator[str]]


def source(root: Path) -> Iterator[tuple[str, ast.Module, str]]:
    """Yield place, tree and text of every Python file of the package."""
    package = root / "src" / "hilum"
    for file in sorted(package.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        yield file.relative_to(package).as_posix(), ast.parse(text), text


def tracked(root: Path) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=False)
    names = listed.stdout.split("\0") if listed.returncode == 0 else []
    files = [root / name for name in names if name] or list(root.rglob("*"))
    return [file for file in files if file.is_file() and file.suffix in TEXT]


def files_are_short(root: Path) -> Iterator[str]:
    for place, _, text in source(root):
        lines = len(text.splitlines())
        table = "/tables/" in place or "/migrations/" in place or place in LONG_BY_NATURE
        if lines > LONGEST_FILE and not table:
            yield f"{place} has {lines} lines, more than {LONGEST_FILE}"


def public_things_say_what_they_are(root: Path) -> Iterator[str]:
    for place, tree, _ in source(root):
        if place.startswith(("core/", "wire/")) and ast.get_docstring(tree) is None:
            yield f"{place} has no docstring"
        classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        for node in (member for place_of in [tree, *classes] for member in place_of.body):
            named = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if place.startswith(("core/", "wire/")) and named and ast.get_docstring(node) is None:
                yield f"{place}:{node.lineno} {node.name} has no docstring"


def names_say_something(root: Path) -> Iterator[str]:
    for place, tree, _ in source(root):
        module = place.removesuffix(".py").rsplit("/", 1)[-1]
        nodes = [
            (node.lineno, node.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
        ]
        for line, name in [(1, module), *nodes]:
            words = {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}
            if name.lower() in BANNED_NAMES or words & BANNED_WORDS:
                yield f"{place}:{line} {name} says nothing"


def failures_are_not_swallowed(root: Path) -> Iterator[str]:
    for place, tree, _ in source(root):
        for node in ast.walk(tree):
            if not isinstance(node, ast.ExceptHandler) or place.startswith(FRAMES):
                continue
            caught = ast.unparse(node.type) if node.type else "everything"
            passed_on = isinstance(node.body[-1], ast.Raise)
            if not passed_on and (node.type is None or re.search(r"\b(Base)?Exception\b", caught)):
                yield f"{place}:{node.lineno} catches {caught} outside a frame"


def core_reads_no_clock(root: Path) -> Iterator[str]:
    for place, _, text in source(root):
        for number, line in enumerate(text.splitlines(), 1):
            if place.startswith("core/") and re.search(r"\.(now|utcnow|today)\(", line):
                yield f"{place}:{number} reads a clock"


def files_name_no_machine(root: Path) -> Iterator[str]:
    for file in tracked(root):
        place = file.relative_to(root).as_posix()
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if MACHINE_PATH.search(line):
                yield f"{place}:{number} names a path of one machine"
            if REGISTRY.search(line) and place not in OWN_WORDS_ALLOWED:
                yield f"{place}:{number} names a registry"


def locks_hold_hashes(root: Path) -> Iterator[str]:
    for lock in sorted((root / "requirements").glob("*.lock")):
        entries = re.split(r"\n(?=\S)", lock.read_text())
        for entry in entries:
            requirement = entry.split()[0] if entry.split() else ""
            if requirement and not requirement.startswith("#") and "--hash=sha256:" not in entry:
                yield f"{lock.name}: {requirement} has no hash"
            if re.search(r"@ |https?:|^-", entry):
                yield f"{lock.name}: {requirement} names where it comes from"


BROKEN: list[tuple[Rule, str, str]] = [
    (files_are_short, "src/hilum/core/long.py", '"""Long."""\n' * (LONGEST_FILE + 1)),
    (public_things_say_what_they_are, "src/hilum/core/rules.py", '"""Rules."""\n\ndef judge() -> None:\n    pass\n'),
    (public_things_say_what_they_are, "src/hilum/wire/bare.py", "A = 1\n"),
    (names_say_something, "src/hilum/stores/names.py", "class PeerManager:\n    pass\n"),
    (names_say_something, "src/hilum/doors/utils.py", "A = 1\n"),
    (names_say_something, "src/hilum/doors/names.py", "def data() -> None:\n    pass\n"),
    (failures_are_not_swallowed, "src/hilum/stores/swallow.py", "try:\n    A = 1\nexcept Exception:\n    pass\n"),
    (failures_are_not_swallowed, "src/hilum/wire/swallow.py", "try:\n    A = 1\nexcept:\n    pass\n"),
    (core_reads_no_clock, "src/hilum/core/clock.py", "from datetime import datetime\nNOW = datetime.now()\n"),
    (files_name_no_machine, "docs/page.md", "see /" + "home/somebody/notes\n"),
    (files_name_no_machine, "docs/page.md", "from https://" + "pypi" + ".org/simple\n"),
    (locks_hold_hashes, "requirements/run.lock", "typer==0.29.2\n    # via hilum\n"),
    (locks_hold_hashes, "requirements/run.lock", "typer @ https://example/typer.whl --hash=sha256:00\n"),
]  # fmt: skip
RULES = list(dict.fromkeys(rule for rule, _, _ in BROKEN))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_the_rule(rule: Rule) -> None:
    assert list(rule(ROOT)) == []


@pytest.mark.parametrize(("rule", "place", "text"), BROKEN)
def test_the_rule_is_seen_to_fail(tmp_path: Path, rule: Rule, place: str, text: str) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True)
    file.write_text(text)

    found = list(rule(tmp_path))

    assert len(found) == 1
    assert Path(place).name in found[0]
