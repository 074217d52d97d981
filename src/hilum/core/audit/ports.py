"""What a store must do for the audit trail."""

from typing import Protocol

from hilum.core.audit.model import AuditEntry
from hilum.core.kernel.transaction import Transaction


class AuditShelf(Protocol):
    """The audit trail: appended, never changed."""

    def append(self, entry: AuditEntry) -> None:
        """Write the entry with the transaction."""

    def newest(self, limit: int, before: int | None = None, entity: str | None = None) -> list[AuditEntry]:
        """Return entries newest first, below sequence `before`, of one entity if given."""


class AuditTransaction(Transaction, Protocol):
    """A transaction that can be audited."""

    @property
    def audit(self) -> AuditShelf:
        """The audit trail."""
