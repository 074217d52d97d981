"""Messages as they came."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select

from hilum.core.exchange.model import Envelope, InboundMessage
from hilum.stores.sql.opened import Opened
from hilum.stores.sql.schema import inbound_messages as messages

_ENVELOPE = ("control_id", "message_type", "raw", "digest", "sending_application", "sending_facility")
_MESSAGES = select(
    messages.c.key,
    messages.c.peer,
    *(messages.c[name] for name in _ENVELOPE),
    messages.c.answer,
    messages.c.reason,
    messages.c.trace,
    messages.c.received,
)
_ACCEPTED = (
    select(messages.c.key)
    .where(
        messages.c.control_id == bindparam("control_id"),
        messages.c.peer == bindparam("peer"),
        messages.c.digest == bindparam("digest"),
        messages.c.received >= bindparam("since"),
        messages.c.answer == "AA",
    )
    .limit(1)
)
_ALONE = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("digest"), 0)))
_ADD = messages.insert().inline()
_MESSAGE = _MESSAGES.where(messages.c.key == bindparam("at"))


class SqlMessages:
    """Core's `MessageShelf`."""

    def __init__(self, opened: Opened) -> None:
        """Work inside one transaction."""
        self._opened = opened

    def accepted_since(self, peer: str, control_id: str, digest: str, since: datetime) -> bool:
        """Tell whether this peer sent this very message since then, and it was applied.

        Two copies that arrive at once must not both be told no, so PostgreSQL lets one copy of a message in at a time.
        """
        connection = self._opened.connection
        if connection.dialect.name == "postgresql":
            connection.execute(_ALONE, {"digest": digest})
        sought = {"peer": peer, "control_id": control_id, "digest": digest, "since": since}
        return connection.execute(_ACCEPTED, sought).first() is not None

    def add(self, message: InboundMessage) -> None:
        """Keep a message (key 0)."""
        row = {name: getattr(message.envelope, name) for name in _ENVELOPE}
        row |= {name: getattr(message, name) for name in ("peer", "answer", "reason", "trace", "received")}
        self._opened.connection.execute(_ADD, row)

    def newest(self, limit: int, before_key: int | None = None) -> list[InboundMessage]:
        """Return messages, newest first."""
        chosen = _MESSAGES.order_by(messages.c.key.desc()).limit(limit)
        if before_key is not None:
            chosen = chosen.where(messages.c.key < before_key)
        return [_message(row) for row in self._opened.connection.execute(chosen)]

    def message(self, key: int) -> InboundMessage | None:
        """Return one message."""
        row = self._opened.connection.execute(_MESSAGE, {"at": key}).first()
        return _message(row) if row else None


def _message(row: Sequence[Any]) -> InboundMessage:
    key, peer, *envelope, answer, reason, trace, received = row
    return InboundMessage(key, peer, Envelope(*envelope), answer, reason, trace, received)
