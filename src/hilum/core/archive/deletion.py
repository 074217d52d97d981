"""Delete with a grace period: what is deleted is rejected first, and swept away later, with a tombstone left."""

from datetime import timedelta

from hilum.core.access import policy
from hilum.core.archive import rejection
from hilum.core.archive.events import InstancesDeleted
from hilum.core.archive.lifecycle import NEVER_AGAIN, Rejection, RejectionReason, Tombstone, reason_of
from hilum.core.archive.ports import ArchiveTransaction
from hilum.core.audit.usecases import record
from hilum.core.kernel.caller import Caller, Permission
from hilum.core.kernel.errors import Invalid

REASONS = (RejectionReason.RETENTION, RejectionReason.QUALITY)
"""Why something may be deleted. What was rejected for other reasons stays, so that it is known when it comes again."""


def order_deletion(
    tx: ArchiveTransaction,
    caller: Caller,
    uids: tuple[str, str, str],
    reason: RejectionReason,
    detail: str,
    grace: timedelta,
) -> Rejection:
    """Take a study, series or instance out of sight, and delete it after the grace period; raises NotFound."""
    policy.demand(caller, Permission.DELETION_ORDER)
    if reason not in REASONS:
        raise Invalid(
            f"'{reason}' is no reason to delete", next_step=f"choose of: {', '.join(REASONS)}, or reject it"
        )
    why = rejection.checked_detail(detail)
    return rejection.reject_below(tx, caller, uids, reason, why, tx.now + grace)


def sweep(tx: ArchiveTransaction) -> bool:
    """Delete what one due rejection still hides; tell whether there was one. Blobs go later, when none refers to them."""
    due = tx.lifecycle.due(tx.now)
    if due is None:
        return False
    held = tx.lifecycle.held(tx.lifecycle.rejected(due.key))
    gone = [one for one in held if reason_of(one.standing) not in {None, *NEVER_AGAIN}]
    uids = [one.sop_instance_uid for one in gone]
    tx.lifecycle.bury(due, uids, tx.now)
    study = due.study_instance_uid
    series = tuple(sorted({one.series_instance_uid for one in gone}))
    if uids:
        tx.events.append(InstancesDeleted(study, series, tuple(uids), due.reason), "")
    record(
        tx, policy.ENGINE, "archive.delete", f"Study/{study}", detail=f"{len(uids)} instances: {due.reason}"
    )
    return True


def tombstones(tx: ArchiveTransaction, caller: Caller, limit: int, study: str = "") -> list[Tombstone]:
    """Return what was deleted, newest first."""
    policy.demand(caller, Permission.ARCHIVE_RESTORE)
    return tx.lifecycle.tombstones(limit, study)
