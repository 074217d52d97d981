"""A video as it is encoded: one stream, which no frame is cut out of (PS3.18 8.7.3.3.3; PS3.5 8.2.5 and later)."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hilum.core.archive.model import Retrieved
from hilum.core.hub import Hub
from hilum.doors.dicomweb.acceptance import Offer, Range, demand
from hilum.doors.dicomweb.frames import pixels_of
from hilum.doors.dicomweb.multipart_answer import Part, multipart_answer
from hilum.doors.dicomweb.paths import instance_url
from hilum.doors.dicomweb.tagged import entity_tag, kept_headers, not_modified
from hilum.wire.dicom.transfer_syntaxes import OCTET_STREAM, transfer_syntax


def video_answer(hub: Hub, request: Request, one: Retrieved, ranges: Sequence[Range]) -> Response:
    """Answer the stream of an instance whose transfer syntax is a video."""
    syntax = transfer_syntax(one.instance.transfer_syntax_uid)
    media_types = (syntax.frame_media_type, OCTET_STREAM)
    offers = [Offer(media, syntax.uid, multipart) for multipart in (False, True) for media in media_types]
    offer = demand(ranges, offers)
    tag = entity_tag(request, [one])
    known = not_modified(request, tag)
    if known is not None:
        return known
    chunks = _chunks(hub.open_blob(one.instance.blob.digest))
    content_type = f"{syntax.frame_media_type}; transfer-syntax={syntax.uid}"
    if not offer.multipart:
        return StreamingResponse(chunks, headers={**kept_headers(tag), "Content-Type": content_type})
    part = Part(content_type, f"{instance_url(request, one)}/bulk/7FE00010", chunks)
    return multipart_answer(syntax.frame_media_type, iter([part]), kept_headers(tag))


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        yield from pixels_of(file).encapsulated_chunks()
