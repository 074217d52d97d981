"""Transactions on SQLite: one writer at a time, many works a commit, readers beside it (WAL)."""

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from hilum.core.kernel.errors import Busy, HilumError
from hilum.stores.sql.changes import Changes
from hilum.stores.sql.judging import judge
from hilum.stores.sql.prepared import execute
from hilum.stores.sql.transaction import SqlTransaction
from hilum.stores.sql.turnstile import Turnstile

T = TypeVar("T")
Work = Callable[[SqlTransaction], T]

_MOST_WORKS = 64
"""So many works share one commit at most, so that the first does not wait for a crowd."""

_WATCH_SECONDS = 0.015
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA case_sensitive_like = ON",
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA cache_size = -65536",
    "PRAGMA temp_store = MEMORY",
)


def sqlite_engine(url: URL) -> Engine:
    """Return an engine whose connections begin and end transactions only when told to."""
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        pool_size=8,
        max_overflow=24,
        connect_args={"check_same_thread": False, "timeout": 30, "cached_statements": 512},
    )
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in _PRAGMAS:
        connection.execute(pragma)


class _Entry:
    """One work that waits for its commit, and what became of it."""

    def __init__(self, work: Work[Any]) -> None:
        self.work = work
        self.settled = False
        self.value: Any = None
        self.error: BaseException | None = None
        self.brings_work = False

    def fail(self, error: BaseException) -> None:
        self.value, self.error = None, error


class SqliteTransactor:
    """Runs works in groups: who finds the pen free writes for all who wait, with one commit and one sync.

    The leader is one of the waiting threads themselves, so a lone work costs no change of threads, and a fork leaves no
    thread behind.
    """

    def __init__(self, url: URL) -> None:
        """Open nothing yet but the lock file."""
        self._engine = sqlite_engine(url)
        self._turnstile = Turnstile(Path(f"{url.database}-turns"))
        self._pen = threading.Lock()
        self._waiting: deque[_Entry] = deque()
        self._writer: Connection | None = None
        self.changes = Changes(self._watch)

    def write(self, work: Work[T]) -> T:
        """Run a work and commit it, together with the works of other threads that came meanwhile."""
        entry = _Entry(work)
        self._waiting.append(entry)
        while not entry.settled:
            with self._pen:
                if not entry.settled:
                    self._commit_group()
        if entry.error is not None:
            raise entry.error
        value: T = entry.value
        return value

    def read(self, work: Work[T]) -> T:
        """Run a work on one snapshot."""
        try:
            with self._engine.connect() as connection:
                execute(connection, "BEGIN")
                try:
                    return work(SqlTransaction(connection, reading=True))
                finally:
                    execute(connection, "ROLLBACK")
        except (SQLAlchemyError, UnicodeError, OverflowError) as error:
            raise judge(error).error from None

    def close(self) -> None:
        """Close every connection."""
        self.changes.close()
        with self._pen:
            self._forget_writer()
            self._engine.dispose()
            self._turnstile.close()

    def _commit_group(self) -> None:
        group = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_WORKS))]
        try:
            with self._turnstile.turn():
                self._run(group)
        except BaseException as error:
            self._forget_writer()
            failure = _failure(error)
            for entry in group:
                entry.fail(failure)
            if not isinstance(error, SQLAlchemyError | OSError | HilumError):
                raise
        finally:
            for entry in group:
                entry.settled = True
        if any(entry.brings_work and entry.error is None for entry in group):
            self.changes.tell()

    def _run(self, group: list[_Entry]) -> None:
        connection = self._writing()
        execute(connection, "BEGIN IMMEDIATE")
        if len(group) == 1:
            self._attempt(connection, group[0])
        else:
            for entry in group:
                self._attempt_within(connection, entry)
        done = any(entry.error is None for entry in group)
        execute(connection, "COMMIT" if done else "ROLLBACK")

    def _attempt_within(self, connection: Connection, entry: _Entry) -> None:
        """Run one work of several below a savepoint, so that its failure undoes nothing but itself."""
        execute(connection, "SAVEPOINT work")
        self._attempt(connection, entry)
        if entry.error is not None:
            execute(connection, "ROLLBACK TO work")
        execute(connection, "RELEASE work")

    def _attempt(self, connection: Connection, entry: _Entry) -> None:
        try:
            tx = SqlTransaction(connection)
            entry.value = entry.work(tx)
            entry.brings_work = tx.brings_work
        except (SQLAlchemyError, UnicodeError, OverflowError) as error:
            entry.fail(judge(error).error)
        except Exception as error:  # noqa: BLE001  # it belongs to the thread that brought the work
            entry.fail(error)

    def _writing(self) -> Connection:
        if self._writer is None:
            self._writer = self._engine.connect()
        return self._writer

    def _forget_writer(self) -> None:
        """Close the writer's connection, which rolls back; the next group opens a new one."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.invalidate()
            writer.close()

    def _watch(self, changes: Changes) -> None:
        """Ask every few milliseconds whether the file changed: 7 microseconds each."""
        with self._engine.connect() as connection:
            last = None
            while not changes.closing.wait(_WATCH_SECONDS):
                version = execute(connection, "PRAGMA data_version").fetchone()
                if version != last:
                    last = version
                    changes.tell()


def _failure(error: BaseException) -> HilumError:
    """Return what all works of a group are told: none of them was committed."""
    if isinstance(error, HilumError):
        return error
    if isinstance(error, SQLAlchemyError):
        return judge(error).error
    said = error.strerror if isinstance(error, OSError) else type(error).__name__
    return Busy("the commit was broken off", peer_said=said or "", next_step="try again")
