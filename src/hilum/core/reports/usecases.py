"""File and find reports."""

from hilum.core.access import policy
from hilum.core.audit.usecases import record
from hilum.core.kernel.caller import Caller, Permission
from hilum.core.kernel.errors import Conflict, NotFound
from hilum.core.orders.model import Order
from hilum.core.patients import usecases as patients
from hilum.core.patients.model import PatientRecord
from hilum.core.reports import rules
from hilum.core.reports.events import ReportFiled
from hilum.core.reports.model import FiledReport, Report, ReportQuery, ReportRequest
from hilum.core.reports.ports import ReportsTransaction


def file(tx: ReportsTransaction, caller: Caller, request: ReportRequest) -> Report:
    """Keep a version of a report (ORU^R01, RAD-28). Repeating it changes nothing; a late preliminary is refused."""
    policy.demand(caller, Permission.REPORTS_WRITE)
    patient = patients.register(tx, caller, request.patient)
    order = _order_of(tx, request)
    _same_person(tx, order, patient)
    newest = tx.reports.newest(request.identifier)
    if newest is not None:
        _same_report_person(tx, newest, patient)
        if rules.says_the_same(request, newest):
            return newest
        if rules.comes_too_late(request.status, newest):
            raise Conflict(
                f"a {request.status} version arrived after the {newest.status} one",
                next_step="send a corrected (OBR-25 C) version to change a final report",
            )
    filed = tx.reports.add(_version(tx, caller, request, patient, order, newest))
    record(tx, caller, "reports.file", f"DiagnosticReport/{filed.public_id}", detail=filed.status)
    tx.events.append(ReportFiled(filed.public_id, filed.version, filed.status, caller.source), caller.trace)
    return filed


def read(tx: ReportsTransaction, caller: Caller, public_id: str, version: int | None = None) -> FiledReport:
    """Return a version of a report, the newest if none is named; raises NotFound."""
    policy.demand(caller, Permission.REPORTS_READ)
    found = tx.reports.by_public_id(public_id, version)
    if found is None:
        raise NotFound("no such report", next_step="search by accession number or patient")
    record(tx, caller, "reports.read", f"DiagnosticReport/{public_id}")
    return found


def find(tx: ReportsTransaction, caller: Caller, query: ReportQuery) -> tuple[list[FiledReport], int]:
    """Return one page of reports, and how many there are."""
    policy.demand(caller, Permission.REPORTS_READ)
    found = tx.reports.find(query)
    record(tx, caller, "reports.query", "DiagnosticReport", detail=f"{len(found)} answers")
    return found, tx.reports.count(query)


def _order_of(tx: ReportsTransaction, request: ReportRequest) -> Order | None:
    """Return the order that a report answers: by placer, filler, accession number, or the study."""
    if request.placer_order_number is not None:
        order = tx.orders.by_placer_order_number(request.placer_order_number)
        if order is not None:
            return order
    if request.filler_order_number is not None:
        order = tx.orders.by_filler_order_number(request.filler_order_number)
        if order is not None:
            return order
    if request.accession_number is not None:
        orders = tx.orders.by_accession_number(request.accession_number.value)
        if len(orders) == 1:
            return orders[0]
    return tx.orders.by_study_instance_uid(request.study_instance_uid) if request.study_instance_uid else None


def _same_person(tx: ReportsTransaction, order: Order | None, patient: PatientRecord) -> None:
    ordered_for = tx.patients.by_key(order.patient_record_key) if order else None
    if ordered_for is not None and ordered_for.root_key != patient.root_key:
        raise Conflict(
            "this report names another patient than its order",
            next_step="mend PID-3 or the order number at the sender, or merge the patients (ADT^A40)",
        )


def _same_report_person(tx: ReportsTransaction, newest: Report, patient: PatientRecord) -> None:
    reported_on = tx.patients.by_key(newest.patient_record_key)
    if reported_on is not None and reported_on.root_key != patient.root_key:
        raise Conflict(
            "an earlier version of this report is about another patient",
            next_step="mend PID-3 or OBR-3 at the sender, or merge the patients (ADT^A40)",
        )


def _version(
    tx: ReportsTransaction,
    caller: Caller,
    request: ReportRequest,
    patient: PatientRecord,
    order: Order | None,
    newest: Report | None,
) -> Report:
    return Report(
        key=0,
        public_id=newest.public_id if newest else tx.fresh_key(),
        version=newest.version + 1 if newest else 1,
        identifier=request.identifier,
        patient_record_key=patient.key,
        order_key=order.key if order else None,
        placer_order_number=request.placer_order_number or (order.placer_order_number if order else None),
        filler_order_number=request.filler_order_number or (order.filler_order_number if order else None),
        accession_number=request.accession_number or (order.accession_number if order else None),
        study_instance_uid=request.study_instance_uid or (order.study_instance_uid if order else ""),
        status=request.status,
        code=request.code,
        effective=request.effective,
        issued=request.issued,
        interpreter=request.interpreter,
        text=request.text,
        conclusion=request.conclusion,
        observations=request.observations,
        attachments=request.attachments,
        source=caller.source,
        created=tx.now,
    )
