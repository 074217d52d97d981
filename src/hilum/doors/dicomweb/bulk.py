"""WADO-RS bulk data: the value behind a BulkDataURI (PS3.18 10.4.1.1.5)."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response

from hilum.core.archive.model import Retrieved
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import NotFound
from hilum.doors._http.streaming import Streamed
from hilum.doors.dicomweb.acceptance import Offer, Range, accepted_ranges, demand
from hilum.doors.dicomweb.frames import Frames
from hilum.doors.dicomweb.multipart_answer import Part, multipart_answer
from hilum.doors.dicomweb.paths import instance_url, retrieved
from hilum.doors.dicomweb.spans import spanned
from hilum.doors.dicomweb.tagged import Version, not_modified, version_of
from hilum.doors.dicomweb.video import video_answer
from hilum.wire.dicom.attributes import attribute_texts
from hilum.wire.dicom.bulk_data import BulkData, find_bulk_data
from hilum.wire.dicom.transfer_syntaxes import OCTET_STREAM, transfer_syntax

ENCAPSULATED_DOCUMENT = "00420011"
PIXEL_DATA = "7FE00010"
_DOCUMENT_TYPES = frozenset({"application/pdf", "text/xml", "model/stl", "model/obj", "model/mtl"})
"""What a document may be served as: nothing that a browser would run as a page of ours."""
_CHUNK = 1 << 20


class Bulk:
    """Hands out single values, read in pieces."""

    def __init__(self, hub: Hub, frames: Frames) -> None:
        self._hub = hub
        self._frames = frames

    def answer(self, request: Request, caller: Caller) -> Response:
        """Answer `GET .../instances/{instance}/bulk/{path}`, where `path` is tag, or tag/item/tag and so on."""
        ranges = accepted_ranges(request)
        (one,) = retrieved(request, self._hub, caller)
        path = request.path_params["path"]
        if path.upper() == PIXEL_DATA and transfer_syntax(one.instance.transfer_syntax_uid).encapsulated:
            return self._pixel_data(request, one, ranges)
        version = version_of(request, [one])
        known = not_modified(request, version)
        if known is not None:
            return known
        file = self._hub.open_blob(one.instance.blob.digest)
        try:
            return _opened(request, one, file, path, ranges, version)
        except BaseException:
            file.close()
            raise

    def _pixel_data(self, request: Request, one: Retrieved, ranges: Sequence[Range]) -> Response:
        """Answer compressed pixels: a video as one value, all else frame by frame."""
        if transfer_syntax(one.instance.transfer_syntax_uid).is_video:
            return video_answer(self._hub, request, one, ranges)
        numbers = tuple(range(1, max(1, one.instance.number_of_frames) + 1))
        return self._frames.of(request, one, numbers, ranges)


def document_type(file: BinaryIO) -> str:
    """Return the media type of an encapsulated document (0042,0012), where it is one that may be shown."""
    said = attribute_texts(file, ["MIMETypeOfEncapsulatedDocument"]).get("MIMETypeOfEncapsulatedDocument", "")
    return said.lower() if said.lower() in _DOCUMENT_TYPES else OCTET_STREAM


def _opened(
    request: Request,
    one: Retrieved,
    file: BinaryIO,
    path: str,
    ranges: Sequence[Range],
    version: Version,
) -> Response:
    bulk = find_bulk_data(file, path)
    offer = demand(ranges, _offers(file, path))
    headers = {**version.headers, "Content-Disposition": "attachment"}
    url = f"{instance_url(request, one)}/bulk/{path}"
    if offer.multipart:
        part = Part(offer.media_type, url, bulk_chunks(file, bulk, 0, bulk.length))
        return multipart_answer(offer.media_type, iter([part]), headers)
    headers |= {"Content-Type": offer.media_type, "Content-Location": url}
    return single_value(request, file, bulk, headers)


def _offers(file: BinaryIO, path: str) -> list[Offer]:
    """Prefer one part: what says `*/*` is a browser or a script, DICOMweb clients ask for parts by name."""
    media_types = [OCTET_STREAM]
    if path == ENCAPSULATED_DOCUMENT:
        media_types = list(dict.fromkeys([document_type(file), OCTET_STREAM]))
    return [Offer(media_type, "", multipart) for multipart in (False, True) for media_type in media_types]


def single_value(request: Request, file: BinaryIO, bulk: BulkData, headers: dict[str, str]) -> Response:
    """Answer a value, or the one range of it that is asked for; words of big endian are only swapped whole."""
    if bulk.element.big_endian:
        headers["Content-Length"] = str(bulk.length)
        return Streamed(bulk_chunks(file, bulk, 0, bulk.length), headers=headers)
    return spanned(
        request, lambda start, end: bulk_chunks(file, bulk, start, end), bulk.length, headers, file.close
    )


def bulk_chunks(file: BinaryIO, bulk: BulkData, start: int, end: int) -> Iterator[bytes]:
    """Read a part of a value piece by piece, then close the file."""
    with file:
        while start < end:
            chunk = bulk.read(start, min(_CHUNK, end - start))
            if not chunk:
                raise NotFound("the value ends before its length")
            start += len(chunk)
            yield chunk
