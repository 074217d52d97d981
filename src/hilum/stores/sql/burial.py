"""Delete instances, with a tombstone for each (house plan: the trail can speak of what is gone)."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, literal, select, update

from hilum.core.archive.lifecycle import Rejection, RejectionReason, Tombstone
from hilum.stores.sql.chunks import chunks
from hilum.stores.sql.schema import (
    instance_versions,
    instances,
    rejected_instances,
    rejections,
    series,
    studies,
    tombstones,
)

_COLUMNS = [tombstones.c[field.name] for field in fields(Tombstone)]
_AMONG = instances.c.sop_instance_uid.in_(bindparam("uids", expanding=True))
_PLACES = (
    select(series.c.key, series.c.study_key)
    .where(series.c.key.in_(select(instances.c.series_key).where(_AMONG)))
    .order_by(series.c.key)
    .with_for_update()
)
_GONE = select(
    instances.c.sop_instance_uid,
    series.c.series_instance_uid,
    studies.c.study_instance_uid,
    instances.c.sop_class_uid,
    instances.c.digest,
).where(_AMONG)
_GONE = _GONE.join_from(instances, series, series.c.key == instances.c.series_key).join(
    studies, studies.c.key == series.c.study_key
)
_DELETE = delete(instances).where(_AMONG)
_DELETE_VERSIONS = delete(instance_versions).where(
    instance_versions.c.sop_instance_uid.in_(bindparam("uids", expanding=True))
)
_DELETE_SERIES = delete(series).where(
    series.c.key.in_(bindparam("keys", expanding=True)),
    ~exists().where(instances.c.series_key == series.c.key),
)
_LOCK_STUDIES = (
    select(studies.c.key)
    .where(studies.c.key.in_(bindparam("keys", expanding=True)))
    .order_by(studies.c.key)
    .with_for_update()
)
_DELETE_STUDIES = delete(studies).where(
    studies.c.key.in_(bindparam("keys", expanding=True)), ~exists().where(series.c.study_key == studies.c.key)
)
_NOTE = update(rejections).where(rejections.c.key == bindparam("at")).values(deleted=bindparam("now"))
_FORGET = delete(rejected_instances).where(rejected_instances.c.rejection_key == bindparam("at"))


def bury(connection: Connection, rejection: Rejection, uids: list[str], now: datetime) -> None:
    """Delete instances with the series and studies that are empty then; leave tombstones, note the deletion."""
    touched: set[int] = set()
    for chunk in chunks(uids):
        touched.update(_bury(connection, rejection, chunk, now))
    for some in chunks(sorted(touched)):
        connection.execute(_LOCK_STUDIES, {"keys": some})
        connection.execute(_DELETE_STUDIES, {"keys": some})
    connection.execute(_NOTE, {"at": rejection.key, "now": now})
    connection.execute(_FORGET, {"at": rejection.key})


def tombstones_of(connection: Connection, limit: int, study_instance_uid: str) -> list[Tombstone]:
    """Return what was deleted, newest first; of one study where it is named."""
    chosen = select(*_COLUMNS).order_by(tombstones.c.key.desc()).limit(limit)
    if study_instance_uid:
        chosen = chosen.where(tombstones.c.study_instance_uid == study_instance_uid)
    return [_tombstone(row) for row in connection.execute(chosen)]


def _bury(connection: Connection, rejection: Rejection, uids: list[str], now: datetime) -> set[int]:
    """Delete some instances and return the keys of their studies."""
    places = list(connection.execute(_PLACES, {"uids": uids}))
    of_all = (rejection.reason.value, rejection.detail, rejection.caller, rejection.created, now)
    said = [literal(value, column.type) for value, column in zip(of_all, _COLUMNS[5:], strict=True)]
    names = [column.name for column in _COLUMNS]
    connection.execute(tombstones.insert().from_select(names, _GONE.add_columns(*said)), {"uids": uids})
    connection.execute(_DELETE, {"uids": uids})
    connection.execute(_DELETE_VERSIONS, {"uids": uids})
    connection.execute(_DELETE_SERIES, {"keys": [key for key, _ in places]})
    return {study for _, study in places}


def _tombstone(row: Sequence[Any]) -> Tombstone:
    *names, reason, detail, caller, ordered, deleted = row
    return Tombstone(*[*names, RejectionReason(reason), detail, caller, ordered, deleted])
