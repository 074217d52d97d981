"""A client that lies about, drips or never ends a head costs a bounded amount; others are answered meanwhile."""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from uvicorn.server import ServerState

from hilum.doors._http.app import server_config
from hilum.doors._http.bounded import LONGEST_HEAD, BoundedHttpProtocol


def _app() -> Starlette:
    return Starlette(routes=[Route("/", lambda _: PlainTextResponse("well"))])


@pytest.fixture
def address(served: Callable[[Starlette], str]) -> tuple[str, int]:
    """Where a small application listens."""
    url = httpx.URL(served(_app()))
    return url.host, url.port or 80


def _said(connection: socket.socket) -> bytes:
    said = b""
    try:
        while piece := connection.recv(65536):
            said += piece
    except ConnectionResetError:
        """The server let go before it had read all."""
    return said


def test_a_head_without_end_is_cut_off(address: tuple[str, int]) -> None:
    sent = 0
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        try:
            while sent < 100 * LONGEST_HEAD:
                sent += connection.send(b"X-More: " + b"a" * 8000 + b"\r\n")
        except (ConnectionResetError, BrokenPipeError):
            """The server let go, as it should."""

    assert sent < 100 * LONGEST_HEAD
    assert httpx.get(f"http://{address[0]}:{address[1]}/").text == "well"


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 100,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\nA B: c\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_http_is_answered_400(garbage: bytes, address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(garbage)
        connection.shutdown(socket.SHUT_WR)
        said = _said(connection)

    assert said == b"" or said.startswith(b"HTTP/1.1 400 ")


def test_requests_follow_each_other_on_one_connection(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        said = _said(connection)

    assert said.count(b"HTTP/1.1 200 ") == 2


def test_silence_before_the_end_of_a_head_has_a_timer_and_the_end_stops_it() -> None:
    class Wire(asyncio.Transport):
        """A connection that goes nowhere."""

        def get_extra_info(self, name: str, default: object = None) -> object:
            del name
            return default

        def is_closing(self) -> bool:
            return False

        def write(self, data: bytes | bytearray | memoryview) -> None:
            """Nobody reads."""

        def close(self) -> None:
            """Nothing is open."""

        def pause_reading(self) -> None:
            """Nothing comes."""

        def resume_reading(self) -> None:
            """Nothing comes."""

    async def timers() -> list[bool]:
        config = server_config(_app(), "127.0.0.1", 0)
        config.load()
        protocol = BoundedHttpProtocol(config, ServerState(), {})
        protocol.connection_made(Wire())
        seen = [protocol._head_timer.cancelled()]
        protocol.data_received(b"GET / HTTP/1.1\r\nHost")
        seen.append(protocol._head_timer.cancelled())
        protocol.data_received(b": x\r\n\r\n")
        seen.append(protocol._head_timer.cancelled())
        protocol.connection_lost(None)
        return seen

    with ThreadPoolExecutor(
        1
    ) as apart:  # a browser test of the same run may have left its loop in this thread
        seen = apart.submit(lambda: asyncio.run(timers())).result()

    assert seen == [False, False, True]
