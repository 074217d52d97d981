"""Modality Performed Procedure Step: N-CREATE, N-SET and N-GET data sets (PS3.4 F.7.2, Table F.7.2-1; RAD-6, 7)."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydicom.dataset import Dataset

from hilum.core.orders.model import PerformedChange, PerformedMessage, PerformedProcedureStep, PerformedStatus
from hilum.wire.dicom.character_sets import UTF_8_TERM
from hilum.wire.dicom.data_sets import (
    INVALID_VALUE,
    SPECIFIC_CHARACTER_SET,
    AttributeProblem,
    character_set,
    decoded,
    items_at,
    missing,
    put,
    text_at,
    uid_at,
)
from hilum.wire.dicom.elements import DataSet
from hilum.wire.dicom.json_model import data_set_of_json, instance_json
from hilum.wire.dicom.part10 import FileMeta

PERFORMED_PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"

_STATUS = 0x00400252
_SCHEDULED_STEPS, _PERFORMED_SERIES = 0x00400270, 0x00400340
_REQUIRED = (
    (0x00080060, "Modality"),
    (0x00400241, "PerformedStationAETitle"),
    (0x00400244, "PerformedProcedureStepStartDate"),
    (0x00400245, "PerformedProcedureStepStartTime"),
    (0x00400253, "PerformedProcedureStepID"),
)
"""Type 1 at N-CREATE, beside the status and the scheduled steps."""
_CHARACTER_SET_KEY = f"{SPECIFIC_CHARACTER_SET:08X}"


def created_step(encoded: bytes, transfer_syntax_uid: str, sop_instance_uid: str) -> PerformedProcedureStep:
    """Read an N-CREATE data set; raises AttributeProblem with the status and the attribute."""
    data_set = decoded(encoded, transfer_syntax_uid)
    status = _status(data_set)
    if status is None:
        raise missing(data_set, _STATUS, "PerformedProcedureStepStatus")
    if status is not PerformedStatus.IN_PROGRESS:
        raise AttributeProblem(
            INVALID_VALUE,
            _STATUS,
            "PerformedProcedureStepStatus",
            "must be IN PROGRESS when a step is created",
        )
    for tag, keyword in _REQUIRED:
        if not text_at(data_set, tag):
            raise missing(data_set, tag, keyword)
    characters = character_set(data_set)
    steps = _scheduled_steps(data_set)
    return PerformedProcedureStep(
        sop_instance_uid=sop_instance_uid,
        status=status,
        performed_procedure_step_id=text_at(data_set, 0x00400253, characters),
        performed_station_ae_title=text_at(data_set, 0x00400241),
        modality=text_at(data_set, 0x00080060),
        start_date=text_at(data_set, 0x00400244),
        start_time=text_at(data_set, 0x00400245),
        end_date=text_at(data_set, 0x00400250),
        end_time=text_at(data_set, 0x00400251),
        study_instance_uids=_distinct(uid_at(step, 0x0020000D) for step in steps),
        accession_numbers=tuple(text_at(step, 0x00080050, characters) for step in steps),
        scheduled_procedure_step_ids=_distinct(text_at(step, 0x00400009, characters) for step in steps),
        series_instance_uids=_series(data_set),
        attributes=_attributes(encoded, transfer_syntax_uid),
    )


def changed_step(encoded: bytes, transfer_syntax_uid: str) -> tuple[PerformedChange, tuple[str, ...]]:
    """Read an N-SET data set, and what is wrong with it although it is taken; raises AttributeProblem."""
    data_set = decoded(encoded, transfer_syntax_uid)
    change = PerformedChange(
        status=_status(data_set),
        end_date=text_at(data_set, 0x00400250),
        end_time=text_at(data_set, 0x00400251),
        series_instance_uids=_series(data_set),
        attributes=_attributes(encoded, transfer_syntax_uid),
    )
    return change, tuple(_remarks(data_set, change))


def message_data_set(message: PerformedMessage) -> Dataset:
    """Return the data set of an N-CREATE or N-SET that is sent on, in UTF-8."""
    data_set = data_set_of_json(dict(message.attributes))
    put(data_set, SPECIFIC_CHARACTER_SET, "CS", UTF_8_TERM)
    return data_set


def step_data_set(step: PerformedProcedureStep, tags: Iterable[int] = ()) -> Dataset:
    """Return the data set of an N-GET: all attributes, or those of its Attribute Identifier List."""
    wanted = {f"{tag:08X}" for tag in tags}
    chosen = {tag: value for tag, value in step.attributes.items() if not wanted or tag in wanted}
    data_set = data_set_of_json(chosen)
    put(data_set, SPECIFIC_CHARACTER_SET, "CS", UTF_8_TERM)
    return data_set


def _status(data_set: DataSet) -> PerformedStatus | None:
    text = text_at(data_set, _STATUS)
    if not text:
        return None
    try:
        return PerformedStatus(text)
    except ValueError as error:
        known = ", ".join(status.value for status in PerformedStatus)
        raise AttributeProblem(
            INVALID_VALUE, _STATUS, "PerformedProcedureStepStatus", f"is none of {known}"
        ) from error


def _scheduled_steps(data_set: DataSet) -> tuple[DataSet, ...]:
    steps = items_at(data_set, _SCHEDULED_STEPS)
    if not steps:
        raise missing(data_set, _SCHEDULED_STEPS, "ScheduledStepAttributesSequence")
    for step in steps:
        if not uid_at(step, 0x0020000D):
            raise missing(step, 0x0020000D, "StudyInstanceUID")
    return steps


def _series(data_set: DataSet) -> tuple[str, ...]:
    return _distinct(uid_at(series, 0x0020000E) for series in items_at(data_set, _PERFORMED_SERIES))


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))


def _attributes(encoded: bytes, transfer_syntax_uid: str) -> Mapping[str, Any]:
    """Return the data set in the JSON model, which is always UTF-8: its character set says nothing any more."""
    attributes = instance_json(encoded, lambda _: "", FileMeta(transfer_syntax_uid, 0), inline_up_to=1 << 20)
    attributes.pop(_CHARACTER_SET_KEY, None)
    return attributes


def _remarks(data_set: DataSet, change: PerformedChange) -> Iterable[str]:
    """PS3.4 Table F.7.2-1: what a final state requires. Devices leave it out, and the step has ended all the same."""
    if change.status in {None, PerformedStatus.IN_PROGRESS}:
        return
    if not items_at(data_set, _PERFORMED_SERIES):
        yield "the step ended without Performed Series Sequence (0040,0340)"
    if not change.end_date or not change.end_time:
        yield "the step ended without Performed Procedure Step End Date and Time (0040,0250), (0040,0251)"
