"""Order and accession numbers: a value and an issuer in two columns, both NULL when the number is not given."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, Text, and_, false, or_, type_coerce

from hilum.core.kernel.identifiers import Identifier, IdentifierMatch

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


def any_number_matches(
    pairs: Iterable[tuple[ColumnElement[Any], ColumnElement[Any]]], sought: tuple[IdentifierMatch, ...]
) -> ColumnElement[bool]:
    """Return the condition that any of the (value, issuer) columns is any of these identifiers."""
    return or_(*(_matches(value, issuer, one) for value, issuer in pairs for one in sought))


def number_pairs(table: Table) -> list[tuple[Column[Any], Column[Any]]]:
    """Return the value and issuer columns of the three numbers."""
    return [(table.c[name], table.c[f"{name}_issuer"]) for name in NUMBERS]


def any_code_is(column: ColumnElement[Any], sought: tuple[IdentifierMatch, ...]) -> ColumnElement[bool]:
    """Return the condition that a `Coded` column is any of these codes, the coding scheme standing as issuer."""
    kept = type_coerce(column, Text)
    starts = [start for one in sought for start in _starts_of_code(one)]
    return or_(false(), *(kept.startswith(start, autoescape=True) for start in starts))


def _matches(
    value: ColumnElement[Any], issuer: ColumnElement[Any], sought: IdentifierMatch
) -> ColumnElement[bool]:
    conditions = [value == sought.value] if sought.value else [value != ""]
    if sought.issuer is not None:
        conditions.append(issuer == sought.issuer)
    return and_(*conditions)


def _starts_of_code(sought: IdentifierMatch) -> list[str]:
    """A code without a value is not looked for: a scheme alone says nothing."""
    if not sought.value:
        return []
    parts = [sought.value] if sought.issuer is None else [sought.value, sought.issuer]
    return [json.dumps(parts, ensure_ascii=False)[:-1] + ", "]
