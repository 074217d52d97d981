"""How much a request may send, and how long it may fall silent."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hilum.doors._http.problems import TooLarge, TooSlow

SILENCE = 60.0
"""Seconds between two pieces of a body."""


class BodyLimit:
    """Stops a body that is too long or falls silent; knows Content-Length before the first octet."""

    def __init__(self, app: ASGIApp, largest: int) -> None:
        self.app = app
        self.largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what arrives."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced[:20]) > self.largest:
            raise self._too_large()
        arrived = 0
        ended = False

        async def counting() -> Message:
            nonlocal arrived, ended
            if ended:
                return await receive()
            message = await _soon(receive)
            arrived += len(message.get("body", b""))
            ended = not message.get("more_body", False)
            if arrived > self.largest:
                raise self._too_large()
            return message

        await self.app(scope, counting, send)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body is longer than {self.largest} octets", next_step="send less at once")


async def _soon(receive: Receive) -> Message:
    try:
        async with asyncio.timeout(SILENCE):
            return await receive()
    except TimeoutError as error:
        raise TooSlow(f"no octet arrived for {SILENCE:.0f} seconds") from error
