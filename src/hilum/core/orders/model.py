"""An order, its scheduled steps, and the steps that a modality performed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from hilum.core.kernel.codes import NO_CODE, Code
from hilum.core.kernel.identifiers import Identifier, IdentifierMatch
from hilum.core.patients.model import PatientQuery, PatientRecord, PatientStatement


class OrderStatus(StrEnum):
    """FHIR request-status, which ORC-1 and ORC-5 are mapped to."""

    ACTIVE = "active"
    ON_HOLD = "on-hold"
    REVOKED = "revoked"
    COMPLETED = "completed"
    ENTERED_IN_ERROR = "entered-in-error"


class OrderAction(StrEnum):
    """What a message wants done to an order: ORC-1 (HL7 table 0119)."""

    PLACE = "place"
    """NW, and SN/OK from a filler."""
    CHANGE = "change"
    """XO, and SC, which only moves the status."""
    CANCEL = "cancel"
    """CA, OC."""
    DISCONTINUE = "discontinue"
    """DC, OD."""
    HOLD = "hold"
    """HD, OH."""
    RELEASE = "release"
    """RL."""


class StepStatus(StrEnum):
    """Scheduled Procedure Step Status (0040,0020), PS3.3 C.4.10."""

    SCHEDULED = "SCHEDULED"
    ARRIVED = "ARRIVED"
    READY = "READY"
    STARTED = "STARTED"
    DEPARTED = "DEPARTED"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"
    CANCELED = "CANCELED"


class PerformedStatus(StrEnum):
    """Performed Procedure Step Status (0040,0252), PS3.4 F.7.2."""

    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"


@dataclass(frozen=True, slots=True)
class StepRequest:
    """One scheduled procedure step as asked for (IPC-4..9, or OBR-24 and TQ1-7). Dates are DA, times TM."""

    scheduled_procedure_step_id: str = ""
    modality: str = ""
    station_ae_title: str = ""
    station_name: str = ""
    location: str = ""
    start_date: str = ""
    start_time: str = ""
    protocol: Code = NO_CODE
    performing_physician: str = ""


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """One order as asked for: an ORC/OBR pair with its steps, or a ServiceRequest."""

    action: OrderAction
    placer_order_number: Identifier | None = None
    filler_order_number: Identifier | None = None
    accession_number: Identifier | None = None
    study_instance_uid: str = ""
    requested_procedure_id: str = ""
    procedure: Code = NO_CODE
    priority: str = ""
    """FHIR request-priority: routine, urgent, asap, stat."""
    status: OrderStatus | None = None
    """A status that the message states (ORC-5), where it does."""
    requesting_physician: str = ""
    referring_physician: str = ""
    reason: str = ""
    admission_id: str = ""
    patient_class: str = ""
    steps: tuple[StepRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderMessage:
    """A patient and the orders for that patient, from one message."""

    patient: PatientStatement
    orders: tuple[OrderRequest, ...]


@dataclass(frozen=True, slots=True)
class ScheduledProcedureStep:
    """One entry of the worklist."""

    key: int
    scheduled_procedure_step_id: str
    modality: str
    station_ae_title: str
    station_name: str
    location: str
    start_date: str
    start_time: str
    protocol: Code
    performing_physician: str
    status: StepStatus


@dataclass(frozen=True, slots=True)
class Order:
    """One requested procedure with its steps. Empty text means "not said"."""

    key: int
    public_id: str
    patient_record_key: int
    placer_order_number: Identifier | None
    filler_order_number: Identifier | None
    accession_number: Identifier | None
    study_instance_uid: str
    requested_procedure_id: str
    procedure: Code
    priority: str
    status: OrderStatus
    requesting_physician: str
    referring_physician: str
    reason: str
    admission_id: str
    patient_class: str
    steps: tuple[ScheduledProcedureStep, ...]
    version: int
    created: datetime
    updated: datetime


@dataclass(frozen=True, slots=True)
class PerformedProcedureStep:
    """What a modality reported by MPPS (PS3.4 F.7). `attributes` is its data set in the DICOM JSON model."""

    sop_instance_uid: str
    status: PerformedStatus
    performed_procedure_step_id: str
    performed_station_ae_title: str
    modality: str
    start_date: str
    start_time: str
    end_date: str
    end_time: str
    study_instance_uids: tuple[str, ...]
    accession_numbers: tuple[str, ...]
    scheduled_procedure_step_ids: tuple[str, ...]
    series_instance_uids: tuple[str, ...]
    attributes: Mapping[str, Any]
    order_keys: tuple[int, ...] = ()
    created: datetime | None = None
    updated: datetime | None = None


@dataclass(frozen=True, slots=True)
class PerformedMessage:
    """One N-CREATE or N-SET as it came, to be sent on; its data set in the DICOM JSON model."""

    key: int
    sop_instance_uid: str
    creates: bool
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PerformedChange:
    """What an N-SET changes (PS3.4 F.7.2.2). Empty fields keep; `attributes` replace by top-level tag."""

    status: PerformedStatus | None
    end_date: str
    end_time: str
    series_instance_uids: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """A search for orders (FHIR ServiceRequest)."""

    public_id: str = ""
    patient_root_key: int | None = None
    status: tuple[OrderStatus, ...] = ()
    authored_since: datetime | None = None
    authored_before: datetime | None = None
    updated_since: datetime | None = None
    updated_before: datetime | None = None
    public_ids: tuple[str, ...] = ()
    """Any of these."""
    identified_by: tuple[IdentifierMatch, ...] = ()
    """Placer, filler or accession number: any of these."""
    study_instance_uids: tuple[str, ...] = ()
    """Any of these."""
    patients: tuple[PatientQuery, ...] = ()
    """Orders for persons of whom every one of these finds a record."""
    procedures: tuple[IdentifierMatch, ...] = ()
    """Any of these codes, with the coding scheme as issuer."""
    occurs: tuple[tuple[str, str], ...] = ()
    """Start of the first step: any of these ranges of DA and TM joined, inclusive; either end may be empty."""
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True, slots=True)
class WorklistQuery:
    """A search of the worklist (PS3.4 K.6.1.2). Text keys may carry * and ?; ranges are DA or TM text, inclusive."""

    patient_id: str = ""
    issuer_of_patient_id: str = ""
    patient_name: str = ""
    accession_number: str = ""
    requested_procedure_id: str = ""
    study_instance_uid: str = ""
    scheduled_procedure_step_id: str = ""
    modality: str = ""
    station_ae_title: str = ""
    """Steps that nobody assigned to a station match any: ORM^O01 has no field for it."""
    start_date: tuple[str, str] = ("", "")
    """First and last day; either may be empty."""
    start_time: tuple[str, str] = ("", "")
    performing_physician: str = ""
    status: tuple[StepStatus, ...] = ()
    """Empty: the steps that are still open, of orders that are active."""
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class WorklistItem:
    """One answer of the worklist: a step, its order, and the person as known now."""

    step: ScheduledProcedureStep
    order: Order
    patient: PatientRecord
