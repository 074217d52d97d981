"""STOW-RS: instances in, while they arrive (PS3.18 10.5)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hilum.core.access import policy
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller, Permission
from hilum.core.kernel.errors import Invalid
from hilum.doors._http.negotiation import MediaType, parse_media_type
from hilum.doors._http.problems import UnsupportedMediaType
from hilum.doors.dicomweb.acceptance import accepted_ranges, chosen
from hilum.doors.dicomweb.assembling import METADATA, Assembly
from hilum.doors.dicomweb.data_set_answers import ONE, data_set_answer
from hilum.doors.dicomweb.multipart_body import MultipartBody, Parts
from hilum.doors.dicomweb.outgoing import DICOM
from hilum.doors.dicomweb.paths import service_url, uid_in_path
from hilum.doors.dicomweb.receiving import AT_ONCE, Receiver
from hilum.doors.dicomweb.store_response import store_response

_BATCH = 1 << 20
"""So many octets go to a thread at once: fewer would pay more for the way there than for the work."""

Feed = Callable[[bytes], None]
Finish = Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Who takes the body: how it is fed, how it ends, and what is forgotten in any case."""

    feed: Feed
    ends: tuple[Finish, ...]
    discard: Finish


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
        offer = chosen(accepted_ranges(request), ONE) or ONE[0]  # what came is stored, whatever is accepted
        receiver = Receiver(self._hub, caller, study, self._longest_instance, self._pool)
        reader = self._reader(request, receiver)
        try:
            await _pump(request, reader.feed)
            for end in reader.ends:
                await run_in_threadpool(end)
            await run_in_threadpool(receiver.finish)
        except ClientDisconnect as error:
            raise Invalid("the client left before the end of its body") from error
        finally:
            await run_in_threadpool(reader.discard)
            await run_in_threadpool(receiver.discard)
        answer, status = store_response(service_url(request), receiver.outcomes)
        return data_set_answer(request, offer, answer, {}, status)

    def _reader(self, request: Request, receiver: Receiver) -> _Reader:
        """Return who takes the body: parts of instances, of metadata and bulk data, or one part that stands alone."""
        said = request.headers.get("content-type", "")
        media = parse_media_type(said) if said else MediaType("application", "octet-stream")
        in_parts = media.essence == "multipart/related"
        of = parse_media_type(media.parameters.get("type") or DICOM).essence if in_parts else media.essence
        if of not in METADATA | {DICOM}:
            raise UnsupportedMediaType(
                "this service stores DICOM objects, or their metadata with bulk data",
                next_step='send Content-Type: multipart/related; type="application/dicom"; boundary=...',
            )
        if of == DICOM:
            return _read(media, said, receiver, lambda: None, lambda: None)
        assembly = Assembly(self._hub, receiver)
        return _read(media, said, assembly, assembly.finish, assembly.discard)


def _read(media: MediaType, said: str, parts: Parts, finish: Finish, discard: Finish) -> _Reader:
    """Join a body to who takes its parts; a body without parts is one."""
    if media.essence == "multipart/related":
        body = MultipartBody(media.parameters.get("boundary", ""), parts)
        return _Reader(body.feed, (body.finish, finish), discard)
    parts.begin({"content-type": said})
    return _Reader(parts.write, (parts.end, finish), discard)


async def _pump(request: Request, feed: Feed) -> None:
    batch = bytearray()
    async for chunk in request.stream():
        batch += chunk
        if len(batch) >= _BATCH:
            await run_in_threadpool(feed, bytes(batch))
            batch.clear()
    await run_in_threadpool(feed, bytes(batch))
