"""Each resource type that is served: how it is read, and how it is searched. Routes and statement come from here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo

from hilum.core.archive.model import Exact, Level, Query
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import NotFound
from hilum.core.orders.model import OrderQuery
from hilum.core.patients.model import LinkedPatient, PatientQuery
from hilum.core.reports.model import FiledReport, ReportQuery
from hilum.doors.fhir.asking import Asked, Place
from hilum.wire.fhir import (
    diagnostic_report,
    endpoint,
    imaging_study,
    observation,
    observation_search,
    patient,
    service_request,
)
from hilum.wire.fhir.capability import ResourceType
from hilum.wire.fhir.observation_search import ObservationQuery
from hilum.wire.fhir.search import NotSupported
from hilum.wire.fhir.values import Resource

MOST_INSTANCES = 20_000
"""Instances on one page of ImagingStudy."""

MOST_REPORTS = 50
"""Reports on one page of DiagnosticReport: each brings what is attached to it."""

_NOTHING = "-"
"""An id that no record has: a search for what cannot match asks all the same, so that the caller's right is asked."""
_MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Desk:
    """Who asks, of which hub, at which address."""

    hub: Hub
    caller: Caller
    zone: tzinfo
    base_url: str
    dicomweb_url: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search."""

    matches: Sequence[Resource]
    total: int | None
    following: Place | None = None
    preceding: Place | None = None


@dataclass(frozen=True, slots=True)
class View:
    """One resource type."""

    type: ResourceType
    read: Callable[[Desk, str], Resource]
    search: Callable[[Desk, Asked], Page]
    order: str = ""
    """The one `_sort` that answers stand in."""


def read_patient(desk: Desk, public_id: str) -> Resource:
    """Return a Patient, merged or not."""
    record, linked = desk.hub.read_patient(desk.caller, public_id)
    return patient.patient(LinkedPatient(record, tuple(linked)))


def search_patients(desk: Desk, asked: Asked) -> Page:
    """Find Patients."""
    query = asked.narrow(patient.PARAMETERS, PatientQuery()) or PatientQuery(public_id=_NOTHING)
    query = replace(query, limit=_limit(asked), offset=asked.place.offset)
    found, total = desk.hub.find_linked_patients(desk.caller, query)
    return _page(asked, [patient.patient(one) for one in found], total)


def read_order(desk: Desk, public_id: str) -> Resource:
    """Return a ServiceRequest."""
    order, survivor = desk.hub.read_order(desk.caller, public_id)
    return service_request.service_request(order, survivor, desk.zone)


def search_orders(desk: Desk, asked: Asked) -> Page:
    """Find ServiceRequests."""
    query = asked.narrow(service_request.PARAMETERS, OrderQuery()) or OrderQuery(public_id=_NOTHING)
    query = replace(query, limit=_limit(asked), offset=asked.place.offset)
    found, total = desk.hub.find_orders(desk.caller, query)
    requests = [service_request.service_request(order, survivor, desk.zone) for order, survivor in found]
    return _page(asked, requests, total)


def read_study(desk: Desk, study_instance_uid: str) -> Resource:
    """Return an ImagingStudy."""
    return imaging_study.imaging_study(desk.hub.read_study(desk.caller, study_instance_uid), desk.zone)


def search_studies(desk: Desk, asked: Asked) -> Page:
    """Find ImagingStudies."""
    nothing = Query(Level.STUDY, {"study_instance_uid": Exact(_NOTHING)})
    query = asked.narrow(imaging_study.PARAMETERS, Query(Level.STUDY, {})) or nothing
    if asked.only_total:
        return Page((), desk.hub.count(desk.caller, query))
    query = replace(query, limit=asked.count, offset=asked.place.offset)
    found = desk.hub.find_contents(desk.caller, query, most_instances=MOST_INSTANCES, counted=asked.counted)
    studies = [imaging_study.imaging_study(one, desk.zone) for one in found.studies]
    following = Place(asked.place.offset + len(studies)) if found.more else None
    return Page(studies, found.total, following, _preceding(asked))


def read_report(desk: Desk, public_id: str) -> Resource:
    """Return the newest version of a DiagnosticReport."""
    return diagnostic_report.diagnostic_report(desk.hub.read_report(desk.caller, public_id), desk.zone)


def read_report_version(desk: Desk, public_id: str, version: int) -> Resource:
    """Return a version of a DiagnosticReport."""
    found = desk.hub.read_report(desk.caller, public_id, version)
    return diagnostic_report.diagnostic_report(found, desk.zone)


def search_reports(desk: Desk, asked: Asked) -> Page:
    """Find DiagnosticReports."""
    query = asked.narrow(diagnostic_report.PARAMETERS, ReportQuery()) or ReportQuery(public_id=_NOTHING)
    asked.count = min(asked.count, MOST_REPORTS)
    query = replace(query, limit=_limit(asked), offset=asked.place.offset)
    found, total = desk.hub.find_reports(desk.caller, query)
    return _page(asked, [diagnostic_report.diagnostic_report(one, desk.zone) for one in found], total)


def read_observation(desk: Desk, observation_id: str) -> Resource:
    """Return an Observation of the newest version of its report."""
    public_id, place = observation.place_of(observation_id)
    return observation.observation(desk.hub.read_report(desk.caller, public_id), place, desk.zone)


def search_observations(desk: Desk, asked: Asked) -> Page:
    """Find Observations, report by report: they are parts of reports and have no rows of their own."""
    nothing = ObservationQuery(ReportQuery(public_id=_NOTHING))
    query = asked.narrow(observation_search.PARAMETERS, ObservationQuery()) or nothing
    if asked.only_total:
        return Page((), _count_observations(desk, query))
    start = asked.place
    reports = replace(query.reports, limit=asked.count + 1, offset=start.offset)
    found, _ = desk.hub.find_reports(desk.caller, reports)
    meant = _meant(query, found, start)
    shown = [observation.observation(found[row], part, desk.zone) for row, part in meant[: asked.count]]
    following = None
    if len(meant) > asked.count:
        row, part = meant[asked.count]
        following = Place(start.offset + row, part)
    elif len(found) > asked.count:
        following = Place(start.offset + len(found))
    whole = following is None and start == Place()
    return Page(shown, len(shown) if whole and asked.counted else None, following)


def read_endpoint(desk: Desk, endpoint_id: str) -> Resource:
    """Return the one Endpoint."""
    if endpoint_id != endpoint.WADO:
        raise NotFound("no such endpoint", next_step=f"read Endpoint/{endpoint.WADO}")
    return endpoint.endpoint(desk.dicomweb_url)


def search_endpoints(desk: Desk, asked: Asked) -> Page:
    """Find the one Endpoint, or nothing."""
    found = asked.narrow(endpoint.PARAMETERS, endpoint.endpoint(desk.dicomweb_url))
    return _page(asked, [found] if found and not asked.place.offset else [], 1 if found else 0)


def _limit(asked: Asked) -> int:
    return 0 if asked.only_total else asked.count


def _page(asked: Asked, matches: Sequence[Resource], total: int) -> Page:
    if asked.only_total:
        return Page((), total)
    after = asked.place.offset + len(matches)
    following = Place(after) if matches and after < total else None
    return Page(matches, total if asked.counted else None, following, _preceding(asked))


def _preceding(asked: Asked) -> Place | None:
    start = asked.place.offset
    return Place(max(0, start - asked.count)) if start else None


def _meant(query: ObservationQuery, found: Sequence[FiledReport], start: Place) -> list[tuple[int, int]]:
    """Return row and part of the observations that are meant, from the start of the page on."""
    return [
        (row, part)
        for row, filed in enumerate(found)
        for part in range(len(filed.report.observations))
        if (row, part) >= (0, start.part) and query.keeps(filed.report, part)
    ]


def _count_observations(desk: Desk, query: ObservationQuery) -> int:
    found, total = desk.hub.find_reports(desk.caller, replace(query.reports, limit=_MOST_COUNTED))
    if total > _MOST_COUNTED:
        raise NotSupported("there are too many to count", next_step="narrow the search, to one patient")
    return len(_meant(query, found, Place()))


VIEWS: tuple[View, ...] = (
    View(
        ResourceType("DiagnosticReport", diagnostic_report.PARAMETERS, versioned=True),
        read_report,
        search_reports,
        "-_lastUpdated",
    ),
    View(ResourceType("Endpoint", endpoint.PARAMETERS), read_endpoint, search_endpoints),
    View(ResourceType("ImagingStudy", imaging_study.PARAMETERS), read_study, search_studies, "-started"),
    View(
        ResourceType("Observation", observation_search.PARAMETERS),
        read_observation,
        search_observations,
        "-_lastUpdated",
    ),
    View(ResourceType("Patient", patient.PARAMETERS), read_patient, search_patients, "-_lastUpdated"),
    View(
        ResourceType("ServiceRequest", service_request.PARAMETERS), read_order, search_orders, "-_lastUpdated"
    ),
)
