"""What a store must do for messages."""

from datetime import datetime
from typing import Protocol

from hilum.core.exchange.model import InboundMessage
from hilum.core.routing.ports import RoutingTransaction


class MessageShelf(Protocol):
    """Messages as they came."""

    def accepted_since(self, peer: str, control_id: str, digest: str, since: datetime) -> bool:
        """Tell whether this peer sent this very message since then, and it was applied."""

    def add(self, message: InboundMessage) -> None:
        """Keep a message (key 0)."""

    def newest(self, limit: int, before_key: int | None = None) -> list[InboundMessage]:
        """Return messages, newest first."""

    def message(self, key: int) -> InboundMessage | None:
        """Return one message."""


class ExchangeTransaction(RoutingTransaction, Protocol):
    """A transaction that sees everything."""

    @property
    def messages(self) -> MessageShelf:
        """Messages as they came."""
