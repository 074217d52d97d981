"""QIDO-RS: parameters to a core query, rows to DICOM JSON without pydicom (PS3.18 8.3.4, 10.6)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hilum.core.archive.bookmark import Bookmark
from hilum.core.archive.model import Exact, Found, Level, Match, Query
from hilum.core.archive.rules import LEVELS
from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.answers import attribute_json, tag_key
from hilum.wire.dicom.bookmarks import bookmark_of
from hilum.wire.dicom.character_sets import UTF_8_TERM
from hilum.wire.dicom.json_model import JsonDataSet
from hilum.wire.dicom.matching import combine_study_date_time, match_of
from hilum.wire.dicom.query_attributes import (
    BY_KEYWORD,
    BY_TAG,
    RETRIEVE_URL,
    SEQUENCES,
    TABLE,
    UNIQUE_KEYS,
    Attribute,
    reaches,
)

Parameters = Mapping[str, Sequence[str]]

_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_SEQUENCES_BY_NAME = {**SEQUENCES, **{tag_key(tag): tag for tag in SEQUENCES.values()}}
AFTER = "after"
"""Our own parameter: the place behind which a page begins (RFC 8288, rel="next")."""
_RESERVED = frozenset({AFTER, "includefield", "limit", "offset", "fuzzymatching", "accept", "charset"})
_LISTED = frozenset({"UI", "CS"})
"""The VRs whose values hold no comma, so that one may separate them (PS3.18 8.3.4.1)."""
_IF_KNOWN = frozenset({0x00080201, 0x00280008, 0x00280010, 0x00280011, 0x00280100})
"""Returned where there is a value, absent where there is none."""
_MOST_SHOWN = 64
_CHARACTER_SET = "00080005"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search, understood; `warnings` are for the Warning header (PS3.18 10.6.3)."""

    query: Query
    rows: tuple[Attribute, ...]
    """What every answer holds, in the order of the tags."""
    warnings: tuple[str, ...]


def search_request(
    level: Level, parameters: Parameters, study_instance_uid: str = "", series_instance_uid: str = ""
) -> SearchRequest:
    """Read the parameters of a search, below a study or series where the path names one. Raises Invalid (400)."""
    named = [(name, _resolved(name), values) for name, values in parameters.items() if name not in _RESERVED]
    asked = [(row, values) for _, row, values in named if row is not None and reaches(row, level)]
    ignored = [name for name, row, _ in named if row is None or not row.key or not reaches(row, level)]
    matches = dict(_matches(asked))
    above = {Level.STUDY: study_instance_uid, Level.SERIES: series_instance_uid}
    combine_study_date_time(matches)
    matches.update({UNIQUE_KEYS[upper].key: Exact(uid) for upper, uid in above.items() if uid})
    included, everything = _included(parameters.get("includefield", ()))
    wanted = {*_unasked(above), *(row for row, _ in asked), *included}
    rows = [row for row in TABLE if reaches(row, level) and (everything or row in wanted) and row.read]
    query = Query(
        level=level,
        matches=matches,
        limit=_count(parameters, "limit"),
        offset=_count(parameters, "offset") or 0,
        after=_after(parameters),
        fuzzy=_flag(parameters, "fuzzymatching"),
    )
    return SearchRequest(query, tuple(sorted(rows, key=_place)), tuple(map(_warning, ignored)))


def search_answer(found: Found, request: SearchRequest, base_url: str) -> JsonDataSet:
    """Return one answer; `base_url` is the address of the service, without a slash at its end."""
    answer: JsonDataSet = {}
    items: dict[int, JsonDataSet] = {}
    url_pending = True
    for row in request.rows:
        if url_pending and row.tag > RETRIEVE_URL:
            answer[tag_key(RETRIEVE_URL)] = {"vr": "UR", "Value": [_retrieve_url(found, base_url)]}
            url_pending = False
        value = row.read(found) if row.read else ""
        if row.sequence:
            if value:
                item = items.setdefault(row.sequence, {})
                item[tag_key(row.tag)] = attribute_json(row, value)
                answer[tag_key(row.sequence)] = {"vr": "SQ", "Value": [item]}
        elif value != "" or row.tag not in _IF_KNOWN:
            answer[tag_key(row.tag)] = attribute_json(row, value)
    if not all(str(one).isascii() for one in answer.values()):
        return {_CHARACTER_SET: {"vr": "CS", "Value": [UTF_8_TERM]}, **answer}
    return answer


def _retrieve_url(found: Found, base_url: str) -> str:
    url = base_url
    if found.study is not None:
        url += f"/studies/{found.study.study_instance_uid}"
    if found.series is not None:
        url += f"/series/{found.series.series_instance_uid}"
    if found.instance is not None:
        url += f"/instances/{found.instance.sop_instance_uid}"
    return url


def _place(row: Attribute) -> tuple[int, int]:
    return row.sequence or row.tag, row.tag


def _resolved(name: str) -> Attribute | None:
    """Return the row of a keyword, a tag, or either of them below a sequence (PS3.18 8.3.4.1)."""
    sequence, dot, inner = name.rpartition(".")
    around = (
        _SEQUENCES_BY_NAME.get(sequence.upper() if _TAG.fullmatch(sequence) else sequence, -1) if dot else 0
    )
    if _TAG.fullmatch(inner):
        return BY_TAG.get((around, int(inner, 16)))
    return BY_KEYWORD.get((around, inner))


def _matches(asked: list[tuple[Attribute, Sequence[str]]]) -> Iterator[tuple[str, Match]]:
    for row, values in asked:
        if not row.key:
            continue
        match = match_of(row.vr, _joined(row, values), row.keyword)
        if match is not None:
            yield row.key, match


def _joined(row: Attribute, values: Sequence[str]) -> str:
    if row.vr in _LISTED:
        return "\\".join(values).replace(",", "\\")
    if len(set(values)) > 1:
        raise Invalid(f"{row.keyword} is given more than once", next_step="give one value, or a range")
    return values[0] if values else ""


def _unasked(above: Mapping[Level, str]) -> Iterator[Attribute]:
    """What an answer holds unasked: its level's attributes, and those of the levels that the path does not fix."""
    fixed = Level.SERIES if above[Level.SERIES] else Level.STUDY if above[Level.STUDY] else None
    for row in TABLE:
        is_open = fixed is None or LEVELS.index(row.level) > LEVELS.index(fixed)
        is_unique_key = row is UNIQUE_KEYS[row.level] and row.level is not Level.PATIENT
        if is_unique_key or (row.always and (is_open or row.tag == _INSTANCE_AVAILABILITY)):
            yield row


_INSTANCE_AVAILABILITY = 0x00080056


def _included(values: Sequence[str]) -> tuple[list[Attribute], bool]:
    """Return the rows of `includefield`; unknown fields and those of deeper levels are not returned."""
    names = [name.strip() for value in values for name in value.split(",")]
    if "all" in names:
        return [], True
    rows = [row for name in names if (row := _resolved(name)) is not None]
    sequences = {_SEQUENCES_BY_NAME[name] for name in names if name in _SEQUENCES_BY_NAME}
    return [*rows, *(row for row in TABLE if row.sequence in sequences)], False


def _count(parameters: Parameters, name: str) -> int | None:
    values = parameters.get(name, ())
    if not values:
        return None
    text = values[-1]
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Invalid(f"{name} is not a whole number from 0", next_step=f"send {name} as digits")
    return int(text)


def _after(parameters: Parameters) -> Bookmark | None:
    values = parameters.get(AFTER, ())
    return bookmark_of(values[-1]) if values else None


def _flag(parameters: Parameters, name: str) -> bool:
    values = parameters.get(name, ())
    if values and values[-1] not in {"true", "false"}:
        raise Invalid(f"{name} is neither true nor false")
    return bool(values) and values[-1] == "true"


def _warning(name: str) -> str:
    shown = "".join(character for character in name if character.isascii() and character.isprintable())
    return f"the parameter {shown[:_MOST_SHOWN]} is not matched on at this level and was ignored"
