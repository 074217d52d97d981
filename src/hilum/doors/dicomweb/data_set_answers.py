"""Data sets on their way out: DICOM JSON, or the Native DICOM Model in XML, alone or in parts (PS3.18 8.7.3.2)."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from starlette.requests import Request
from starlette.responses import Response

from hilum.doors.dicomweb.acceptance import Offer
from hilum.doors.dicomweb.compressed import streamed_answer, text_answer
from hilum.doors.dicomweb.multipart_answer import Part, multipart_pieces
from hilum.wire.dicom.json_model import JsonDataSet
from hilum.wire.dicom.xml_model import data_set_xml

DICOM_JSON, DICOM_XML = "application/dicom+json", "application/dicom+xml"
JSON_OFFERS = (Offer(DICOM_JSON), Offer("application/json"))
MANY = (*JSON_OFFERS, Offer(DICOM_XML, multipart=True), Offer(DICOM_JSON, multipart=True))
"""The forms of any number of data sets: XML holds one each, so many are parts."""
ONE = (*MANY, Offer(DICOM_XML))
_PIECE = 64 << 10

Located = tuple[str, JsonDataSet]
"""Where a data set can be had alone, and the data set."""


def data_sets_answer(
    request: Request, offer: Offer, data_sets: Iterator[Located], headers: Mapping[str, str]
) -> Response:
    """Return any number of data sets, made while they are sent; none in parts is 204, since parts cannot be none."""
    if not offer.multipart and offer.media_type != DICOM_XML:
        pieces = _json_pieces(_json(data_set) for _, data_set in data_sets)
        return streamed_answer(request, pieces, {**headers, "Content-Type": offer.media_type})
    first = next(data_sets, None)
    if first is None:
        return Response(status_code=204, headers=dict(headers))
    data_sets = chain([first], data_sets)
    if not offer.multipart:
        return text_answer(request, data_set_xml(first[1]), {**headers, "Content-Type": DICOM_XML})
    content_type, body = multipart_pieces(offer.media_type, _parts(offer, data_sets))
    return streamed_answer(request, body, {**headers, "Content-Type": content_type})


def data_set_answer(
    request: Request, offer: Offer, data_set: JsonDataSet, headers: Mapping[str, str], status: int = 200
) -> Response:
    """Return one data set that is no list of results: as an object where it is JSON."""
    if offer.multipart:
        content_type, body = multipart_pieces(
            offer.media_type, _parts(offer, [(str(request.url.path), data_set)])
        )
        text = b"".join(body)
    else:
        content_type = offer.media_type
        text = data_set_xml(data_set) if content_type == DICOM_XML else _json(data_set)
    response = text_answer(request, text, {**headers, "Content-Type": content_type})
    response.status_code = status
    return response


def _parts(offer: Offer, data_sets: Iterable[Located]) -> Iterator[Part]:
    if offer.media_type == DICOM_XML:
        for url, data_set in data_sets:
            yield Part(DICOM_XML, url, (data_set_xml(data_set),))
        return
    located = iter(data_sets)
    url, first = next(located)
    pieces = _json_pieces(_json(one) for one in chain([first], (data_set for _, data_set in located)))
    yield Part(DICOM_JSON, url, pieces)


def _json(data_set: JsonDataSet) -> bytes:
    return json.dumps(data_set, separators=(",", ":")).encode("ascii")


def _json_pieces(data_sets: Iterable[bytes]) -> Iterator[bytes]:
    """Join data sets to a JSON array, in pieces worth a write each."""
    piece = bytearray(b"[")
    for number, data_set in enumerate(data_sets):
        piece += b"," + data_set if number else data_set
        if len(piece) >= _PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece + b"]")
