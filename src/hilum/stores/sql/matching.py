"""Attribute matching of queries (PS3.4 C.2.2.2) as conditions; values are always bound, never part of the text."""

from sqlalchemy import Column, ColumnElement, and_, or_, true

from hilum.core.archive.model import AnyBetween, AnyOf, Between, Exact, Match, Wildcard
from hilum.core.kernel.errors import Invalid
from hilum.stores.sql.folding import folded, folded_name

_ESCAPE = "/"
_LAST = "\U0010ffff"
"""Above every text that starts alike: closes the range of a prefix."""
_MOST_VALUES = 10_000


def matching(text: str) -> Match:
    """Return the match that a key with optional * and ? asks for."""
    return Wildcard(text) if "*" in text or "?" in text else Exact(text)


def is_universal(match: Match) -> bool:
    """Tell whether a match asks for nothing (PS3.4 C.2.2.2.3)."""
    match match:
        case Exact(value):
            return not value
        case AnyOf(values):
            return not values
        case Wildcard(pattern):
            return not pattern.strip("*")
        case Between(low, high):
            return not (low or high)
        case AnyBetween(ranges):
            return not ranges or any(is_universal(one) for one in ranges)


def text_condition(column: ColumnElement[str], match: Match) -> ColumnElement[bool]:
    """Return the condition that a text column matches."""
    match match:
        case Exact(value):
            return column == value
        case AnyOf(values):
            return column.in_(_bounded(values))
        case Wildcard(pattern):
            return _like(column, pattern)
        case Between(low, high):
            return _between(column, low, high)
        case AnyBetween(ranges):
            return or_(*(_between(column, one.low, one.high) for one in ranges))


def any_range(column: ColumnElement[str], ranges: tuple[tuple[str, str], ...]) -> ColumnElement[bool]:
    """Return the condition that a text column lies in any of the ranges."""
    return or_(*(_between(column, low, high) for low, high in ranges))


def name_condition(column: Column[str], words: Column[str] | None, match: Match) -> ColumnElement[bool]:
    """Return the condition that a PN matches; `words`, when given, asks for fuzzy matching (PS3.4 C.2.2.2.1.1)."""
    match match:
        case Exact(value) | Wildcard(value) if words is not None:
            return fuzzy_condition(words, value)
        case Exact(value):
            return _any_group(column, folded_name(value))
        case AnyOf(values):
            return or_(*(_any_group(column, folded_name(value)) for value in _bounded(values)))
        case Wildcard(pattern):
            return _any_group(column, folded_name(pattern))
        case Between(low, high):
            return _between(column, folded(low), folded(high))
        case AnyBetween(ranges):
            return or_(*(_between(column, folded(one.low), folded(one.high)) for one in ranges))


def fuzzy_condition(words: Column[str], text: str) -> ColumnElement[bool]:
    """Return the condition that each word of the text starts some part of the name."""
    plain = folded(text)
    for delimiter in "^=,*?":
        plain = plain.replace(delimiter, " ")
    return and_(true(), *(words.like(f"% {_escaped(word)}%", escape=_ESCAPE) for word in plain.split()))


def _any_group(column: Column[str], pattern: str) -> ColumnElement[bool]:
    """Match the whole name, or one of its component groups: alphabetic, ideographic, phonetic."""
    first = [_like(column, pattern), _like(column, f"{pattern}=*")]
    if pattern.isascii():
        return or_(*first)
    return or_(*first, _like(column, f"*={pattern}"), _like(column, f"*={pattern}=*"))


def _like(column: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
    """Match * and ?; the literal start stands as a range beside it, which an index can serve."""
    like = column.like(_escaped(pattern).replace("*", "%").replace("?", "_"), escape=_ESCAPE)
    prefix = pattern.replace("?", "*").partition("*")[0]
    return and_(column >= prefix, column < prefix + _LAST, like) if prefix else like


def _between(column: ColumnElement[str], low: str, high: str) -> ColumnElement[bool]:
    """Match a range, both ends inclusive; an empty column has no place in it.

    The upper end reaches over what it abbreviates: 2024 takes in 20241231, 12 takes in 125959.99.
    """
    conditions = [column != ""]
    if low:
        conditions.append(column >= low)
    if high:
        conditions.append(column < high + _LAST)
    return and_(*conditions)


def _escaped(text: str) -> str:
    for special in (_ESCAPE, "%", "_"):
        text = text.replace(special, _ESCAPE + special)
    return text


def _bounded(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(values) > _MOST_VALUES:
        raise Invalid(
            f"a list of more than {_MOST_VALUES} values cannot be matched", next_step="ask in smaller lists"
        )
    return values
