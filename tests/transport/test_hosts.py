"""Names are looked up once a while, and a name server that is away does not lock a known peer out."""

import socket
from typing import Any

import pytest

from hilum.transport.hosts import Hosts


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Answer look-ups from a table; None is a server that does not answer."""
    table: dict[str, str] | None = {"ct.hospital": "192.0.2.9"}
    asked: list[str] = []

    def look_up(host: str, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        if server.table is None or host not in server.table:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (server.table[host], 0))]

    class Server:
        def __init__(self) -> None:
            self.table = table
            self.asked = asked

    server = Server()
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return server


def test_a_name_is_asked_for_once_within_its_time(name_server: Any) -> None:
    hosts = Hosts()

    assert hosts("ct.hospital") == hosts("ct.hospital") == {"192.0.2.9"}
    assert hosts("unknown.hospital") == hosts("unknown.hospital") == frozenset()
    assert name_server.asked == ["ct.hospital", "unknown.hospital"]


def test_a_changed_address_is_learned_and_an_old_one_stands_in_while_nobody_answers(name_server: Any) -> None:
    hosts = Hosts(fresh=0)
    hosts("ct.hospital")

    name_server.table = {"ct.hospital": "192.0.2.10"}
    assert hosts("ct.hospital") == {"192.0.2.10"}
    name_server.table = None
    assert hosts("ct.hospital") == {"192.0.2.10"}


def test_localhost_is_known_without_any_table() -> None:
    assert Hosts()("localhost") & {"127.0.0.1", "::1"}
