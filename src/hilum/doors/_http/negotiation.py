"""Content negotiation (RFC 9110 12.5.1) with media type parameters, and the `accept` query parameter of DICOMweb."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hilum.core.kernel.errors import Invalid

_LONGEST = 4096
"""Octets of one Accept value that are read; more is Invalid."""
_MOST_RANGES = 64
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type or media range: lower-case type and subtype, parameters by lower-case name, quality."""

    type: str
    subtype: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    quality: float = 1.0

    @property
    def essence(self) -> str:
        """Return `type/subtype`."""
        return f"{self.type}/{self.subtype}"

    @property
    def specificity(self) -> tuple[bool, bool, int]:
        """Rank a range: an exact one before `type/*` before `*/*`, more parameters before fewer (RFC 9110 12.5.1)."""
        return (self.type != "*", self.subtype != "*", len(self.parameters))

    def admits(self, offered: "MediaType") -> bool:
        """Tell whether this range covers an offered type.

        A parameter of the range that the offer also has must be equal, `*` equals anything (`transfer-syntax=*`,
        PS3.18 8.7.3.5.2); `type` of a multipart range is compared as a media type. Others are not restrictions.
        """
        if self.type not in ("*", offered.type) or self.subtype not in ("*", offered.subtype):
            return False
        return all(_same(value, offered.parameters.get(name)) for name, value in self.parameters.items())

    def __str__(self) -> str:
        """Return the media type as a header value, quoting what is not a token."""
        return "; ".join(
            [self.essence, *(f"{name}={_quoted(value)}" for name, value in self.parameters.items())]
        )


ANYTHING = MediaType("*", "*")


def parse_media_type(text: str) -> MediaType:
    """Read one media type or range; raises Invalid."""
    essence, *pieces = _split(text, ";")
    kind, slash, subtype = essence.strip().lower().partition("/")
    if not slash or not _is_token(kind) or not _is_token(subtype):
        raise Invalid("not a media type (RFC 9110 8.3.1)", next_step="write type/subtype; name=value")
    parameters: dict[str, str] = {}
    quality = 1.0
    for piece in pieces:
        if not piece.strip():
            continue
        name, value = _parameter(piece)
        if name == "q":
            quality = _quality(value)
        else:
            parameters.setdefault(name, value)
    return MediaType(kind, subtype, parameters, quality)


def parse_accept(values: Iterable[str]) -> tuple[MediaType, ...]:
    """Read the Accept fields of one request into ranges, in their order; raises Invalid. Nothing said is no range."""
    text = ",".join(value for value in values if value.strip())
    if len(text) > _LONGEST:
        raise Invalid(f"Accept is longer than {_LONGEST} octets")
    pieces = [piece for piece in _split(text, ",") if piece.strip()]
    if len(pieces) > _MOST_RANGES:
        raise Invalid(f"Accept has more than {_MOST_RANGES} ranges")
    return tuple(parse_media_type(piece) for piece in pieces)


def choose(accepted: Sequence[MediaType], offered: Sequence[MediaType]) -> tuple[MediaType, MediaType] | None:
    """Return the best offer and the range that admitted it; None when no range admits any (406).

    The order of `offered` breaks ties. No range at all admits everything.
    """
    best: tuple[float, int, MediaType, MediaType] | None = None
    for place, offer in enumerate(offered):
        admitting = [each for each in accepted or (ANYTHING,) if each.admits(offer)]
        if not admitting:
            continue
        decisive = max(admitting, key=lambda each: each.specificity)
        if decisive.quality > 0 and (best is None or decisive.quality > best[0]):
            best = (decisive.quality, place, offer, decisive)
    return (best[2], best[3]) if best else None


def accepted_of(headers: Sequence[str], query: Sequence[str]) -> tuple[MediaType, ...]:
    """Return the ranges of a request: the `accept` query parameter, if given, stands before the header.

    PS3.18 8.3.3.1 and 8.7.8: a browser that cannot set its header names the type in the query.
    """
    return parse_accept(query) or parse_accept(headers)


def _same(wanted: str, offered: str | None) -> bool:
    return offered is None or wanted == "*" or offered == "*" or wanted.lower() == offered.lower()


def _parameter(piece: str) -> tuple[str, str]:
    name, equals, value = piece.partition("=")
    name, value = name.strip().lower(), value.strip()
    if not equals or not _is_token(name):
        raise Invalid("a media type parameter is not name=value (RFC 9110 5.6.6)")
    if value.startswith('"'):
        if len(value) < 2 or not value.endswith('"'):
            raise Invalid("a quoted media type parameter has no end (RFC 9110 5.6.4)")
        return name, _unquoted(value[1:-1])
    return name, value


def _unquoted(value: str) -> str:
    out: list[str] = []
    escaped = False
    for character in value:
        if character == "\\" and not escaped:
            escaped = True
            continue
        out.append(character)
        escaped = False
    return "".join(out)


def _quoted(value: str) -> str:
    if value and all(character in _TOKEN for character in value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _quality(value: str) -> float:
    whole, _, fraction = value.partition(".")
    if whole not in ("0", "1") or len(fraction) > 3 or (fraction and not fraction.isascii()):
        raise Invalid("a quality is not 0 to 1 with three decimals (RFC 9110 12.4.2)")
    if fraction and not fraction.isdigit():
        raise Invalid("a quality is not 0 to 1 with three decimals (RFC 9110 12.4.2)")
    return min(float(value), 1.0)


def _is_token(text: str) -> bool:
    return bool(text) and all(character in _TOKEN for character in text)


def _split(text: str, separator: str) -> list[str]:
    """Split outside quoted strings."""
    pieces: list[str] = []
    start, quoted, escaped = 0, False, False
    for place, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == separator and not quoted:
            pieces.append(text[start:place])
            start = place + 1
    pieces.append(text[start:])
    return pieces
