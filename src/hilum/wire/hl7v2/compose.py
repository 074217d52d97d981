"""Writes HL7 v2: values to escaped text, segments, edits. No value can add a segment, field or component."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from hilum.wire.hl7v2.delimiters import STANDARD, Delimiters
from hilum.wire.hl7v2.path import Path

# A text, its components (each a text or its subcomponents), or a list of repetitions of either.
Component = str | tuple[str, ...]
Components = tuple[Component, ...]
Value = str | Components | Sequence[str | Components]

SEGMENT_END = "\r"
_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")


def timestamp(at: datetime) -> str:
    """Write a moment as TS/DTM, to the second and with its offset from UTC (HL7 2.5.1, 2.A.22)."""
    text = at.isoformat(timespec="seconds")
    return text[:19].replace("-", "").replace("T", "").replace(":", "") + text[19:25].replace(":", "")


def write_value(value: Value, delimiters: Delimiters = STANDARD) -> str:
    """Escape a value and put its delimiters in."""
    if isinstance(value, str):
        return delimiters.escaping.write(value)
    if isinstance(value, tuple):
        return _repetition(value, delimiters)
    return delimiters.repetition.join(_repetition(each, delimiters) for each in value)


def write_segment(name: str, fields: Mapping[int, Value], delimiters: Delimiters = STANDARD) -> str:
    """Write a segment from its numbered fields; those at its end that are empty are left out."""
    if not _NAME.fullmatch(name) or name in {"MSH", "FHS", "BHS"}:
        raise ValueError(f"{name!r} is not the name of a segment that can be written so")
    return _joined(name, fields, 1, delimiters)


def write_header(fields: Mapping[int, Value], delimiters: Delimiters = STANDARD) -> str:
    """Write MSH from its fields, numbered from 3."""
    start = "MSH" + delimiters.field + delimiters.encoding_characters
    return _joined(start, fields, 3, delimiters)


def write_message(segments: Iterable[str], codec: str = "utf-8") -> bytes:
    """Join segments into the bytes of a message."""
    return "".join(segment + SEGMENT_END for segment in segments).encode(codec)


def _joined(start: str, fields: Mapping[int, Value], first: int, delimiters: Delimiters) -> str:
    written = [
        write_value(fields.get(number, ""), delimiters) for number in range(first, max(fields, default=0) + 1)
    ]
    return delimiters.field.join([start, *written]).rstrip(delimiters.field)


def _repetition(value: str | Components, delimiters: Delimiters) -> str:
    if isinstance(value, str):
        return delimiters.escaping.write(value)
    return delimiters.component.join(_component(each, delimiters) for each in value).rstrip(
        delimiters.component
    )


def _component(value: Component, delimiters: Delimiters) -> str:
    if isinstance(value, str):
        return delimiters.escaping.write(value)
    written = delimiters.subcomponent.join(delimiters.escaping.write(each) for each in value)
    return written.rstrip(delimiters.subcomponent)


def edited(segment: bytes, place: Path, value: Value, delimiters: Delimiters, codec: str) -> bytes:
    """Put a value at a place of a segment; every other byte stays. A list stands for all repetitions."""
    field, component, repetition, _, subcomponent = delimiters.octets
    whole = not isinstance(value, str | tuple)
    steps = [(field, place.field - 1 if place.segment == "MSH" else place.field)]
    steps += [] if whole else [(repetition, place.repetition - 1)]
    steps += [(component, place.component - 1)] if place.component else []
    steps += [(subcomponent, place.subcomponent - 1)] if place.subcomponent else []
    return _put(segment, steps, _written_at(place, value, delimiters).encode(codec))


def _written_at(place: Path, value: Value, delimiters: Delimiters) -> str:
    """A component may take subcomponents, a subcomponent only text: a value may not reach above its place."""
    if place.component and isinstance(value, tuple) and not place.subcomponent:
        texts = tuple(each for each in value if isinstance(each, str))
        if len(texts) == len(value):
            return _component(texts, delimiters)
    elif isinstance(value, str) or not place.component:
        return write_value(value, delimiters)
    raise ValueError(f"{place} cannot hold a value of this depth")


def _put(octets: bytes, steps: Sequence[tuple[bytes, int]], written: bytes) -> bytes:
    if not steps:
        return written
    (separator, number), *deeper = steps
    parts = octets.split(separator)
    parts += [b""] * (number + 1 - len(parts))
    parts[number] = _put(parts[number], deeper, written)
    return separator.join(parts)
