"""Rejections, and how instances stand."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, delete, func, select, update

from hilum.core.archive.lifecycle import (
    NOTES,
    Before,
    Held,
    Rejection,
    RejectionReason,
    Standing,
    Tombstone,
    Version,
)
from hilum.core.archive.model import Blob, Header, StoredConflict
from hilum.stores.sql import burial, conflicts, versions
from hilum.stores.sql.chunks import chunks
from hilum.stores.sql.opened import Opened
from hilum.stores.sql.putting import added
from hilum.stores.sql.schema import instances, rejected_instances, rejections, series, studies

REJECTED = sorted(set(Standing) - NOTES - {Standing.CURRENT})

_HELD = (
    select(
        studies.c.study_instance_uid,
        series.c.series_instance_uid,
        instances.c.sop_instance_uid,
        instances.c.standing,
    )
    .join_from(instances, series, series.c.key == instances.c.series_key)
    .join(studies, studies.c.key == series.c.study_key)
    .order_by(instances.c.key)
)
_HELD_AMONG = _HELD.where(instances.c.sop_instance_uid.in_(bindparam("uids", expanding=True)))
_SERIES_OF = (
    select(instances.c.series_key)
    .where(instances.c.sop_instance_uid.in_(bindparam("uids", expanding=True)))
    .distinct()
)
_PUT_STANDING = (
    update(instances)
    .where(instances.c.sop_instance_uid.in_(bindparam("uids", expanding=True)))
    .values(standing=bindparam("stands"))
)
_LOCK_SERIES = (
    select(series.c.key, series.c.study_key)
    .where(series.c.key.in_(bindparam("keys", expanding=True)))
    .order_by(series.c.key)
    .with_for_update()
)
_LOCK_STUDIES = (
    select(studies.c.key)
    .where(studies.c.key.in_(bindparam("keys", expanding=True)))
    .order_by(studies.c.key)
    .with_for_update(key_share=True)
)
_IN_USE = (
    select(func.count())
    .where(instances.c.series_key == series.c.key, instances.c.standing == "")
    .scalar_subquery()
)
_RECOUNT_SERIES = (
    update(series)
    .where(series.c.key.in_(bindparam("keys", expanding=True)))
    .values(number_of_instances=_IN_USE, updated=bindparam("now"))
)
_SHOWN_SERIES = select(series.c.modality, series.c.number_of_instances).where(
    series.c.study_key == bindparam("at"), series.c.number_of_instances > 0
)
_RECOUNT_STUDY = (
    update(studies)
    .where(studies.c.key == bindparam("at"))
    .values(
        number_of_series=bindparam("shown_series"),
        number_of_instances=bindparam("shown_instances"),
        modalities=bindparam("joined"),
        version=studies.c.version + 1,
        updated=bindparam("now"),
    )
)
_SERIES_OF_STUDY = (
    select(series.c.key)
    .join_from(series, studies, studies.c.key == series.c.study_key)
    .where(studies.c.study_instance_uid == bindparam("uid"))
)
_MODALITIES = (
    select(studies.c.modalities).where(studies.c.key == bindparam("at")).with_for_update(key_share=True)
)
_SHOW_SERIES = (
    update(studies)
    .where(studies.c.key == bindparam("at"))
    .values(number_of_series=studies.c.number_of_series + 1, modalities=bindparam("joined"))
)
_ADD_REJECTION = rejections.insert()
_ADD_REJECTED = rejected_instances.insert().inline()
_NUMBER = select(func.count()).where(rejected_instances.c.rejection_key == rejections.c.key).scalar_subquery()
_COLUMNS = [rejections.c[field.name] for field in fields(Rejection) if field.name != "number_of_instances"]
_REJECTIONS = select(*_COLUMNS, _NUMBER)
_REJECTED = select(rejected_instances.c.sop_instance_uid).where(
    rejected_instances.c.rejection_key == bindparam("at")
)
_REASONS = (
    select(rejected_instances.c.sop_instance_uid, rejections.c.reason)
    .join_from(rejected_instances, rejections, rejections.c.key == rejected_instances.c.rejection_key)
    .where(
        rejected_instances.c.sop_instance_uid.in_(bindparam("uids", expanding=True)),
        rejections.c.restored.is_(None),
        rejections.c.deleted.is_(None),
    )
)
_RESTORE = (
    update(rejections)
    .where(rejections.c.key == bindparam("at"))
    .values(restored=bindparam("now"), restored_by=bindparam("by"), restore_detail=bindparam("why"))
)
_DUE = (
    _REJECTIONS.where(
        rejections.c.restored.is_(None),
        rejections.c.deleted.is_(None),
        rejections.c.expires <= bindparam("now"),
    )
    .order_by(rejections.c.expires)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_HOLDING = select(rejections.c.key).where(rejections.c.restored.is_(None))
_RELEASE = delete(rejected_instances).where(
    rejected_instances.c.sop_instance_uid == bindparam("uid"),
    rejected_instances.c.rejection_key.in_(_HOLDING),
)


class SqlLifecycle:
    """Core's `LifecycleShelf`."""

    def __init__(self, opened: Opened) -> None:
        """Work inside one transaction."""
        self._opened = opened

    def held(self, sop_instance_uids: list[str]) -> list[Held]:
        """Return those of the instances that are kept."""
        return [
            one for chunk in chunks(sop_instance_uids) for one in self._held(_HELD_AMONG, {"uids": chunk})
        ]

    def below(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> list[Held]:
        """Return all instances of a study, of one series or one instance where those are not empty."""
        chosen = _HELD.where(studies.c.study_instance_uid == study_instance_uid)
        if series_instance_uid:
            chosen = chosen.where(series.c.series_instance_uid == series_instance_uid)
        if sop_instance_uid:
            chosen = chosen.where(instances.c.sop_instance_uid == sop_instance_uid)
        return self._held(chosen, {})

    def put_standing(self, sop_instance_uids: list[str], standing: Standing) -> None:
        """Let instances stand so, and count anew what is above them."""
        touched: set[int] = set()
        for chunk in chunks(sop_instance_uids):
            self._opened.connection.execute(_PUT_STANDING, {"uids": chunk, "stands": standing.value})
            touched.update(self._opened.connection.execute(_SERIES_OF, {"uids": chunk}).scalars())
        self._recount(sorted(touched))

    def show_series(self, series_key: int, study_key: int, modality: str) -> None:
        """Count a series again on its study: all of it was out of sight, and something new comes in."""
        del series_key
        connection = self._opened.connection
        modalities = connection.execute(_MODALITIES, {"at": study_key}).scalar_one()
        joined = tuple(sorted({*modalities, modality} - {""}))
        connection.execute(_SHOW_SERIES, {"at": study_key, "joined": joined})

    def recount(self, study_instance_uid: str) -> None:
        """Count anew what is below a study."""
        keys = self._opened.connection.execute(_SERIES_OF_STUDY, {"uid": study_instance_uid}).scalars()
        self._recount(sorted(keys))

    def add_rejection(self, rejection: Rejection, sop_instance_uids: list[str]) -> int:
        """Keep a rejection (key 0) with its instances and return its key."""
        row = asdict(rejection)
        del row["key"], row["number_of_instances"]
        key = added(self._opened.connection, _ADD_REJECTION, row | {"reason": rejection.reason.value})
        rows = [{"rejection_key": key, "sop_instance_uid": uid} for uid in dict.fromkeys(sop_instance_uids)]
        if rows:
            self._opened.connection.execute(_ADD_REJECTED, rows)
        return key

    def rejection(self, key: int) -> Rejection | None:
        """Return one rejection."""
        row = self._opened.connection.execute(_REJECTIONS.where(rejections.c.key == key)).first()
        return _rejection(row) if row else None

    def rejections(self, limit: int, study_instance_uid: str = "") -> list[Rejection]:
        """Return rejections that hold, newest first."""
        chosen = _REJECTIONS.where(rejections.c.restored.is_(None), rejections.c.deleted.is_(None))
        if study_instance_uid:
            chosen = chosen.where(rejections.c.study_instance_uid == study_instance_uid)
        chosen = chosen.order_by(rejections.c.key.desc()).limit(limit)
        return [_rejection(row) for row in self._opened.connection.execute(chosen)]

    def rejected(self, key: int) -> list[str]:
        """Return the SOP Instance UIDs of a rejection."""
        return list(self._opened.connection.execute(_REJECTED, {"at": key}).scalars())

    def reasons(self, sop_instance_uids: list[str]) -> dict[str, frozenset[RejectionReason]]:
        """Return for what reasons instances are rejected by what holds."""
        found: dict[str, set[RejectionReason]] = {}
        for chunk in chunks(sop_instance_uids):
            for uid, reason in self._opened.connection.execute(_REASONS, {"uids": chunk}):
                found.setdefault(uid, set()).add(RejectionReason(reason))
        return {uid: frozenset(reasons) for uid, reasons in found.items()}

    def restore(self, key: int, at: datetime, by: str, detail: str) -> None:
        """Let a rejection hold no more."""
        self._opened.connection.execute(_RESTORE, {"at": key, "now": at, "by": by, "why": detail})

    def due(self, now: datetime) -> Rejection | None:
        """Return a rejection whose instances are to be deleted now, locked for this transaction."""
        row = self._opened.connection.execute(_DUE, {"now": now}).first()
        return _rejection(row) if row else None

    def bury(self, rejection: Rejection, sop_instance_uids: list[str], now: datetime) -> None:
        """Delete instances with the series and studies that are empty then; leave tombstones, note the deletion."""
        burial.bury(self._opened.connection, rejection, sop_instance_uids, now)

    def tombstones(self, limit: int, study_instance_uid: str = "") -> list[Tombstone]:
        """Return what was deleted, newest first."""
        return burial.tombstones_of(self._opened.connection, limit, study_instance_uid)

    def replace_instance(self, header: Header, blob: Blob, source: str, expires: datetime) -> None:
        """Put other bytes in use for an instance, and keep those before them as a version."""
        versions.replace_instance(self._opened, header, blob, source, expires)

    def versions(self, sop_instance_uid: str) -> list[Version]:
        """Return the earlier versions of an instance, newest first."""
        return versions.versions_of(self._opened.connection, sop_instance_uid)

    def drop_versions(self, now: datetime) -> int:
        """Forget versions that expired; returns how many."""
        return versions.drop(self._opened.connection, now)

    def conflict(self, key: int) -> StoredConflict | None:
        """Return one conflict, open or resolved."""
        return conflicts.conflict(self._opened.connection, key)

    def resolved_conflicts(self, limit: int) -> list[StoredConflict]:
        """Return resolved conflicts, the latest first."""
        return conflicts.resolved(self._opened.connection, limit)

    def resolve(self, conflict: StoredConflict, before: Before | None) -> None:
        """Keep how a conflict stands: resolved, with what that changed, or open again."""
        conflicts.resolve(self._opened.connection, conflict, before)

    def before(self, key: int) -> Before | None:
        """Return what the resolution of a conflict changed."""
        return conflicts.before(self._opened.connection, key)

    def drop_conflicts(self, before: datetime) -> int:
        """Forget conflicts over bytes that were resolved before a moment; returns how many."""
        return conflicts.drop(self._opened.connection, before)

    def reassign(self, study_key: int, patient_record_key: int, *, reassigned: bool) -> None:
        """Let a study belong to another patient record."""
        conflicts.reassign(self._opened, study_key, patient_record_key, reassigned=reassigned)

    def digests(self, after: str, limit: int) -> list[str]:
        """Return the digests of instances beyond one, in their order."""
        chosen = select(instances.c.digest).where(instances.c.digest > after).distinct()
        return list(
            self._opened.connection.execute(chosen.order_by(instances.c.digest).limit(limit)).scalars()
        )

    def release(self, sop_instance_uid: str) -> None:
        """Take one instance out of every rejection that holds."""
        self._opened.connection.execute(_RELEASE, {"uid": sop_instance_uid})

    def _held(self, chosen: Select[Any], values: dict[str, Any]) -> list[Held]:
        rows = self._opened.connection.execute(chosen, values)
        return [Held(study, one, uid, Standing(standing)) for study, one, uid, standing in rows]

    def _recount(self, series_keys: list[int]) -> None:
        """Count series, then their studies; rows are locked first, series before study, as storing does."""
        connection, now = self._opened.connection, self._opened.now
        touched: set[int] = set()
        for chunk in chunks(series_keys):
            locked = connection.execute(_LOCK_SERIES, {"keys": chunk})
            touched.update(study for _, study in locked)
            connection.execute(_RECOUNT_SERIES, {"keys": chunk, "now": now})
        if touched:
            connection.execute(_LOCK_STUDIES, {"keys": sorted(touched)})
        for study in sorted(touched):
            self._recount_study(study, now)

    def _recount_study(self, study_key: int, now: datetime) -> None:
        shown = list(self._opened.connection.execute(_SHOWN_SERIES, {"at": study_key}))
        self._opened.connection.execute(
            _RECOUNT_STUDY,
            {
                "at": study_key,
                "shown_series": len(shown),
                "shown_instances": sum(number for _, number in shown),
                "joined": tuple(sorted({modality for modality, _ in shown} - {""})),
                "now": now,
            },
        )


def _rejection(row: Sequence[Any]) -> Rejection:
    key, study, note, reason, *others = row
    return Rejection(key, study, note, RejectionReason(reason), *others)
