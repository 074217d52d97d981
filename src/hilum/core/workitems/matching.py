"""Attribute matching of workitems (PS3.4 C.2.2.2, CC.2.8.3): the same for C-FIND, search and filtered subscriptions."""

import re
import unicodedata
from dataclasses import replace
from datetime import datetime, timedelta, timezone, tzinfo

from hilum.core.archive.model import AnyBetween, AnyOf, Between, Exact, Match, Wildcard
from hilum.core.workitems.attributes import items_at, texts_at
from hilum.core.workitems.model import Attributes, Key

_DATE_TIME = re.compile(r"([0-9]{4,14})(\.[0-9]{1,6})?([+-])([0-9]{2})([0-9]{2})")
_LAST = "\U0010ffff"
_FORMAT = "%Y%m%d%H%M%S"


def matches(attributes: Attributes, keys: tuple[Key, ...], zone: tzinfo | None) -> bool:
    """Tell whether a data set meets all keys; `zone` is that of moments without an offset of their own."""
    return all(_meets(attributes, key, zone) for key in keys)


def moment_in(zone: tzinfo | None, text: str) -> str:
    """Return a DT without offset, as a clock in `zone` shows it; to the precision that it has, hours at least."""
    written = _DATE_TIME.fullmatch(text)
    if written is None:
        return text
    digits, fraction, sign, hours, minutes = written.groups()
    if len(digits) < 10 or zone is None:
        return digits + (fraction or "")
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    try:
        moment = datetime.strptime(digits.ljust(14, "0"), _FORMAT).replace(tzinfo=timezone(offset))
        return moment.astimezone(zone).strftime(_FORMAT)[: len(digits)] + (fraction or "")
    except (ValueError, OverflowError):
        return digits + (fraction or "")


def localised(keys: tuple[Key, ...], zone: tzinfo | None) -> tuple[Key, ...]:
    """Return the keys with moments as a clock in `zone` shows them: what kept moments are compared with."""
    return tuple(
        replace(
            key,
            match=_localised(key.match, zone) if key.vr == "DT" else key.match,
            items=localised(key.items, zone),
        )
        for key in keys
    )


def _localised(match: Match | None, zone: tzinfo | None) -> Match | None:
    match match:
        case Between(low, high):
            return Between(moment_in(zone, low), moment_in(zone, high))
        case Exact(value):
            return Exact(moment_in(zone, value))
        case _:
            return match


def _meets(attributes: Attributes, key: Key, zone: tzinfo | None) -> bool:
    if key.items:
        return any(matches(item, key.items, zone) for item in items_at(attributes, key.tag))
    if key.match is None:
        return True
    return any(_is(text, key, key.match, zone) for text in texts_at(attributes, key.tag))


def _is(text: str, key: Key, match: Match, zone: tzinfo | None) -> bool:
    if key.vr == "PN":
        return _is_named(text, match)
    if key.vr == "DT":
        text = moment_in(zone, text)
    return _matches(text, match)


def _is_named(name: str, match: Match) -> bool:
    """Match the whole name or one of its groups, without regard to case and accents."""
    folded = [_folded(group).rstrip("^") for group in (name, *name.split("="))]
    match match:
        case Exact(value):
            return _folded(value) in folded
        case AnyOf(values):
            return any(_folded(value) in folded for value in values)
        case Wildcard(pattern):
            return any(_like(group, _folded(pattern)) for group in folded)
        case _:
            return any(_matches(group, match) for group in folded)


def _matches(text: str, match: Match) -> bool:
    match match:
        case Exact(value):
            return text == value
        case AnyOf(values):
            return text in values
        case Wildcard(pattern):
            return _like(text, pattern)
        case Between():
            return _lies(text, match)
        case AnyBetween(ranges):
            return any(_lies(text, one) for one in ranges)


def _lies(text: str, span: Between) -> bool:
    """Match a range; its upper end reaches over what it abbreviates, as on every other shelf."""
    return bool(text) and (not span.low or text >= span.low) and (not span.high or text < span.high + _LAST)


def _like(text: str, pattern: str) -> bool:
    """Match * and ? without backtracking over more than the last star."""
    place = at = 0
    star = mark = -1
    while place < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, mark, at = at, place, at + 1
        elif at < len(pattern) and pattern[at] in ("?", text[place]):
            place, at = place + 1, at + 1
        elif star >= 0:
            mark += 1
            place, at = mark, star + 1
        else:
            return False
    return not pattern[at:].strip("*")


def _folded(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
