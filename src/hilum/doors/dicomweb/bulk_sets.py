"""WADO-RS bulk data of whole studies, series and instances, and their pixel data (PS3.18 10.4.1.1.5, 10.4.1.1.7)."""

from collections.abc import Iterator, Sequence
from itertools import chain

from starlette.requests import Request
from starlette.responses import Response

from hilum.core.archive.model import Retrieved
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import NotFound
from hilum.doors.dicomweb.acceptance import Offer, Range, accepted_ranges, demand
from hilum.doors.dicomweb.bulk import ENCAPSULATED_DOCUMENT, PIXEL_DATA, bulk_chunks, document_type
from hilum.doors.dicomweb.frames import frame_parts, pixels_of
from hilum.doors.dicomweb.multipart_answer import Part, multipart_answer
from hilum.doors.dicomweb.paths import instance_url, retrieved
from hilum.doors.dicomweb.tagged import not_modified, version_of
from hilum.doors.dicomweb.video import video_chunks
from hilum.wire.dicom.bulk_data import find_bulk_data
from hilum.wire.dicom.frame_work import FrameWorker
from hilum.wire.dicom.json_model import instance_json
from hilum.wire.dicom.transfer_syntaxes import OCTET_STREAM, transfer_syntax

_PIXELS = frozenset({PIXEL_DATA, "7FE00008", "7FE00009"})


class BulkSets:
    """Hands out every value that metadata names by URI, each under that URI, one piece in memory at a time."""

    def __init__(self, hub: Hub, worker: FrameWorker) -> None:
        self._hub = hub
        self._worker = worker

    def bulk_data(self, request: Request, caller: Caller) -> Response:
        """Answer `GET .../bulkdata` of a study, a series or an instance."""
        return self._answer(request, caller, pixels_only=False)

    def pixel_data(self, request: Request, caller: Caller) -> Response:
        """Answer `GET .../pixeldata` of a study, a series or an instance."""
        return self._answer(request, caller, pixels_only=True)

    def _answer(self, request: Request, caller: Caller, *, pixels_only: bool) -> Response:
        ranges = accepted_ranges(request)
        found = retrieved(request, self._hub, caller)
        media_types = [transfer_syntax(one.instance.transfer_syntax_uid).frame_media_type for one in found]
        known_types = dict.fromkeys([OCTET_STREAM, *media_types, "application/pdf"])
        offer = demand(ranges, [Offer(media_type, "", multipart=True) for media_type in known_types])
        version = version_of(request, found)
        known = not_modified(request, version)
        if known is not None:
            return known
        parts = (part for one in found for part in self._parts(request, one, ranges, pixels_only=pixels_only))
        first = next(parts, None)
        if first is None:
            raise NotFound("there is no bulk data", next_step="retrieve the metadata: all values are in it")
        return multipart_answer(offer.media_type, chain([first], parts), version.headers)

    def _parts(
        self, request: Request, one: Retrieved, ranges: Sequence[Range], *, pixels_only: bool
    ) -> Iterator[Part]:
        for path in self._paths(one):
            if pixels_only and path not in _PIXELS:
                continue
            if path == PIXEL_DATA and transfer_syntax(one.instance.transfer_syntax_uid).encapsulated:
                yield from self._compressed(request, one, ranges)
            else:
                yield self._plain(f"{instance_url(request, one)}/bulk/{path}", one, path)

    def _paths(self, one: Retrieved) -> list[str]:
        paths: list[str] = []

        def noted(path: str) -> str:
            paths.append(path)
            return path

        with self._hub.open_blob(one.instance.blob.digest) as file:
            instance_json(file, noted)
        return paths

    def _plain(self, url: str, one: Retrieved, path: str) -> Part:
        file = self._hub.open_blob(one.instance.blob.digest)
        try:
            bulk = find_bulk_data(file, path)
            media_type = document_type(file) if path == ENCAPSULATED_DOCUMENT else OCTET_STREAM
            return Part(media_type, url, bulk_chunks(file, bulk, 0, bulk.length))
        except BaseException:
            file.close()
            raise

    def _compressed(self, request: Request, one: Retrieved, ranges: Sequence[Range]) -> Iterator[Part]:
        url = instance_url(request, one)
        file = self._hub.open_blob(one.instance.blob.digest)
        try:
            pixels = pixels_of(file)
        except BaseException:
            file.close()
            raise
        syntax = pixels.transfer_syntax
        if syntax.is_video:
            content_type = f"{syntax.frame_media_type}; transfer-syntax={syntax.uid}"
            yield Part(content_type, f"{url}/bulk/{PIXEL_DATA}", video_chunks(file, pixels, 0, None))
            return
        yield from frame_parts(file, pixels, None, ranges, f"{url}/frames", self._worker)[1]
