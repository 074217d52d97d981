"""Searches for workitems: C-FIND identifiers and search parameters to keys, and the answers (PS3.4 CC.2.8; PS3.18 11.9)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import keyword_dict
from pydicom.dataset import Dataset

from hilum.core.archive.model import Between, Match
from hilum.core.kernel.errors import Invalid
from hilum.core.workitems import table
from hilum.core.workitems.model import Attributes, Key, WorkitemQuery
from hilum.wire.dicom.character_sets import CharacterSet
from hilum.wire.dicom.data_sets import character_set, declare_character_set, text_at, texts_of
from hilum.wire.dicom.elements import DataSet, Element, dictionary_vr, tag_text
from hilum.wire.dicom.json_model import JsonDataSet, data_set_of_json
from hilum.wire.dicom.matching import match_of
from hilum.wire.dicom.queries import demand_few_keys, key_elements
from hilum.wire.dicom.ups import DELETION_LOCK, RECEIVING_AE

_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_DATE_TIME = re.compile(r"([0-9]{4,14}(?:\.[0-9]{1,6})?)([+-](?:0[0-9]|1[0-4])[0-5][0-9])?")
_RESERVED = frozenset(
    {
        "includefield",
        "limit",
        "offset",
        "fuzzymatching",
        "accept",
        "charset",
        "deletionlock",
        "filter",
    }
)
_DEEPEST = 8
_LISTED = frozenset({"UI", "CS"})
_NOT_KEYS = frozenset({int(RECEIVING_AE, 16), int(DELETION_LOCK, 16)})
NOT_FUZZY = "The fuzzymatching parameter is not supported. Only literal matching has been performed."


@dataclass(frozen=True, slots=True)
class Asked:
    """One attribute to be returned, and which inside it; none inside is all of it."""

    tag: str
    vr: str
    items: "tuple[Asked, ...]" = ()


@dataclass(frozen=True, slots=True)
class WorkitemSearch:
    """A search, understood. `asked` None is every attribute."""

    query: WorkitemQuery
    asked: tuple[Asked, ...] | None
    character_set: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def find_request(identifier: DataSet) -> WorkitemSearch:
    """Read a C-FIND identifier (PS3.4 CC.2.8.1.3.1); raises Invalid (A900)."""
    demand_few_keys(identifier)
    characters = character_set(identifier)
    return WorkitemSearch(WorkitemQuery(identifier_keys(identifier)), _asked(identifier, 0), characters.terms)


def identifier_keys(identifier: DataSet) -> tuple[Key, ...]:
    """Return the matching keys of an identifier, or of a filtered subscription (PS3.4 CC.2.3.3.1)."""
    elements = [one for one in key_elements(identifier) if one.tag not in _NOT_KEYS]
    return tuple(_keys(identifier, elements, character_set(identifier), 0))


def find_answer(attributes: Attributes, search: WorkitemSearch) -> Dataset:
    """Return the identifier of one pending response: the keys asked for, and nothing else (PS3.4 CC.2.8.1.3.2)."""
    answer = data_set_of_json(_shaped(attributes, search.asked or (), always=True))
    declare_character_set(answer, texts_of(answer), search.character_set)
    return answer


def search_request(parameters: Mapping[str, Sequence[str]]) -> WorkitemSearch:
    """Read the parameters of a search (PS3.18 8.3.4, 11.9.1.2); raises Invalid (400)."""
    keys, unknown = _parameter_keys(parameters)
    names = [name.strip() for value in parameters.get("includefield", ()) for name in value.split(",")]
    asked = None
    if "all" not in names:
        paths = [path for name in names if (path := _path(name)) is not None]
        asked = (
            *(Asked(row.tag, row.vr) for row in table.ROWS),
            *(Asked(path[0], "") for path in paths),
            *_OWN,
        )
        asked = (*asked, *(Asked(key.tag, key.vr) for key in keys))
    warnings = [f"the parameter {_shown(name)} is no attribute and was ignored" for name in unknown]
    if parameters.get("fuzzymatching", ("",))[-1] == "true":
        warnings.append(NOT_FUZZY)
    query = WorkitemQuery(keys, _count(parameters, "limit"), _count(parameters, "offset") or 0)
    return WorkitemSearch(query, asked, (), tuple(warnings))


def filter_keys(parameters: Mapping[str, Sequence[str]]) -> tuple[Key, ...]:
    """Return the keys of a filtered subscription: `filter=a=1,b=2`, or `a=1&b=2` (PS3.18 11.10.1.2). Raises Invalid."""
    given = {name: list(values) for name, values in parameters.items() if name != "filter"}
    for listed in parameters.get("filter", ()):
        for pair in listed.split(","):
            name, _, value = pair.partition("=")
            given.setdefault(name.strip(), []).append(value)
    keys, unknown = _parameter_keys(given)
    if unknown or not any(_is_restricting(key) for key in keys):
        raise Invalid(
            "a filtered subscription needs matching keys, all of them attributes",
            next_step="give filter=attribute=value,...",
        )
    return keys


def search_answer(attributes: Attributes, search: WorkitemSearch) -> dict[str, Any]:
    """Return one answer of a search as DICOM JSON."""
    return dict(attributes) if search.asked is None else _shaped(attributes, search.asked, always=False)


def _is_restricting(key: Key) -> bool:
    return key.match is not None or any(map(_is_restricting, key.items))


_OWN = (Asked(table.SOP_CLASS_UID, "UI"), Asked(table.SOP_INSTANCE_UID, "UI"))


def _keys(data_set: DataSet, elements: list[Element], characters: CharacterSet, depth: int) -> Iterator[Key]:
    for element in elements:
        tag, vr = f"{element.tag:08X}", element.vr[:2]
        if element.items is not None:
            inner = _item_keys(element, characters, depth)
            if any(map(_is_restricting, inner)):
                yield Key(tag, "SQ", items=inner)
        else:
            match = _match(vr, text_at(data_set, element.tag, characters), tag_text(element.tag))
            if match is not None:
                yield Key(tag, vr, match)


def _item_keys(element: Element, characters: CharacterSet, depth: int) -> tuple[Key, ...]:
    if depth >= _DEEPEST:
        raise Invalid(f"the identifier nests keys deeper than {_DEEPEST}")
    for item in (element.items or ())[:1]:
        return tuple(_keys(item, key_elements(item), character_set(item, characters), depth + 1))
    return ()


def _asked(data_set: DataSet, depth: int) -> tuple[Asked, ...]:
    return tuple(
        Asked(
            f"{element.tag:08X}",
            "SQ" if element.items is not None else element.vr[:2],
            _asked(element.items[0], depth + 1) if element.items and depth < _DEEPEST else (),
        )
        for element in key_elements(data_set)
    )


def _match(vr: str, text: str, keyword: str) -> Match | None:
    return _moments(text, keyword) if vr == "DT" else match_of(vr, text, keyword)


def _moments(text: str, keyword: str) -> Match | None:
    """Return the range that a DT key means; a hyphen before 0000 to 1459 is an offset from UTC (PS3.4 C.2.2.2.5)."""
    plain = text.strip(" \0")
    if not plain.strip("*"):
        return None
    if _DATE_TIME.fullmatch(plain):
        return Between(plain, plain)
    for place, letter in enumerate(plain):
        low, high = plain[:place], plain[place + 1 :]
        ends = [not end or _DATE_TIME.fullmatch(end) for end in (low, high)]
        if letter == "-" and all(ends) and (low or high):
            return Between(low, high)
    raise Invalid(f"{keyword} is neither a moment nor a range of moments", next_step="write YYYYMMDDHHMMSS")


def _parameter_keys(parameters: Mapping[str, Sequence[str]]) -> tuple[tuple[Key, ...], list[str]]:
    """Return the keys of parameters, those below one sequence together, and the names that are no attributes."""
    tree: dict[str, Any] = {}
    unknown = []
    for name, values in parameters.items():
        path = _path(name)
        if name in _RESERVED:
            continue
        if path is None:
            unknown.append(name)
            continue
        place = tree
        for tag in path[:-1]:
            inner = place.setdefault(tag, {})
            if not isinstance(inner, dict):
                raise Invalid(f"{_shown(name)} is given as a value and as a sequence")
            place = inner
        place[path[-1]] = list(values)
    return _grown(tree), unknown


def _grown(tree: dict[str, Any]) -> tuple[Key, ...]:
    keys = []
    for tag, below in tree.items():
        vr = dictionary_vr(int(tag, 16))[:2]
        if isinstance(below, dict):
            keys.append(Key(tag, "SQ", items=_grown(below)))
        else:
            joined = "\\".join(below).replace(",", "\\") if vr in _LISTED else below[-1]
            keys.append(Key(tag, vr, _match(vr, joined, tag_text(int(tag, 16)))))
    return tuple(keys)


def _path(name: str) -> tuple[str, ...] | None:
    """Return the tags of `Keyword`, `GGGGEEEE` or a path of them with dots; None where one is no attribute."""
    parts = name.split(".")
    tags = [part.upper() if _TAG.fullmatch(part) else _tag(part) for part in parts]
    known = all(tags) and len(tags) <= _DEEPEST
    return tuple(tag for tag in tags if tag) if known else None


def _tag(keyword: str) -> str:
    tag = keyword_dict.get(keyword)
    return "" if tag is None else f"{tag:08X}"


def _shaped(attributes: Attributes, asked: Sequence[Asked], *, always: bool) -> JsonDataSet:
    """Return what was asked for; what is not there is empty where `always` says so."""
    shaped: JsonDataSet = {}
    for one in asked:
        kept = attributes.get(one.tag)
        if kept is None and not always:
            continue
        attribute: dict[str, Any] = dict(kept) if kept is not None else {"vr": one.vr}
        if one.items and attribute["vr"] == "SQ" and attribute.get("Value"):
            attribute["Value"] = [_shaped(item, one.items, always=always) for item in attribute["Value"]]
        shaped[one.tag] = attribute
    return dict(sorted(shaped.items()))


def _count(parameters: Mapping[str, Sequence[str]], name: str) -> int | None:
    values = parameters.get(name, ())
    if not values:
        return None
    text = values[-1]
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Invalid(f"{name} is not a whole number from 0", next_step=f"send {name} as digits")
    return int(text)


def _shown(name: str) -> str:
    return "".join(letter for letter in name if letter.isascii() and letter.isprintable())[:64]
