"""Add rows, and replace one by its primary key, in words that both databases know."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, Table, Update, bindparam, update


def added(connection: Connection, adding: Insert, row: Mapping[str, Any]) -> int:
    """Add a row and return the key that the database gave it."""
    keys = connection.execute(adding, row).inserted_primary_key
    if keys is None:
        raise TypeError("an insert of one row returns its key")
    return int(keys[0])


def put(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Replace the row with this primary key, else add it; a lost race shows as a unique violation."""
    if connection.execute(_replacing(table), {f"new_{name}": value for name, value in row.items()}).rowcount:
        return
    connection.execute(_adding(table), row)


@cache
def _adding(table: Table) -> Insert:
    return table.insert().inline()


@cache
def _replacing(table: Table) -> Update:
    keys = [column == bindparam(f"new_{column.name}", type_=column.type) for column in table.primary_key]
    values = {
        column.name: bindparam(f"new_{column.name}", type_=column.type)
        for column in table.columns
        if not column.primary_key
    }
    return update(table).where(*keys).values(values)
