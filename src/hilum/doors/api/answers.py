"""What the paths of `/api` share: rows as JSON, numbers and limits of a query."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hilum.core.kernel.errors import Invalid

HIGHEST_KEY = 2**63 - 1
"""What a database can hold as a key."""
_MOST_ROWS = 1000


def as_json(content: dict[str, Any] | Iterable[dict[str, Any]]) -> Response:
    """Return rows, or one of them."""
    rows = content if isinstance(content, dict) else list(content)
    return JSONResponse(json.loads(json.dumps(rows, default=_plain)))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no JSON form of {type(value).__name__}")


def number_of(text: str | None) -> int | None:
    """Read a row number of a query; raises Invalid."""
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise Invalid("a row number has digits only")
    return int(text)


def limit_of(request: Request) -> int:
    """Return how many rows were asked for, within bounds."""
    asked = number_of(request.query_params.get("limit"))
    return min(asked or 100, _MOST_ROWS)
