"""The audit trail."""

from dataclasses import fields, replace

from sqlalchemy import select

from hilum.core.audit.model import AuditEntry, Outcome
from hilum.stores.sql.opened import Opened
from hilum.stores.sql.prepared import adding
from hilum.stores.sql.schema import audit_entries

_APPEND = adding(audit_entries)
_FIELDS = tuple(field.name for field in fields(AuditEntry))
_NEWEST = select(*(audit_entries.c[name] for name in _FIELDS)).order_by(audit_entries.c.sequence.desc())


class SqlAudit:
    """Core's `AuditShelf`."""

    def __init__(self, opened: Opened) -> None:
        """Work inside one transaction."""
        self._opened = opened

    def append(self, entry: AuditEntry) -> None:
        """Write the entry with the transaction; that of a look, right after it."""
        if self._opened.reading:
            self._opened.noted.append(replace(entry, occurred=entry.occurred or self._opened.now))
            return
        _APPEND.run(
            self._opened.connection,
            {
                "action": entry.action,
                "outcome": entry.outcome.value,
                "caller": entry.caller,
                "caller_kind": str(entry.caller_kind),
                "address": entry.address,
                "entity": entry.entity,
                "trace": entry.trace,
                "detail": str(entry.detail),
                "occurred": entry.occurred or self._opened.now,
            },
        )

    def newest(self, limit: int, before: int | None = None, entity: str | None = None) -> list[AuditEntry]:
        """Return entries newest first, below sequence `before`, of one entity if given."""
        chosen = _NEWEST.limit(limit)
        if before is not None:
            chosen = chosen.where(audit_entries.c.sequence < before)
        if entity is not None:
            chosen = chosen.where(audit_entries.c.entity == entity)
        rows = self._opened.connection.execute(chosen)
        return [AuditEntry(action, Outcome(outcome), *others) for action, outcome, *others in rows]
