"""Performed procedure steps (MPPS) and the studies that they name."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from hilum.core.orders.model import PerformedMessage, PerformedProcedureStep, PerformedStatus
from hilum.stores.sql.putting import added, put
from hilum.stores.sql.schema import performed_messages as messages
from hilum.stores.sql.schema import performed_procedure_steps as steps
from hilum.stores.sql.schema import performed_studies

_NAMES = tuple(field.name for field in fields(PerformedProcedureStep))
_STEPS = select(*(steps.c[name] for name in _NAMES))
_STEP = _STEPS.where(steps.c.sop_instance_uid == bindparam("uid"))
_OF_STUDY = (
    _STEPS.join(performed_studies, performed_studies.c.sop_instance_uid == steps.c.sop_instance_uid)
    .where(performed_studies.c.study_instance_uid == bindparam("uid"))
    .order_by(steps.c.created, steps.c.sop_instance_uid)
)
_MESSAGE_NAMES = tuple(field.name for field in fields(PerformedMessage))
_MESSAGE = select(*(messages.c[name] for name in _MESSAGE_NAMES)).where(messages.c.key == bindparam("at"))
_ADD_MESSAGE = messages.insert()
_FORGET_STUDIES = delete(performed_studies).where(performed_studies.c.sop_instance_uid == bindparam("uid"))
_ADD_STUDY = performed_studies.insert().inline()


def read(connection: Connection, sop_instance_uid: str) -> PerformedProcedureStep | None:
    """Return one performed procedure step."""
    row = connection.execute(_STEP, {"uid": sop_instance_uid}).first()
    return _performed(row) if row else None


def keep(connection: Connection, step: PerformedProcedureStep) -> None:
    """Add or replace a performed procedure step by its UID."""
    row = {name: getattr(step, name) for name in _NAMES}
    row |= {
        "status": step.status.value,
        "order_keys": list(step.order_keys),
        "attributes": dict(step.attributes),
    }
    put(connection, steps, row)
    connection.execute(_FORGET_STUDIES, {"uid": step.sop_instance_uid})
    named = [
        {"study_instance_uid": uid, "sop_instance_uid": step.sop_instance_uid}
        for uid in dict.fromkeys(step.study_instance_uids)
    ]
    if named:
        connection.execute(_ADD_STUDY, named)


def keep_message(connection: Connection, message: PerformedMessage) -> int:
    """Keep an N-CREATE or N-SET as it came; returns its key."""
    row = {name: getattr(message, name) for name in _MESSAGE_NAMES[1:]}
    return added(connection, _ADD_MESSAGE, row | {"attributes": dict(message.attributes)})


def message(connection: Connection, key: int) -> PerformedMessage | None:
    """Return one message."""
    row = connection.execute(_MESSAGE, {"at": key}).first()
    return PerformedMessage(*row) if row else None


def of_study(connection: Connection, study_instance_uid: str) -> list[PerformedProcedureStep]:
    """Return the performed procedure steps that name a study."""
    return [_performed(row) for row in connection.execute(_OF_STUDY, {"uid": study_instance_uid})]


def _performed(row: Sequence[Any]) -> PerformedProcedureStep:
    kept = dict(zip(_NAMES, row, strict=True))
    kept["status"] = PerformedStatus(kept["status"])
    kept["order_keys"] = tuple(kept["order_keys"])
    return PerformedProcedureStep(**kept)
