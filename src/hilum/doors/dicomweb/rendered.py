"""WADO-RS rendered resources and thumbnails: what a browser can show (PS3.18 10.4.1.1.3, 10.4.1.1.6, 8.3.5)."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hilum.core.archive.model import Level, Retrieved
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Invalid
from hilum.doors._http.problems import NotAcceptable
from hilum.doors.dicomweb.acceptance import Offer, Range, accepted_ranges, demand
from hilum.doors.dicomweb.bulk import ENCAPSULATED_DOCUMENT, bulk_chunks, document_type
from hilum.doors.dicomweb.multipart_answer import Part, multipart_answer
from hilum.doors.dicomweb.paths import frame_numbers, instance_url, retrieved, selection
from hilum.doors.dicomweb.tagged import entity_tag, kept_headers, not_modified
from hilum.doors.dicomweb.video import video_answer
from hilum.wire.dicom.bulk_data import BulkData, find_bulk_data
from hilum.wire.dicom.rendering import (
    DEFAULT_QUALITY,
    JPEG,
    PNG,
    RenderingOptions,
    Viewport,
    parse_quality,
    parse_viewport,
    parse_window,
    render_frame,
)
from hilum.wire.dicom.transfer_syntaxes import transfer_syntax

PDF = "application/pdf"
_THUMBNAIL = Viewport(256, 256)
_PDF_CLASS = "1.2.840.10008.5.1.4.1.1.104.1"
_SHOWN_IN_OUR_PAGES: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": (
            "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"
        ),
        "X-Frame-Options": "SAMEORIGIN",
    }
)
"""A document is shown in a frame of our viewer; the browser's own reader for it needs its embedding and its style."""


class Rendered:
    """Renders frames on demand; a study or series is represented by the image in its middle."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def answer(self, request: Request, caller: Caller) -> Response:
        """Answer `GET .../rendered` of a study, a series or an instance."""
        ranges, options = accepted_ranges(request), _options(request, None)
        one = self._representative(request, caller)
        if one.instance.sop_class_uid == _PDF_CLASS:
            return self._document(request, one, ranges)
        if transfer_syntax(one.instance.transfer_syntax_uid).is_video:
            return video_answer(self._hub, request, one, ranges)
        return self._images(request, one, (1,), ranges, options)

    def thumbnail(self, request: Request, caller: Caller) -> Response:
        """Answer `GET .../thumbnail` of a study, a series, an instance or its frames."""
        ranges, options = accepted_ranges(request), _options(request, _THUMBNAIL)
        numbers = frame_numbers(request)[:1] if "frames" in request.path_params else (1,)
        return self._images(request, self._representative(request, caller), numbers, ranges, options)

    def frames(self, request: Request, caller: Caller) -> Response:
        """Answer `GET .../frames/{frames}/rendered`."""
        numbers, ranges, options = frame_numbers(request), accepted_ranges(request), _options(request, None)
        (one,) = retrieved(request, self._hub, caller)
        return self._images(request, one, numbers, ranges, options)

    def _representative(self, request: Request, caller: Caller) -> Retrieved:
        found = retrieved(request, self._hub, caller)
        if selection(request).level is Level.INSTANCE:
            return found[0]
        images = [one for one in found if one.instance.rows] or found
        return images[len(images) // 2]

    def _images(
        self,
        request: Request,
        one: Retrieved,
        numbers: tuple[int, ...],
        ranges: Sequence[Range],
        options: RenderingOptions,
    ) -> Response:
        offer = demand(ranges, _image_offers(alone=len(numbers) == 1))
        tag = entity_tag(request, [one])
        known = not_modified(request, tag)
        if known is not None:
            return known
        if offer.multipart:
            parts = self._parts(request, one, numbers, options, offer)
            return multipart_answer(offer.media_type, parts, kept_headers(tag))
        image = self.image(one, numbers[0], options, offer.media_type)
        return Response(image, headers={**kept_headers(tag), "Content-Type": offer.media_type})

    def _parts(
        self,
        request: Request,
        one: Retrieved,
        numbers: tuple[int, ...],
        options: RenderingOptions,
        offer: Offer,
    ) -> Iterator[Part]:
        for number in numbers:
            image = self.image(one, number, options, offer.media_type)
            yield Part(offer.media_type, f"{instance_url(request, one)}/frames/{number}/rendered", (image,))

    def image(self, one: Retrieved, number: int, options: RenderingOptions, media_type: str) -> bytes:
        """Return one frame as JPEG or PNG; raises NotAcceptable where it cannot be shown."""
        with self._hub.open_blob(one.instance.blob.digest) as file:
            try:
                chosen = RenderingOptions(media_type, options.window, options.viewport, options.quality)
                return render_frame(file, number, chosen)
            except Invalid as error:
                raise NotAcceptable(
                    f"this instance cannot be rendered: {error.what}",
                    peer_said=error.peer_said,
                    next_step="retrieve the instance, its metadata or its bulk data",
                ) from error

    def _document(self, request: Request, one: Retrieved, ranges: Sequence[Range]) -> Response:
        """Answer an encapsulated PDF as what it is."""
        demand(ranges, [Offer(PDF)])
        file = self._hub.open_blob(one.instance.blob.digest)
        try:
            bulk = _pdf_of(file)
        except BaseException:
            file.close()
            raise
        headers = {**kept_headers(entity_tag(request, [one])), **_SHOWN_IN_OUR_PAGES, "Content-Type": PDF}
        return StreamingResponse(bulk_chunks(file, bulk, 0, bulk.length), headers=headers)


def _pdf_of(file: BinaryIO) -> BulkData:
    if document_type(file) != PDF:
        raise NotAcceptable("the encapsulated document is no PDF", next_step="retrieve its bulk data")
    return find_bulk_data(file, ENCAPSULATED_DOCUMENT)


def _options(request: Request, viewport: Viewport | None) -> RenderingOptions:
    """Read `window`, `viewport` and `quality`; raises Invalid."""
    asked = request.query_params
    return RenderingOptions(
        window=parse_window(asked["window"]) if "window" in asked else None,
        viewport=parse_viewport(asked["viewport"]) if "viewport" in asked else viewport,
        quality=parse_quality(asked["quality"]) if "quality" in asked else DEFAULT_QUALITY,
    )


def _image_offers(*, alone: bool) -> list[Offer]:
    """Prefer one image without parts; several frames need parts."""
    kinds = (False, True) if alone else (True,)
    return [Offer(media_type, "", multipart) for multipart in kinds for media_type in (JPEG, PNG)]
