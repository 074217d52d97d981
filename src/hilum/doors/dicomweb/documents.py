"""Documents and reports as a browser shows them: PDF as it is, structured reports as a page (PS3.18 8.7.4)."""

import base64
import hashlib
from collections.abc import Sequence
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response

from hilum.core.archive.model import Retrieved
from hilum.core.hub import Hub
from hilum.doors._http.problems import NotAcceptable
from hilum.doors.dicomweb.acceptance import Offer, Range, demand
from hilum.doors.dicomweb.bulk import ENCAPSULATED_DOCUMENT, document_type, single_value
from hilum.doors.dicomweb.metadata import shown_json
from hilum.doors.dicomweb.tagged import not_modified, version_of
from hilum.wire.dicom.bulk_data import BulkData, find_bulk_data
from hilum.wire.dicom.content_tree import STYLE, report_page, report_text

PDF, HTML, PLAIN = "application/pdf", "text/html", "text/plain"
PDF_CLASS = "1.2.840.10008.5.1.4.1.1.104.1"
_REPORT_CLASSES = "1.2.840.10008.5.1.4.1.1.88."
_FRAMED = {"X-Frame-Options": "SAMEORIGIN"}
_DOCUMENT_POLICY = "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"
"""A document is shown in a frame of our viewer; the browser's own reader for it needs its embedding and its style."""
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_PAGE_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; frame-ancestors 'self'; sandbox"


def is_report(sop_class_uid: str) -> bool:
    """Tell whether an object is a structured report or another document of its kind (PS3.4 B.5)."""
    return sop_class_uid.startswith(_REPORT_CLASSES)


def pdf_answer(hub: Hub, request: Request, one: Retrieved, ranges: Sequence[Range]) -> Response:
    """Answer an encapsulated PDF as what it is."""
    demand(ranges, [Offer(PDF)])
    version = version_of(request, [one])
    known = not_modified(request, version)
    if known is not None:
        return known
    file = hub.open_blob(one.instance.blob.digest)
    try:
        bulk = _pdf_of(file)
        headers = version.headers | {"Content-Security-Policy": _DOCUMENT_POLICY, "Content-Type": PDF}
        return single_value(request, file, bulk, headers | _FRAMED)
    except BaseException:
        file.close()
        raise


def report_answer(hub: Hub, request: Request, one: Retrieved, ranges: Sequence[Range]) -> Response:
    """Answer a structured report as a page, or as plain text."""
    offer = demand(ranges, [Offer(HTML), Offer(PLAIN)])
    version = version_of(request, [one])
    known = not_modified(request, version)
    if known is not None:
        return known
    report = shown_json(hub, one, str)
    text = report_page(report) if offer.media_type == HTML else report_text(report)
    headers = {"Content-Type": f"{offer.media_type}; charset=utf-8", "Content-Security-Policy": _PAGE_POLICY}
    return Response(text, headers=version.headers | headers | _FRAMED)


def _pdf_of(file: BinaryIO) -> BulkData:
    if document_type(file) != PDF:
        raise NotAcceptable("the encapsulated document is no PDF", next_step="retrieve its bulk data")
    return find_bulk_data(file, ENCAPSULATED_DOCUMENT)
