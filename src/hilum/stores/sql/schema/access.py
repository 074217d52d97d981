"""Peers, users, tokens, login links and sessions."""

from sqlalchemy import JSON, Boolean, Column, Integer, Table

from hilum.stores.sql.columns import Moment, Values, Words
from hilum.stores.sql.schema.base import metadata, moments, words

peers = Table(
    "peers",
    metadata,
    Column("name", Words, primary_key=True),
    *words("kind", "host"),
    Column("port", Integer, nullable=False),
    Column("ae_title", Words, nullable=False, index=True),
    *words("url"),
    Column("roles", Values, nullable=False),
    *words("default_issuer"),
    Column("check_host", Boolean, nullable=False),
    Column("last_seen", Moment),
    Column("options", JSON(none_as_null=True)),
)

users = Table(
    "users",
    metadata,
    Column("name", Words, primary_key=True),
    *words("password_hash"),
    Column("roles", Values, nullable=False),
    *moments("created"),
    Column("disabled", Boolean, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("digest", Words, primary_key=True),
    *words("name"),
    Column("scopes", Values, nullable=False),
    *moments("created"),
    Column("expires", Moment),
    Column("revoked", Boolean, nullable=False),
)

login_links = Table(
    "login_links",
    metadata,
    Column("digest", Words, primary_key=True),
    *words("user_name"),
    *moments("expires"),
    Column("used", Boolean, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", Words, primary_key=True),
    *words("user_name"),
    *moments("expires"),
    *words("csrf"),
)
