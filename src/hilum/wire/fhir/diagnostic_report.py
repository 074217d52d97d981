"""DiagnosticReport: a version of a report (FHIR R4 10.3; HL7 v2-to-FHIR, OBR; IHE IMR)."""

import base64
import hashlib
from dataclasses import replace
from datetime import tzinfo
from html import escape

from hilum.core.kernel.codes import Code
from hilum.core.reports.model import FiledReport, Report, ReportQuery, ReportStatus
from hilum.wire.fhir import common, dates, names, observation, patient, service_request, values
from hilum.wire.fhir.parameters import (
    SearchParameter,
    both,
    by_id,
    by_last_updated,
    code_matches,
    codes,
    identifier_matches,
    moment_ranges,
    once,
)
from hilum.wire.fhir.search import Parameter
from hilum.wire.fhir.values import Element, Resource, element

RADIOLOGY = Code("RAD", "HL70074", "Radiology")
IMAGING_REPORT = Code("18748-4", "LN", "Diagnostic imaging study")
"""What a report is when its OBR-4 says nothing: `code` is 1..1."""

_STATUS_SYSTEM = "http://hl7.org/fhir/diagnostic-report-status"


def diagnostic_report(found: FiledReport, zone: tzinfo) -> Resource:
    """Return a DiagnosticReport about the surviving patient."""
    report = found.report
    order = [common.reference("ServiceRequest", found.order_public_id)] if found.order_public_id else []
    return element(
        resourceType="DiagnosticReport",
        id=report.public_id,
        meta=common.meta(
            common.version_of(report.version, report.patient_record_key, found.patient), report.created
        ),
        text=_narrative(report),
        identifier=_identifiers(report),
        basedOn=order,
        status=report.status.value,
        category=[names.concept(RADIOLOGY)],
        code=names.concept(report.code) or names.concept(IMAGING_REPORT),
        subject=common.subject(found.patient),
        effectiveDateTime=dates.date_time_of(report.effective, zone),
        issued=_issued(report, zone),
        resultsInterpreter=_interpreters(report),
        result=[
            common.reference("Observation", observation.id_of(report, place))
            for place in range(len(report.observations))
        ],
        imagingStudy=_study(report),
        conclusion=values.text(report.conclusion),
        presentedForm=_presented_forms(report),
    )


def _identifiers(report: Report) -> list[Element]:
    """Return the numbers that the report is known by, each once, with what it is."""
    typed = (
        (report.filler_order_number, "FILL"),
        (report.placer_order_number, "PLAC"),
        (report.accession_number, "ACSN"),
    )
    identifiers = [names.identifier(number, kind) for number, kind in typed if number is not None]
    known = {number for number, _ in typed}
    return identifiers if report.identifier in known else [_own_identifier(report), *identifiers]


def _own_identifier(report: Report) -> Element:
    own = report.identifier
    return element(system=names.system_of_issuer(own.issuer), value=values.line(own.value))


def _issued(report: Report, zone: tzinfo) -> str:
    """Return OBR-22; where it says no time of day, the moment at which this version came."""
    return dates.instant_of(report.issued, zone) or dates.instant(report.created)


def _study(report: Report) -> list[Element]:
    if not report.study_instance_uid:
        return []
    identified = names.study_identifier(report.study_instance_uid)
    return [{**common.reference("ImagingStudy", report.study_instance_uid), "identifier": identified}]


def _interpreters(report: Report) -> list[Element]:
    name = names.spoken(report.interpreter)
    return [{"display": name}] if name else []


def _narrative(report: Report) -> Element:
    """Return the text of the report as XHTML; nothing of it is taken as markup (FHIR R4 2.4.4)."""
    title = values.line(report.code.meaning) or IMAGING_REPORT.meaning
    parts = [f"<p><b>{escape(title)}</b></p>"]
    for heading, body in (("Findings", report.text), ("Conclusion", report.conclusion)):
        if values.text(body):
            parts.append(f"<p><b>{heading}</b></p><pre>{escape(values.text(body))}</pre>")
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{"".join(parts)}</div>'}


def _presented_forms(report: Report) -> list[Element]:
    """Return the narrative as plain text, then what was attached (OBX-2 ED)."""
    forms = []
    if values.text(report.text):
        forms.append(_attachment("text/plain; charset=utf-8", values.text(report.text).encode()))
    return forms + [_attachment(one.media_type, one.content) for one in report.attachments]


def _attachment(media_type: str, content: bytes) -> Element:
    # FHIR asks for SHA-1 here (2.24.0.10): a check of transfer, not of trust.
    digest = hashlib.sha1(content, usedforsecurity=False).digest()
    return element(
        contentType=values.code(media_type),
        data=base64.b64encode(content).decode(),
        size=values.unsigned(len(content)),
        hash=base64.b64encode(digest).decode(),
    )


def by_study(query: ReportQuery, parameter: Parameter) -> ReportQuery | None:
    """Narrow to what is said of a study; its id is its UID."""
    uids = both(query.study_instance_uids, parameter.plain().ids("ImagingStudy"))
    return replace(query, study_instance_uids=uids) if uids else None


def by_date(query: ReportQuery, parameter: Parameter) -> ReportQuery | None:
    """Narrow by when it was observed."""
    ranges = moment_ranges(parameter, query.observed)
    return replace(query, observed=ranges) if ranges else None


def _by_issued(query: ReportQuery, parameter: Parameter) -> ReportQuery | None:
    ranges = moment_ranges(parameter, query.reported)
    return replace(query, reported=ranges) if ranges else None


def _by_identifier(query: ReportQuery, parameter: Parameter) -> ReportQuery:
    once(query.identified_by, parameter)
    return replace(query, identified_by=identifier_matches(parameter))


def _by_status(query: ReportQuery, parameter: Parameter) -> ReportQuery | None:
    asked = codes(parameter, _STATUS_SYSTEM)
    statuses = both(query.status, tuple(status for status in ReportStatus if status in asked))
    return replace(query, status=statuses) if statuses else None


def _by_category(query: ReportQuery, parameter: Parameter) -> ReportQuery | None:
    asked = codes(parameter, names.system_of_scheme(RADIOLOGY.scheme))
    return query if RADIOLOGY.value in asked else None


def _by_code(query: ReportQuery, parameter: Parameter) -> ReportQuery:
    once(query.codes, parameter)
    return replace(query, codes=code_matches(parameter))


PARAMETERS: tuple[SearchParameter[ReportQuery], ...] = (
    SearchParameter("_id", "token", by_id, "Resource-id"),
    SearchParameter("_lastUpdated", "date", by_last_updated, "Resource-lastUpdated"),
    SearchParameter(
        "based-on",
        "reference",
        service_request.by_order,
        "DiagnosticReport-based-on",
        service_request.CODES,
    ),
    SearchParameter("category", "token", _by_category, "DiagnosticReport-category"),
    SearchParameter("code", "token", _by_code, "clinical-code"),
    SearchParameter("date", "date", by_date, "clinical-date"),
    SearchParameter("identifier", "token", _by_identifier, "clinical-identifier"),
    SearchParameter("imagingStudy", "reference", by_study),
    SearchParameter("issued", "date", _by_issued, "DiagnosticReport-issued"),
    SearchParameter("patient", "reference", patient.by_subject, "clinical-patient", patient.CODES),
    SearchParameter("status", "token", _by_status, "DiagnosticReport-status"),
    SearchParameter("subject", "reference", patient.by_subject, "DiagnosticReport-subject", patient.CODES),
)
"""`imagingStudy` is IHE IMR's (RAD-143); R4 has no code of its own for it."""
