"""A plain synchronous answer behind an async skin (one colour: house plan, section 3)."""

from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.doors._http.callers import caller_of

Answer = Callable[[Request, Caller], Response]
StreamingAnswer = Callable[[Request, Caller], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


def answered(hub: Hub, answer: Answer) -> Endpoint:
    """Admit the caller, then answer in a thread: for what reads no body, or needs none of it as a stream."""

    async def endpoint(request: Request) -> Response:
        caller = await caller_of(request, hub)
        return await run_in_threadpool(answer, request, caller)

    return endpoint


def streamed(hub: Hub, answer: StreamingAnswer) -> Endpoint:
    """Admit the caller, then answer on the loop: for what reads `request.stream()` as it arrives."""

    async def endpoint(request: Request) -> Response:
        return await answer(request, await caller_of(request, hub))

    return endpoint
