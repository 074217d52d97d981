"""Observation: how the findings of reports are searched (FHIR R4 10.1.7)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hilum.core.kernel.identifiers import IdentifierMatch
from hilum.core.reports.model import Report, ReportQuery
from hilum.wire.fhir import diagnostic_report, observation, patient, service_request
from hilum.wire.fhir.parameters import SearchParameter, both, by_last_updated, code_matches, codes, once
from hilum.wire.fhir.search import Parameter

_STATUS_SYSTEM = "http://hl7.org/fhir/observation-status"


@dataclass(frozen=True, slots=True)
class ObservationQuery:
    """The reports to look in, and what of their observations is meant; an empty field means all."""

    reports: ReportQuery = field(
        default_factory=lambda: ReportQuery(with_observations=True, with_attachments=False)
    )
    ids: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    codes: tuple[IdentifierMatch, ...] = ()

    def keeps(self, report: Report, place: int) -> bool:
        """Tell whether the observation at a place of a report is meant."""
        said = report.observations[place]
        return (
            (not self.ids or observation.id_of(report, place) in self.ids)
            and (not self.statuses or observation.status_of(said) in self.statuses)
            and (not self.codes or any(_is(said.code.value, said.code.scheme, one) for one in self.codes))
        )


def _is(value: str, scheme: str, wanted: IdentifierMatch) -> bool:
    return wanted.value in ("", value) and wanted.issuer in (None, scheme)


def _by_id(query: ObservationQuery, parameter: Parameter) -> ObservationQuery | None:
    ids = both(query.ids, parameter.plain().texts())
    public_ids = tuple(one.rpartition("-")[0] for one in ids)
    kept = replace(query.reports, public_ids=public_ids)
    return replace(query, ids=ids, reports=kept) if any(public_ids) else None


def _by_status(query: ObservationQuery, parameter: Parameter) -> ObservationQuery | None:
    statuses = both(query.statuses, codes(parameter, _STATUS_SYSTEM))
    return replace(query, statuses=statuses) if statuses else None


def _by_code(query: ObservationQuery, parameter: Parameter) -> ObservationQuery:
    once(query.codes, parameter)
    return replace(query, codes=code_matches(parameter))


def _by_category(query: ObservationQuery, parameter: Parameter) -> ObservationQuery | None:
    return query if "imaging" in codes(parameter, observation.CATEGORIES) else None


def _of_report(
    apply: Callable[[ReportQuery, Parameter], ReportQuery | None],
) -> Callable[[ObservationQuery, Parameter], ObservationQuery | None]:
    """Narrow the reports to look in."""

    def narrowed(query: ObservationQuery, parameter: Parameter) -> ObservationQuery | None:
        kept = apply(query.reports, parameter)
        return replace(query, reports=kept) if kept is not None else None

    return narrowed


_by_subject = _of_report(patient.by_subject)

PARAMETERS: tuple[SearchParameter[ObservationQuery], ...] = (
    SearchParameter("_id", "token", _by_id, "Resource-id"),
    SearchParameter("_lastUpdated", "date", _of_report(by_last_updated), "Resource-lastUpdated"),
    SearchParameter(
        "based-on",
        "reference",
        _of_report(service_request.by_order),
        "Observation-based-on",
        service_request.CODES,
    ),
    SearchParameter("category", "token", _by_category, "Observation-category"),
    SearchParameter("code", "token", _by_code, "clinical-code"),
    SearchParameter("date", "date", _of_report(diagnostic_report.by_date), "clinical-date"),
    SearchParameter("part-of", "reference", _of_report(diagnostic_report.by_study), "Observation-part-of"),
    SearchParameter("patient", "reference", _by_subject, "clinical-patient", patient.CODES),
    SearchParameter("status", "token", _by_status, "Observation-status"),
    SearchParameter("subject", "reference", _by_subject, "Observation-subject", patient.CODES),
)
