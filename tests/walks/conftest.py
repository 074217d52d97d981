"""Fixtures of the walks: a running server on each kind of database, and the peers around it."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from hospital.ehr import Receiver
from hospital.everybody import Hospital
from hospital.pacs import SecondPacs
from hospital.server import Server, free_ports

Servers = Callable[..., Server]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))])
def record_url(request: pytest.FixtureRequest) -> str:
    """Address of a fresh database: empty for the embedded one in the data folder, which is made at start."""
    if request.param == "sqlite":
        return ""
    url: str = request.getfixturevalue("empty_postgresql_url")
    return url


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Make servers that are gone after the test."""
    made: list[Server] = []

    def make(database_url: str = "", *options: str, folder: Path | None = None) -> Server:
        made.append(Server(folder or tmp_path / f"server{len(made)}", database_url, "--open", *options))
        return made[-1]

    yield make
    for server in made:
        server.end()


@pytest.fixture
def server(servers: Servers, record_url: str) -> Server:
    """A running server that admits anybody, on each kind of database."""
    return servers(record_url).start()


@pytest.fixture
def second_pacs() -> Iterator[SecondPacs]:
    """A second PACS, not yet listening."""
    pacs = SecondPacs(*free_ports(1))
    yield pacs
    pacs.stop()


@pytest.fixture
def ehr() -> Iterator[Receiver]:
    """The EHR's ear, not yet listening."""
    receiver = Receiver(*free_ports(1))
    yield receiver
    receiver.stop()


@pytest.fixture
def hospital(server: Server, tmp_path: Path, ehr: Receiver, second_pacs: SecondPacs) -> Iterator[Hospital]:
    """A running server, with the EHR and the second PACS up."""
    everybody = Hospital(server, tmp_path, ehr.start(), second_pacs.start())
    yield everybody
    everybody.close()
