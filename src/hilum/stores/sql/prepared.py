"""Statements that every image takes: written once in SQLAlchemy Core, run by the driver itself (ADR 21).

Core's own way of running one costs several times what SQLite needs for it: a context, a cache key and a result object
each time. What is written stays the same on both databases; only the way to the driver is shorter.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, cast

from sqlalchemy import ClauseElement, Connection, Select, Table
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

Turn = Callable[[Any], Any] | None
"""Turns a value into what the driver takes, or back; None where there is nothing to do."""


class Cursor(Protocol):
    """What both drivers answer a statement with."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""

    def fetchone(self) -> Sequence[Any] | None:
        """Return the next row."""


class Driver(Protocol):
    """What `sqlite3.Connection` and `psycopg.Connection` have in common."""

    def execute(self, query: str, values: Any = ..., /) -> Cursor:  # noqa: ANN401  # by position or by name
        """Run a statement."""


class _Compiled(NamedTuple):
    text: str
    values: tuple[tuple[str, Turn], ...]
    """The bound values, in the order of their places."""
    columns: tuple[tuple[int, Callable[[Any], Any]], ...]
    """The columns of the answer that are turned back, by place."""
    by_position: bool


class Prepared:
    """One statement; its text is made once for each kind of database."""

    def __init__(self, statement: ClauseElement, columns: Iterable[str] | None = None) -> None:
        """Take a statement of Core whose values are all bound by name; `columns` are those of an insert."""
        self._statement = statement
        self._columns = None if columns is None else list(columns)
        self._compiled: dict[str, _Compiled] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Cursor:
        """Run it within the transaction that the connection has begun; raises as SQLAlchemy does."""
        compiled = self._of(connection.dialect)
        bound = [values[name] if turn is None else turn(values[name]) for name, turn in compiled.values]
        if compiled.by_position:
            return execute(connection, compiled.text, bound)
        names = (name for name, _ in compiled.values)
        return execute(connection, compiled.text, dict(zip(names, bound, strict=True)))

    def first(self, connection: Connection, values: Mapping[str, Any]) -> list[Any] | None:
        """Run it and return the first row of its answer, as core's values."""
        row = self.run(connection, values).fetchone()
        if row is None:
            return None
        turned = list(row)
        for place, turn in self._of(connection.dialect).columns:
            turned[place] = turn(turned[place])
        return turned

    def _of(self, dialect: Dialect) -> _Compiled:
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _compile(self._statement, self._columns, dialect)
        return compiled


def adding(table: Table) -> Prepared:
    """Return the statement that adds a row, whose key the database gives."""
    names = [column.name for column in table.columns if not column.primary_key]
    return Prepared(table.insert().inline(), names)


def execute(connection: Connection, text: str, values: Any = ()) -> Cursor:  # noqa: ANN401  # by position or by name
    """Run a driver's statement on the connection below; its errors are raised as SQLAlchemy's."""
    driver = cast("Driver", connection.connection.dbapi_connection)
    try:
        return driver.execute(text, values)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _raised(connection, error) from None


def _raised(connection: Connection, error: Exception) -> Exception:
    dialect = connection.dialect
    gone = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)  # type: ignore[arg-type]
    if gone:
        connection.invalidate(error)
    base = dialect.loaded_dbapi.Error
    return DBAPIError.instance(
        None, None, error, base, hide_parameters=True, connection_invalidated=gone, dialect=dialect
    )


def _compile(statement: ClauseElement, columns: list[str] | None, dialect: Dialect) -> _Compiled:
    compiled = cast("SQLCompiler", statement.compile(dialect=dialect, column_keys=columns))
    names = compiled.positiontup if compiled.positiontup is not None else list(compiled.binds)
    values = tuple((name, _turn(compiled.binds[name].type, dialect)) for name in names)
    answered = statement.selected_columns if isinstance(statement, Select) else ()
    turns = ((place, _turned_back(column.type, dialect)) for place, column in enumerate(answered))
    columns_turned = tuple((place, turn) for place, turn in turns if turn is not None)
    return _Compiled(compiled.string, values, columns_turned, compiled.positiontup is not None)


def _turn(kind: TypeEngine[Any], dialect: Dialect) -> Turn:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _turned_back(kind: TypeEngine[Any], dialect: Dialect) -> Turn:
    return kind.dialect_impl(dialect).result_processor(dialect, None)
