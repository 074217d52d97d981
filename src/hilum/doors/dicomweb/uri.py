"""WADO-URI: one object by query parameters (PS3.18 section 9)."""

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import Response

from hilum.core.archive.model import Exact, Level, Query, Retrieved
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Invalid, NotFound
from hilum.core.kernel.identifiers import uid
from hilum.doors._http.negotiation import MediaType, parse_accept
from hilum.doors._http.problems import NotAcceptable
from hilum.doors.dicomweb.acceptance import Offer, Range, chosen
from hilum.doors.dicomweb.documents import HTML, PDF, PDF_CLASS, PLAIN, is_report, pdf_answer, report_answer
from hilum.doors.dicomweb.outgoing import DICOM, dicom_offers, outgoing
from hilum.doors.dicomweb.rendered import Rendered
from hilum.doors.dicomweb.retrieving import object_answer
from hilum.doors.dicomweb.tagged import not_modified, version_of
from hilum.wire.dicom.captions import parse_annotation
from hilum.wire.dicom.frame_work import FrameWorker
from hilum.wire.dicom.rendering import (
    DEFAULT_QUALITY,
    GIF,
    JPEG,
    PNG,
    RenderingOptions,
    Viewport,
    parse_quality,
    parse_viewport,
    parse_window,
)

_UIDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "studyUID": ("study_instance_uid", "studyUID"),
        "seriesUID": ("series_instance_uid", "seriesUID"),
        "objectUID": ("sop_instance_uid", "objectUID"),
    }
)
_LARGEST = 10_000
_SHARE = re.compile(r"(?:0?\.[0-9]{1,12}|[01](?:\.0{1,12})?|0\.[0-9]{1,12})")
_DOCUMENTS = frozenset({PDF, HTML, PLAIN})


class WadoUri:
    """Answers `GET /wado?requestType=WADO&studyUID=...&seriesUID=...&objectUID=...`."""

    def __init__(self, hub: Hub, worker: FrameWorker) -> None:
        self._hub = hub
        self._worker = worker
        self._rendered = Rendered(hub, worker)

    def answer(self, request: Request, caller: Caller) -> Response:
        """Answer the object as DICOM, or rendered; without `contentType` an image is JPEG (PS3.18 9.1.2.2.1)."""
        asked = request.query_params
        _check(asked)
        options, number, region = _options(asked), _frame_number(asked), _region(asked)
        annotation = parse_annotation(asked["annotation"]) if "annotation" in asked else ()
        one = self._retrieved(asked, caller)
        offer = _chosen(asked, one)
        if offer.media_type == DICOM and "frameNumber" in asked:
            raise Invalid("frameNumber names a frame to be rendered", next_step="ask for an image")
        version = version_of(request, [one])
        known = not_modified(request, version)
        if known is not None:
            return known
        if offer.media_type in _DOCUMENTS:
            return self._document(request, one, offer)
        if offer.media_type != DICOM:
            shown = replace(
                options, media_type=offer.media_type, viewport=_within(options.viewport, region, one)
            )
            image = self._rendered.image(one, number, shown, annotation)
            return Response(image, headers={**version.headers, "Content-Type": offer.media_type})
        demanded = "transferSyntax" in asked
        return object_answer(
            outgoing(self._hub, self._worker, one, offer.transfer_syntax_uid, demanded=demanded),
            version.headers,
        )

    def _document(self, request: Request, one: Retrieved, offer: Offer) -> Response:
        kind, _, subtype = offer.media_type.partition("/")
        answer = pdf_answer if offer.media_type == PDF else report_answer
        return answer(self._hub, request, one, [Range(MediaType(kind, subtype), None, "", 1.0)])

    def _retrieved(self, asked: Mapping[str, str], caller: Caller) -> Retrieved:
        matches = {key: Exact(uid(asked.get(name, ""), shown)) for name, (key, shown) in _UIDS.items()}
        found = self._hub.retrieve(caller, Query(Level.INSTANCE, matches))
        if not found:
            raise NotFound("there is no such instance", next_step="check studyUID, seriesUID and objectUID")
        return found[0]


def _check(asked: Mapping[str, str]) -> None:
    if asked.get("requestType") != "WADO":
        raise Invalid("requestType is not WADO", next_step="send requestType=WADO (PS3.18 9.1.2.1.1)")
    if asked.get("anonymize"):
        raise NotAcceptable("objects are not de-identified here", next_step="leave anonymize out")
    if asked.get("presentationUID") or asked.get("presentationSeriesUID"):
        raise NotAcceptable("presentation states are not applied here", next_step="leave presentationUID out")


def _chosen(asked: Mapping[str, str], one: Retrieved) -> Offer:
    """Return the form that `contentType` and `transferSyntax` ask for; raises NotAcceptable."""
    wanted = parse_accept([asked.get("contentType", "")]) or _default(one)
    transfer_syntax_uid = asked.get("transferSyntax", "")
    ranges = [
        Range(each, None, transfer_syntax_uid if each.essence == DICOM else "", each.quality)
        for each in wanted
    ]
    offers = [*dicom_offers(one, multipart=False)]
    if one.instance.rows:
        offers = [Offer(JPEG), Offer(PNG), Offer(GIF), *offers]
    elif one.instance.sop_class_uid == PDF_CLASS:
        offers.append(Offer(PDF))
    elif is_report(one.instance.sop_class_uid):
        offers += [Offer(HTML), Offer(PLAIN)]
    offer = chosen(ranges, offers)
    if offer is None:
        raise NotAcceptable(
            "the object is not available in this contentType and transferSyntax",
            next_step=f"ask for contentType={DICOM}, and for images {JPEG} or {PNG}",
        )
    return offer


def _default(one: Retrieved) -> tuple[MediaType, ...]:
    essence = JPEG if one.instance.rows else DICOM
    kind, _, subtype = essence.partition("/")
    return (MediaType(kind, subtype),)


def _frame_number(asked: Mapping[str, str]) -> int:
    text = asked.get("frameNumber", "1")
    if not (text.isascii() and text.isdecimal() and len(text) < 8 and int(text)):
        raise Invalid("frameNumber is not a whole number from 1")
    return int(text)


def _options(asked: Mapping[str, str]) -> RenderingOptions:
    """Read `windowCenter`, `windowWidth`, `rows`, `columns` and `imageQuality`; raises Invalid."""
    center, width = asked.get("windowCenter"), asked.get("windowWidth")
    if (center is None) != (width is None):
        raise Invalid("windowCenter and windowWidth come together (PS3.18 9.1.2.2.5)")
    return RenderingOptions(
        window=parse_window(f"{center},{width}") if center is not None else None,
        viewport=_viewport(asked),
        quality=parse_quality(asked["imageQuality"]) if "imageQuality" in asked else DEFAULT_QUALITY,
    )


def _region(asked: Mapping[str, str]) -> tuple[float, float, float, float] | None:
    """Read `region=xmin,ymin,xmax,ymax`, each a share of the side from 0 to 1; raises Invalid (PS3.18 9.1.2.2.4)."""
    if "region" not in asked:
        return None
    parts = asked["region"].split(",")
    if len(parts) != 4 or not all(_SHARE.fullmatch(part) for part in parts):
        raise Invalid("region is not xmin,ymin,xmax,ymax with numbers from 0.0 to 1.0")
    left, top, right, bottom = map(float, parts)
    if left >= right or top >= bottom:
        raise Invalid("the region has no inside: its minimum must be below its maximum")
    return left, top, right, bottom


def _within(
    viewport: Viewport | None, region: tuple[float, float, float, float] | None, one: Retrieved
) -> Viewport | None:
    """Return the viewport that shows a region: at its own size, where no other is asked for."""
    if region is None:
        return viewport
    columns, rows = one.instance.columns, one.instance.rows
    x, y = region[0] * columns, region[1] * rows
    width, height = (region[2] - region[0]) * columns, (region[3] - region[1]) * rows
    fitted = viewport or Viewport(max(1, round(width)), max(1, round(height)))
    return replace(fitted, x=x, y=y, region_width=width, region_height=height)


def _viewport(asked: Mapping[str, str]) -> Viewport | None:
    """Fit into `columns` and `rows`; one of them alone leaves the other side free (PS3.18 9.1.2.2.3)."""
    if "rows" not in asked and "columns" not in asked:
        return None
    return parse_viewport(f"{asked.get('columns', _LARGEST)},{asked.get('rows', _LARGEST)}")
