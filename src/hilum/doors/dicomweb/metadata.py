"""WADO-RS metadata: all attributes but the bulk ones, in JSON or XML (PS3.18 10.4.1.1.2)."""

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from hilum.core.archive.model import Retrieved
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Invalid
from hilum.doors.dicomweb.acceptance import Offer, accepted_ranges, demand
from hilum.doors.dicomweb.compressed import compressed_answer
from hilum.doors.dicomweb.data_set_answers import DICOM_XML, MANY, ONE, Located, data_sets_answer
from hilum.doors.dicomweb.paths import instance_url, retrieved, service_url
from hilum.doors.dicomweb.summaries import Summaries
from hilum.doors.dicomweb.tagged import Version, not_modified, version_of
from hilum.wire.dicom.coercion_json import coerced_metadata
from hilum.wire.dicom.json_model import BulkDataUri, JsonDataSet, instance_json
from hilum.wire.dicom.series_summary import SeriesSummary
from hilum.wire.dicom.slotted import OPEN, Slotted, filling_of, gzipped

_UNREADABLE = '299 hilum "some instances cannot be read and are left out"'
_Text = TypeVar("_Text", bytes, bytes | Slotted)
_Shown = tuple[list[Retrieved], SeriesSummary]


class Metadata:
    """Answers from the summaries of series: as kept where the patient is shown as received, else runs are exchanged."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._summaries = Summaries(hub)

    def answer(self, request: Request, caller: Caller) -> Response:
        """Answer `GET .../metadata` of a study, a series or an instance."""
        ranges = accepted_ranges(request)
        found = retrieved(request, self._hub, caller)
        offer = demand(ranges, ONE if len(found) == 1 else MANY)
        version = version_of(request, found)
        known = not_modified(request, version)
        if known is not None:
            return known
        if offer.multipart or offer.media_type == DICOM_XML:
            return data_sets_answer(
                request, offer, (self._read(request, one) for one in found), version.headers
            )
        return self._json(request, offer, found, version)

    def _json(self, request: Request, offer: Offer, found: list[Retrieved], version: Version) -> Response:
        series = self._series(found)
        left_out = {"Warning": _UNREADABLE} if any(summary.unreadable for _, summary in series) else {}
        headers = {**version.headers, **left_out, "Content-Type": offer.media_type}
        url = json.dumps(service_url(request))[:-1]
        return compressed_answer(
            request,
            lambda: gzipped(_listed(_filled(*one, url) for one in series)),
            lambda: _listed(_plain(*one, url.encode()) for one in series),
            headers,
        )

    def _read(self, request: Request, one: Retrieved) -> Located:
        url = instance_url(request, one)
        return f"{url}/metadata", shown_json(self._hub, one, lambda path: f"{url}/bulk/{path}")

    def _series(self, found: list[Retrieved]) -> list[_Shown]:
        grouped = [list(shown) for _, shown in groupby(found, lambda one: one.series_instance_uid)]
        series = [(shown, self._summaries.of(shown)) for shown in grouped]
        readable = [(shown, summary) for shown, summary in series if summary.knows_any(shown)]
        if not readable:
            raise Invalid("the stored object cannot be read", next_step="retrieve it as it was received")
        return readable


def shown_json(hub: Hub, one: Retrieved, bulk_data_uri: BulkDataUri) -> JsonDataSet:
    """Return the metadata of an instance as it is shown: of the person as known now."""
    with hub.open_blob(one.instance.blob.digest) as file:
        metadata = instance_json(file, bulk_data_uri)
    if one.patient is None:
        return metadata
    return coerced_metadata(metadata, one.patient, one.instance.source)


def _filled(shown: list[Retrieved], summary: SeriesSummary, url: str) -> bytes | Slotted:
    """Return the objects of a series: as deflated once, where nothing differs but our address."""
    filling = filling_of(url)
    if filling is not None and summary.is_shown_as(shown):
        return summary.metadata.filled(filling)
    return _plain(shown, summary, url.encode())


def _plain(shown: list[Retrieved], summary: SeriesSummary, url: bytes) -> bytes:
    as_kept = summary.is_shown_as(shown)
    return (summary.metadata.text() if as_kept else summary.text_of(shown)).replace(OPEN, url)


def _listed(texts: Iterable[_Text]) -> Iterator[_Text]:
    """Put the brackets of a JSON array around the members of it, and commas between."""
    yield b"["
    for number, text in enumerate(texts):
        if number:
            yield b","
        yield text
    yield b"]"
