"""Answers of many parts, sent as they are read (RFC 2387; PS3.18 8.7.1)."""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from starlette.responses import Response

from hilum.doors._http.streaming import Streamed


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its media type with parameters, where it can be had alone, and its bytes."""

    content_type: str
    location: str
    chunks: Iterable[bytes]


def multipart_answer(
    media_type: str, parts: Iterator[Part], headers: Mapping[str, str], *, at_once: bool = False
) -> Response:
    """Return an answer of parts. The first one is made before anything is sent, so that its failure is an answer.

    `at_once` sends a short answer whole: a stream pays a way to another thread for each piece.
    """
    content_type, body = multipart_pieces(media_type, parts)
    headers = {**headers, "Content-Type": content_type}
    return Response(b"".join(body), headers=headers) if at_once else Streamed(body, headers=headers)


def multipart_pieces(media_type: str, parts: Iterator[Part]) -> tuple[str, Iterator[bytes]]:
    """Return Content-Type and body of an answer of parts, its first part made at once."""
    boundary = secrets.token_hex(16)
    first = next(parts)
    content_type = f'multipart/related; type="{media_type}"; boundary={boundary}'
    return content_type, _body(boundary.encode("ascii"), first, parts)


def _body(boundary: bytes, first: Part, others: Iterator[Part]) -> Iterator[bytes]:
    yield from _part(b"--" + boundary, first)
    for part in others:
        yield from _part(b"\r\n--" + boundary, part)
    yield b"\r\n--" + boundary + b"--\r\n"


def _part(delimiter: bytes, part: Part) -> Iterator[bytes]:
    """Send the head together with the first chunk: one write less for each frame."""
    head = f"\r\nContent-Type: {part.content_type}\r\nContent-Location: {part.location}\r\n\r\n"
    pending = delimiter + head.encode("ascii")
    for chunk in part.chunks:
        yield pending + chunk if pending else chunk
        pending = b""
    if pending:
        yield pending
