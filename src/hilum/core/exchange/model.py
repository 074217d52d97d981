"""An inbound message and what it asks for."""

from dataclasses import dataclass
from datetime import datetime

from hilum.core.orders.model import OrderMessage
from hilum.core.patients.model import PatientStatement
from hilum.core.reports.model import ReportRequest


@dataclass(frozen=True, slots=True)
class RegisterPatient:
    """ADT^A01, A04, A05, A08, A28, A31 (ITI-30, RAD-1, RAD-12)."""

    statement: PatientStatement


@dataclass(frozen=True, slots=True)
class MergePatients:
    """ADT^A40 and its elder forms: PID survives, MRG retires. One pair a PATIENT group."""

    pairs: tuple[tuple[PatientStatement, PatientStatement], ...]


@dataclass(frozen=True, slots=True)
class PlaceOrders:
    """ORM^O01, OMG^O19, OMI^O23."""

    message: OrderMessage


@dataclass(frozen=True, slots=True)
class FileReports:
    """ORU^R01: one request an OBR."""

    requests: tuple[ReportRequest, ...]


Command = RegisterPatient | MergePatients | PlaceOrders | FileReports


@dataclass(frozen=True, slots=True)
class Envelope:
    """What identifies a message: MSH-10, MSH-9, and the bytes as received."""

    control_id: str
    message_type: str
    raw: bytes
    digest: str
    """SHA-256 of `raw`, hexadecimal."""
    sending_application: str = ""
    sending_facility: str = ""


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One message as kept. `answer` is MSA-1."""

    key: int
    peer: str
    envelope: Envelope
    answer: str
    reason: str
    trace: str
    received: datetime


@dataclass(frozen=True, slots=True)
class Applied:
    """The answer of `receive`: whether the message was met before."""

    repeated: bool
