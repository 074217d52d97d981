"""Rows of the archive as core's values: columns stand in the order of the fields."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from hilum.core.archive.lifecycle import Standing
from hilum.core.archive.model import Blob, Instance, Series, Study
from hilum.stores.sql.schema import instances, series, studies

STUDY = tuple(studies.c[field.name] for field in fields(Study))
SERIES = tuple(series.c[field.name] for field in fields(Series))
INSTANCE = (
    *(
        instances.c[field.name]
        for field in fields(Instance)
        if field.name not in ("blob", "source", "stored", "standing")
    ),
    instances.c.digest,
    instances.c.size,
    instances.c.source,
    instances.c.stored,
    instances.c.standing,
)
_STANDINGS = {standing.value: standing for standing in Standing}


def study_of(row: Sequence[Any]) -> Study:
    """Return the study of a row of `STUDY`."""
    return Study(*row)


def series_of(row: Sequence[Any]) -> Series:
    """Return the series of a row of `SERIES`."""
    return Series(*row)


def instance_of(row: Sequence[Any]) -> Instance:
    """Return the instance of a row of `INSTANCE`."""
    *front, digest, size, source, stored, standing = row
    return Instance(*[*front, Blob(digest, size), source, stored, _STANDINGS[standing]])


def integer_of(text: str) -> int:
    """Return the number that an IS says (PS3.5 6.2), to order by; what is no number comes first."""
    digits = text.strip().lstrip("+")
    if not digits.lstrip("-").isdecimal() or not digits.isascii() or len(digits) > 12:
        return 0
    return int(digits) if digits.count("-") <= 1 else 0
