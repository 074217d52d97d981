"""Bring a database to the schema of this code, and tell which one it has."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, func, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from hilum.core.kernel.errors import Conflict
from hilum.stores.sql.database import database_url
from hilum.stores.sql.judging import judge
from hilum.stores.sql.postgresql import postgresql_engine
from hilum.stores.sql.sqlite import sqlite_engine

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010")
"""Every revision that this code knows, oldest first; the last is the schema of `schema.py`."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x48494C4D
"""Number of the advisory lock that lets one process migrate at a time ("HILM")."""


def current(url: str) -> str | None:
    """Return the revision of a database, None when it is empty; raises Busy."""
    with _connected(url) as connection:
        return _revision(connection)


def migrate(url: str) -> None:
    """Bring a database to the newest revision; raises Busy, and Conflict when a newer Hilum made it.

    Alembic is loaded only when there is something to do: a start on a migrated database does not pay for it.
    """
    if _is_newest(current(url)):
        return
    with _connected(url) as connection, _alone(connection):
        if not _is_newest(_revision(connection)):
            _upgrade(connection)


def _is_newest(revision: str | None) -> bool:
    if revision is not None and revision not in REVISIONS:
        raise Conflict(
            f"the database has revision {revision}, which this Hilum does not know",
            next_step="start the version of Hilum that wrote it, or a newer one",
        )
    return revision == REVISIONS[-1]


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise judge(error).error from None
    finally:
        engine.dispose()


def _engine(url: str) -> Engine:
    parsed = database_url(url)
    return sqlite_engine(parsed) if parsed.get_backend_name() == "sqlite" else postgresql_engine(parsed)


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Hold the one transaction in which the schema changes: all of it, or nothing."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield
        connection.exec_driver_sql("COMMIT")
    else:
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        yield
        connection.commit()


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415  # 0.1 s that only a migration pays
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    command.upgrade(config, "head")
