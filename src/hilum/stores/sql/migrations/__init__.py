"""Alembic's scripts: how a database of an older Hilum becomes one of this Hilum."""
