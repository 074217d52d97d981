"""Searches that no ordinary index serves: an infix of a name, one modality among those of a study.

What matches is looked up first, but no more than `FEW`. Where there are few, the search is told their keys and sorts what
belongs to them. Where there are many, it goes through the studies from the newest on and has met a page of them soon. So
neither grows with the archive. Which of the two is quicker no planner can tell beforehand.
"""

import re

from sqlalchemy import ColumnElement, Connection, func, literal_column, select, text

from hilum.core.archive.model import AnyBetween, AnyOf, Between, Exact, Match, Query, Wildcard
from hilum.stores.sql.folding import folded, folded_name
from hilum.stores.sql.matching import fuzzy_condition, name_condition
from hilum.stores.sql.schema import patient_records, studies

FEW = 2000

_TRIGRAM = 3
_NAMES = text("SELECT rowid FROM patient_names WHERE patient_names MATCH :asked LIMIT :most")
"""The index of trigrams, which triggers keep in step with the patient records (SQLite's FTS5)."""

_COMBINATIONS = text(
    "WITH RECURSIVE one(combination) AS (SELECT min(modalities) FROM studies UNION ALL"
    " SELECT (SELECT min(modalities) FROM studies WHERE modalities > one.combination)"
    " FROM one WHERE one.combination IS NOT NULL)"
    " SELECT combination FROM one WHERE combination IS NOT NULL"
)
"""Every combination of modalities that there is, each found by one step in the index."""

_MODALITIES: ColumnElement[str] = literal_column("studies.modalities")
"""As it is kept: words joined by backslashes."""


def few_persons(
    connection: Connection, root_key: ColumnElement[int], query: Query
) -> list[ColumnElement[bool]]:
    """Return the condition that names the persons whose name matches, where they are few; none where they are many."""
    match = query.matches.get("patient_name")
    if not isinstance(match, Exact | Wildcard):
        return []
    asked = match.value if isinstance(match, Exact) else match.pattern
    pieces = _words(asked) if query.fuzzy else _infixes(asked)
    if not pieces:
        return []
    keys = _found_names(connection, match, asked, pieces, fuzzy=query.fuzzy)
    return [root_key.in_(keys)] if len(keys) <= FEW else []


def modality_condition(connection: Connection, match: Match, *, counting: bool) -> ColumnElement[bool]:
    """Return the condition that a study has a modality, by the combination that stands on its row."""
    every = connection.execute(_COMBINATIONS).scalars()
    matching = [one for one in every if any(_matches(part, match) for part in one.split("\\"))]
    if counting or _are_few(connection, matching):
        return _MODALITIES.in_(matching)
    return (_MODALITIES + "").in_(matching)  # never by its index: the newest studies are gone through


def _found_names(
    connection: Connection, match: Match, asked: str, pieces: list[str], *, fuzzy: bool
) -> list[int]:
    if connection.dialect.name == "sqlite":
        column = "name_words" if fuzzy else "name_folded"
        phrases = [f'{column} : "{piece.replace(chr(34), chr(34) * 2)}"' for piece in pieces]
        found = connection.execute(_NAMES, {"asked": " AND ".join(phrases), "most": FEW + 1})
        return list(found.scalars())
    names = patient_records.c
    named = (
        fuzzy_condition(names.name_words, asked) if fuzzy else name_condition(names.name_folded, None, match)
    )
    return list(connection.execute(select(names.key).where(named).limit(FEW + 1)).scalars())


def _are_few(connection: Connection, combinations: list[str]) -> bool:
    probe = select(studies.c.key).where(_MODALITIES.in_(combinations)).limit(FEW + 1).subquery()
    return int(connection.execute(select(func.count()).select_from(probe)).scalar_one()) <= FEW


def _infixes(pattern: str) -> list[str]:
    """Return the literal parts that are long enough for trigrams; none where an index serves the start of the pattern."""
    if not pattern.startswith(("*", "?")):
        return []
    return _long_enough(folded_name(pattern).replace("?", "*").split("*"))


def _words(asked: str) -> list[str]:
    return _long_enough([f" {word}" for word in re.sub(r"[\^=,*?]", " ", folded(asked)).split()])


def _long_enough(pieces: list[str]) -> list[str]:
    return [piece for piece in pieces if len(piece) >= _TRIGRAM and "\0" not in piece]


def _matches(modality: str, match: Match) -> bool:
    match match:
        case Exact(value):
            return modality == value
        case AnyOf(values):
            return modality in values
        case Wildcard(pattern):
            expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
            return re.fullmatch(expression, modality) is not None
        case Between(low, high):
            return low <= modality and (not high or modality <= high)
        case AnyBetween(ranges):
            return any(_matches(modality, one) for one in ranges)
