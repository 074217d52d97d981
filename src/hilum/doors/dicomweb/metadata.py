"""WADO-RS metadata: all attributes but the bulk ones, as DICOM JSON (PS3.18 10.4.1.1.2, Annex F)."""

import json
import zlib
from collections.abc import Iterable, Iterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hilum.core.archive.model import Retrieved
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.doors.dicomweb.acceptance import Offer, accepted_ranges, demand
from hilum.doors.dicomweb.paths import instance_url, retrieved
from hilum.doors.dicomweb.tagged import entity_tag, kept_headers, not_modified
from hilum.wire.dicom.coercion_json import coerced_metadata
from hilum.wire.dicom.json_model import instance_json

DICOM_JSON = "application/dicom+json"
JSON_OFFERS = (Offer(DICOM_JSON), Offer("application/json"))
_PIECE = 64 << 10
_FAST = 1
"""Level of gzip: metadata shrinks to a tenth already, and the next levels cost more than they save."""


class Metadata:
    """Reads each header as it is sent: nothing is kept beside the objects that could contradict them."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def answer(self, request: Request, caller: Caller) -> Response:
        """Answer `GET .../metadata` of a study, a series or an instance."""
        offer = demand(accepted_ranges(request), JSON_OFFERS)
        found = retrieved(request, self._hub, caller)
        tag = entity_tag(request, found)
        known = not_modified(request, tag)
        if known is not None:
            return known
        headers = {**kept_headers(tag), "Content-Type": offer.media_type}
        pieces = _pieces(self._read(request, one) for one in found)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers.update({"Content-Encoding": "gzip", "Vary": f"{headers['Vary']}, Accept-Encoding"})
            pieces = _gzipped(pieces)
        return StreamingResponse(pieces, headers=headers)

    def _read(self, request: Request, one: Retrieved) -> bytes:
        url = instance_url(request, one)
        with self._hub.open_blob(one.instance.blob.digest) as file:
            metadata = instance_json(file, lambda path: f"{url}/bulk/{path}")
        if one.patient is not None:
            metadata = coerced_metadata(metadata, one.patient, one.instance.source)
        return json.dumps(metadata, separators=(",", ":")).encode("ascii")


def _pieces(instances: Iterable[bytes]) -> Iterator[bytes]:
    """Join instances to a JSON array, in pieces worth a write each."""
    piece = bytearray(b"[")
    for number, instance in enumerate(instances):
        piece += b"," + instance if number else instance
        if len(piece) >= _PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece + b"]")


def _gzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_FAST, wbits=16 + zlib.MAX_WBITS)
    for piece in pieces:
        if compressed := compressor.compress(piece):
            yield compressed
    yield compressor.flush()
