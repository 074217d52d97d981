"""Patient records."""

from sqlalchemy import Boolean, Column, Index, Integer, Table, UniqueConstraint

from hilum.stores.sql.columns import Key, Words
from hilum.stores.sql.schema.base import key, metadata, moments, refers, words

patient_records = Table(
    "patient_records",
    metadata,
    key(),
    Column("public_id", Words, nullable=False, unique=True),
    *words("value", "issuer"),
    Column("name", Words, nullable=False),
    Column("birth_date", Words, nullable=False, index=True),
    *words("sex", "address", "telephone"),
    Column("name_folded", Words, nullable=False, index=True),
    *words("name_words", "family_words", "given_words"),
    refers("survivor_key", "patient_records.key", index=True, nullable=True),
    Column("root_key", Key, nullable=False, index=True),
    Column("authoritative", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    *moments("created", "updated"),
    UniqueConstraint("value", "issuer"),
    Index(None, "updated", "key"),
)
