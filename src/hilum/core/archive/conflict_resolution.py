"""Decide about what was kept aside, and take a decision back."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import BinaryIO

from hilum.core.access import policy
from hilum.core.archive.events import ConflictResolved, StudyReassigned
from hilum.core.archive.lifecycle import RESOLUTIONS, Before, Resolution
from hilum.core.archive.model import Blob, Header, StoredConflict, Study
from hilum.core.archive.ports import ArchiveTransaction
from hilum.core.archive.rejection import checked_detail
from hilum.core.archive.usecases import replace_instance
from hilum.core.audit.usecases import record
from hilum.core.kernel.caller import Caller, Permission
from hilum.core.kernel.errors import Conflict, Invalid, NotFound
from hilum.core.kernel.identifiers import Identifier

HeaderReader = Callable[[BinaryIO], Header]
"""Reads the indexed attributes of a stored object."""


def no_header(_file: BinaryIO) -> Header:
    """Read no header: for hubs where nobody takes other bytes."""
    raise Invalid("this hub reads no headers")


def conflict(tx: ArchiveTransaction, caller: Caller, key: int) -> StoredConflict:
    """Return one conflict, open or resolved; raises NotFound."""
    policy.demand(caller, Permission.CONFLICTS_READ)
    return _existing(tx, key)


def resolved(tx: ArchiveTransaction, caller: Caller, limit: int) -> list[StoredConflict]:
    """Return resolved conflicts, the latest first."""
    policy.demand(caller, Permission.CONFLICTS_READ)
    return tx.lifecycle.resolved_conflicts(limit)


def resolve(
    tx: ArchiveTransaction,
    caller: Caller,
    key: int,
    resolution: Resolution,
    detail: str,
    *,
    to: Identifier | None = None,
    header: Header | None = None,
    grace: timedelta,
) -> StoredConflict:
    """Resolve a conflict; raises NotFound, Conflict when it is resolved already, Invalid for what does not fit.

    `to` is the patient of a move, `header` that of the bytes that are taken.
    """
    policy.demand(caller, Permission.CONFLICTS_RESOLVE)
    kept, why = _existing(tx, key), checked_detail(detail)
    if kept.resolved is not None:
        raise Conflict("this conflict is resolved", next_step="take that back first")
    if resolution not in RESOLUTIONS[kept.kind]:
        raise Invalid(
            f"a conflict '{kept.kind}' is not resolved by '{resolution}'",
            next_step=f"choose of: {', '.join(RESOLUTIONS[kept.kind])}",
        )
    before = _apply(tx, caller, kept, resolution, to, header, grace)
    done = replace(
        kept, resolved=tx.now, resolution=resolution, resolved_by=caller.name, resolution_detail=why
    )
    _note(tx, caller, done, before)
    return done


def undo(
    tx: ArchiveTransaction, caller: Caller, key: int, header: Header | None, grace: timedelta
) -> StoredConflict:
    """Take a resolution back: the conflict is open again; raises Conflict when others changed it meanwhile.

    `header` is that of the bytes that were in use before.
    """
    policy.demand(caller, Permission.CONFLICTS_RESOLVE)
    kept, before = _existing(tx, key), tx.lifecycle.before(key)
    if kept.resolved is None:
        raise Conflict("this conflict is open", next_step="resolve it first")
    if before is not None:
        _take_back(tx, caller, kept, before, header, grace)
    opened = replace(kept, resolved=None, resolution="", resolved_by="", resolution_detail="")
    _note(tx, caller, opened, None)
    return opened


def bytes_before(tx: ArchiveTransaction, caller: Caller, key: int) -> str:
    """Return the digest of what was in use before a resolution; empty where it changed no bytes."""
    policy.demand(caller, Permission.CONFLICTS_RESOLVE)
    before = tx.lifecycle.before(key)
    return before.digest if before else ""


def _apply(
    tx: ArchiveTransaction,
    caller: Caller,
    kept: StoredConflict,
    resolution: Resolution,
    to: Identifier | None,
    header: Header | None,
    grace: timedelta,
) -> Before | None:
    match resolution:
        case Resolution.TAKE:
            return _take(tx, caller, kept, header, grace)
        case Resolution.MOVE:
            return _move(tx, caller, kept, to)
        case _:
            return None


def _take(
    tx: ArchiveTransaction, caller: Caller, kept: StoredConflict, header: Header | None, grace: timedelta
) -> Before:
    found = tx.archive.instance(kept.sop_instance_uid)
    if found is None or kept.blob is None or header is None:
        raise NotFound("one of the two objects is gone", next_step="resolve it by 'keep'")
    instance, series, _ = found
    if header.series_instance_uid != series.series_instance_uid:
        raise Invalid(
            "the other object says that it belongs to another series",
            next_step="mend the UIDs at their source",
        )
    replace_instance(tx, caller, header, kept.blob, grace)
    return Before(digest=instance.blob.digest, size=instance.blob.size)


def _move(tx: ArchiveTransaction, caller: Caller, kept: StoredConflict, to: Identifier | None) -> Before:
    study = _study_of(tx, kept)
    patient = tx.patients.by_identifier(to) if to is not None else None
    if patient is None:
        raise NotFound("no patient has this identifier", next_step="search for the patient first")
    _reassign(tx, caller, study, patient.root_key, reassigned=True)
    return Before(
        patient_record_key=study.patient_record_key, moved_to=patient.root_key, reassigned=study.reassigned
    )


def _take_back(
    tx: ArchiveTransaction,
    caller: Caller,
    kept: StoredConflict,
    before: Before,
    header: Header | None,
    grace: timedelta,
) -> None:
    if before.digest:
        found = tx.archive.instance(kept.sop_instance_uid)
        if found is None or header is None or kept.blob is None or found[0].blob.digest != kept.blob.digest:
            raise Conflict(
                "the object was replaced or deleted since", next_step="decide about what is in use now"
            )
        replace_instance(tx, caller, header, Blob(before.digest, before.size), grace)
        return
    study = _study_of(tx, kept)
    if study.patient_record_key != before.moved_to:
        raise Conflict("the study was moved on since", next_step="take the later move back first")
    _reassign(tx, caller, study, before.patient_record_key, reassigned=before.reassigned)


def _reassign(
    tx: ArchiveTransaction, caller: Caller, study: Study, patient_record_key: int, *, reassigned: bool
) -> None:
    tx.lifecycle.reassign(study.key, patient_record_key, reassigned=reassigned)
    record(tx, caller, "archive.reassign", f"Study/{study.study_instance_uid}")
    tx.events.append(StudyReassigned(study.study_instance_uid), caller.trace)


def _note(tx: ArchiveTransaction, caller: Caller, conflict: StoredConflict, before: Before | None) -> None:
    tx.lifecycle.resolve(conflict, before)
    action = "conflicts.resolve" if conflict.resolution else "conflicts.undo"
    record(tx, caller, action, f"Conflict/{conflict.key}", detail=conflict.resolution)
    uids = conflict.study_instance_uid, conflict.sop_instance_uid
    tx.events.append(ConflictResolved(conflict.kind, *uids, conflict.resolution), caller.trace)


def _study_of(tx: ArchiveTransaction, kept: StoredConflict) -> Study:
    study = tx.archive.study(kept.study_instance_uid)
    if study is None:
        raise NotFound("the study of this conflict is gone", next_step="look at the audit trail")
    return study


def _existing(tx: ArchiveTransaction, key: int) -> StoredConflict:
    found = tx.lifecycle.conflict(key)
    if found is None:
        raise NotFound(f"no conflict has the number {key}", next_step="hilum conflicts list")
    return found
