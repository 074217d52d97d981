"""A report and its observations."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hilum.core.kernel.codes import NO_CODE, Code
from hilum.core.kernel.identifiers import Identifier, IdentifierMatch
from hilum.core.orders.model import OrderQuery
from hilum.core.patients.model import PatientQuery, PatientRecord, PatientStatement


class ReportStatus(StrEnum):
    """FHIR diagnostic-report-status; OBR-25 (HL7 table 0123) is mapped to it."""

    REGISTERED = "registered"
    PARTIAL = "partial"
    PRELIMINARY = "preliminary"
    FINAL = "final"
    AMENDED = "amended"
    CORRECTED = "corrected"
    CANCELLED = "cancelled"
    ENTERED_IN_ERROR = "entered-in-error"


@dataclass(frozen=True, slots=True)
class Observation:
    """One OBX that is not narrative: a coded or measured finding. `value_type` is OBX-2: NM, CWE, ST, DT, ..."""

    code: Code
    value_type: str
    value: str
    value_code: Code = NO_CODE
    unit: Code = NO_CODE
    interpretation: str = ""
    status: str = "F"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A presented form (OBX-2 ED): media type and the bytes."""

    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """A report as it came in: ORU^R01 (RAD-28), or a DiagnosticReport."""

    patient: PatientStatement
    identifier: Identifier
    """Filler order number (OBR-3), else placer, else accession: what all versions of one report share."""
    status: ReportStatus
    code: Code
    placer_order_number: Identifier | None = None
    filler_order_number: Identifier | None = None
    accession_number: Identifier | None = None
    study_instance_uid: str = ""
    effective: str = ""
    """When it was observed (OBR-7), HL7 TS text."""
    issued: str = ""
    """When it was reported (OBR-22), HL7 TS text."""
    interpreter: str = ""
    """Principal result interpreter (OBR-32), as a PN."""
    text: str = ""
    """Findings and other narrative, lines joined by newlines."""
    conclusion: str = ""
    """Impression (LOINC 19005-8)."""
    observations: tuple[Observation, ...] = ()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """One version of a report; the newest is what everybody sees."""

    key: int
    public_id: str
    version: int
    identifier: Identifier
    patient_record_key: int
    order_key: int | None
    placer_order_number: Identifier | None
    filler_order_number: Identifier | None
    accession_number: Identifier | None
    study_instance_uid: str
    status: ReportStatus
    code: Code
    effective: str
    issued: str
    interpreter: str
    text: str
    conclusion: str
    observations: tuple[Observation, ...]
    attachments: tuple[Attachment, ...]
    source: str
    created: datetime
    """When this version came."""


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """A search for reports; only newest versions are found."""

    public_id: str = ""
    patient_root_key: int | None = None
    study_instance_uid: str = ""
    order_key: int | None = None
    status: tuple[ReportStatus, ...] = ()
    issued: tuple[str, str] = ("", "")
    """First and last moment as TS text, inclusive; either may be empty."""
    updated_since: datetime | None = None
    updated_before: datetime | None = None
    public_ids: tuple[str, ...] = ()
    """Any of these."""
    identified_by: tuple[IdentifierMatch, ...] = ()
    """Report, placer, filler or accession number: any of these."""
    study_instance_uids: tuple[str, ...] = ()
    """Any of these."""
    patients: tuple[PatientQuery, ...] = ()
    """Reports on persons of whom every one of these finds a record."""
    orders: tuple[OrderQuery, ...] = ()
    """Reports that answer an order which every one of these finds."""
    codes: tuple[IdentifierMatch, ...] = ()
    """Any of these codes, with the coding scheme as issuer."""
    observed: tuple[tuple[str, str], ...] = ()
    """`effective`: any of these ranges of TS text, inclusive; either end may be empty."""
    reported: tuple[tuple[str, str], ...] = ()
    """`issued`: any of these ranges of TS text, inclusive; either end may be empty."""
    with_attachments: bool = True
    """Whether reports come with what is attached to them: it may be large."""
    with_observations: bool = False
    """Only reports that hold at least one observation."""
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True, slots=True)
class FiledReport:
    """A report with the surviving patient, as views need it."""

    report: Report
    patient: PatientRecord
    order_public_id: str = ""
