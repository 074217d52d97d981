"""The record's rows: SQLAlchemy Core on SQLite and PostgreSQL, one schema."""

from hilum.stores.sql.database import Database
from hilum.stores.sql.migrate import current, migrate

__all__ = ["Database", "current", "migrate"]
