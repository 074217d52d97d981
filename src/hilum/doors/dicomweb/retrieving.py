"""WADO-RS: studies, series and instances as DICOM objects (PS3.18 10.4.1.1.1)."""

from collections.abc import Iterator, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response

from hilum.core.archive.model import Retrieved
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.doors._http.streaming import Streamed
from hilum.doors.dicomweb.acceptance import Offer, Range, accepted_ranges, demand, is_demanded
from hilum.doors.dicomweb.multipart_answer import Part, multipart_answer
from hilum.doors.dicomweb.outgoing import DICOM, Outgoing, dicom_offers, outgoing
from hilum.doors.dicomweb.paths import instance_url, retrieved
from hilum.doors.dicomweb.tagged import not_modified, version_of
from hilum.wire.dicom.frame_work import FrameWorker


class Retrieving:
    """Hands out objects, one after the other, whatever their number and size: one chunk is in memory at a time."""

    def __init__(self, hub: Hub, worker: FrameWorker) -> None:
        self._hub = hub
        self._worker = worker

    def objects(self, request: Request, caller: Caller) -> Response:
        """Answer `GET /studies/{study}`, `.../series/{series}` and `.../instances/{instance}`."""
        ranges = accepted_ranges(request)
        found = retrieved(request, self._hub, caller)
        offers = [demand(ranges, _offers(one, alone=len(found) == 1)) for one in found]
        version = version_of(request, found)
        known = not_modified(request, version)
        if known is not None:
            return known
        if offers[0].multipart:
            return multipart_answer(DICOM, self._parts(request, ranges, found, offers), version.headers)
        headers = {**version.headers, "Content-Location": instance_url(request, found[0])}
        return object_answer(self._opened(ranges, found[0], offers[0]), headers)

    def _parts(
        self, request: Request, ranges: Sequence[Range], found: list[Retrieved], offers: list[Offer]
    ) -> Iterator[Part]:
        for one, offer in zip(found, offers, strict=True):
            out = self._opened(ranges, one, offer)
            yield Part(_content_type(out), instance_url(request, one), out.chunks)

    def _opened(self, ranges: Sequence[Range], one: Retrieved, offer: Offer) -> Outgoing:
        demanded = is_demanded(ranges, offer)
        return outgoing(self._hub, self._worker, one, offer.transfer_syntax_uid, demanded=demanded)


def object_answer(out: Outgoing, headers: Mapping[str, str]) -> Response:
    """Return one object without parts."""
    length = {} if out.size is None else {"Content-Length": str(out.size)}
    return Streamed(out.chunks, headers={**headers, **length, "Content-Type": _content_type(out)})


def _content_type(out: Outgoing) -> str:
    return f"{DICOM}; transfer-syntax={out.transfer_syntax_uid}"


def _offers(one: Retrieved, *, alone: bool) -> list[Offer]:
    """Prefer parts; a single object can go out without them too (PS3.18 Table 8.7.3-1)."""
    offers = dicom_offers(one, multipart=True)
    return [*offers, *dicom_offers(one, multipart=False)] if alone else offers
