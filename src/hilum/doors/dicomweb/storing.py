"""STOW-RS: instances in, while they arrive (PS3.18 10.5)."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hilum.core.access import policy
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller, Permission
from hilum.core.kernel.errors import Invalid
from hilum.doors._http.negotiation import MediaType, parse_media_type
from hilum.doors._http.problems import UnsupportedMediaType
from hilum.doors.dicomweb.metadata import DICOM_JSON
from hilum.doors.dicomweb.multipart_body import MultipartBody
from hilum.doors.dicomweb.outgoing import DICOM
from hilum.doors.dicomweb.paths import service_url, uid_in_path
from hilum.doors.dicomweb.receiving import AT_ONCE, Outcome, Receiver

_BATCH = 1 << 20
"""So many octets go to a thread at once: fewer would pay more for the way there than for the work."""
_LONGEST_COMMENT = 64

Feed = Callable[[bytes], None]
Finish = Callable[[], None]


class Storing:
    """Stores as it reads: neither a request nor an instance is ever whole in memory."""

    def __init__(self, hub: Hub, longest_instance: int) -> None:
        self._hub = hub
        self._longest_instance = longest_instance
        self._pool = ThreadPoolExecutor(2 * AT_ONCE, thread_name_prefix="store")

    async def answer(self, request: Request, caller: Caller) -> Response:
        """Answer `POST /studies` and `POST /studies/{study}`."""
        policy.demand(caller, Permission.ARCHIVE_STORE)
        study = uid_in_path(request, "study")
        receiver = Receiver(self._hub, caller, study, self._longest_instance, self._pool)
        feed, finish = _reader(request, receiver)
        try:
            await _pump(request, feed)
            await run_in_threadpool(finish)
            await run_in_threadpool(receiver.finish)
        except ClientDisconnect as error:
            raise Invalid("the client left before the end of its body") from error
        finally:
            await run_in_threadpool(receiver.discard)
        return _answer(service_url(request), receiver.outcomes)


def _reader(request: Request, receiver: Receiver) -> tuple[Feed, Finish]:
    """Return who takes the body: a reader of parts, or the receiver itself where the body is one instance."""
    said = request.headers.get("content-type", "")
    media = parse_media_type(said) if said else MediaType("application", "octet-stream")
    of = parse_media_type(media.parameters.get("type") or DICOM).essence
    if media.essence == "multipart/related" and of == DICOM:
        body = MultipartBody(media.parameters.get("boundary", ""), receiver)
        return body.feed, body.finish
    if media.essence == DICOM:
        receiver.begin({"content-type": said})
        return receiver.write, receiver.end
    raise UnsupportedMediaType(
        "this service stores DICOM objects only",
        next_step='send Content-Type: multipart/related; type="application/dicom"; boundary=...',
    )


async def _pump(request: Request, feed: Feed) -> None:
    batch = bytearray()
    async for chunk in request.stream():
        batch += chunk
        if len(batch) >= _BATCH:
            await run_in_threadpool(feed, bytes(batch))
            batch.clear()
    await run_in_threadpool(feed, bytes(batch))


def _answer(base_url: str, outcomes: list[Outcome]) -> Response:
    """Return the Store Instances Response Module (PS3.18 Tables 10.5.3-1, I.1-1)."""
    if not outcomes:
        raise Invalid("the body holds no part", next_step="send one part for each instance")
    stored = [one for one in outcomes if not one.failure]
    failed = [one for one in outcomes if one.failure and one.sop_instance_uid]
    others = [one for one in outcomes if one.failure and not one.sop_instance_uid]
    studies = {one.study_instance_uid for one in stored}
    answer: dict[str, Any] = {}
    if len(studies) == 1:
        answer["00081190"] = _value("UR", f"{base_url}/studies/{studies.pop()}")
    answer |= _sequence("00081198", [_reference(one) | _failure(one) for one in failed])
    answer |= _sequence("00081199", [_reference(one) | _location(base_url, one) for one in stored])
    answer |= _sequence("0008119A", [_failure(one) for one in others])
    status = 200 if len(stored) == len(outcomes) else 202 if stored else 409
    body = json.dumps(dict(sorted(answer.items())), separators=(",", ":"))
    return Response(body, status_code=status, headers={"Content-Type": DICOM_JSON})


def _sequence(tag: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {tag: {"vr": "SQ", "Value": items}} if items else {}


def _reference(one: Outcome) -> dict[str, Any]:
    return {"00081150": _value("UI", one.sop_class_uid), "00081155": _value("UI", one.sop_instance_uid)}


def _location(base_url: str, one: Outcome) -> dict[str, Any]:
    url = f"{base_url}/studies/{one.study_instance_uid}/series/{one.series_instance_uid}"
    return {"00081190": _value("UR", f"{url}/instances/{one.sop_instance_uid}")}


def _failure(one: Outcome) -> dict[str, Any]:
    """Add the reason in words, as DIMSE does: Error Comment (0000,0902)."""
    comment = one.comment[:_LONGEST_COMMENT]
    return {"00000902": _value("LO", comment), "00081197": _value("US", one.failure)}


def _value(vr: str, value: object) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}
