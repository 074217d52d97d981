"""Reading and building data sets in the DICOM JSON model (PS3.18 F.2) as plain values."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hilum.core.workitems.model import Attributes

_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def texts_at(attributes: Attributes, tag: str) -> tuple[str, ...]:
    """Return the values of an attribute as text, person names as PN writes them; none where it is absent or empty."""
    values = attributes.get(tag, {}).get("Value") or ()
    return tuple(_text(value) for value in values)


def text_at(attributes: Attributes, tag: str) -> str:
    """Return the first value as text, empty where there is none."""
    texts = texts_at(attributes, tag)
    return texts[0] if texts else ""


def items_at(attributes: Attributes, tag: str) -> tuple[Attributes, ...]:
    """Return the items of a sequence."""
    attribute = attributes.get(tag, {})
    return tuple(attribute.get("Value") or ()) if attribute.get("vr") == "SQ" else ()


def has_value(attributes: Attributes, tag: str) -> bool:
    """Tell whether an attribute is there with a value; an item is one, however empty."""
    attribute = attributes.get(tag, {})
    values = attribute.get("Value") or ()
    if attribute.get("vr") == "SQ":
        return bool(values)
    return any(text.strip() for text in texts_at(attributes, tag)) or bool(attribute.get("InlineBinary"))


def one(vr: str, value: object) -> dict[str, Any]:
    """Return an attribute with one value."""
    return {"vr": vr, "Value": [value]}


def moment_text(moment: datetime) -> str:
    """Return a DT of the moment with its offset from UTC (PS3.5 6.2)."""
    return moment.strftime("%Y%m%d%H%M%S%z")


def chosen(attributes: Attributes, tags: tuple[str, ...]) -> dict[str, Mapping[str, Any]]:
    """Return those of the attributes that have a value."""
    return {tag: attributes[tag] for tag in tags if has_value(attributes, tag)}


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return "=".join(str(value.get(group, "")) for group in _NAME_GROUPS).rstrip("=")
    return "" if value is None else str(value)
