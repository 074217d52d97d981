"""A data set in the JSON model as lines that people read: tag, name, value, how deep."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import dictionary_description

from hilum.core.workitems.attributes import items_at, texts_at

_LONGEST = 256


@dataclass(frozen=True, slots=True)
class ShownAttribute:
    """One line: `tag` as (gggg,eeee), the name of PS3.6, the text, and how many sequences it stands in."""

    tag: str
    name: str
    text: str
    depth: int


def shown_attributes(attributes: Mapping[str, Mapping[str, Any]], depth: int = 0) -> Iterator[ShownAttribute]:
    """Yield the lines of a data set, those of items below their sequences."""
    for tag, attribute in sorted(attributes.items()):
        items = items_at(attributes, tag)
        if attribute.get("vr") == "SQ":
            text = "no items" if not items else ""
        else:
            text = "\\".join(texts_at(attributes, tag))[:_LONGEST]
        yield ShownAttribute(f"({tag[:4]},{tag[4:]})", _name(tag), text, depth)
        for item in items:
            yield from shown_attributes(item, depth + 1)


def _name(tag: str) -> str:
    try:
        return dictionary_description(int(tag, 16))
    except KeyError:
        return "private"
