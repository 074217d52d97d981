"""Bytes that others replaced: kept as versions for a while."""

from dataclasses import fields
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select, update

from hilum.core.archive.lifecycle import Version
from hilum.core.archive.model import Blob, Header, Instance
from hilum.stores.sql.opened import Opened
from hilum.stores.sql.rows import integer_of
from hilum.stores.sql.schema import instance_versions, instances, series, studies

_HEADER_FIELDS = tuple(
    field.name for field in fields(Instance) if field.name in {other.name for other in fields(Header)}
)
_KEPT = (
    select(
        instances.c.sop_instance_uid,
        instances.c.digest,
        instances.c.size,
        instances.c.transfer_syntax_uid,
        instances.c.source,
        instances.c.stored,
        series.c.key,
        series.c.study_key,
    )
    .join_from(instances, series, series.c.key == instances.c.series_key)
    .where(instances.c.sop_instance_uid == bindparam("uid"))
    .with_for_update(of=instances)
)
_ADD = instance_versions.insert().inline()
_VERSIONS = select(*(instance_versions.c[field.name] for field in fields(Version))).order_by(
    instance_versions.c.key.desc()
)
_TOUCH_STUDY = (
    update(studies)
    .where(studies.c.key == bindparam("at"))
    .values(version=studies.c.version + 1, updated=bindparam("now"))
)
_TOUCH_SERIES = update(series).where(series.c.key == bindparam("at")).values(updated=bindparam("now"))


def replace_instance(opened: Opened, header: Header, blob: Blob, source: str, expires: datetime) -> None:
    """Put other bytes in use for an instance, and keep those before them as a version."""
    connection, now = opened.connection, opened.now
    uid, digest, size, syntax, sender, stored, series_key, study_key = connection.execute(
        _KEPT, {"uid": header.sop_instance_uid}
    ).one()
    version = {"sop_instance_uid": uid, "digest": digest, "size": size, "transfer_syntax_uid": syntax}
    version |= {"source": sender, "stored": stored, "replaced_by": source, "expires": expires}
    connection.execute(_ADD, version)
    row = {name: getattr(header, name) for name in _HEADER_FIELDS}
    row |= {"digest": blob.digest, "size": blob.size, "source": source, "stored": now}
    row["instance_order"] = integer_of(header.instance_number)
    connection.execute(update(instances).where(instances.c.sop_instance_uid == uid).values(row))
    connection.execute(_TOUCH_SERIES, {"at": series_key, "now": now})
    connection.execute(_TOUCH_STUDY, {"at": study_key, "now": now})


def versions_of(connection: Connection, sop_instance_uid: str) -> list[Version]:
    """Return the earlier versions of an instance, newest first."""
    chosen = _VERSIONS.where(instance_versions.c.sop_instance_uid == sop_instance_uid)
    return [Version(*row) for row in connection.execute(chosen)]


def drop(connection: Connection, now: datetime) -> int:
    """Forget versions that expired; returns how many."""
    return connection.execute(delete(instance_versions).where(instance_versions.c.expires <= now)).rowcount
