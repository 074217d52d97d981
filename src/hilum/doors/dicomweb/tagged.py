"""Validators: what was handed out once need not go out again (RFC 9110 8.8, 13.1)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from starlette.requests import Request
from starlette.responses import Response

from hilum.core.archive.model import Retrieved

_LONGEST = 8192
_STILL_MOVING = timedelta(seconds=2)
"""A second may hold two states: what changed just now gets no date (RFC 9110 8.8.2.2)."""


@dataclass(frozen=True, slots=True)
class Version:
    """The state of what a request gives: its entity tag, and when it became so where that is long enough ago."""

    tag: str
    modified: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Let the browser of one person keep an answer, and ask each time whether it may still see it."""
        dated = {"Last-Modified": self.modified} if self.modified else {}
        vary = "Accept, Authorization, Cookie"
        return {"ETag": self.tag, **dated, "Cache-Control": "private, no-cache", "Vary": vary}


def version_of(request: Request, handed_out: Iterable[Retrieved]) -> Version:
    """Return the version of what a request gives: its bytes, the person shown, and all that words the answer."""
    digest = hashlib.sha256()
    latest = datetime.min.replace(tzinfo=UTC)
    for one in handed_out:
        person = f"{one.patient.key}.{one.patient.version}" if one.patient else ""
        digest.update(f"{one.instance.blob.digest} {person}\n".encode())
        latest = max(latest, one.instance.stored, one.patient.updated if one.patient else latest)
    headers = request.headers
    asked = (str(request.url), *headers.getlist("accept"), headers.get("x-forwarded-prefix", ""))
    digest.update("\n".join(asked).encode("utf-8", "replace"))
    return Version(f'"{digest.hexdigest()[:32]}"', _dated(latest))


def not_modified(request: Request, version: Version) -> Response | None:
    """Return 304 where the client has this already: by If-None-Match, or else by the very date that it was given.

    A merge that is taken back brings an older date back: so dates are compared for equality, never for order.
    """
    given = request.headers.get("if-none-match", "")[:_LONGEST]
    known = {one.strip().removeprefix("W/") for one in given.split(",")}
    by_date = not given and bool(version.modified)
    same = by_date and request.headers.get("if-modified-since", "") == version.modified
    return Response(status_code=304, headers=version.headers) if same or known & {version.tag, "*"} else None


def _dated(moment: datetime) -> str:
    is_known = moment.year > 1 and datetime.now(UTC) - moment > _STILL_MOVING
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True) if is_known else ""
