"""WADO-RS rendered resources and thumbnails: what a browser can show (PS3.18 10.4.1.1.3, 10.4.1.1.6, 8.3.5)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from hilum.core.archive.model import Level, Retrieved
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Invalid
from hilum.doors._http.problems import NotAcceptable
from hilum.doors.dicomweb.acceptance import Offer, Range, accepted_ranges, demand
from hilum.doors.dicomweb.documents import PDF_CLASS, is_report, pdf_answer, report_answer
from hilum.doors.dicomweb.multipart_answer import Part, multipart_answer
from hilum.doors.dicomweb.paths import frame_numbers, instance_url, retrieved, selection
from hilum.doors.dicomweb.tagged import not_modified, version_of
from hilum.doors.dicomweb.video import video_answer
from hilum.wire.dicom.captions import captions_of, parse_annotation
from hilum.wire.dicom.frame_work import FrameWorker, render_frame
from hilum.wire.dicom.rendering import (
    DEFAULT_QUALITY,
    GIF,
    JPEG,
    PNG,
    RenderingOptions,
    Viewport,
    parse_icc_profile,
    parse_quality,
    parse_viewport,
    parse_window,
)
from hilum.wire.dicom.transfer_syntaxes import transfer_syntax

_THUMBNAIL = Viewport(256, 256)
Place = tuple[Retrieved, int]
"""An instance and the number of a frame in it."""


class Rendered:
    """Renders frames on demand. Without parts, a study or series is represented by the image in its middle."""

    def __init__(self, hub: Hub, worker: FrameWorker) -> None:
        self._hub = hub
        self._worker = worker

    def answer(self, request: Request, caller: Caller) -> Response:
        """Answer `GET .../rendered` of a study, a series or an instance; in parts, every frame of every image."""
        ranges, asked = accepted_ranges(request), _Asked(request)
        found = retrieved(request, self._hub, caller)
        one = _representative(request, found)
        if one.instance.sop_class_uid == PDF_CLASS:
            return pdf_answer(self._hub, request, one, ranges)
        if is_report(one.instance.sop_class_uid):
            return report_answer(self._hub, request, one, ranges)
        if _is_video(one):
            return video_answer(self._hub, request, one, ranges, rendered=True)
        offer = demand(ranges, _image_offers(alone=True))
        if not offer.multipart:
            return self._images(request, [(one, 1)], ranges, asked)
        images = [one for one in found if one.instance.rows and not _is_video(one)] or [one]
        return self._all(request, images, asked, offer)

    def thumbnail(self, request: Request, caller: Caller) -> Response:
        """Answer `GET .../thumbnail` of a study, a series, an instance or its frames."""
        ranges = accepted_ranges(request)
        asked = _Asked(request, _THUMBNAIL)
        numbers = frame_numbers(request)[:1] if "frames" in request.path_params else (1,)
        one = _representative(request, retrieved(request, self._hub, caller))
        return self._images(request, [(one, numbers[0])], ranges, asked)

    def frames(self, request: Request, caller: Caller) -> Response:
        """Answer `GET .../frames/{frames}/rendered`."""
        numbers, ranges, asked = frame_numbers(request), accepted_ranges(request), _Asked(request)
        (one,) = retrieved(request, self._hub, caller)
        return self._images(request, [(one, number) for number in numbers], ranges, asked)

    def image(
        self, one: Retrieved, number: int, options: RenderingOptions, annotation: Iterable[str] = ()
    ) -> bytes:
        """Return one frame as JPEG, PNG or GIF; raises NotAcceptable where it cannot be shown."""
        with self._hub.open_blob(one.instance.blob.digest) as file:
            try:
                captions = captions_of(file, annotation, one.patient)
                return render_frame(file, number, replace(options, captions=captions), self._worker)
            except Invalid as error:
                raise NotAcceptable(
                    f"this instance cannot be rendered: {error.what}",
                    peer_said=error.peer_said,
                    next_step=error.next_step or "retrieve the instance, its metadata or its bulk data",
                ) from error

    def _images(
        self, request: Request, places: Sequence[Place], ranges: Sequence[Range], asked: "_Asked"
    ) -> Response:
        offer = demand(ranges, _image_offers(alone=len(places) == 1))
        (one, number) = places[0]
        version = version_of(request, [one])
        known = not_modified(request, version)
        if known is not None:
            return known
        if offer.multipart:
            parts = self._parts(request, places, asked, offer)
            return multipart_answer(offer.media_type, parts, version.headers)
        image = self.image(one, number, asked.options(offer), asked.annotation)
        return Response(image, headers={**version.headers, "Content-Type": offer.media_type})

    def _all(self, request: Request, images: list[Retrieved], asked: "_Asked", offer: Offer) -> Response:
        version = version_of(request, images)
        known = not_modified(request, version)
        if known is not None:
            return known
        parts = self._parts(request, _every_frame(images), asked, offer)
        return multipart_answer(offer.media_type, parts, version.headers)

    def _parts(
        self, request: Request, places: Iterable[Place], asked: "_Asked", offer: Offer
    ) -> Iterator[Part]:
        for one, number in places:
            image = self.image(one, number, asked.options(offer), asked.annotation)
            yield Part(offer.media_type, f"{instance_url(request, one)}/frames/{number}/rendered", (image,))


class _Asked:
    """The rendering parameters of a request, all read before anything is looked for; raises Invalid."""

    def __init__(self, request: Request, viewport: Viewport | None = None) -> None:
        asked = request.query_params
        self.annotation = parse_annotation(asked["annotation"]) if "annotation" in asked else ()
        self._options = RenderingOptions(
            window=parse_window(asked["window"]) if "window" in asked else None,
            viewport=parse_viewport(asked["viewport"]) if "viewport" in asked else viewport,
            quality=parse_quality(asked["quality"]) if "quality" in asked else DEFAULT_QUALITY,
            icc_profile=parse_icc_profile(asked["iccprofile"]) if "iccprofile" in asked else "no",
        )

    def options(self, offer: Offer) -> RenderingOptions:
        """Return them for one media type."""
        return replace(self._options, media_type=offer.media_type)


def _every_frame(images: list[Retrieved]) -> Iterator[Place]:
    return ((one, number) for one in images for number in range(1, max(1, one.instance.number_of_frames) + 1))


def _representative(request: Request, found: list[Retrieved]) -> Retrieved:
    if selection(request).level is Level.INSTANCE:
        return found[0]
    images = [one for one in found if one.instance.rows] or found
    return images[len(images) // 2]


def _is_video(one: Retrieved) -> bool:
    return transfer_syntax(one.instance.transfer_syntax_uid).is_video


def _image_offers(*, alone: bool) -> list[Offer]:
    """Prefer one image without parts; several frames need parts."""
    kinds = (False, True) if alone else (True,)
    return [Offer(media_type, "", multipart) for multipart in kinds for media_type in (JPEG, PNG, GIF)]
