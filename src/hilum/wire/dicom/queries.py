"""C-FIND, C-MOVE and C-GET identifiers to core queries (PS3.4 C.2, C.4, C.6)."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from hilum.core.archive.model import Exact, Level, Match, Query
from hilum.core.archive.rules import LEVELS
from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.character_sets import CharacterSet
from hilum.wire.dicom.data_sets import SPECIFIC_CHARACTER_SET, character_set, items_at, text_at
from hilum.wire.dicom.elements import DataSet, Element, tag_text
from hilum.wire.dicom.matching import combine_study_date_time, match_of
from hilum.wire.dicom.query_attributes import (
    BY_TAG,
    SEQUENCES,
    UNIQUE_KEYS,
    Attribute,
    reaches,
    rows_inside,
)

QUERY_RETRIEVE_LEVEL = 0x00080052
_FIRST_KEY = 0x00080000
MOST_KEYS = 2000
"""Of one identifier: each would be repeated in every answer."""


class InformationModel(Enum):
    """The levels of a Query/Retrieve Information Model, top first (PS3.4 C.6)."""

    PATIENT_ROOT = LEVELS
    STUDY_ROOT = LEVELS[1:]
    PATIENT_STUDY_ONLY = LEVELS[:2]
    """Retired in PS3.4-2004, still asked for."""

    @property
    def levels(self) -> tuple[Level, ...]:
        """Return the levels, top first."""
        levels: tuple[Level, ...] = self.value
        return levels


@dataclass(frozen=True, slots=True)
class RequestedKey:
    """One key to be returned: `attribute` is None where Hilum does not know it and answers an empty value."""

    tag: int
    vr: str
    attribute: Attribute | None = None
    items: "tuple[RequestedKey, ...]" = ()


@dataclass(frozen=True, slots=True)
class FindRequest:
    """A C-FIND identifier, understood."""

    query: Query
    keys: tuple[RequestedKey, ...]
    character_set: tuple[str, ...]
    """The terms of the requester's Specific Character Set, for the answers."""
    unsupported: bool
    """Whether a key is neither matched nor returned: the pending status is then FF01 (PS3.4 Table C.4-1)."""


def find_request(
    identifier: DataSet,
    model: InformationModel,
    *,
    relational: bool = False,
    date_time: bool = False,
    fuzzy: bool = False,
) -> FindRequest:
    """Read a C-FIND identifier (PS3.4 C.4.1.1.3).

    `relational`, `date_time` and `fuzzy` are what extended negotiation agreed on (PS3.4 C.5.1.1): no levels above
    needed, study date and time matched as one, person names matched from any of their parts. Raises Invalid (A900).
    """
    demand_few_keys(identifier)
    level = _level(identifier, model)
    characters = character_set(identifier)
    matches = dict(_matches(identifier, level, characters))
    if not relational:
        _demand_upper_keys(matches, level, model)
    if date_time:
        combine_study_date_time(matches)
    keys = tuple(_requested(element, level, 0) for element in key_elements(identifier))
    return FindRequest(
        query=Query(level, matches, fuzzy=fuzzy),
        keys=keys,
        character_set=characters.terms,
        unsupported=any(_is_unsupported(key) for key in keys),
    )


def retrieve_request(identifier: DataSet, model: InformationModel, *, relational: bool = False) -> Query:
    """Read a C-MOVE or C-GET identifier: unique keys only, a list at the level itself (PS3.4 C.4.2.1.4)."""
    level = _level(identifier, model)
    wanted = [UNIQUE_KEYS[one] for one in model.levels[: model.levels.index(level) + 1]]
    characters = character_set(identifier)
    matches: dict[str, Match] = {}
    for row in wanted:
        match = match_of("UI", text_at(identifier, row.tag, characters), row.keyword)
        if match is not None:
            matches[row.key] = match
    if UNIQUE_KEYS[level].key not in matches:
        raise Invalid(f"{_named(UNIQUE_KEYS[level])} is empty: it must name what to retrieve")
    if not relational:
        _demand_upper_keys(matches, level, model)
    return Query(level, matches)


def demand_few_keys(identifier: DataSet) -> None:
    """Refuse an identifier whose every answer would be as long as itself, and that is very long."""
    if len(identifier) > MOST_KEYS:
        raise Invalid(f"the identifier has {len(identifier)} keys, more than {MOST_KEYS}")


def _level(identifier: DataSet, model: InformationModel) -> Level:
    text = text_at(identifier, QUERY_RETRIEVE_LEVEL)
    for level in model.levels:
        if text == level.value:
            return level
    known = ", ".join(level.value for level in model.levels)
    what = "missing" if not text else f"not a level of the {model.name.replace('_', ' ').lower()} model"
    raise Invalid(
        f"QueryRetrieveLevel {tag_text(QUERY_RETRIEVE_LEVEL)} is {what}", next_step=f"send one of {known}"
    )


def _demand_upper_keys(matches: dict[str, Match], level: Level, model: InformationModel) -> None:
    """PS3.4 C.4.1.2.1: a hierarchical search names one entity of each level above."""
    for upper in model.levels[: model.levels.index(level)]:
        if not isinstance(matches.get(UNIQUE_KEYS[upper].key), Exact):
            raise Invalid(
                f"{_named(UNIQUE_KEYS[upper])} must have a single value in a query at {level.value} level",
                next_step="name the entity of each level above, or negotiate relational queries",
            )


def _matches(identifier: DataSet, level: Level, characters: CharacterSet) -> Iterator[tuple[str, Match]]:
    for data_set, sequence in _with_items(identifier):
        inner = character_set(data_set, characters)
        for tag in data_set:
            row = BY_TAG.get((sequence, tag))
            if row is None or not row.key or not reaches(row, level):
                continue
            match = match_of(row.vr, text_at(data_set, tag, inner), row.keyword)
            if match is not None:
                yield row.key, match


def _with_items(identifier: DataSet) -> Iterator[tuple[DataSet, int]]:
    yield identifier, 0
    for sequence in SEQUENCES.values():
        for item in items_at(identifier, sequence)[:1]:
            yield item, sequence


def key_elements(data_set: DataSet) -> list[Element]:
    """Return the keys; group lengths, which some consoles add to everything, are none (PS3.5 7.2)."""
    return [
        element
        for tag, element in sorted(data_set.items())
        if tag & 0xFFFF and tag >= _FIRST_KEY and tag not in {SPECIFIC_CHARACTER_SET, QUERY_RETRIEVE_LEVEL}
    ]


def _requested(element: Element, level: Level, sequence: int) -> RequestedKey:
    inside = () if sequence else rows_inside(element.tag, level)
    if inside:
        return RequestedKey(element.tag, "SQ", None, _requested_items(element, level, inside))
    row = BY_TAG.get((sequence, element.tag))
    if row is not None and reaches(row, level):
        return RequestedKey(element.tag, row.vr, row)
    return RequestedKey(element.tag, row.vr if row else _plain_vr(element))


def _requested_items(
    element: Element, level: Level, inside: tuple[Attribute, ...]
) -> tuple[RequestedKey, ...]:
    """Return the keys asked for in an item; none asked for, or an empty item, is all (PS3.4 C.2.2.2.6)."""
    for item in element.items or ():
        keys = tuple(_requested(inner, level, element.tag) for inner in key_elements(item))
        if keys:
            return keys
    return tuple(RequestedKey(row.tag, row.vr, row) for row in inside)


def _plain_vr(element: Element) -> str:
    """Return a VR that can be written: of a dictionary's choice such as `US or SS` the first."""
    return element.vr[:2]


def _is_unsupported(key: RequestedKey) -> bool:
    known = key.attribute is not None or bool(key.items) or key.tag in _ANSWERED_ALWAYS
    return not known


_ANSWERED_ALWAYS = frozenset({0x00080054, 0x00080056})


def _named(row: Attribute) -> str:
    return f"{row.keyword} {tag_text(row.tag)}"
