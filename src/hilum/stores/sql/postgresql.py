"""Transactions on PostgreSQL: pooled connections; a work that lost a race runs again."""

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from hilum.stores.sql.changes import Changes
from hilum.stores.sql.judging import judge
from hilum.stores.sql.transaction import SqlTransaction

T = TypeVar("T")
Work = Callable[[SqlTransaction], T]

_MOST_TRIES = 10
_LONGEST_PAUSE = 0.02
_POLL_SECONDS = 0.5
_NOTIFY = text("SELECT pg_notify('hilum', '')")
_CONNECT: dict[str, Any] = {
    "application_name": "hilum",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    # Keepalive is silent while a question is on its way: without this, a network that went away is noticed in 15 minutes.
    "tcp_user_timeout": 20_000,
    "options": "-c lock_timeout=30000 -c idle_in_transaction_session_timeout=120000",
}


def postgresql_engine(url: URL) -> Engine:
    """Return an engine with a pool."""
    return create_engine(
        url,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        pool_size=16,
        max_overflow=48,
        pool_timeout=10,
        connect_args=_CONNECT,
    )


class PostgresqlTransactor:
    """Runs each work in its own transaction."""

    def __init__(self, url: URL) -> None:
        """Open nothing yet."""
        self._url = url
        self._engine = postgresql_engine(url)
        self._reading = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self.changes = Changes(self._watch)

    def write(self, work: Work[T]) -> T:
        """Run a work and commit it; again when another transaction was first."""
        return self._trying(lambda: self._write_once(work))

    def read(self, work: Work[T]) -> T:
        """Run a work on one snapshot."""
        return self._trying(lambda: self._read_once(work))

    def close(self) -> None:
        """Close every connection."""
        self.changes.close()
        self._engine.dispose()

    def _trying(self, attempt: Callable[[], T]) -> T:
        tries = 0
        while True:
            tries += 1
            try:
                return attempt()
            except (SQLAlchemyError, UnicodeError, OverflowError) as error:
                judgement = judge(error)
                may_win = judgement.lost_race or (judgement.gone and tries == 1)
                if not may_win or tries == _MOST_TRIES:
                    raise judgement.error from None
            time.sleep(random.random() * _LONGEST_PAUSE)  # noqa: S311  # jitter, not a secret

    def _write_once(self, work: Work[T]) -> T:
        with self._engine.connect() as connection:
            connection.begin()  # by name: of a statement that is run by the driver itself, SQLAlchemy hears nothing
            value = _run(connection, work)
            _commit(connection)
            return value

    def _read_once(self, work: Work[T]) -> T:
        with self._reading.connect() as connection:
            connection.begin()
            return work(SqlTransaction(connection, reading=True))

    def _watch(self, changes: Changes) -> None:
        """Listen for other processes' commits; after a broken connection, listen anew."""
        while not changes.closing.is_set():
            try:
                self._listen(changes)
            except psycopg.Error:
                changes.closing.wait(_POLL_SECONDS)

    def _listen(self, changes: Changes) -> None:
        url = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True, **_CONNECT) as connection:
            connection.execute("LISTEN hilum")
            changes.tell()
            while not changes.closing.is_set():
                for _ in connection.notifies(timeout=_POLL_SECONDS, stop_after=1):
                    changes.tell()


def _commit(connection: Connection) -> None:
    """Commit. When the server went away in the middle, the work may be done or not: it is not run again from here."""
    try:
        connection.commit()
    except SQLAlchemyError as error:
        judgement = judge(error)
        if judgement.lost_race:
            raise
        raise judgement.error from None


def _run(connection: Connection, work: Work[T]) -> T:
    tx = SqlTransaction(connection)
    value = work(tx)
    if tx.brings_work:
        connection.execute(_NOTIFY)
    return value
