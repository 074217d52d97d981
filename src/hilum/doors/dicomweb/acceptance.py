"""What a client accepts, and which of our forms that is (PS3.18 8.7.4, 8.7.8): media type, parts, transfer syntax."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from hilum.doors._http.negotiation import MediaType, accepted_of, parse_media_type
from hilum.doors._http.problems import NotAcceptable

_MULTIPART = "multipart/related"
_LOST_PLUS = re.compile(r"(?<=\w) (?=\w)")


@dataclass(frozen=True, slots=True)
class Offer:
    """One form that a resource can go out in.

    `unasked` is whether a range that names no transfer syntax admits it: the default of the media type.
    """

    media_type: str
    transfer_syntax_uid: str = ""
    multipart: bool = False
    unasked: bool = True


@dataclass(frozen=True, slots=True)
class Range:
    """One range of Accept: of the parts, where it is a multipart range. `multipart` is None where either will do."""

    of: MediaType
    multipart: bool | None
    transfer_syntax_uid: str
    quality: float

    @property
    def specificity(self) -> tuple[bool, bool, bool, bool]:
        """Rank a range (RFC 9110 12.5.1)."""
        of = self.of
        return of.type != "*", of.subtype != "*", bool(self.transfer_syntax_uid), self.multipart is not None

    def admits(self, offer: Offer) -> bool:
        """Tell whether this range covers an offer; `transfer-syntax=*` is any (PS3.18 8.7.3.5.2)."""
        kind, _, subtype = offer.media_type.partition("/")
        if self.multipart not in (None, offer.multipart) or self.of.type not in ("*", kind):
            return False
        if self.of.subtype not in ("*", subtype):
            return False
        if not self.transfer_syntax_uid:
            return offer.unasked
        return self.transfer_syntax_uid in ("*", offer.transfer_syntax_uid) or not offer.transfer_syntax_uid


def accepted_ranges(request: Request) -> tuple[Range, ...]:
    """Read the `accept` query parameters, else the Accept fields; nothing said is anything. Raises Invalid.

    A plus that was not escaped in a query arrives as a space; within a media type it can only have been a plus.
    """
    query = [_LOST_PLUS.sub("+", value) for value in request.query_params.getlist("accept")]
    ranges = accepted_of(request.headers.getlist("accept"), query)
    return tuple(_range(one) for one in ranges) or (_range(MediaType("*", "*")),)


def chosen(ranges: Sequence[Range], offers: Sequence[Offer]) -> Offer | None:
    """Return the best offer, None where no range admits any; the order of the offers breaks ties."""
    best: Offer | None = None
    most = 0.0
    for offer in offers:
        admitting = [one for one in ranges if one.admits(offer)]
        quality = max(admitting, key=lambda one: one.specificity).quality if admitting else 0.0
        if quality > most:
            best, most = offer, quality
    return best


def demand(ranges: Sequence[Range], offers: Sequence[Offer]) -> Offer:
    """Return the best offer; raises NotAcceptable (406) naming what there is."""
    best = chosen(ranges, offers)
    if best is None:
        raise NotAcceptable(
            "nothing of what is accepted is available here",
            next_step="accept " + " or ".join(dict.fromkeys(map(_described, offers))) if offers else "",
        )
    return best


def is_demanded(ranges: Sequence[Range], offer: Offer) -> bool:
    """Tell whether the transfer syntax of an offer was asked for by name, not only taken by default."""
    return all(one.transfer_syntax_uid for one in ranges if one.admits(offer))


def _range(accepted: MediaType) -> Range:
    if accepted.essence == _MULTIPART:
        of = parse_media_type(accepted.parameters.get("type") or "*/*")
        return Range(of, True, _transfer_syntax(accepted) or _transfer_syntax(of), accepted.quality)
    multipart = None if accepted.type == "*" else False
    return Range(accepted, multipart, _transfer_syntax(accepted), accepted.quality)


def _transfer_syntax(accepted: MediaType) -> str:
    return accepted.parameters.get("transfer-syntax", "")


def _described(offer: Offer) -> str:
    media_type = f'{_MULTIPART}; type="{offer.media_type}"' if offer.multipart else offer.media_type
    return (
        f"{media_type}; transfer-syntax={offer.transfer_syntax_uid}"
        if offer.transfer_syntax_uid
        else media_type
    )
