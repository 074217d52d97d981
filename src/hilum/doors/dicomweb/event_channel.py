"""The event channel of UPS-RS: workitem reports over a WebSocket (PS3.18 8.10.4, 8.10.5, 11.13).

Reports are rows. One thread of the process reads on for all channels, whoever wrote the rows: another process, another
door. A channel that is behind is not read for until it caught up, so that what waits for a slow client waits in the
database; one that takes nothing for a while is dropped.
"""

import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.websockets import WebSocket, WebSocketDisconnect

from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Busy, HilumError, Refused
from hilum.core.workitems.model import Report
from hilum.doors._http.callers import caller_of, place, trace
from hilum.doors._http.problems import failure_of, problem
from hilum.wire.dicom import ups

log = structlog.get_logger()

Wait = Callable[[float], bool]
"""Waits for a commit by anybody, at most so many seconds."""

MOST_CHANNELS = 256
MOST_WAITING = 256
"""Reports that a channel holds in memory for its client."""
PAUSE = 0.5
GATHER = 0.02
"""Seconds between the first news and the look at it: a burst costs one look, not one each."""
SEND_TIME = 10.0
"""Seconds that a client may take to make room for one report."""
CLOSE_TIME = 1.0
_TOO_SLOW = 1013
_BATCH = 100


@dataclass(slots=True, eq=False)
class Channel:
    """One open WebSocket: whose reports it carries, and how far it got."""

    caller: Caller
    ae_title: str
    position: int
    loop: asyncio.AbstractEventLoop
    waiting: "asyncio.Queue[Report]" = field(default_factory=asyncio.Queue)

    @property
    def room(self) -> int:
        """Return how many more reports fit."""
        return MOST_WAITING - self.waiting.qsize()

    def take(self, reports: list[Report]) -> None:
        """Queue reports; on the loop."""
        for report in reports:
            self.waiting.put_nowait(report)


class EventChannels:
    """All channels of this process, and the one thread that reads for them while there are any."""

    def __init__(self, hub: Hub, wait: Wait | None = None) -> None:
        self._hub = hub
        self._wait = wait or _nap
        self._lock = threading.Lock()
        self._channels: set[Channel] = set()
        self._reading = False

    async def serve(self, socket: WebSocket) -> None:
        """Admit the client, then send what its AE title is told, until it leaves."""
        request = _as_request(socket)
        try:
            channel = await self._admitted(request, socket.path_params["aetitle"])
        except HilumError as error:
            await socket.send_denial_response(problem(request, failure_of(error, trace(request))))
            return
        await socket.accept()
        self._add(channel)
        try:
            await self._converse(socket, channel)
        finally:
            with self._lock:
                self._channels.discard(channel)

    async def _admitted(self, request: Request, ae_title: str) -> Channel:
        title = ups.ae_title(ae_title)
        caller = await caller_of(request, self._hub)
        _demand_own_origin(request)
        if len(self._channels) >= MOST_CHANNELS:
            raise Busy(f"{MOST_CHANNELS} event channels are open", next_step="try again later")
        _, position = await run_in_threadpool(self._hub.workitem_reports, caller, title, None)
        return Channel(caller, title, position, asyncio.get_running_loop())

    def _add(self, channel: Channel) -> None:
        with self._lock:
            self._channels.add(channel)
            if not self._reading:
                self._reading = True
                threading.Thread(target=self._read, name="event-channels", daemon=True).start()

    async def _converse(self, socket: WebSocket, channel: Channel) -> None:
        """Send reports until the client closes; what it says is not listened to."""
        leaving = asyncio.create_task(_until_closed(socket))
        sending = asyncio.create_task(_send(socket, channel))
        done, pending = await asyncio.wait({leaving, sending}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        if sending in done and isinstance(sending.exception(), TimeoutError):
            with suppress(
                TimeoutError
            ):  # there is no room for a farewell either: the protocol aborts in the end
                async with asyncio.timeout(CLOSE_TIME):
                    await socket.close(_TOO_SLOW)

    def _read(self) -> None:
        while True:
            with self._lock:
                channels = list(self._channels)
                if not channels:
                    self._reading = False
                    return
            for channel in channels:
                self._read_for(channel)
            self._wait(PAUSE)
            threading.Event().wait(GATHER)

    def _read_for(self, channel: Channel) -> None:
        limit = min(_BATCH, channel.room)
        if limit <= 0:
            return
        try:
            reports, channel.position = self._hub.workitem_reports(
                channel.caller, channel.ae_title, channel.position, limit
            )
            if reports:
                channel.loop.call_soon_threadsafe(channel.take, reports)
        except HilumError as failure:
            log.warning("event channel waits", trace=channel.caller.trace, reason=failure.what)
        except RuntimeError:
            log.info("event channel ended with its loop", trace=channel.caller.trace)


async def _send(socket: WebSocket, channel: Channel) -> None:
    message_id = 0
    while True:
        report = await channel.waiting.get()
        message_id = message_id % 0xFFFF + 1
        text = json.dumps(ups.event_json(report, message_id), separators=(",", ":"))
        async with asyncio.timeout(SEND_TIME):
            await socket.send_text(text)


async def _until_closed(socket: WebSocket) -> None:
    try:
        while True:
            await socket.receive_text()
    except (WebSocketDisconnect, KeyError):
        return  # it left, or spoke in bytes: there is nothing that it could tell us


def _as_request(socket: WebSocket) -> Request:
    """Return the handshake as the GET that it is, so that callers are admitted as at any other resource (RFC 6455 4.1)."""
    return Request({**socket.scope, "type": "http", "method": "GET"})


def _demand_own_origin(request: Request) -> None:
    """Refuse another site's page, which a browser lets open WebSockets with the visitor's cookie (RFC 6455 10.2)."""
    origin = request.headers.get("origin", "")
    if "authorization" in request.headers or not origin:
        return
    if origin.partition("://")[2] != place(request).host:
        raise Refused("another site's page may not listen here", next_step="send a bearer token")


def _nap(seconds: float) -> bool:
    threading.Event().wait(seconds)
    return False
