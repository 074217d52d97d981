"""Whether the process lives, whether it can work, and its figures."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hilum.core.access import policy
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Permission
from hilum.core.kernel.errors import Busy
from hilum.doors._http.addresses import is_loopback
from hilum.doors._http.callers import caller_of, place
from hilum.doors._http.metrics import Metrics

_FRESH = 1.0
"""Seconds for which a good check is remembered: anybody may ask, and a check writes to the disk."""

PATIENCE = 5.0
"""Seconds that a check may take before the answer is no."""


def health_routes(hub: Hub, metrics: Metrics) -> list[Route]:
    """Return `/health/live`, `/health/ready` and `/metrics`."""
    readiness = Readiness(hub)

    async def live(request: Request) -> Response:
        del request
        return JSONResponse({"status": "live"})

    async def ready(request: Request) -> Response:
        del request
        await run_in_threadpool(readiness.check)
        return JSONResponse({"status": "ready"})

    async def figures(request: Request) -> Response:
        """Answer this machine as it is; from elsewhere only with credentials: destinations have names."""
        if not is_loopback(place(request).address):
            policy.demand(await caller_of(request, hub), Permission.ROUTING_READ)
        text = await run_in_threadpool(metrics.exposition)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    return [Route("/health/live", live), Route("/health/ready", ready), Route("/metrics", figures)]


class Readiness:
    """Asks database and object store, once a second at most, one question at a time, each for a bounded while."""

    def __init__(self, hub: Hub, patience: float = PATIENCE) -> None:
        self._hub = hub
        self._patience = patience
        self._lock = threading.Lock()
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="readiness")
        self._question: Future[None] | None = None
        self._good_until = 0.0

    def check(self) -> None:
        """Raise Busy when something does not work, or does not answer: one thread waits for it, whoever asks."""
        with self._lock:
            if time.monotonic() < self._good_until:
                return
            if self._question is None or self._question.done():
                self._question = self._asking.submit(self._hub.check)
            question = self._question
        try:
            question.result(self._patience)
        except TimeoutError:
            raise Busy(
                "the database or the object store does not answer",
                next_step="look whether they are frozen or cut off",
            ) from None
        self._good_until = time.monotonic() + _FRESH
