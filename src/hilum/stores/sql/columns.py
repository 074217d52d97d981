"""Column types that mean the same on SQLite and PostgreSQL."""

import json
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Integer, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from hilum.core.kernel.codes import NO_CODE, Code

Key = BigInteger().with_variant(Integer(), "sqlite")
"""A row's own number; on SQLite the rowid."""

Words = Text().with_variant(Text(collation="C"), "postgresql")
"""Text compared by its code points, as SQLite does by default: ranges and orders mean the same on both."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """An aware moment as microseconds since 1970, UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Return the number to keep."""
        del dialect
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Return the moment."""
        del dialect
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class Values(TypeDecorator[tuple[str, ...]]):
    """Several words in one column, joined by the backslash that DICOM joins values with (PS3.5 6.4)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str | None:
        """Return the joined words."""
        del dialect
        return None if value is None else "\\".join(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...]:
        """Return the words."""
        del dialect
        return tuple(value.split("\\")) if value else ()


class Coded(TypeDecorator[Code]):
    """A coded concept as a JSON array of value, scheme, meaning."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Code | None, dialect: Dialect) -> str:
        """Return the array's text."""
        del dialect
        code = value or NO_CODE
        return json.dumps([code.value, code.scheme, code.meaning], ensure_ascii=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Code:
        """Return the concept."""
        del dialect
        return Code(*json.loads(value)) if value else NO_CODE
