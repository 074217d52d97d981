"""A search as it was asked: what narrows it, what shapes the answer, what was left out (FHIR R4 3.1.1)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request

from hilum.core.kernel.errors import Invalid
from hilum.wire.fhir.parameters import SearchParameter, applied
from hilum.wire.fhir.search import Context, NotSupported, Parameter, parameters_of

Q = TypeVar("Q")

DEFAULT_COUNT = 50
MOST = 500
"""Resources on one page; who asks for more gets this many and a link to the next."""

_MOST_FIELDS = 60
_LONGEST_NUMBER = 9
_PAGE = "_page"
_ABOUT_THE_ANSWER = frozenset({"_count", "_format", "_pretty", "_sort", "_summary", "_total", _PAGE})
_TOTALS = ("none", "estimate", "accurate")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page starts: how many rows stand before it, and how many parts of its first row."""

    offset: int = 0
    part: int = 0

    def __str__(self) -> str:
        """Return what stands in a link; opaque to the caller."""
        return f"{self.offset}.{self.part}" if self.part else f"{self.offset}"


@dataclass(slots=True)
class Asked:
    """One search."""

    parameters: list[Parameter]
    pairs: list[tuple[str, str]]
    strict: bool
    count: int = DEFAULT_COUNT
    place: Place = field(default_factory=Place)
    counted: bool = True
    only_total: bool = False
    sort: str = ""
    left_out: list[str] = field(default_factory=list)

    def narrow(self, known: Sequence[SearchParameter[Q]], query: Q) -> Q | None:
        """Return the query narrowed by what was asked, None when nothing can match; raises Invalid when strict."""
        narrowed = applied(known, query, self.parameters)
        for name in narrowed.unknown:
            self.leave_out(name)
        return narrowed.query

    def leave_out(self, name: str) -> None:
        """Note a parameter that is not known; `Prefer: handling=strict` refuses it (FHIR R4 3.1.1.1)."""
        if self.strict:
            raise NotSupported(
                f"no such search parameter here: '{name[:64]}'",
                next_step="see the CapabilityStatement at metadata, or search with Prefer: handling=lenient",
            )
        self.left_out.append(name[:64])

    def link(self, url: str, place: Place) -> str:
        """Return the link to a page of this search, with all that was understood."""
        left_out = set(self.left_out)
        kept = [(name, value) for name, value in self.pairs if name != _PAGE and name not in left_out]
        if place != Place():
            kept.append((_PAGE, str(place)))
        return f"{url}?{urlencode(kept, safe=':/,|')}" if kept else url


def asked_of(request: Request, form: bytes, context: Context) -> Asked:
    """Read a search from the query and, by POST, the form (FHIR R4 3.1.0.9.1); raises Invalid."""
    pairs = [*_pairs(request.url.query), *_pairs(_text(form))]
    narrowing = [pair for pair in pairs if pair[0] not in _ABOUT_THE_ANSWER]
    asked = Asked(parameters_of(narrowing, context), pairs, strict=_is_strict(request))
    for name, value in pairs:
        if name in _ABOUT_THE_ANSWER:
            _shape(asked, name, value)
    return asked


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise Invalid(f"a search has more than {_MOST_FIELDS} parameters") from error


def _text(form: bytes) -> str:
    try:
        return form.decode("ascii")
    except UnicodeDecodeError as error:
        raise Invalid("a form is percent-encoded ASCII (application/x-www-form-urlencoded)") from error


def _is_strict(request: Request) -> bool:
    preferences = ",".join(request.headers.getlist("prefer")).replace(";", ",").split(",")
    return "handling=strict" in [one.strip().lower().replace('"', "") for one in preferences]


def _shape(asked: Asked, name: str, value: str) -> None:
    match name:
        case "_count":
            asked.count = min(_number(name, value), MOST)
            asked.only_total = asked.only_total or asked.count == 0
        case "_page":
            offset, _, part = value.partition(".")
            asked.place = Place(_number(name, offset), _number(name, part or "0"))
        case "_total":
            asked.counted = _one_of(name, value, _TOTALS) != "none"
        case "_summary":
            _summarise(asked, value)
        case "_sort":
            asked.sort = value


def _summarise(asked: Asked, value: str) -> None:
    if _one_of("_summary", value, ("count", "false", "true", "text", "data")) == "count":
        asked.only_total = True
    elif value != "false":
        asked.leave_out("_summary")


def _number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= _LONGEST_NUMBER):
        raise Invalid(f"'{name}' is not a number of at most {_LONGEST_NUMBER} digits")
    return int(value)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise Invalid(f"'{name}' is none of {', '.join(allowed)}")
    return value
