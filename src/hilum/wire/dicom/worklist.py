"""Modality Worklist: identifiers to core queries, scheduled steps to answers (PS3.4 K.6.1, Table K.6-1; RAD-5)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType

from pydicom.dataset import Dataset

from hilum.core.archive.model import Exact, Wildcard
from hilum.core.kernel.codes import Code
from hilum.core.kernel.errors import Invalid
from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders.model import StepStatus, WorklistItem, WorklistQuery
from hilum.wire.dicom.character_sets import CharacterSet
from hilum.wire.dicom.data_sets import (
    Value,
    character_set,
    declare_character_set,
    items_at,
    put,
    text_at,
    texts_of,
)
from hilum.wire.dicom.elements import DataSet
from hilum.wire.dicom.matching import date_span, match_of, time_span
from hilum.wire.dicom.queries import demand_few_keys, key_elements

SCHEDULED_PROCEDURE_STEP_SEQUENCE = 0x00400100
DETACHED_STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"

_PRIORITIES = MappingProxyType({"stat": "STAT", "asap": "HIGH", "urgent": "HIGH", "routine": "ROUTINE"})
"""FHIR request-priority to Requested Procedure Priority (0040,1003)."""

Read = Callable[[WorklistItem], Value]


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of Table K.6-1; `always` where its return key type is 1: it goes out although nobody asked."""

    tag: int
    vr: str
    read: Read
    always: bool = False


@dataclass(frozen=True, slots=True)
class RequestedKey:
    """One key of the identifier, and those asked for inside its item."""

    tag: int
    vr: str
    items: "tuple[RequestedKey, ...]" = ()


@dataclass(frozen=True, slots=True)
class WorklistRequest:
    """A worklist identifier, understood."""

    query: WorklistQuery
    keys: tuple[RequestedKey, ...]
    character_set: tuple[str, ...]


def _codes(code: Code) -> Value:
    """Return a code sequence (PS3.3 Table 8.8-1); a code without value or scheme would not be one."""
    if not code.value or not code.scheme:
        return ()
    item = Dataset()
    put(item, 0x00080100, "SH", code.value)
    put(item, 0x00080102, "SH", code.scheme)
    put(item, 0x00080104, "LO", code.meaning or code.value)
    return (item,)


def _referenced_study(item: WorklistItem) -> Value:
    reference = Dataset()
    put(reference, 0x00081150, "UI", DETACHED_STUDY_MANAGEMENT)
    put(reference, 0x00081155, "UI", item.order.study_instance_uid)
    return (reference,)


def _issuer(identifier: Identifier | None) -> Value:
    if identifier is None or not identifier.issuer:
        return ()
    item = Dataset()
    put(item, 0x00400031, "UT", identifier.issuer)
    return (item,)


def _number(identifier: Identifier | None) -> str:
    return identifier.value if identifier is not None else ""


def _protocol(item: WorklistItem) -> Code:
    return item.step.protocol or item.order.procedure


# fmt: off
_STEP = (
    _Row(0x00080060, "CS", lambda i: i.step.modality, True),
    _Row(0x00400001, "AE", lambda i: i.step.station_ae_title, True),
    _Row(0x00400002, "DA", lambda i: i.step.start_date, True),
    _Row(0x00400003, "TM", lambda i: i.step.start_time, True),
    _Row(0x00400006, "PN", lambda i: i.step.performing_physician),
    _Row(0x00400007, "LO", lambda i: _protocol(i).meaning or _protocol(i).value),
    _Row(0x00400008, "SQ", lambda i: _codes(_protocol(i))),
    _Row(0x00400009, "SH", lambda i: i.step.scheduled_procedure_step_id, True),
    _Row(0x00400010, "SH", lambda i: i.step.station_name),
    _Row(0x00400011, "SH", lambda i: i.step.location),
    _Row(0x00400020, "CS", lambda i: i.step.status.value),
)

_ITEM = (
    _Row(0x00080050, "SH", lambda i: _number(i.order.accession_number)),
    _Row(0x00080051, "SQ", lambda i: _issuer(i.order.accession_number)),
    _Row(0x00080090, "PN", lambda i: i.order.referring_physician),
    _Row(0x00081110, "SQ", _referenced_study),
    _Row(0x00081120, "SQ", lambda _: ()),
    _Row(0x00100010, "PN", lambda i: i.patient.demographics.name, True),
    _Row(0x00100020, "LO", lambda i: i.patient.identifier.value, True),
    _Row(0x00100021, "LO", lambda i: i.patient.identifier.issuer),
    _Row(0x00100030, "DA", lambda i: i.patient.demographics.birth_date),
    _Row(0x00100040, "CS", lambda i: i.patient.demographics.sex),
    _Row(0x00101040, "LO", lambda i: i.patient.demographics.address),
    _Row(0x00102154, "SH", lambda i: i.patient.demographics.telephone),
    _Row(0x0020000D, "UI", lambda i: i.order.study_instance_uid, True),
    _Row(0x00321032, "PN", lambda i: i.order.requesting_physician),
    _Row(0x00321060, "LO", lambda i: i.order.procedure.meaning or i.order.procedure.value),
    _Row(0x00321064, "SQ", lambda i: _codes(i.order.procedure)),
    _Row(0x00380010, "LO", lambda i: i.order.admission_id),
    _Row(0x00401001, "SH", lambda i: i.order.requested_procedure_id, True),
    _Row(0x00401002, "LO", lambda i: i.order.reason),
    _Row(0x00401003, "SH", lambda i: _PRIORITIES.get(i.order.priority, "")),
    _Row(0x00402016, "LO", lambda i: _number(i.order.placer_order_number)),
    _Row(0x00402017, "LO", lambda i: _number(i.order.filler_order_number)),
)
# fmt: on

_ROWS = MappingProxyType({row.tag: row for row in _ITEM})
_STEP_ROWS = MappingProxyType({row.tag: row for row in _STEP})
ITEM_TAGS, STEP_TAGS = frozenset(_ROWS), frozenset(_STEP_ROWS)
"""What an answer can hold, and what the item of its step sequence can."""


def worklist_request(identifier: DataSet) -> WorklistRequest:
    """Read a worklist identifier; without a step sequence every step matches. Raises Invalid (A900)."""
    demand_few_keys(identifier)
    characters = character_set(identifier)
    steps = items_at(identifier, SCHEDULED_PROCEDURE_STEP_SEQUENCE)
    step: DataSet = steps[0] if steps else {}
    inner = character_set(step, characters)
    status = text_at(step, 0x00400020)
    query = WorklistQuery(
        accession_number=_key(identifier, 0x00080050, "AccessionNumber", "SH", characters),
        patient_name=_key(identifier, 0x00100010, "PatientName", "PN", characters),
        patient_id=_key(identifier, 0x00100020, "PatientID", "LO", characters),
        issuer_of_patient_id=_key(identifier, 0x00100021, "IssuerOfPatientID", "LO", characters),
        study_instance_uid=_key(identifier, 0x0020000D, "StudyInstanceUID", "UI", characters),
        requested_procedure_id=_key(identifier, 0x00401001, "RequestedProcedureID", "SH", characters),
        modality=_key(step, 0x00080060, "Modality", "CS", inner),
        station_ae_title=_key(step, 0x00400001, "ScheduledStationAETitle", "AE", inner),
        performing_physician=_key(step, 0x00400006, "ScheduledPerformingPhysicianName", "PN", inner),
        scheduled_procedure_step_id=_key(step, 0x00400009, "ScheduledProcedureStepID", "SH", inner),
        start_date=_span(date_span, text_at(step, 0x00400002), "ScheduledProcedureStepStartDate"),
        start_time=_span(time_span, text_at(step, 0x00400003), "ScheduledProcedureStepStartTime"),
        status=tuple(_status(one.strip(" ")) for one in status.split("\\")) if status.strip("*") else (),
    )
    return WorklistRequest(query, _requested(identifier), characters.terms)


def _key(data_set: DataSet, tag: int, keyword: str, vr: str, characters: CharacterSet) -> str:
    """Return the text of a key, empty where it matches everything."""
    match match_of(vr, text_at(data_set, tag, characters), keyword):
        case Exact(text) | Wildcard(text):
            return text
        case None:
            return ""
        case _:
            raise Invalid(f"{keyword} lists several values", next_step="ask for one value at a time")


def _span(read: Callable[[str, str], tuple[str, str]], text: str, keyword: str) -> tuple[str, str]:
    return read(text, keyword) if text.strip("*") else ("", "")


def _status(text: str) -> StepStatus:
    try:
        return StepStatus(text)
    except ValueError as error:
        raise Invalid("ScheduledProcedureStepStatus (0040,0020) is none of PS3.3 C.4.10") from error


def _requested(data_set: DataSet) -> tuple[RequestedKey, ...]:
    return tuple(
        RequestedKey(key.tag, key.vr[:2], _requested(key.items[0]) if key.items else ())
        for key in key_elements(data_set)
    )


def worklist_answer(item: WorklistItem, request: WorklistRequest, asking: str = "") -> Dataset:
    """Return one answer: the keys asked for, and those that Table K.6-1 wants in every answer.

    A step that nobody assigned to a station is offered to the one that asks: `asking` is its AE title.
    """
    if not item.step.station_ae_title:
        named = request.query.station_ae_title
        station = named if named and not set("*?") & set(named) else asking
        item = replace(item, step=replace(item.step, station_ae_title=station))
    answer = _shaped(item, request.keys, _ROWS)
    asked = next((key for key in request.keys if key.tag == SCHEDULED_PROCEDURE_STEP_SEQUENCE), None)
    inside = asked.items if asked is not None else ()
    step = _shaped(item, inside, _STEP_ROWS) if inside or asked is None else _whole_step(item)
    put(answer, SCHEDULED_PROCEDURE_STEP_SEQUENCE, "SQ", (step,))
    declare_character_set(answer, texts_of(answer), request.character_set)
    return answer


def _whole_step(item: WorklistItem) -> Dataset:
    """A sequence asked for without keys inside is asked for whole (PS3.4 C.2.2.2.6)."""
    return _shaped(item, tuple(RequestedKey(row.tag, row.vr) for row in _STEP), _STEP_ROWS)


def _shaped(item: WorklistItem, keys: tuple[RequestedKey, ...], rows: MappingProxyType[int, _Row]) -> Dataset:
    answer = Dataset()
    for key in keys:
        row = rows.get(key.tag)
        value = row.read(item) if row is not None else None
        if isinstance(value, tuple) and key.items:
            value = tuple(_only(one, key.items) for one in value if isinstance(one, Dataset))
        put(answer, key.tag, row.vr if row is not None else key.vr, value or None)
    for row in rows.values():
        if row.always and row.tag not in answer:
            put(answer, row.tag, row.vr, row.read(item) or None)
    return answer


def _only(item: Dataset, keys: tuple[RequestedKey, ...]) -> Dataset:
    """Return an item with the attributes asked for; what is not known there is empty."""
    chosen = Dataset()
    for key in keys:
        if key.tag in item:
            chosen.add(item[key.tag])
        else:
            put(chosen, key.tag, key.vr, None)
    return chosen
