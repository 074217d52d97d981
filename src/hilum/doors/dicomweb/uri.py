"""WADO-URI: one object by query parameters (PS3.18 section 9)."""

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
from hilum.doors.dicomweb.outgoing import DICOM, dicom_offers, outgoing
from hilum.doors.dicomweb.rendered import Rendered
from hilum.doors.dicomweb.retrieving import object_answer
from hilum.doors.dicomweb.tagged import not_modified, version_of
from hilum.wire.dicom.frame_work import FrameWorker
from hilum.wire.dicom.rendering import (
    DEFAULT_QUALITY,
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
        options, number = _options(asked), _frame_number(asked)
        one = self._retrieved(asked, caller)
        offer = _chosen(asked, one)
        version = version_of(request, [one])
        known = not_modified(request, version)
        if known is not None:
            return known
        if offer.media_type != DICOM:
            image = self._rendered.image(one, number, replace(options, media_type=offer.media_type))
            return Response(image, headers={**version.headers, "Content-Type": offer.media_type})
        demanded = "transferSyntax" in asked
        return object_answer(
            outgoing(self._hub, self._worker, one, offer.transfer_syntax_uid, demanded=demanded),
            version.headers,
        )

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
        offers = [Offer(JPEG), Offer(PNG), *offers]
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


def _viewport(asked: Mapping[str, str]) -> Viewport | None:
    """Fit into `columns` and `rows`; one of them alone leaves the other side free (PS3.18 9.1.2.2.3)."""
    if "rows" not in asked and "columns" not in asked:
        return None
    return parse_viewport(f"{asked.get('columns', _LARGEST)},{asked.get('rows', _LARGEST)}")
