"""Conflicts and what was decided about them."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from hilum.core.archive.lifecycle import Before
from hilum.core.archive.model import Blob, StoredConflict
from hilum.stores.sql.opened import Opened
from hilum.stores.sql.schema import stored_conflicts, studies

_NAMES = [field.name for field in fields(StoredConflict) if field.name != "blob"]
CONFLICTS = select(
    *(stored_conflicts.c[name] for name in _NAMES), stored_conflicts.c.digest, stored_conflicts.c.size
)
_DECIDED = ("resolved", "resolution", "resolved_by", "resolution_detail")
_REASSIGN = (
    update(studies)
    .where(studies.c.key == bindparam("at"))
    .values(
        patient_record_key=bindparam("record"),
        reassigned=bindparam("moved"),
        version=studies.c.version + 1,
        updated=bindparam("now"),
    )
)


def conflict_of(row: Sequence[Any]) -> StoredConflict:
    """Return the conflict of a row of `CONFLICTS`."""
    *others, digest, size = row
    blob = Blob(digest, size) if digest else None
    return StoredConflict(blob=blob, **dict(zip(_NAMES, others, strict=True)))


def conflict(connection: Connection, key: int) -> StoredConflict | None:
    """Return one conflict, open or resolved, locked for this transaction."""
    row = connection.execute(CONFLICTS.where(stored_conflicts.c.key == key)).first()
    return conflict_of(row) if row else None


def resolved(connection: Connection, limit: int) -> list[StoredConflict]:
    """Return resolved conflicts, the latest first."""
    chosen = CONFLICTS.where(stored_conflicts.c.resolved.is_not(None))
    chosen = chosen.order_by(stored_conflicts.c.resolved.desc()).limit(limit)
    return [conflict_of(row) for row in connection.execute(chosen)]


def resolve(connection: Connection, conflict: StoredConflict, before: Before | None) -> None:
    """Keep how a conflict stands: resolved, with what that changed, or open again."""
    row = {name: getattr(conflict, name) for name in _DECIDED}
    row["before"] = asdict(before) if before else None
    connection.execute(update(stored_conflicts).where(stored_conflicts.c.key == conflict.key).values(row))


def before(connection: Connection, key: int) -> Before | None:
    """Return what the resolution of a conflict changed."""
    kept = connection.execute(
        select(stored_conflicts.c.before).where(stored_conflicts.c.key == key)
    ).scalar_one_or_none()
    return Before(**kept) if kept else None


def drop(connection: Connection, before: datetime) -> int:
    """Forget conflicts over bytes that were resolved before a moment; returns how many."""
    gone = delete(stored_conflicts).where(
        stored_conflicts.c.resolved < before, stored_conflicts.c.digest != ""
    )
    return connection.execute(gone).rowcount


def reassign(opened: Opened, study_key: int, patient_record_key: int, *, reassigned: bool) -> None:
    """Let a study belong to another patient record."""
    row = {"at": study_key, "record": patient_record_key, "moved": reassigned, "now": opened.now}
    opened.connection.execute(_REASSIGN, row)
