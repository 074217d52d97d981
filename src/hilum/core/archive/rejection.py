"""Reject and restore (IHE IOCM, RAD-66): instances go out of sight, and come back."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import groupby
from typing import BinaryIO

from hilum.core.access import policy
from hilum.core.archive.events import InstancesRejected, InstancesRestored
from hilum.core.archive.lifecycle import (
    NOTES,
    VISIBLE,
    Held,
    Rejection,
    RejectionNote,
    RejectionReason,
    standing_of_note,
    strongest,
)
from hilum.core.archive.ports import ArchiveTransaction
from hilum.core.audit.usecases import record
from hilum.core.kernel.caller import Caller, Permission
from hilum.core.kernel.errors import Conflict, Invalid, NotFound

KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"
"""Key Object Selection Document Storage (PS3.4 B.5)."""

NoteReader = Callable[[BinaryIO], RejectionNote | None]
"""Reads a stored Key Object Selection; None where its title is no rejection."""

LONGEST_DETAIL = 1024


def no_note(_file: BinaryIO) -> RejectionNote | None:
    """Read no rejection note: for hubs that serve no one who rejects."""
    return None


def take_note(
    tx: ArchiveTransaction, caller: Caller, note_uid: str, note: RejectionNote, grace: timedelta
) -> None:
    """Hide what a rejection note that was stored just now refers to, and the note (IHE RAD 4.66.4.1.3).

    References to instances that are not here, or are here in another study, reject nothing. Instances whose retention
    expired are deleted after the grace period (4.66.4.4.3).
    """
    policy.demand(caller, Permission.ARCHIVE_REJECT)
    tx.lifecycle.put_standing([note_uid], standing_of_note(note.reason))
    study_of = {one.sop_instance_uid: one.study_instance_uid for one in note.references}
    held = [
        one
        for one in tx.lifecycle.held(list(study_of))
        if one.study_instance_uid == study_of[one.sop_instance_uid]
    ]
    expires = tx.now + grace if note.reason is RejectionReason.RETENTION else None
    by_study = groupby(sorted(held, key=_study_of), key=_study_of)
    for _, instances in by_study:
        _reject(tx, caller, list(instances), note.reason, note_uid=note_uid, expires=expires)


def reject(
    tx: ArchiveTransaction,
    caller: Caller,
    uids: tuple[str, str, str],
    reason: RejectionReason,
    detail: str,
) -> Rejection:
    """Reject a study, one of its series or instances without a note; raises NotFound when nothing is in use there.

    `uids` are Study, Series and SOP Instance UID; the last two may be empty.
    """
    policy.demand(caller, Permission.ARCHIVE_REJECT)
    return reject_below(tx, caller, uids, reason, checked_detail(detail))


def reject_below(
    tx: ArchiveTransaction,
    caller: Caller,
    uids: tuple[str, str, str],
    reason: RejectionReason,
    detail: str,
    expires: datetime | None = None,
) -> Rejection:
    """Reject what the caller sees below these UIDs: for use-cases that asked for their own permission."""
    held = [one for one in tx.lifecycle.below(*uids) if one.standing in VISIBLE[caller.view] - NOTES]
    if not held:
        raise NotFound("there is nothing to reject", next_step="search for it first")
    return _reject(tx, caller, held, reason, detail=detail, expires=expires)


def restore(tx: ArchiveTransaction, caller: Caller, key: int, detail: str) -> Rejection:
    """Take a rejection back: its instances are in use again, unless another rejection still holds for them."""
    policy.demand(caller, Permission.ARCHIVE_RESTORE)
    kept = _existing(tx, key)
    if kept.deleted is not None:
        raise Conflict("what this rejection hid was deleted", next_step="send the instances again")
    if kept.restored is not None:
        raise Conflict("this rejection was taken back already", next_step="look at the audit trail")
    tx.lifecycle.restore(key, tx.now, caller.name, checked_detail(detail))
    _tell_restored(tx, caller, tx.lifecycle.held(tx.lifecycle.rejected(key)))
    record(tx, caller, "archive.restore", f"Study/{kept.study_instance_uid}", detail=f"rejection {key}")
    return _existing(tx, key)


def restore_instance(tx: ArchiveTransaction, caller: Caller, sop_instance_uid: str) -> None:
    """Take one instance out of its rejections: it came again after its retention expired (IHE RAD 4.66.4.4.3)."""
    tx.lifecycle.release(sop_instance_uid)
    _tell_restored(tx, caller, tx.lifecycle.held([sop_instance_uid]))
    record(tx, caller, "archive.restore", f"Instance/{sop_instance_uid}", detail="received again")


def rejections(tx: ArchiveTransaction, caller: Caller, limit: int, study: str = "") -> list[Rejection]:
    """Return rejections that hold, newest first."""
    policy.demand(caller, Permission.ARCHIVE_RESTORE)
    return tx.lifecycle.rejections(limit, study)


def recount(tx: ArchiveTransaction, study_instance_uid: str) -> None:
    """Count a study anew, later: an image that was on its way while its series went out of sight was not seen then."""
    tx.lifecycle.recount(study_instance_uid)


def checked_detail(detail: str) -> str:
    """Return why a person did it; raises Invalid where nothing, or far too much, is said."""
    if not 0 < len(detail.strip()) <= LONGEST_DETAIL:
        raise Invalid(f"say why, in 1 to {LONGEST_DETAIL} characters", next_step="give a reason")
    return detail.strip()


def _reject(
    tx: ArchiveTransaction,
    caller: Caller,
    held: list[Held],
    reason: RejectionReason,
    *,
    note_uid: str = "",
    detail: str = "",
    expires: datetime | None = None,
) -> Rejection:
    chosen = [one for one in held if one.standing not in NOTES]
    uids = [one.sop_instance_uid for one in chosen]
    study = held[0].study_instance_uid
    rejection = Rejection(0, study, note_uid, reason, detail, caller.name, tx.now, expires)
    key = tx.lifecycle.add_rejection(rejection, uids)
    _settle(tx, uids)
    series = tuple(sorted({one.series_instance_uid for one in chosen}))
    tx.events.append(InstancesRejected(study, series, tuple(uids), reason, note_uid), caller.trace)
    record(tx, caller, "archive.reject", f"Study/{study}", detail=f"{len(uids)} instances: {reason}")
    return _existing(tx, key)


def _tell_restored(tx: ArchiveTransaction, caller: Caller, held: list[Held]) -> None:
    if not held:
        return
    uids = [one.sop_instance_uid for one in held]
    _settle(tx, uids)
    series = tuple(sorted({one.series_instance_uid for one in held}))
    tx.events.append(InstancesRestored(held[0].study_instance_uid, series, tuple(uids)), caller.trace)


def _settle(tx: ArchiveTransaction, sop_instance_uids: list[str]) -> None:
    """Let each instance stand as the strongest rejection that holds for it says."""
    reasons = tx.lifecycle.reasons(sop_instance_uids)
    standing = {uid: strongest(reasons.get(uid, frozenset())) for uid in sop_instance_uids}
    for one in sorted(set(standing.values())):
        tx.lifecycle.put_standing([uid for uid, stands in standing.items() if stands is one], one)


def _existing(tx: ArchiveTransaction, key: int) -> Rejection:
    found = tx.lifecycle.rejection(key)
    if found is None:
        raise NotFound(f"no rejection has the number {key}", next_step="hilum rejections list")
    return found


def _study_of(one: Held) -> str:
    return one.study_instance_uid
