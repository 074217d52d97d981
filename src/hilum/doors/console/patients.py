"""Patients: search, one person with all records, studies, orders and reports; taking a merge back."""

from starlette.responses import Response

from hilum.core.archive.model import Level, Query
from hilum.core.kernel.caller import Permission
from hilum.core.kernel.errors import Invalid
from hilum.core.kernel.identifiers import IdentifierMatch
from hilum.core.orders.model import OrderQuery
from hilum.core.patients.model import PatientQuery, PatientRecord
from hilum.core.reports.model import ReportQuery
from hilum.doors.console.paging import Pager
from hilum.doors.console.site import Visit

PAGE = 50
_BELOW = 100
"""Studies, orders and reports that the page of a person lists at most."""


def patients(visit: Visit) -> Response:
    """Search by identifier, name and birth date; a retired identifier finds the survivor."""
    pager = Pager.of(visit, PAGE)
    query = _query(visit, pager)
    found, total = visit.hub.find_linked_patients(visit.caller, query)
    filtered = any(visit.asked(name) for name in ("identifier", "name", "born"))
    return visit.show("patients.html", found=found, pager=pager.with_total(total), filtered=filtered)


def patient(visit: Visit) -> Response:
    """Show one person."""
    record, linked = visit.hub.read_patient(visit.caller, visit.request.path_params["patient"])
    root = linked[0]
    return visit.show(
        "patient.html",
        record=record,
        root_record=root,
        linked=linked,
        by_key={one.key: one for one in linked},
        studies=_studies(visit, root),
        orders=_orders(visit, root),
        reports=_reports(visit, root),
        most=_BELOW,
    )


def unmerge(visit: Visit) -> Response:
    """Take the pointer of a merged record back, after a second question."""
    public_id = visit.request.path_params["patient"]
    record, linked = visit.hub.read_patient(visit.caller, public_id)
    if visit.said("confirmed") != "yes":
        return visit.show("unmerge.html", record=record, survivor=linked[0])
    visit.hub.unmerge_patient(visit.caller, public_id)
    return visit.go(f"/patients/{record.public_id}", done="unmerged")


def _query(visit: Visit, pager: Pager) -> PatientQuery:
    identifier, born = visit.asked("identifier"), visit.asked("born").replace("-", "")
    if born and not (len(born) == 8 and born.isascii() and born.isdigit()):
        raise Invalid("'born' is not a day", next_step="write YYYY-MM-DD")
    return PatientQuery(
        identified_by=(IdentifierMatch(identifier),) if identifier else (),
        name=visit.asked("name"),
        birth_date=born,
        limit=PAGE,
        offset=pager.offset,
    )


def _studies(visit: Visit, root: PatientRecord) -> list[object]:
    if not visit.may(Permission.ARCHIVE_QUERY):
        return []
    return list(visit.hub.find(visit.caller, Query(Level.STUDY, {}, limit=_BELOW, patient_root_key=root.key)))


def _orders(visit: Visit, root: PatientRecord) -> list[object]:
    if not visit.may(Permission.ORDERS_READ):
        return []
    query = OrderQuery(patient_root_key=root.key, limit=_BELOW)
    return [order for order, _ in visit.hub.find_orders(visit.caller, query)[0]]


def _reports(visit: Visit, root: PatientRecord) -> list[object]:
    if not visit.may(Permission.REPORTS_READ):
        return []
    query = ReportQuery(patient_root_key=root.key, limit=_BELOW)
    return [filed.report for filed in visit.hub.find_reports(visit.caller, query)[0]]
