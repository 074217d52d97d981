"""What is made in the background from the stored bytes, and what is still to be made."""

from sqlalchemy import BigInteger, Column, Index, Table

from hilum.stores.sql.columns import Words
from hilum.stores.sql.schema.base import metadata, moments

series_summaries = Table(
    "series_summaries",
    metadata,
    Column("series_instance_uid", Words, primary_key=True),
    Column("generation", BigInteger, nullable=False),
    Column("digest", Words, nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
)

chores = Table(
    "chores",
    metadata,
    Column("kind", Words, primary_key=True),
    Column("reference", Words, primary_key=True),
    *moments("due"),
    Index(None, "due"),
)
