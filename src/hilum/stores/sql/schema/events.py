"""The audit trail, and the outbox of events."""

from sqlalchemy import JSON, Column, Index, Table

from hilum.stores.sql.columns import Moment
from hilum.stores.sql.schema.base import key, metadata, moments, where, words

audit_entries = Table(
    "audit_entries",
    metadata,
    key("sequence"),
    *words("action", "outcome", "caller", "caller_kind", "address", "entity", "trace", "detail"),
    *moments("occurred"),
    Index(None, "entity", "sequence"),
)

events = Table(
    "events",
    metadata,
    key("sequence"),
    *words("name"),
    Column("body", JSON, nullable=False),
    *words("trace"),
    *moments("occurred"),
    Column("settled", Moment),
)
where("ix_events_waiting", events, ("sequence",), "settled IS NULL")
