"""A video as it is encoded: one stream, which no frame is cut out of (PS3.18 8.7.3.3.3; PS3.5 8.2.5 and later)."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response

from hilum.core.archive.model import Retrieved
from hilum.core.hub import Hub
from hilum.doors.dicomweb.acceptance import Offer, Range, demand
from hilum.doors.dicomweb.frames import pixels_of
from hilum.doors.dicomweb.multipart_answer import Part, multipart_answer
from hilum.doors.dicomweb.paths import instance_url
from hilum.doors.dicomweb.spans import spanned
from hilum.doors.dicomweb.tagged import Version, not_modified, version_of
from hilum.wire.dicom.pixels import Pixels
from hilum.wire.dicom.transfer_syntaxes import OCTET_STREAM, transfer_syntax


def video_answer(
    hub: Hub, request: Request, one: Retrieved, ranges: Sequence[Range], *, rendered: bool = False
) -> Response:
    """Answer the stream of an instance whose transfer syntax is a video; a player seeks in it by ranges.

    A rendered one is told without its transfer syntax (PS3.18 8.7.4).
    """
    syntax = transfer_syntax(one.instance.transfer_syntax_uid)
    media_types = (syntax.frame_media_type, OCTET_STREAM)
    offers = [Offer(media, syntax.uid, multipart) for multipart in (False, True) for media in media_types]
    offer = demand(ranges, offers)
    version = version_of(request, [one])
    known = not_modified(request, version)
    if known is not None:
        return known
    file = hub.open_blob(one.instance.blob.digest)
    try:
        said = (
            syntax.frame_media_type
            if rendered
            else f"{syntax.frame_media_type}; transfer-syntax={syntax.uid}"
        )
        return _opened(request, one, file, said, version, multipart=offer.multipart)
    except BaseException:
        file.close()
        raise


def video_chunks(file: BinaryIO, pixels: Pixels, start: int, end: int | None) -> Iterator[bytes]:
    """Read a span of the stream piece by piece, then close the file."""
    with file:
        yield from pixels.encapsulated_chunks(start, end)


def _opened(
    request: Request,
    one: Retrieved,
    file: BinaryIO,
    content_type: str,
    version: Version,
    *,
    multipart: bool,
) -> Response:
    pixels = pixels_of(file)
    url = f"{instance_url(request, one)}/bulk/7FE00010"
    if multipart:
        part = Part(content_type, url, video_chunks(file, pixels, 0, None))
        return multipart_answer(content_type.partition(";")[0], iter([part]), version.headers)
    headers = {**version.headers, "Content-Type": content_type, "Content-Location": url}
    length = pixels.encapsulated_length()
    return spanned(
        request, lambda start, end: video_chunks(file, pixels, start, end), length, headers, file.close
    )
