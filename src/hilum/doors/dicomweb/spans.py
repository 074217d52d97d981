"""Parts of one long value: what a player that seeks, and a download that broke off, ask for (RFC 9110 14)."""

import re
from collections.abc import Callable, Iterator, Mapping

from starlette.requests import Request
from starlette.responses import Response

from hilum.doors._http.streaming import Streamed

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")

Chunks = Callable[[int, int], Iterator[bytes]]
"""From start and end of a span to its bytes, piece by piece."""


def spanned(
    request: Request, chunks: Chunks, length: int, headers: Mapping[str, str], close: Callable[[], None]
) -> Response:
    """Answer a value of `length` octets, or the one range of it that is asked for.

    `chunks` closes what it reads from at its end, `close` where nothing is read. Several ranges may be answered
    whole, and so may those of a client that knows another version (If-Range).
    """
    answered = {**headers, "Accept-Ranges": "bytes"}
    span = _span(request.headers.get("range", ""), length) if _is_known(request, headers) else None
    if span is None:
        return Streamed(chunks(0, length), headers={**answered, "Content-Length": str(length)})
    start, end = span
    if start >= end:
        close()
        return Response(status_code=416, headers={"Content-Range": f"bytes */{length}"})
    answered["Content-Range"] = f"bytes {start}-{end - 1}/{length}"
    answered["Content-Length"] = str(end - start)
    return Streamed(chunks(start, end), status_code=206, headers=answered)


def _is_known(request: Request, headers: Mapping[str, str]) -> bool:
    """Tell whether the version that a range is asked of is this one (RFC 9110 13.1.5)."""
    given = request.headers.get("if-range", "").strip()
    return not given or given in {headers.get("ETag", ""), headers.get("Last-Modified", "")}


def _span(asked: str, length: int) -> tuple[int, int] | None:
    """Return start and end of a range; None for the whole: no range, several, or another unit may be ignored."""
    met = _RANGE.fullmatch(asked.strip())
    if met is None or not (met[1] or met[2]):
        return None
    if not met[1]:
        return max(0, length - int(met[2])), length
    return int(met[1]), min(length, int(met[2]) + 1) if met[2] else length
