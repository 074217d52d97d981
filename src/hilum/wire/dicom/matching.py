"""One key's text to what it matches (PS3.4 C.2.2.2)."""

import re

from hilum.core.archive.model import AnyOf, Between, Exact, Match, Wildcard
from hilum.core.kernel.errors import Invalid

_RANGED = frozenset({"DA", "TM"})
_WHOLE_NUMBERS = frozenset({"IS", "US", "UL"})
_DATE = re.compile(r"[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])")
_TIME = re.compile(r"([01][0-9]|2[0-3])([0-5][0-9](([0-5][0-9]|60)(\.[0-9]{1,6})?)?)?")
LAST_TIME = "235960.999999"
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,12}")
MOST_VALUES = 10_000
"""Of one list; a C-MOVE of a large series may name every image."""


def match_of(vr: str, text: str, keyword: str) -> Match | None:
    """Return what a key matches; None where it matches everything (PS3.4 C.2.2.2.3)."""
    plain = text.strip(" \0")
    if not plain.strip("*"):
        return None
    if vr in _RANGED:
        return _date_or_time(vr, plain, keyword)
    values = tuple(value for part in plain.split("\\") if (value := _normal(vr, part, keyword)))
    if len(values) > MOST_VALUES:
        raise Invalid(f"{keyword} lists {len(values)} values, more than {MOST_VALUES}")
    if vr == "UI" or vr in _WHOLE_NUMBERS:
        return _exact(values)
    return _text(values, keyword)


def time_span(text: str, keyword: str) -> tuple[str, str]:
    """Return the first and last moment that a TM key means: `10` is from 10 to 105959.999999, open ends are empty."""
    low, high = _ends(text, keyword)
    lowest, highest = _time(low, keyword), _time(high, keyword)
    return lowest, highest and highest + LAST_TIME[len(highest) :] if "." not in highest else highest


def date_span(text: str, keyword: str) -> tuple[str, str]:
    """Return the first and last day that a DA key means; open ends are empty."""
    low, high = _ends(text, keyword)
    return _date(low, keyword), _date(high, keyword)


def _exact(values: tuple[str, ...]) -> Match | None:
    if not values:
        return None
    return Exact(values[0]) if len(values) == 1 else AnyOf(values)


def _text(values: tuple[str, ...], keyword: str) -> Match | None:
    wild = [value for value in values if "*" in value or "?" in value]
    if not wild:
        return _exact(values)
    if len(values) > 1:
        raise Invalid(
            f"{keyword} lists several values with wild cards", next_step="ask for one pattern at a time"
        )
    return Wildcard(re.sub(r"\*+", "*", wild[0]))


def _normal(vr: str, part: str, keyword: str) -> str:
    value = part.strip(" \0")
    if vr == "PN":
        return "=".join(group.rstrip("^ ") for group in value.split("=")).rstrip("=")
    if vr in _WHOLE_NUMBERS and value:
        if not _WHOLE_NUMBER.fullmatch(value):
            raise Invalid(f"{keyword} is not a whole number, which is all that its VR {vr} can match")
        return str(int(value))
    return value


def _date_or_time(vr: str, plain: str, keyword: str) -> Match | None:
    low, high = date_span(plain, keyword) if vr == "DA" else time_span(plain, keyword)
    if not low and not high:
        return None
    return Exact(low) if low == high else Between(low, high)


def _ends(text: str, keyword: str) -> tuple[str, str]:
    """Split a range `a-b`, `a-`, `-b`; one value is both ends (PS3.4 C.2.2.2.5)."""
    low, hyphen, high = text.partition("-")
    if not hyphen:
        return low.strip(" "), low.strip(" ")
    if "-" in high:
        raise Invalid(
            f"{keyword} is neither a value nor a range",
            next_step="write dates YYYYMMDD, and ranges YYYYMMDD-YYYYMMDD",
        )
    return low.strip(" "), high.strip(" ")


def _date(text: str, keyword: str) -> str:
    """Return a DA value; the ACR-NEMA form YYYY.MM.DD is read too (PS3.5 6.2)."""
    plain = text.replace(".", "") if len(text) == 10 else text
    if plain and not _DATE.fullmatch(plain):
        raise Invalid(f"{keyword} is not a date", next_step="write dates YYYYMMDD")
    return plain


def _time(text: str, keyword: str) -> str:
    """Return a TM value; the ACR-NEMA form HH:MM:SS is read too (PS3.5 6.2)."""
    plain = text.replace(":", "")
    if plain and not _TIME.fullmatch(plain):
        raise Invalid(f"{keyword} is not a time", next_step="write times HHMMSS, or their beginning")
    return plain


def combine_study_date_time(matches: dict[str, Match]) -> None:
    """A range of dates and one of times are one range from moment to moment (PS3.4 C.2.2.2.5.4)."""
    date, time = matches.get("study_date"), matches.get("study_time")
    if not isinstance(date, Between | Exact) or not isinstance(time, Between | Exact):
        return
    (first, last), (earliest, latest) = _both_ends(date), _both_ends(time)
    matches["study_date_time"] = Between(first and first + earliest, last and last + (latest or LAST_TIME))
    del matches["study_date"], matches["study_time"]


def _both_ends(match: Between | Exact) -> tuple[str, str]:
    return (match.value, match.value) if isinstance(match, Exact) else (match.low, match.high)
