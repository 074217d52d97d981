"""Transactions on PostgreSQL: pooled connections; a work that lost a race runs again."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from hilum.stores.sql.changes import Changes
from hilum.stores.sql.judging import judge
from hilum.stores.sql.patience import Patience
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
}


def postgresql_engine(url: URL, patience: float | None = None) -> Engine:
    """Return an engine with a pool; with `patience` no statement may take longer than so many seconds."""
    return create_engine(
        url,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        pool_size=16,
        max_overflow=48,
        pool_timeout=10,
        connect_args={**_CONNECT, "options": _options(patience)},
    )


def _options(patience: float | None) -> str:
    """Return what the server is to watch: of what a client gave up it does not go on with the work."""
    wanted = {"idle_in_transaction_session_timeout": 120_000, "lock_timeout": 30_000}
    if patience is not None:
        wanted["statement_timeout"] = int(patience * 1000)
        wanted["lock_timeout"] = int(patience * 1000 * 2 / 3)
    return " ".join(f"-c {name}={milliseconds}" for name, milliseconds in wanted.items())


class PostgresqlTransactor:
    """Runs each work in its own transaction."""

    def __init__(self, url: URL, patience: float) -> None:
        """Open nothing yet. `patience` is how many seconds a transaction may take."""
        self._url = url
        self._engine = postgresql_engine(url, patience)
        self._patience = Patience(patience)
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
        self._patience.close()
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
        with self._begun(self._engine) as connection:
            value = _run(connection, work)
            _commit(connection)
            return value

    def _read_once(self, work: Work[T]) -> T:
        with self._begun(self._reading) as connection:
            return work(SqlTransaction(connection, reading=True))

    @contextmanager
    def _begun(self, engine: Engine) -> Iterator[Connection]:
        """Begin by name: of a statement that is run by the driver itself, SQLAlchemy hears nothing.

        It ends within the patience too: a server may freeze before it answers ROLLBACK.
        """
        with (
            engine.connect() as connection,
            self._patience.with_connection(connection),
            connection.begin(),
        ):
            yield connection

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
