"""Messages as they came."""

from sqlalchemy import Column, Index, LargeBinary, Table

from hilum.stores.sql.schema.base import key, metadata, moments, words

inbound_messages = Table(
    "inbound_messages",
    metadata,
    key(),
    *words("peer", "control_id", "message_type"),
    Column("raw", LargeBinary, nullable=False),
    *words("digest", "sending_application", "sending_facility", "answer", "reason", "trace"),
    *moments("received"),
    Index(None, "control_id", "peer"),
)
