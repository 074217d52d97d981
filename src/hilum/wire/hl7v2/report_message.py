"""ORU^R01 from a report, for the systems that wait for it (HL7 2.5.1, 7.3.1; IHE RAD-28, RAD-128)."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from hilum.core.kernel.codes import Code
from hilum.core.patients.model import UNIDENTIFIED, PatientRecord
from hilum.core.reports.model import Attachment, FiledReport, Observation, Report, ReportStatus
from hilum.wire.hl7v2 import datatypes
from hilum.wire.hl7v2.compose import Value, timestamp, write_header, write_message, write_segment

# FHIR diagnostic-report-status to HL7 table 0123 (OBR-25) and 0085 (OBX-11).
_STATUSES = {
    ReportStatus.REGISTERED: ("I", "I"),
    ReportStatus.PARTIAL: ("A", "P"),
    ReportStatus.PRELIMINARY: ("P", "P"),
    ReportStatus.FINAL: ("F", "F"),
    ReportStatus.AMENDED: ("C", "C"),
    ReportStatus.CORRECTED: ("C", "C"),
    ReportStatus.CANCELLED: ("X", "X"),
    ReportStatus.ENTERED_IN_ERROR: ("X", "W"),
}
_STUDY = Code("113014", "DCM", "DICOM Study")
_FINDINGS = Code("18782-3", "LN", "Radiology Study observation (narrative)")
_IMPRESSION = Code("19005-8", "LN", "Radiology Imaging study [Impression] (narrative)")
_DOCUMENT = Code("18748-4", "LN", "Diagnostic imaging study")
_CODED_TYPES = frozenset({"CE", "CWE", "CNE"})


@dataclass(frozen=True, slots=True)
class Correspondents:
    """MSH-3 to MSH-6."""

    sending_application: str = "HILUM"
    sending_facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""


def report_message(
    filed: FiledReport, correspondents: Correspondents, *, control_id: str, at: datetime
) -> bytes:
    """Write a version of a report as ORU^R01, in UTF-8."""
    result, _ = _STATUSES[filed.report.status]
    return write_message(
        [
            _header(correspondents, control_id, at),
            _patient(filed.patient),
            _order(filed.report),
            _request(filed.report, result),
            *_results(filed.report),
        ]
    )


def _header(correspondents: Correspondents, control_id: str, at: datetime) -> str:
    return write_header(
        {
            3: correspondents.sending_application,
            4: correspondents.sending_facility,
            5: correspondents.receiving_application,
            6: correspondents.receiving_facility,
            7: timestamp(at),
            9: ("ORU", "R01", "ORU_R01"),
            10: control_id,
            11: "P",
            12: "2.5.1",
            18: "UNICODE UTF-8",
        }
    )


def _patient(patient: PatientRecord) -> str:
    said = patient.demographics
    unidentified = patient.identifier.issuer == UNIDENTIFIED
    fields: dict[int, Value] = {
        1: "1",
        3: () if unidentified else datatypes.written_patient_identifier(patient.identifier),
        5: datatypes.written_names(said.name),
        7: said.birth_date,
        8: said.sex or "U",
    }
    return write_segment("PID", fields)


def _order(report: Report) -> str:
    return write_segment("ORC", {1: "RE", **_numbers(report)})


def _request(report: Report, status: str) -> str:
    fields: dict[int, Value] = {
        1: "1",
        **_numbers(report),
        4: datatypes.written_code(report.code or _DOCUMENT),
        7: report.effective,
        18: report.accession_number.value if report.accession_number else "",
        22: report.issued or timestamp(report.created),
        25: status,
        32: datatypes.written_result_physician(report.interpreter) if report.interpreter else "",
    }
    return write_segment("OBR", fields)


def _numbers(report: Report) -> Mapping[int, Value]:
    return {
        2: datatypes.written_entity_identifier(report.placer_order_number),
        3: datatypes.written_entity_identifier(report.filler_order_number),
    }


def _results(report: Report) -> Iterator[str]:
    """The study, the narrative one line an OBX, the discrete results, the documents."""
    set_id = count(1)
    _, status = _STATUSES[report.status]
    if report.study_instance_uid:
        yield _result(next(set_id), "HD", _STUDY, "1", report.study_instance_uid, status)
    for section, text in ((_FINDINGS, report.text), (_IMPRESSION, report.conclusion)):
        for number, line in enumerate(text.split("\n") if text else (), 1):
            yield _result(next(set_id), "TX", section, str(number), line, status)
    for observation in report.observations:
        yield _observation(next(set_id), observation)
    for attachment in report.attachments:
        yield _result(next(set_id), "ED", _DOCUMENT, "1", _document(attachment), status)


def _result(set_id: int, value_type: str, code: Code, sub_id: str, value: Value, status: str) -> str:
    fields: dict[int, Value] = {
        1: str(set_id),
        2: value_type,
        3: datatypes.written_code(code),
        4: sub_id,
        5: value,
        11: status,
    }
    return write_segment("OBX", fields)


def _observation(set_id: int, observation: Observation) -> str:
    coded = observation.value_type in _CODED_TYPES
    fields: dict[int, Value] = {
        1: str(set_id),
        2: "ST" if observation.value_type == "SN" else observation.value_type,
        3: datatypes.written_code(observation.code),
        5: datatypes.written_code(observation.value_code) if coded else observation.value,
        6: datatypes.written_code(observation.unit),
        8: observation.interpretation,
        11: observation.status,
    }
    return write_segment("OBX", fields)


def _document(attachment: Attachment) -> Value:
    """ED (HL7 2.5.1, 2.A.24)."""
    kind, _, subtype = attachment.media_type.partition("/")
    return ("", kind, subtype, "Base64", base64.b64encode(attachment.content).decode("ascii"))
