"""ServiceRequest: an order (FHIR R4 12.11; HL7 v2-to-FHIR, ORC and OBR)."""

from dataclasses import replace
from datetime import tzinfo
from typing import TypeVar

from hilum.core.archive.model import Query
from hilum.core.kernel.codes import Code
from hilum.core.orders.model import Order, OrderQuery, OrderStatus
from hilum.core.patients.model import PatientRecord
from hilum.core.reports.model import ReportQuery
from hilum.wire.fhir import common, dates, names, patient, values
from hilum.wire.fhir.parameters import (
    SearchParameter,
    applied,
    both,
    by_id,
    by_last_updated,
    code_matches,
    codes,
    identifier_matches,
    moment_ranges,
    moments,
    once,
)
from hilum.wire.fhir.search import NotSupported, Parameter
from hilum.wire.fhir.values import Element, Resource, element

OfOrder = TypeVar("OfOrder", ReportQuery, Query)

IMAGING = Code("363679005", "SCT", "Imaging")
INTENT = "order"
PRIORITIES = frozenset({"routine", "urgent", "asap", "stat"})

_STATUS_SYSTEM = "http://hl7.org/fhir/request-status"
_INTENT_SYSTEM = "http://hl7.org/fhir/request-intent"


def service_request(order: Order, survivor: PatientRecord, zone: tzinfo) -> Resource:
    """Return a ServiceRequest about the surviving patient."""
    return element(
        resourceType="ServiceRequest",
        id=order.public_id,
        meta=common.meta(common.version_of(order.version, order.patient_record_key, survivor), order.updated),
        identifier=_identifiers(order),
        status=order.status.value,
        intent=INTENT,
        category=[names.concept(IMAGING)],
        priority=order.priority if order.priority in PRIORITIES else "",
        code=names.concept(order.procedure),
        orderDetail=_protocols(order),
        subject=common.subject(survivor),
        occurrenceDateTime=_occurrence(order, zone),
        authoredOn=dates.instant(order.created),
        requester=element(display=names.spoken(order.requesting_physician or order.referring_physician)),
        locationCode=_locations(order),
        reasonCode=[{"text": values.line(order.reason)}] if values.line(order.reason) else [],
    )


def _identifiers(order: Order) -> list[Element]:
    """Placer (ORC-2), filler (ORC-3) and accession number, and the study that the order will become."""
    typed = (
        (order.placer_order_number, "PLAC"),
        (order.filler_order_number, "FILL"),
        (order.accession_number, "ACSN"),
    )
    identifiers = [names.identifier(number, kind) for number, kind in typed if number is not None]
    study = names.study_identifier(order.study_instance_uid)
    return [*identifiers, study] if study.get("value") else identifiers


def _occurrence(order: Order, zone: tzinfo) -> str:
    """Return the start of the first scheduled step (0040,0002), (0040,0003)."""
    starts = sorted((step.start_date, step.start_time) for step in order.steps if step.start_date)
    return dates.date_time(*starts[0], "", zone) if starts else ""


def _protocols(order: Order) -> list[Element]:
    protocols = dict.fromkeys(step.protocol for step in order.steps if step.protocol)
    return [names.concept(protocol) for protocol in protocols]


def _locations(order: Order) -> list[Element]:
    locations = dict.fromkeys(values.line(step.location) for step in order.steps)
    return [{"text": location} for location in locations if location]


def study_uids(parameter: Parameter) -> tuple[str, ...]:
    """Return the Study Instance UIDs among tokens: system urn:dicom:uid, or a value that says urn:oid."""
    tokens = parameter.plain().tokens()
    return tuple(
        token.code.removeprefix("urn:oid:")
        for token in tokens
        if token.system == names.DICOM_UID or (token.system is None and token.code.startswith("urn:oid:"))
    )


def _by_identifier(query: OrderQuery, parameter: Parameter) -> OrderQuery:
    """Find by placer, filler or accession number, or by the study that the order will become."""
    once(query.identified_by or query.study_instance_uids, parameter)
    uids = study_uids(parameter)
    if not uids:
        return replace(query, identified_by=identifier_matches(parameter))
    if len(uids) < len(parameter.values):
        raise NotSupported("'identifier' takes either order numbers or study UIDs here")
    return replace(query, study_instance_uids=uids)


def _by_status(query: OrderQuery, parameter: Parameter) -> OrderQuery | None:
    asked = codes(parameter, _STATUS_SYSTEM)
    statuses = both(query.status, tuple(status for status in OrderStatus if status in asked))
    return replace(query, status=statuses) if statuses else None


def _by_intent(query: OrderQuery, parameter: Parameter) -> OrderQuery | None:
    return query if INTENT in codes(parameter, _INTENT_SYSTEM) else None


def _by_code(query: OrderQuery, parameter: Parameter) -> OrderQuery:
    once(query.procedures, parameter)
    return replace(query, procedures=code_matches(parameter))


def _by_authored(query: OrderQuery, parameter: Parameter) -> OrderQuery:
    since, before = moments(parameter, query.authored_since, query.authored_before)
    return replace(query, authored_since=since, authored_before=before)


def _by_occurrence(query: OrderQuery, parameter: Parameter) -> OrderQuery | None:
    ranges = moment_ranges(parameter, query.occurs)
    return replace(query, occurs=ranges) if ranges else None


PARAMETERS: tuple[SearchParameter[OrderQuery], ...] = (
    SearchParameter("_id", "token", by_id, "Resource-id"),
    SearchParameter("_lastUpdated", "date", by_last_updated, "Resource-lastUpdated"),
    SearchParameter("authored", "date", _by_authored, "ServiceRequest-authored"),
    SearchParameter("code", "token", _by_code, "clinical-code"),
    SearchParameter("identifier", "token", _by_identifier, "clinical-identifier"),
    SearchParameter("intent", "token", _by_intent, "ServiceRequest-intent"),
    SearchParameter("occurrence", "date", _by_occurrence, "ServiceRequest-occurrence"),
    SearchParameter("patient", "reference", patient.by_subject, "clinical-patient", patient.CODES),
    SearchParameter("status", "token", _by_status, "ServiceRequest-status"),
    SearchParameter("subject", "reference", patient.by_subject, "ServiceRequest-subject", patient.CODES),
)

CODES = frozenset(one.code for one in PARAMETERS)
"""What a chain may ask of an order."""


def by_order(query: OfOrder, parameter: Parameter) -> OfOrder | None:
    """Narrow to what belongs to the order that a reference or a chain names."""
    asked = _referenced(parameter)
    return replace(query, orders=(*query.orders, asked)) if asked else None


def _referenced(parameter: Parameter) -> OrderQuery | None:
    if parameter.modifier not in ("", "ServiceRequest"):
        raise NotSupported(f"'{parameter.code}' takes no modifier but :ServiceRequest here")
    if not parameter.chain:
        ids = parameter.ids("ServiceRequest")
        return OrderQuery(public_ids=ids) if ids else None
    return applied(PARAMETERS, OrderQuery(), [parameter.chained()]).query
