"""The content tree of a structured report, to be read by people (PS3.3 C.17.3), from its JSON model."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from types import MappingProxyType
from typing import Any

from hilum.wire.dicom.json_model import JsonDataSet

_CONTENT, _CONCEPT, _VALUE_TYPE = "0040A730", "0040A043", "0040A040"
_MEANING, _CODE_VALUE = "00080104", "00080100"
_PLAIN = MappingProxyType(
    {
        "TEXT": "0040A160",
        "DATETIME": "0040A120",
        "DATE": "0040A121",
        "TIME": "0040A122",
        "PNAME": "0040A123",
        "UIDREF": "0040A124",
    }
)
"""Value types whose value is one attribute."""
_HEAD = (
    ("Patient", "00100010"),
    ("Patient ID", "00100020"),
    ("Birth date", "00100030"),
    ("Study date", "00080020"),
    ("Accession number", "00080050"),
    ("Institution", "00080080"),
    ("Completion", "0040A491"),
    ("Verification", "0040A493"),
)

STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;"
    "background:#fff}dt{font-weight:600}dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem}"
    "ul{padding-left:1.25rem}b{font-weight:600}"
)
"""The one style sheet of the page: it stands inside, and the Content-Security-Policy names its digest."""


@dataclass(frozen=True, slots=True)
class Line:
    """One content item: how deep it stands, what it is about, and what it says."""

    depth: int
    concept: str
    value: str


def content_lines(report: JsonDataSet) -> Iterator[Line]:
    """Yield the content items below the root, in reading order."""
    yield from _below(report, 0)


def title_of(report: JsonDataSet) -> str:
    """Return the title of the document: its root concept."""
    return _code(report, _CONCEPT) or "Structured report"


def report_text(report: JsonDataSet) -> str:
    """Return a report as plain text, indented as it is nested."""
    title = title_of(report)
    head = [f"{name}: {text}" for name, text in _head(report)]
    lines = [
        f"{'  ' * line.depth}{line.concept or '-'}: {line.value}".rstrip(": ")
        for line in content_lines(report)
    ]
    return "\n".join([title, "=" * len(title), *head, "", *lines, ""])


def report_page(report: JsonDataSet) -> str:
    """Return a report as a page: every text escaped, nothing fetched, nothing run."""
    title = escape(title_of(report))
    head = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in _head(report))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body><main><h1>{title}</h1><dl>{head}</dl>"
        f"{''.join(_items(content_lines(report)))}</main></body></html>"
    )


def _items(lines: Iterator[Line]) -> Iterator[str]:
    """Nest the lines as lists in lists."""
    depth = -1
    for line in lines:
        if line.depth > depth:
            yield "<ul>"
        else:
            yield "</li>" + "</ul></li>" * (depth - line.depth)
        depth = line.depth
        concept = f"<b>{escape(line.concept)}</b>" if line.concept else ""
        yield f"<li>{concept}{': ' if concept and line.value else ''}{escape(line.value)}"
    yield "</li></ul>" * (depth + 1)


def _below(item: JsonDataSet, depth: int) -> Iterator[Line]:
    for child in _sequence(item, _CONTENT):
        yield Line(depth, _code(child, _CONCEPT), _value_of(child))
        yield from _below(child, depth + 1)


def _value_of(item: JsonDataSet) -> str:
    kind = _text(item, _VALUE_TYPE)
    if kind in _PLAIN:
        return _text(item, _PLAIN[kind])
    read = _READERS.get(kind)
    return read(item) if read is not None else ""


def _numeric(item: JsonDataSet) -> str:
    measured = _sequence(item, "0040A300")
    if not measured:
        return _code(item, "0040A301")  # a qualifier says why there is none
    unit = next(iter(_sequence(measured[0], "004008EA")), {})
    shown = _text(unit, _CODE_VALUE)
    return f"{_text(measured[0], '0040A30A')} {'' if shown == '1' else shown}".strip()


def _reference(item: JsonDataSet) -> str:
    referenced = next(iter(_sequence(item, "00081199")), {})
    frames = _text(referenced, "00081160")
    return f"instance {_text(referenced, '00081155')}" + (f", frame {frames}" if frames else "")


def _coordinates(item: JsonDataSet) -> str:
    return _text(item, "00700023").lower()


_READERS: MappingProxyType[str, Callable[[JsonDataSet], str]] = MappingProxyType(
    {
        "NUM": _numeric,
        "CODE": lambda item: _code(item, "0040A168"),
        "IMAGE": _reference,
        "COMPOSITE": _reference,
        "WAVEFORM": _reference,
        "SCOORD": _coordinates,
        "SCOORD3D": _coordinates,
    }
)


def _head(report: JsonDataSet) -> list[tuple[str, str]]:
    return [(name, text) for name, tag in _HEAD if (text := _text(report, tag))]


def _sequence(item: JsonDataSet, tag: str) -> list[JsonDataSet]:
    attribute = item.get(tag, {})
    return (
        [one for one in attribute.get("Value", ()) if isinstance(one, dict)]
        if attribute.get("vr") == "SQ"
        else []
    )


def _code(item: JsonDataSet, tag: str) -> str:
    code = next(iter(_sequence(item, tag)), {})
    return _text(code, _MEANING) or _text(code, _CODE_VALUE)


def _text(item: JsonDataSet, tag: str) -> str:
    values = item.get(tag, {}).get("Value", ())
    return ", ".join(_one(value) for value in values if value is not None)


def _one(value: Any) -> str:  # noqa: ANN401  # a value of the JSON model
    if isinstance(value, dict):
        return str(value.get("Alphabetic") or value.get("Ideographic") or "").replace("^", " ").strip()
    return str(value)
