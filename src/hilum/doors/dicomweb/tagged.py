"""Entity tags: what was handed out once need not go out again (RFC 9110 8.8.3, 13.1.2)."""

import hashlib
from collections.abc import Iterable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from hilum.core.archive.model import Retrieved

_LONGEST = 8192


def entity_tag(request: Request, handed_out: Iterable[Retrieved]) -> str:
    """Return the tag of what a request gives: its bytes, the person shown, and all that words the answer."""
    digest = hashlib.sha256()
    for one in handed_out:
        person = f"{one.patient.key}.{one.patient.version}" if one.patient else ""
        digest.update(f"{one.instance.blob.digest} {person}\n".encode())
    headers = request.headers
    asked = (str(request.url), *headers.getlist("accept"), headers.get("x-forwarded-prefix", ""))
    digest.update("\n".join(asked).encode("utf-8", "replace"))
    return f'"{digest.hexdigest()[:32]}"'


def not_modified(request: Request, tag: str) -> Response | None:
    """Return 304 where the client has this already (If-None-Match)."""
    given = request.headers.get("if-none-match", "")[:_LONGEST]
    known = {one.strip().removeprefix("W/") for one in given.split(",")}
    return Response(status_code=304, headers=dict(kept_headers(tag))) if known & {tag, "*"} else None


def kept_headers(tag: str) -> Mapping[str, str]:
    """Let the browser of one person keep an answer, and ask each time whether it may still see it."""
    return {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept, Authorization, Cookie"}
