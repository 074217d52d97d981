"""A real HTTP server for tests of doors."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
import uvicorn
from starlette.types import ASGIApp

from hilum.doors._http.app import server_config

Served = Callable[[ASGIApp], str]


@contextmanager
def _serving(app: ASGIApp) -> Iterator[str]:
    """Serve on a free loopback port; at the end every request was answered and noted."""
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    server = uvicorn.Server(server_config(app, host, port))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.01)
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def serving() -> Callable[[ASGIApp], object]:
    """Return a context manager: it serves an application and gives its base URL."""
    return _serving


@pytest.fixture
def served() -> Iterator[Served]:
    """Return a function that serves an application until the test ends, and tells its base URL."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(_serving(app))


@pytest.fixture(scope="module")
def served_module() -> Iterator[Served]:
    """Like `served`, until the module ends."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(_serving(app))


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    """Use Debian's chromium, which phones nobody."""
    quiet = (
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
    )
    more = ("--disable-component-update", "--disable-sync")
    return {"executable_path": "/usr/bin/chromium", "headless": True, "args": [*quiet, *more]}
