"""Order and accession numbers: a value and an issuer in two columns, both NULL when the number is not given."""

from typing import Any

from sqlalchemy import Column, ColumnElement, Table, and_, or_

from hilum.core.kernel.identifiers import Identifier

NUMBERS = ("placer_order_number", "filler_order_number", "accession_number")


def number_columns(table: Table) -> list[Column[Any]]:
    """Return the two columns of each number."""
    return [table.c[f"{name}{part}"] for name in NUMBERS for part in ("", "_issuer")]


def number_row(held: object) -> dict[str, str | None]:
    """Return the columns' values of an order or report."""
    row: dict[str, str | None] = {}
    for name in NUMBERS:
        number: Identifier | None = getattr(held, name)
        row[name] = None if number is None else number.value
        row[f"{name}_issuer"] = None if number is None else number.issuer
    return row


def identifier(value: str | None, issuer: str | None) -> Identifier | None:
    """Return the number of two columns."""
    return None if value is None else Identifier(value, issuer or "")


def any_number_is(table: Table, sought: Identifier) -> ColumnElement[bool]:
    """Return the condition that one of the numbers is this one; an empty issuer matches any."""
    return or_(*(is_number(table.c[name], table.c[f"{name}_issuer"], sought) for name in NUMBERS))


def is_number(value: Column[Any], issuer: Column[Any], sought: Identifier) -> ColumnElement[bool]:
    """Return the condition that a number is this one; an empty issuer matches any."""
    same = value == sought.value
    return and_(same, issuer == sought.issuer) if sought.issuer else same
