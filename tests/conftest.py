"""Fixtures for all: the outside parts that a test needs, and databases that are gone afterwards."""

import os
import shutil
import socket
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Literal

from hilum.stores.sql import Database, migrate
from hilum.stores.sql.schema import metadata

POSTGRESQL = os.environ.get("HILUM_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/postgres")
"""A server on which databases may be made and dropped."""


def _postgresql_answers() -> bool:
    try:
        psycopg.connect(POSTGRESQL, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


PARTS: dict[str, Callable[[], bool]] = {
    "dcmtk": lambda: shutil.which("storescu") is not None,
    "orthanc": lambda: shutil.which("Orthanc") is not None,
    "chromium": lambda: shutil.which("chromium") is not None,
    "postgresql": _postgresql_answers,
    "s3": lambda: find_spec("moto") is not None,
}
"""What `@pytest.mark.needs(...)` may name, and how to tell whether it is here."""


@cache
def _is_here(part: str) -> bool:
    return PARTS[part]()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs an absent part; fail it when all are required."""
    for mark in item.iter_markers("needs"):
        absent = [part for part in mark.args if not _is_here(part)]
        if absent and os.environ.get("HILUM_TEST_REQUIRE_ALL"):
            pytest.fail(f"needs {', '.join(absent)}, and HILUM_TEST_REQUIRE_ALL is set", pytrace=False)
        if absent:
            pytest.skip(f"needs {', '.join(absent)}")


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "hilum.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(_sqlite_template: Path, tmp_path: Path) -> str:
    """Address of a fresh, migrated SQLite database."""
    path = tmp_path / "hilum.db"
    shutil.copy(_sqlite_template, path)
    return f"sqlite:///{path}"


def _on_server(statement: LiteralString, database: str) -> None:
    with psycopg.connect(POSTGRESQL, autocommit=True) as connection:
        connection.execute(SQL(statement).format(database=Identifier(database), name=Literal(database)))


def _named(database: str) -> str:
    return POSTGRESQL.rsplit("/", maxsplit=1)[0] + f"/{database}"


@pytest.fixture(scope="session")
def _postgresql_database() -> Iterator[str]:
    name = f"hilum_test_{uuid.uuid4().hex}"
    _on_server("CREATE DATABASE {database}", name)
    try:
        migrate(_named(name))
        yield name
    finally:
        _on_server("DROP DATABASE {database} WITH (FORCE)", name)


def _empty(name: str) -> None:
    """End what a test left connected, and delete every row: far quicker than a database of its own."""
    _on_server("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {name}", name)
    with psycopg.connect(_named(name)) as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(SQL("DELETE FROM {table}").format(table=Identifier(table.name)))


@pytest.fixture
def empty_postgresql_url() -> Iterator[str]:
    """Address of a PostgreSQL database without tables."""
    name = f"hilum_test_{uuid.uuid4().hex}"
    _on_server("CREATE DATABASE {database}", name)
    try:
        yield _named(name)
    finally:
        _on_server("DROP DATABASE {database} WITH (FORCE)", name)


@pytest.fixture
def postgresql_url(_postgresql_database: str) -> Iterator[str]:
    """Address of a migrated PostgreSQL database without rows."""
    yield _named(_postgresql_database)
    _empty(_postgresql_database)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))])
def database_url(request: pytest.FixtureRequest) -> str:
    """Address of a fresh, migrated database of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh database of each kind, closed afterwards."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
