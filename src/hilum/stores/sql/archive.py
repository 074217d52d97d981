"""Studies, series, instances, conflicts and commitments."""

from dataclasses import asdict, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, literal_column, select, union, update

from hilum.core.archive.model import (
    Blob,
    Commitment,
    CommitmentState,
    Found,
    Header,
    Instance,
    Query,
    ReferencedInstance,
    Series,
    SeriesContent,
    StoredConflict,
    Study,
)
from hilum.core.kernel.choices import View
from hilum.stores.sql import below, finding
from hilum.stores.sql.chunks import chunks
from hilum.stores.sql.conflicts import CONFLICTS, conflict_of
from hilum.stores.sql.folding import folded_name, name_words
from hilum.stores.sql.lifecycle import REJECTED
from hilum.stores.sql.opened import Opened
from hilum.stores.sql.prepared import Prepared, adding
from hilum.stores.sql.putting import added, put
from hilum.stores.sql.rows import INSTANCE, SERIES, STUDY, instance_of, integer_of, series_of, study_of
from hilum.stores.sql.schema import (
    commitments,
    instance_versions,
    instances,
    series,
    series_summaries,
    stored_conflicts,
    studies,
)

_ONE: ColumnElement[int] = literal_column("1")
_INSTANCE = Prepared(
    select(*INSTANCE, *SERIES, *STUDY)
    .join_from(instances, series, instances.c.series_key == series.c.key)
    .join(studies, series.c.study_key == studies.c.key)
    .where(instances.c.sop_instance_uid == bindparam("uid"))
)
_SERIES = Prepared(
    select(*SERIES, *STUDY)
    .join_from(series, studies, series.c.study_key == studies.c.key)
    .where(series.c.series_instance_uid == bindparam("uid"))
)
_STUDY = select(*STUDY).where(studies.c.study_instance_uid == bindparam("uid"))

_HEADER_FIELDS = frozenset(field.name for field in fields(Header))


def _from_header(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.name in _HEADER_FIELDS)


_STUDY_FIELDS, _SERIES_FIELDS, _INSTANCE_FIELDS = map(_from_header, (Study, Series, Instance))
_of_study, _of_series, _of_instance = (
    attrgetter(*names) for names in (_STUDY_FIELDS, _SERIES_FIELDS, _INSTANCE_FIELDS)
)

_ADD_STUDY = studies.insert()
_ADD_SERIES = series.insert()
_ADD_INSTANCE = adding(instances)
_MODALITIES = (
    select(studies.c.modalities).where(studies.c.key == bindparam("at")).with_for_update(key_share=True)
)
_COUNT_SERIES = (
    update(studies)
    .where(studies.c.key == bindparam("at"))
    .values(
        number_of_series=studies.c.number_of_series + 1,
        modalities=bindparam("joined"),
        version=studies.c.version + 1,
        updated=bindparam("now"),
    )
)
_COUNT_IN_SERIES = Prepared(
    update(series)
    .where(series.c.key == bindparam("at"))
    .values(number_of_instances=series.c.number_of_instances + _ONE, updated=bindparam("now"))
)
_COUNT_IN_STUDY = Prepared(
    update(studies)
    .where(studies.c.key == bindparam("at"))
    .values(
        number_of_instances=studies.c.number_of_instances + _ONE,
        version=studies.c.version + _ONE,
        updated=bindparam("now"),
    )
)
_SAME_CONFLICT = select(stored_conflicts.c.key).where(
    stored_conflicts.c.sop_instance_uid == bindparam("sop_instance_uid"),
    stored_conflicts.c.kind == bindparam("kind"),
    stored_conflicts.c.digest == bindparam("digest"),
)
_ADD_CONFLICT = stored_conflicts.insert().inline()
_COMMITMENT = select(*(commitments.c[field.name] for field in fields(Commitment))).where(
    commitments.c.transaction_uid == bindparam("uid")
)
_REQUESTED = (
    select(commitments.c.transaction_uid)
    .where(
        commitments.c.state == literal_column(f"'{CommitmentState.REQUESTED.value}'"),
        commitments.c.created < bindparam("before"),
    )
    .order_by(commitments.c.created)
)
_STORED_CLASSES = select(instances.c.sop_instance_uid, instances.c.sop_class_uid, instances.c.digest).where(
    instances.c.sop_instance_uid.in_(bindparam("uids", expanding=True)),
    instances.c.standing.not_in(REJECTED),
)
_REFERENCED = union(
    *(
        select(table.c.digest).where(table.c.digest.in_(bindparam("digests", expanding=True)))
        for table in (instances, instance_versions, stored_conflicts, series_summaries)
    )
)
_TOTALS = (
    select(func.count()).select_from(studies),
    select(func.count()).select_from(series),
    select(func.count()).select_from(instances),
    select(func.coalesce(func.sum(instances.c.size), 0)),
    select(func.count()).select_from(stored_conflicts).where(stored_conflicts.c.resolved.is_(None)),
)


class SqlArchive:
    """Core's `ArchiveShelf`."""

    def __init__(self, opened: Opened) -> None:
        """Work inside one transaction."""
        self._opened = opened

    def instance(self, sop_instance_uid: str) -> tuple[Instance, Series, Study] | None:
        """Return an instance with its series and study."""
        row = _INSTANCE.first(self._opened.connection, {"uid": sop_instance_uid})
        if row is None:
            return None
        series_at, study_at = len(INSTANCE), len(INSTANCE) + len(SERIES)
        return instance_of(row[:series_at]), series_of(row[series_at:study_at]), study_of(row[study_at:])

    def study(self, study_instance_uid: str) -> Study | None:
        """Return one study."""
        row = self._opened.connection.execute(_STUDY, {"uid": study_instance_uid}).first()
        return study_of(row) if row else None

    def series(self, series_instance_uid: str) -> tuple[Series, Study] | None:
        """Return one series with its study."""
        row = _SERIES.first(self._opened.connection, {"uid": series_instance_uid})
        return (series_of(row[: len(SERIES)]), study_of(row[len(SERIES) :])) if row else None

    def add_study(self, header: Header, patient_record_key: int, order_key: int | None) -> int:
        """Keep a new study without instances and return its key."""
        row = dict(zip(_STUDY_FIELDS, _of_study(header), strict=True)) | {
            "patient_record_key": patient_record_key,
            "received_patient_id": header.patient_id,
            "referring_physician_name_folded": folded_name(header.referring_physician_name),
            "referring_physician_name_words": name_words(header.referring_physician_name),
            "modalities": (),
            "number_of_series": 0,
            "number_of_instances": 0,
            "order_key": order_key,
            "version": 1,
            "reassigned": False,
            "created": self._opened.now,
            "updated": self._opened.now,
        }
        return added(self._opened.connection, _ADD_STUDY, row)

    def add_series(self, header: Header, study_key: int) -> int:
        """Keep a new series, count it on its study, join its modality there, and return its key.

        The study's row is locked first: two new series at once must both be counted.
        """
        connection, now = self._opened.connection, self._opened.now
        modalities = connection.execute(_MODALITIES, {"at": study_key}).scalar_one()
        row = dict(zip(_SERIES_FIELDS, _of_series(header), strict=True)) | {
            "study_key": study_key,
            "series_order": integer_of(header.series_number),
            "number_of_instances": 0,
            "created": now,
            "updated": now,
        }
        key = added(connection, _ADD_SERIES, row)
        joined = tuple(sorted({*modalities, header.modality} - {""}))
        connection.execute(_COUNT_SERIES, {"at": study_key, "joined": joined, "now": now})
        return key

    def add_instance(self, header: Header, series_key: int, study_key: int, blob: Blob, source: str) -> None:
        """Keep a new instance, and count it on series and study."""
        connection, now = self._opened.connection, self._opened.now
        row = dict(zip(_INSTANCE_FIELDS, _of_instance(header), strict=True))
        row["series_key"] = series_key
        row["instance_order"] = integer_of(header.instance_number)
        row["digest"] = blob.digest
        row["size"] = blob.size
        row["source"] = source
        row["stored"] = now
        row["standing"] = ""
        _ADD_INSTANCE.run(connection, row)
        _COUNT_IN_SERIES.run(connection, {"at": series_key, "now": now})
        _COUNT_IN_STUDY.run(connection, {"at": study_key, "now": now})

    def find(self, query: Query) -> list[Found]:
        """Return one page of answers: newest study first, then by number and key, so that pages are stable."""
        return finding.find(self._opened.connection, query)

    def count(self, query: Query) -> int:
        """Return how many answers `find` would give without limit."""
        return finding.count(self._opened.connection, query)

    def select(self, query: Query) -> list[Found]:
        """Return every instance below what matches, with series, study and surviving patient, in series order."""
        return finding.every_instance(self._opened.connection, query)

    def contents(self, study_keys: list[int], view: View) -> dict[int, tuple[SeriesContent, ...]]:
        """Return the series of studies with the instances that a view shows, in order, by the key of the study."""
        return below.contents(self._opened.connection, study_keys, view)

    def add_conflict(self, conflict: StoredConflict) -> bool:
        """Keep a conflict (key 0); tell whether it is new: the same kind, UID and bytes twice are one."""
        row = {field.name: getattr(conflict, field.name) for field in fields(StoredConflict)}
        del row["key"], row["blob"]
        row["digest"], row["size"] = (conflict.blob.digest, conflict.blob.size) if conflict.blob else ("", 0)
        same = {name: row[name] for name in ("sop_instance_uid", "kind", "digest")}
        if self._opened.connection.execute(_SAME_CONFLICT, same).first() is not None:
            return False
        self._opened.connection.execute(_ADD_CONFLICT, row)
        return True

    def conflicts(self, limit: int, study_instance_uid: str = "") -> list[StoredConflict]:
        """Return open conflicts, newest first."""
        chosen = CONFLICTS.where(stored_conflicts.c.resolved.is_(None))
        if study_instance_uid:
            chosen = chosen.where(stored_conflicts.c.study_instance_uid == study_instance_uid)
        chosen = chosen.order_by(stored_conflicts.c.key.desc()).limit(limit)
        return [conflict_of(row) for row in self._opened.connection.execute(chosen)]

    def put_commitment(self, commitment: Commitment) -> None:
        """Add or replace a commitment by its transaction UID."""
        row = {name: getattr(commitment, name) for name in ("transaction_uid", "peer", "ae_title", "created")}
        row["committed"] = [asdict(reference) for reference in commitment.committed]
        row["failed"] = [asdict(reference) for reference in commitment.failed]
        row["state"] = commitment.state.value
        put(self._opened.connection, commitments, row)

    def commitment(self, transaction_uid: str) -> Commitment | None:
        """Return one commitment."""
        row = self._opened.connection.execute(_COMMITMENT, {"uid": transaction_uid}).first()
        if row is None:
            return None
        uid, peer, ae_title, committed, failed, state, created = row
        return Commitment(
            uid, peer, ae_title, _references(committed), _references(failed), CommitmentState(state), created
        )

    def commitments_requested(self, before: datetime) -> list[str]:
        """Return transaction UIDs of commitments still in state REQUESTED that were asked for before a moment."""
        return list(self._opened.connection.execute(_REQUESTED, {"before": before}).scalars())

    def stored_classes(self, sop_instance_uids: list[str]) -> dict[str, tuple[str, str]]:
        """Return SOP Class UID and digest of those of the instances that are kept."""
        return {
            uid: (sop_class_uid, digest)
            for chunk in chunks(sop_instance_uids)
            for uid, sop_class_uid, digest in self._opened.connection.execute(
                _STORED_CLASSES, {"uids": chunk}
            )
        }

    def referenced(self, digests: list[str]) -> set[str]:
        """Return those of the digests that any row refers to: instance, version, conflict or summary."""
        return {
            digest
            for chunk in chunks(digests)
            for (digest,) in self._opened.connection.execute(_REFERENCED, {"digests": chunk})
        }

    def totals(self) -> dict[str, int]:
        """Return how many studies, series, instances, octets and open conflicts there are."""
        names = ("studies", "series", "instances", "octets", "conflicts")
        counted = (int(self._opened.connection.execute(total).scalar_one()) for total in _TOTALS)
        return dict(zip(names, counted, strict=True))


def _references(kept: list[dict[str, Any]]) -> tuple[ReferencedInstance, ...]:
    return tuple(ReferencedInstance(**reference) for reference in kept)
