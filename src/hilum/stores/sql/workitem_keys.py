"""Matching keys as JSON: the filter of a global subscription is kept as it was asked for."""

from typing import Any

from hilum.core.archive.model import AnyBetween, AnyOf, Between, Exact, Match, Wildcard
from hilum.core.workitems.model import Key


def kept_keys(keys: tuple[Key, ...]) -> list[Any]:
    """Return what is kept."""
    return [[key.tag, key.vr, _kept(key.match), kept_keys(key.items)] for key in keys]


def revived_keys(kept: list[Any]) -> tuple[Key, ...]:
    """Return the keys that were kept."""
    return tuple(Key(tag, vr, _revived(match), revived_keys(items)) for tag, vr, match, items in kept)


def _kept(match: Match | None) -> list[Any] | None:
    match match:
        case None:
            return None
        case AnyBetween(ranges):
            return ["spans", [[one.low, one.high] for one in ranges]]
        case Between(low, high):
            return ["between", low, high]
        case Wildcard(pattern):
            return ["like", pattern]
        case AnyOf(values):
            return ["any", list(values)]
        case Exact(value):
            return ["exact", value]


def _revived(kept: list[Any] | None) -> Match | None:
    match kept:
        case None:
            return None
        case ["spans", ranges]:
            return AnyBetween(tuple(Between(low, high) for low, high in ranges))
        case ["between", low, high]:
            return Between(low, high)
        case ["like", pattern]:
            return Wildcard(pattern)
        case ["any", values]:
            return AnyOf(tuple(values))
        case [_, value]:
            return Exact(value)
        case _:
            raise ValueError("a kept key that nobody wrote")
