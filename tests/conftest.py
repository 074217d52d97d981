"""Fixtures for all: the outside parts that a test needs, and databases that are gone afterwards."""

import os
import shutil
import socket
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from psycopg.sql import SQL, Identifier, Literal

from hilum.doors.viewer import installed_site
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
    "strace": lambda: shutil.which("strace") is not None,
    "s3": lambda: find_spec("moto") is not None,
    "viewer": lambda: installed_site() is not None,
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


@dataclass
class Authority:
    """A certificate authority of one test; `issue` writes a certificate and its key as PEM files."""

    folder: Path
    name: str = "Test authority"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        """Sign ourselves."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.certificate, _ = self.issue(self.name, is_authority=True)

    def issue(
        self, name: str, *, days: int = 30, host: str = "", is_authority: bool = False
    ) -> tuple[Path, Path]:
        """Return the files of a certificate with this common name, good for so many days from now."""
        key = self.key if is_authority else ec.generate_private_key(ec.SECP256R1())
        named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, self.name)])
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder(issuer, named, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=60))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
        )
        if host:
            shown = x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
            builder = builder.add_extension(x509.SubjectAlternativeName([shown]), critical=False)
        signed = builder.sign(self.key, hashes.SHA256())
        stem = self.folder / name.replace(" ", "-")
        files = stem.with_suffix(".crt"), stem.with_suffix(".key")
        files[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        return files


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the tests' servers and clients believe."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def other_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom nobody believes."""
    return Authority(tmp_path_factory.mktemp("other-authority"), "Another authority")
