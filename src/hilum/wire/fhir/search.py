"""The grammar of a search: parameters, values, tokens, references and dates (FHIR R4 3.1.1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from hilum.core.kernel.errors import Invalid

_MOST_PARAMETERS = 50
_MOST_VALUES = 50
_LONGEST_NAME = 128
_LONGEST_PART_OF_A_NAME = 256
_MOST_WORDS = 20
_LONGEST_VALUE = 4096
_NAME = re.compile(
    r"(?P<code>[A-Za-z_][A-Za-z_-]*)(?::(?P<modifier>[A-Za-z-]+))?(?:\.(?P<chain>[A-Za-z_:.-]+))?"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_DATE = re.compile(
    r"(?P<prefix>[a-z]{2})?(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2})"
    r"(?:T(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?)?"
    r"(?P<zone>Z|[ +-][0-9]{2}:[0-9]{2})?)?)?)?"
)
PREFIXES = ("eq", "ne", "lt", "gt", "le", "ge", "sa", "eb", "ap")


class NotSupported(Invalid):
    """The standard knows it, this server does not: issue-type `not-supported`."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the values of a search are read against: the base URL of references, the zone of times without one."""

    base_url: str = ""
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True)
class Token:
    """`system|code`: None is any system, an empty one is none (3.1.1.4.10)."""

    system: str | None
    code: str


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time from `low` to just before `high`; None is open."""

    low: datetime | None = None
    high: datetime | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter as it was asked: any of its values may match."""

    code: str
    values: tuple[str, ...]
    """Still escaped: tokens have parts of their own."""
    modifier: str = ""
    chain: str = ""
    context: Context = field(default_factory=Context)

    @property
    def name(self) -> str:
        """Return the parameter as it was written."""
        modifier = f":{self.modifier}" if self.modifier else ""
        return self.code + modifier + (f".{self.chain}" if self.chain else "")

    def plain(self) -> "Parameter":
        """Return this parameter when it has neither modifier nor chain; raises NotSupported."""
        if self.modifier or self.chain:
            raise NotSupported(
                f"'{self.code}' takes no modifier and no chain here",
                next_step="leave it out, or see the CapabilityStatement at /fhir/metadata",
            )
        return self

    def chained(self) -> "Parameter":
        """Return what is asked of the resource that this reference names (3.1.1.4.13)."""
        code, _, modifier = self.chain.partition(":")
        return Parameter(code, self.values, modifier, "", self.context)

    def texts(self) -> tuple[str, ...]:
        """Return the values as text."""
        return tuple(_unescaped(value) for value in self.values)

    def only_text(self) -> str:
        """Return the one value; raises NotSupported."""
        if len(self.values) > 1:
            raise NotSupported(f"'{self.code}' takes one value here", next_step="search once for each value")
        return self.texts()[0]

    def only_name(self) -> str:
        """Return the one value, as part of a name: a few words; raises Invalid."""
        text = self.only_text()
        if len(text) > _LONGEST_PART_OF_A_NAME or len(text.split()) > _MOST_WORDS:
            raise Invalid(f"'{self.code}' is longer than any name", next_step="search for a part of the name")
        return text

    def tokens(self) -> tuple[Token, ...]:
        """Return the values as tokens; raises Invalid."""
        return tuple(self._token(value) for value in self.values)

    def ids(self, resource_type: str) -> tuple[str, ...]:
        """Return the ids that references name; one to another type or server has none (3.1.1.4.12)."""
        return tuple(filter(None, (self._id(text, resource_type) for text in self.texts())))

    def spans(self) -> tuple[Span, ...]:
        """Return the stretches of time that the values allow, one or another (3.1.1.4.7); raises Invalid."""
        return tuple(span for text in self.texts() for span in self._spans(text))

    def _token(self, value: str) -> Token:
        parts = _split(value, "|")
        if len(parts) > 2 or not any(parts):
            raise Invalid(f"'{self.code}' is not a token", next_step="write code, system|code or |code")
        texts = [_unescaped(part) for part in parts]
        return Token(None, texts[0]) if len(texts) == 1 else Token(texts[0], texts[1])

    def _id(self, text: str, resource_type: str) -> str:
        relative = text.removeprefix(f"{self.context.base_url}/") if self.context.base_url else text
        named = relative.removeprefix(f"{resource_type}/")
        return named if _ID.fullmatch(named) else ""

    def _spans(self, text: str) -> tuple[Span, ...]:
        low, high, prefix = _moment(self.code, text, self.context.zone)
        around = (high - low) if low and high else timedelta()
        near = Span(_moved(low, -around), _moved(high, around))
        by_prefix = {
            "eq": (Span(low, high),),
            "ne": (Span(None, low), Span(high, None)) if high else (Span(None, low),),
            "lt": (Span(None, low),),
            "eb": (Span(None, low),),
            "gt": (Span(high, None),),
            "sa": (Span(high, None),),
            "le": (Span(None, high),),
            "ge": (Span(low, None),),
            "ap": (near,),
        }
        return by_prefix[prefix]


def parameters_of(pairs: Sequence[tuple[str, str]], context: Context) -> list[Parameter]:
    """Read the name=value pairs of a URL or form; raises Invalid."""
    if len(pairs) > _MOST_PARAMETERS:
        raise Invalid(
            f"a search has more than {_MOST_PARAMETERS} parameters", next_step="ask for less at once"
        )
    return [_parameter(name, value, context) for name, value in pairs]


def _parameter(name: str, value: str, context: Context) -> Parameter:
    if len(name) > _LONGEST_NAME or len(value) > _LONGEST_VALUE:
        raise Invalid(f"a search parameter is longer than {_LONGEST_VALUE} characters")
    if _CONTROL.search(name + value):
        raise Invalid("a search parameter holds a control character")
    met = _NAME.fullmatch(name)
    if met is None:
        return Parameter(name, (value,), context=context)
    values = tuple(_split(value, ","))
    if len(values) > _MOST_VALUES:
        raise Invalid(f"'{met['code']}' has more than {_MOST_VALUES} values")
    return Parameter(met["code"], values, met["modifier"] or "", met["chain"] or "", context)


def _split(text: str, separator: str) -> list[str]:
    r"""Split at a separator that no backslash stands before (3.1.1.4.5)."""
    parts, start, escaped = [], 0, False
    for place, character in enumerate(text):
        if character == separator and not escaped:
            parts.append(text[start:place])
            start = place + 1
        escaped = character == "\\" and not escaped
    parts.append(text[start:])
    return parts


def _unescaped(text: str) -> str:
    r"""Take the backslash before `,`, `|`, `$` and `\` away."""
    return re.sub(r"\\([,|$\\])", r"\1", text)


def _moment(code: str, text: str, zone: tzinfo) -> tuple[datetime | None, datetime | None, str]:
    """Return the first moment that a partial date means, the first that it does not, and its prefix."""
    met = _DATE.fullmatch(text)
    if met is None or (met["prefix"] or "eq") not in PREFIXES:
        next_step = "write YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+zz:zz, after a prefix like ge"
        raise Invalid(f"'{code}' is not a date (FHIR R4 3.1.1.4.7)", next_step=next_step)
    try:
        low = _low(met, zone)
    except ValueError as error:
        raise Invalid(f"'{code}' is a day or time that does not exist") from error
    return low, _after(met, low), met["prefix"] or "eq"


def _low(met: re.Match[str], zone: tzinfo) -> datetime:
    second = met["second"] or "0"
    return datetime(
        int(met["year"]),
        int(met["month"] or 1),
        int(met["day"] or 1),
        int(met["hour"] or 0),
        int(met["minute"] or 0),
        59 if second == "60" else int(second),
        int((met["fraction"] or "0")[:6].ljust(6, "0")),
        tzinfo=_zone(met["zone"], zone),
    )


def _zone(written: str | None, zone: tzinfo) -> tzinfo:
    """Return the zone that was written; a plus that a form turned into a space is a plus again."""
    if not written:
        return zone
    if written == "Z":
        return UTC
    offset = timedelta(hours=int(written[1:3]), minutes=int(written[4:6]))
    return timezone(-offset if written[0] == "-" else offset)


def _after(met: re.Match[str], low: datetime) -> datetime | None:
    """Return the end of the stretch; None beyond the last year that there is."""
    try:
        if met["month"] is None:
            return low.replace(year=low.year + 1)
        if met["day"] is None:
            return low.replace(year=low.year + low.month // 12, month=low.month % 12 + 1)
        return low + _width(met)
    except (ValueError, OverflowError):
        return None


def _width(met: re.Match[str]) -> timedelta:
    if met["hour"] is None:
        return timedelta(days=1)
    if met["second"] is None:
        return timedelta(minutes=1)
    if met["fraction"] is None:
        return timedelta(seconds=1)
    return timedelta(microseconds=max(1, 10 ** (6 - len(met["fraction"]))))


def _moved(moment: datetime | None, by: timedelta) -> datetime | None:
    try:
        return moment + by if moment else None
    except OverflowError:
        return None
