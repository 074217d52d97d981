"""Modality worklist queries (PS3.4 K.6.1.2) as one statement."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select

from hilum.core.archive.model import Between
from hilum.core.orders.model import OrderStatus, ScheduledProcedureStep, WorklistQuery
from hilum.core.orders.rules import OPEN_STEPS
from hilum.core.patients.model import PatientRecord
from hilum.stores.sql.matching import is_universal, matching, name_condition, text_condition
from hilum.stores.sql.patients import WIDTH, columns_of, patient_record
from hilum.stores.sql.schema import orders, patient_records
from hilum.stores.sql.schema import scheduled_procedure_steps as steps

_ordered_for = patient_records.alias("ordered_for")
_root = patient_records.alias("root")
_any_record = patient_records.alias("any_record")

_STEP = tuple(steps.c[field.name] for field in fields(ScheduledProcedureStep))
_ITEMS = (
    select(*columns_of(_root), orders.c.key, *_STEP)
    .join_from(steps, orders, orders.c.key == steps.c.order_key)
    .join(_ordered_for, _ordered_for.c.key == orders.c.patient_record_key)
    .join(_root, _root.c.key == _ordered_for.c.root_key)
    .order_by(steps.c.start_date, steps.c.start_time, steps.c.key)
)
_TEXT_KEYS = {
    "accession_number": orders.c.accession_number,
    "requested_procedure_id": orders.c.requested_procedure_id,
    "study_instance_uid": orders.c.study_instance_uid,
    "scheduled_procedure_step_id": steps.c.scheduled_procedure_step_id,
    "modality": steps.c.modality,
}
_NAME_KEYS = {
    "patient_name": _root.c.name_folded,
    "performing_physician": steps.c.performing_physician_folded,
}
_RANGES = {"start_date": steps.c.start_date, "start_time": steps.c.start_time}
_IDENTIFIER_KEYS = {
    "patient_id": _any_record.c.value,
    "issuer_of_patient_id": _any_record.c.issuer,
}


def found(connection: Connection, query: WorklistQuery) -> list[tuple[int, Sequence[Any], PatientRecord]]:
    """Return the order's key, the step's row and the surviving patient of each match, by start."""
    chosen = _ITEMS.where(*_conditions(query)).limit(query.limit)
    return [(row[WIDTH], row[WIDTH + 1 :], patient_record(row[:WIDTH])) for row in connection.execute(chosen)]


def _conditions(query: WorklistQuery) -> list[ColumnElement[bool]]:
    statuses = [status.value for status in query.status or OPEN_STEPS]
    conditions: list[ColumnElement[bool]] = [steps.c.status.in_(statuses)]
    conditions += [
        text_condition(column, matching(getattr(query, key)))
        for key, column in _TEXT_KEYS.items()
        if not is_universal(matching(getattr(query, key)))
    ]
    if query.status == ():
        conditions.append(orders.c.status == OrderStatus.ACTIVE.value)
    station = matching(query.station_ae_title)
    if not is_universal(station):
        unassigned = steps.c.station_ae_title == ""
        conditions.append(or_(unassigned, text_condition(steps.c.station_ae_title, station)))
    conditions += [
        name_condition(column, None, matching(getattr(query, key)))
        for key, column in _NAME_KEYS.items()
        if not is_universal(matching(getattr(query, key)))
    ]
    conditions += [
        text_condition(column, Between(*getattr(query, key)))
        for key, column in _RANGES.items()
        if any(getattr(query, key))
    ]
    given = [
        text_condition(column, matching(getattr(query, key)))
        for key, column in _IDENTIFIER_KEYS.items()
        if not is_universal(matching(getattr(query, key)))
    ]
    if given:
        conditions.append(_root.c.key.in_(select(_any_record.c.root_key).where(*given)))
    return conditions
