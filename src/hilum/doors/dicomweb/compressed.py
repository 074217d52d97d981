"""Answers of text, gzipped where the client takes that (RFC 9110 12.5.3)."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping

from starlette.requests import Request
from starlette.responses import Response

from hilum.doors._http.streaming import Streamed

_FAST = 1
"""Level of gzip: metadata shrinks to a tenth already, and the next levels cost more than they save."""
_WORTH_IT = 1024
"""Octets below which an answer goes out as it is."""


def text_answer(request: Request, text: bytes, headers: Mapping[str, str]) -> Response:
    """Return an answer that is whole in memory."""
    if len(text) < _WORTH_IT or not _takes_gzip(request):
        return Response(text, headers=_varied(headers))
    body = b"".join(_gzipped(iter([text])))
    return Response(body, headers=_varied(headers) | {"Content-Encoding": "gzip"})


def streamed_answer(request: Request, pieces: Iterator[bytes], headers: Mapping[str, str]) -> Response:
    """Return an answer that is made while it is sent."""
    if not _takes_gzip(request):
        return Streamed(pieces, headers=_varied(headers))
    return Streamed(_gzipped(pieces), headers=_varied(headers) | {"Content-Encoding": "gzip"})


def compressed_answer(
    request: Request,
    gzipped: Callable[[], Iterator[bytes]],
    plain: Callable[[], Iterator[bytes]],
    headers: Mapping[str, str],
) -> Response:
    """Return an answer that is kept compressed, or its text for who does not take that."""
    if not _takes_gzip(request):
        return Streamed(plain(), headers=_varied(headers))
    return Response(b"".join(gzipped()), headers=_varied(headers) | {"Content-Encoding": "gzip"})


def _varied(headers: Mapping[str, str]) -> dict[str, str]:
    vary = headers.get("Vary", "Accept")
    return {**headers, "Vary": f"{vary}, Accept-Encoding"}


def _takes_gzip(request: Request) -> bool:
    for one in request.headers.get("accept-encoding", "").lower().split(","):
        coding, _, quality = one.partition(";")
        if coding.strip() in ("gzip", "x-gzip", "*"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_FAST, wbits=16 + zlib.MAX_WBITS)
    for piece in pieces:
        if compressed := compressor.compress(piece):
            yield compressed
    yield compressor.flush()
