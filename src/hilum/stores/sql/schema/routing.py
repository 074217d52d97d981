"""Rules, deliveries, attempts and leases."""

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, Table, UniqueConstraint

from hilum.stores.sql.columns import Key, Moment, Values, Words
from hilum.stores.sql.schema.base import key, metadata, moments, refers, where, words

rules = Table(
    "rules",
    metadata,
    Column("place", Integer, primary_key=True, autoincrement=False),
    *words("name", "event"),
    Column("to", Values, nullable=False),
    Column("source", Values, nullable=False),
    Column("modality", Values, nullable=False),
    Column("status", Values, nullable=False),
    Column("tags", JSON(none_as_null=True)),
)

deliveries = Table(
    "deliveries",
    metadata,
    key(),
    *words("destination", "kind", "reference", "state"),
    Column("attempts", Integer, nullable=False),
    *moments("next_attempt"),
    *words("rule", "trace", "reason"),
    *moments("created"),
    Column("settled", Moment),
    UniqueConstraint("reference", "destination", "kind"),
    Index(None, "destination", "state", "key"),
)
where("ix_deliveries_head", deliveries, ("destination", "key"), "state IN ('waiting', 'uncertain')")

where("ix_deliveries_stored", deliveries, ("destination", "key"), "state = 'stored'")

asked_commitments = Table(
    "asked_commitments",
    metadata,
    Column("transaction_uid", Words, primary_key=True),
    *words("destination"),
    Column("delivery_keys", JSON, nullable=False),
    *moments("planned"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("key", Key, primary_key=True),
    refers("delivery_key", "deliveries.key", index=True),
    Column("number", Integer, nullable=False),
    *moments("started", "ended"),
    *words("verdict", "code", "text"),
)

leases = Table(
    "leases",
    metadata,
    Column("destination", Words, primary_key=True),
    *words("owner"),
    Column("fence", BigInteger, nullable=False),
    *moments("expires"),
)
