"""WADO-RS metadata: all attributes but the bulk ones, as DICOM JSON (PS3.18 10.4.1.1.2, Annex F)."""

import json
from collections.abc import Iterable, Iterator

from starlette.requests import Request
from starlette.responses import Response

from hilum.core.archive.model import Retrieved
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.doors.dicomweb.acceptance import Offer, accepted_ranges, demand
from hilum.doors.dicomweb.compressed import streamed_answer
from hilum.doors.dicomweb.paths import instance_url, retrieved
from hilum.doors.dicomweb.tagged import not_modified, version_of
from hilum.wire.dicom.coercion_json import coerced_metadata
from hilum.wire.dicom.json_model import BulkDataUri, JsonDataSet, instance_json

DICOM_JSON = "application/dicom+json"
JSON_OFFERS = (Offer(DICOM_JSON), Offer("application/json"))
_PIECE = 64 << 10


class Metadata:
    """Reads each header as it is sent: nothing is kept beside the objects that could contradict them."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def answer(self, request: Request, caller: Caller) -> Response:
        """Answer `GET .../metadata` of a study, a series or an instance."""
        offer = demand(accepted_ranges(request), JSON_OFFERS)
        found = retrieved(request, self._hub, caller)
        version = version_of(request, found)
        known = not_modified(request, version)
        if known is not None:
            return known
        headers = {**version.headers, "Content-Type": offer.media_type}
        return streamed_answer(request, _pieces(self._read(request, one) for one in found), headers)

    def _read(self, request: Request, one: Retrieved) -> bytes:
        url = instance_url(request, one)
        metadata = shown_json(self._hub, one, lambda path: f"{url}/bulk/{path}")
        return json.dumps(metadata, separators=(",", ":")).encode("ascii")


def shown_json(hub: Hub, one: Retrieved, bulk_data_uri: BulkDataUri) -> JsonDataSet:
    """Return the metadata of an instance as it is shown: of the person as known now."""
    with hub.open_blob(one.instance.blob.digest) as file:
        metadata = instance_json(file, bulk_data_uri)
    if one.patient is None:
        return metadata
    return coerced_metadata(metadata, one.patient, one.instance.source)


def _pieces(instances: Iterable[bytes]) -> Iterator[bytes]:
    """Join instances to a JSON array, in pieces worth a write each."""
    piece = bytearray(b"[")
    for number, instance in enumerate(instances):
        piece += b"," + instance if number else instance
        if len(piece) >= _PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece + b"]")
