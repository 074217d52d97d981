"""Summaries of series, and chores."""

from datetime import datetime

from sqlalchemy import bindparam, delete, select

from hilum.core.archive.model import Blob, Chore, ChoreKind, KeptSummary
from hilum.stores.sql.opened import Opened
from hilum.stores.sql.putting import put
from hilum.stores.sql.schema import chores, series_summaries

_SUMMARY = select(series_summaries.c.generation, series_summaries.c.digest, series_summaries.c.size).where(
    series_summaries.c.series_instance_uid == bindparam("uid")
)
_FORGET_SUMMARY = delete(series_summaries).where(series_summaries.c.series_instance_uid == bindparam("uid"))
_DUE = (
    select(chores.c.kind, chores.c.reference, chores.c.due)
    .where(chores.c.due <= bindparam("now"))
    .order_by(chores.c.due)
    .limit(1)
)
_DUE_ALONE = _DUE.with_for_update(skip_locked=True)
_END = delete(chores).where(
    chores.c.kind == bindparam("is_kind"),
    chores.c.reference == bindparam("is_reference"),
    chores.c.due == bindparam("is_due"),
)


class SqlBackground:
    """Core's `BackgroundShelf`."""

    def __init__(self, opened: Opened) -> None:
        """Work inside one transaction."""
        self._opened = opened

    def summary(self, series_instance_uid: str) -> KeptSummary | None:
        """Return where the summary of a series is kept."""
        row = self._opened.connection.execute(_SUMMARY, {"uid": series_instance_uid}).first()
        return KeptSummary(series_instance_uid, row[0], Blob(row[1], row[2])) if row else None

    def put_summary(self, series_instance_uid: str, blob: Blob | None) -> None:
        """Replace the summary of a series, counting its generation; None forgets it."""
        if blob is None:
            self._opened.connection.execute(_FORGET_SUMMARY, {"uid": series_instance_uid})
            return
        before = self.summary(series_instance_uid)
        row = {
            "series_instance_uid": series_instance_uid,
            "generation": before.generation + 1 if before else 1,
            "digest": blob.digest,
            "size": blob.size,
        }
        put(self._opened.connection, series_summaries, row)

    def put_chore(self, chore: Chore) -> None:
        """Add a chore, or make it due at another moment."""
        row = {"kind": chore.kind.value, "reference": chore.reference, "due": chore.due}
        put(self._opened.connection, chores, row)

    def due_chore(self, now: datetime) -> Chore | None:
        """Return the chore that has been due for the longest time; nobody else is given it in this transaction."""
        due = _DUE if self._opened.reading else _DUE_ALONE
        row = self._opened.connection.execute(due, {"now": now}).first()
        return Chore(ChoreKind(row[0]), row[1], row[2]) if row else None

    def end_chore(self, chore: Chore) -> None:
        """Remove a chore, unless it was made due at another moment since."""
        ended = {"is_kind": chore.kind.value, "is_reference": chore.reference, "is_due": chore.due}
        self._opened.connection.execute(_END, ended)
