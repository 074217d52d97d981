"""The database: core's `Transactor` on SQLite or PostgreSQL."""

import os
import threading
import weakref
from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from hilum.core.audit.model import AuditEntry
from hilum.core.exchange.ports import ExchangeTransaction
from hilum.core.kernel.errors import Invalid
from hilum.stores.sql.changes import Changes
from hilum.stores.sql.postgresql import PostgresqlTransactor
from hilum.stores.sql.sqlite import SqliteTransactor
from hilum.stores.sql.transaction import SqlTransaction

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds."""
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


def database_url(url: str) -> URL:
    """Return a database's address with its driver named; raises Invalid."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = URL.create("unreadable")
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None or not parsed.database or parsed.database == ":memory:":
        raise Invalid(
            "this is not the address of a database that Hilum knows",
            next_step="give sqlite:////path/to/hilum.db or postgresql+psycopg://user@host/name",
        )
    return parsed.set(drivername=driver)


class _Opened(Protocol):
    changes: Changes

    def write(self, work: Callable[[SqlTransaction], T]) -> T: ...

    def read(self, work: Callable[[SqlTransaction], T]) -> T: ...

    def close(self) -> None: ...


class Database:
    """Opens transactions. Connections are made at first use, and anew in each forked process."""

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        """Take the address: `sqlite:///...` or `postgresql+psycopg://...`; raises Invalid.

        `patience` is how many seconds a database server may take over one transaction.
        """
        self.url = database_url(url)
        self._patience = patience
        self._lock = threading.Lock()
        self._opened: _Opened | None = None
        self._inherited: list[_Opened] = []
        _databases.add(self)

    def write(self, work: Callable[[ExchangeTransaction], T]) -> T:
        """Run `work`, commit, sync, then return its value; roll back when it raises. Raises Busy."""
        return self._open().write(work)

    def read(self, work: Callable[[ExchangeTransaction], T]) -> T:
        """Run `work` on one consistent view, then commit what the trail keeps of it. Raises Busy.

        So a search that takes long, however it is audited, holds no writer back.
        """
        opened = self._open()
        value, noted = opened.read(lambda tx: (work(tx), tx.noted))
        if noted:
            opened.write(lambda tx: _append(tx, noted))
        return value

    def wait_for_change(self, timeout: float) -> bool:
        """Return True soon after a commit since this thread last waited, False after `timeout`.

        Commits that bring work for the engine are told of, of any process; others may be.
        """
        return self._open().changes.wait(timeout)

    def close(self) -> None:
        """Close every connection; the next use opens them again."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def after_fork(self) -> None:
        """In the child: leave the parent's connections alone, unclosed, and begin with none."""
        self._lock = threading.Lock()
        if self._opened is not None:
            self._inherited.append(self._opened)
            self._opened = None

    def _open(self) -> _Opened:
        opened = self._opened
        if opened is not None:
            return opened
        with self._lock:
            if self._opened is None:
                sqlite = self.url.get_backend_name() == "sqlite"
                self._opened = (
                    SqliteTransactor(self.url) if sqlite else PostgresqlTransactor(self.url, self._patience)
                )
            return self._opened


def _append(tx: SqlTransaction, noted: list[AuditEntry]) -> None:
    for entry in noted:
        tx.audit.append(entry)


_databases: "weakref.WeakSet[Database]" = weakref.WeakSet()


def _after_fork() -> None:
    for database in list(_databases):
        database.after_fork()


os.register_at_fork(after_in_child=_after_fork)
