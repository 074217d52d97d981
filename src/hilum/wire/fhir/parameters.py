"""Search parameters of a resource type: what each does to the query of the record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Generic, TypeVar

from hilum.core.archive.model import Query
from hilum.core.kernel.errors import Invalid
from hilum.core.kernel.identifiers import IdentifierMatch
from hilum.core.orders.model import OrderQuery
from hilum.core.patients.model import PatientQuery
from hilum.core.reports.model import ReportQuery
from hilum.wire.fhir import names
from hilum.wire.fhir.search import NotSupported, Parameter, Span

Q = TypeVar("Q")
T = TypeVar("T")
Dated = TypeVar("Dated", PatientQuery, OrderQuery, ReportQuery, Query)
Named = TypeVar("Named", OrderQuery, ReportQuery)

Ranges = tuple[tuple[str, str], ...]

_MOST_RANGES = 100
_OFFICIAL = "http://hl7.org/fhir/SearchParameter/"


@dataclass(frozen=True, slots=True)
class SearchParameter(Generic[Q]):
    """One parameter: its code and type, what it does to a query, and its official definition.

    `apply` returns None when nothing can match: a code of another system, a reference to another server.
    """

    code: str
    kind: str
    apply: Callable[[Q, Parameter], Q | None]
    definition: str = ""
    chains: frozenset[str] = frozenset()
    """What may be asked of the resource that a reference names."""

    @property
    def url(self) -> str:
        """Return the canonical URL of the definition."""
        return _OFFICIAL + self.definition if self.definition else ""


@dataclass(frozen=True, slots=True)
class Narrowed(Generic[Q]):
    """What a search leaves of a query: None when nothing can match; and the parameters that are not known."""

    query: Q | None
    unknown: tuple[str, ...]


def applied(known: Sequence[SearchParameter[Q]], query: Q, asked: Sequence[Parameter]) -> Narrowed[Q]:
    """Apply what was asked to a query; every value is read, even when nothing can match any more."""
    by_code = {one.code: one for one in known}
    unknown = []
    found: Q | None = query
    for parameter in asked:
        definition = by_code.get(parameter.code)
        if definition is None or not _chain_is_known(definition, parameter):
            unknown.append(parameter.name)
            continue
        _demand_values(parameter)
        narrower = definition.apply(query if found is None else found, parameter)
        found = narrower if found is not None else None
    return Narrowed(found, tuple(unknown))


def by_last_updated(query: Dated, parameter: Parameter) -> Dated:
    """Narrow by the time of the last change."""
    since, before = moments(parameter, query.updated_since, query.updated_before)
    return replace(query, updated_since=since, updated_before=before)


def by_id(query: Named, parameter: Parameter) -> Named | None:
    """Narrow by ids."""
    ids = both(query.public_ids, parameter.plain().texts())
    return replace(query, public_ids=ids) if ids else None


def _chain_is_known(definition: SearchParameter[Q], parameter: Parameter) -> bool:
    chained = parameter.chain.partition(":")[0]
    return not definition.chains or not chained or chained in definition.chains


def _demand_values(parameter: Parameter) -> None:
    if not all(parameter.values):
        raise Invalid(f"'{parameter.name}' has no value", next_step="leave the parameter out, or give it one")


def codes(parameter: Parameter, *systems: str) -> tuple[str, ...]:
    """Return the codes of tokens; those of other systems than these are left out, since nothing here has them."""
    return tuple(
        token.code for token in parameter.plain().tokens() if token.system is None or token.system in systems
    )


def identifier_matches(parameter: Parameter) -> tuple[IdentifierMatch, ...]:
    """Return the identifiers that tokens name; `system|` is every identifier of that system (PDQm)."""
    return tuple(
        IdentifierMatch(token.code, None if token.system is None else names.issuer_of_system(token.system))
        for token in parameter.plain().tokens()
    )


def code_matches(parameter: Parameter) -> tuple[IdentifierMatch, ...]:
    """Return the coded concepts that tokens name, under each scheme that the system goes by."""
    return tuple(
        IdentifierMatch(token.code, scheme)
        for token in parameter.plain().tokens()
        for scheme in _schemes(token.system)
    )


def both(kept: tuple[T, ...], more: tuple[T, ...]) -> tuple[T, ...]:
    """Return what a repeated parameter leaves: all of its occurrences must hold."""
    return tuple(one for one in more if one in kept) if kept else more


def once(kept: object, parameter: Parameter) -> None:
    """Raise NotSupported when a parameter is repeated that cannot be."""
    if kept:
        raise NotSupported(
            f"'{parameter.code}' cannot be repeated here", next_step="join values with a comma"
        )


def moments(
    parameter: Parameter, since: datetime | None, before: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """Return the single stretch that is left of what was allowed before; raises NotSupported for `ne` and lists."""
    spans = parameter.plain().spans()
    if len(spans) > 1:
        raise NotSupported(f"'{parameter.code}' takes neither ne nor a list", next_step="use ge and lt")
    lows = [_in(one, UTC) for one in (since, spans[0].low) if one is not None]
    highs = [_in(one, UTC) for one in (before, spans[0].high) if one is not None]
    return max(lows, default=None), min(highs, default=None)


def day_ranges(parameter: Parameter, kept: Ranges) -> Ranges:
    """Return ranges of DA, both ends inclusive, that are left of what was allowed before."""
    return _narrowed(kept, [_days(span) for span in parameter.plain().spans()])


def moment_ranges(parameter: Parameter, kept: Ranges) -> Ranges:
    """Return ranges of DA and TM joined, or TS, in the site's zone, that are left of what was allowed before."""
    zone = parameter.context.zone
    return _narrowed(kept, [_moments(span, zone) for span in parameter.plain().spans()])


def _schemes(system: str | None) -> tuple[str | None, ...]:
    return (None,) if system is None else names.schemes_of_system(system)


def _days(span: Span) -> tuple[str, str]:
    return _digits(span.low)[:8], _digits(_just_before(span.high))[:8]


def _moments(span: Span, zone: tzinfo) -> tuple[str, str]:
    last = _just_before(span.high)
    low, high = (_in(one, zone) if one else None for one in (span.low, last))
    # Text of less precision sorts before text of more: a whole day starts at its date, and ends at its last moment.
    return _digits(low).removesuffix(".000000").removesuffix("000000"), _digits(high)


def _in(moment: datetime, zone: tzinfo) -> datetime:
    """Return a moment in a zone; at the ends of the calendar as it is."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment.replace(tzinfo=zone)


def _just_before(moment: datetime | None) -> datetime | None:
    try:
        return moment - timedelta(microseconds=1) if moment else None
    except OverflowError:
        return moment


def _digits(moment: datetime | None) -> str:
    if moment is None:
        return ""
    clock = moment.strftime("%m%d%H%M%S")
    return f"{moment.year:04}{clock}.{moment.microsecond:06}"


def _narrowed(kept: Ranges, more: list[tuple[str, str]]) -> Ranges:
    if not kept:
        return tuple(more)
    if len(kept) * len(more) > _MOST_RANGES:
        raise NotSupported("a date is given too many times", next_step="ask for one range")
    crossed = [_crossed(mine, theirs) for mine in kept for theirs in more]
    return tuple(one for one in crossed if not one[1] or one[0] <= one[1])


def _crossed(mine: tuple[str, str], theirs: tuple[str, str]) -> tuple[str, str]:
    ends = [end for end in (mine[1], theirs[1]) if end]
    return max(mine[0], theirs[0]), min(ends, default="")
