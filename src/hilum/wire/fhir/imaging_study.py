"""ImagingStudy: a study of the archive, with its series and instances (FHIR R4 10.6, DICOM mapping 10.6.8)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import tzinfo

from hilum.core.archive.model import (
    AnyBetween,
    AnyOf,
    Between,
    Exact,
    Instance,
    Match,
    Query,
    Series,
    SeriesContent,
    Study,
    StudyContent,
)
from hilum.core.kernel.codes import Code
from hilum.core.kernel.identifiers import Identifier
from hilum.wire.fhir import common, dates, endpoint, names, patient, service_request, values
from hilum.wire.fhir.parameters import SearchParameter, by_last_updated, codes, moment_ranges, once
from hilum.wire.fhir.search import NotSupported, Parameter, Token
from hilum.wire.fhir.values import Element, Resource, element

UNKNOWN_MODALITY = "OT"
"""A series must have a modality (1..1): DICOM's "Other" where an image says none."""

STATUS = "available"

_STATUS_SYSTEM = "http://hl7.org/fhir/imagingstudy-status"
_LONGEST_ACCESSION_NUMBER = 16
_SOP_CLASS_SYSTEM = "urn:ietf:rfc:3986"

LATERALITIES: Mapping[str, Code] = {
    "L": Code("7771000", "SCT", "Left"),
    "R": Code("24028007", "SCT", "Right"),
    "B": Code("51440002", "SCT", "Right and left"),
    "U": Code("66459002", "SCT", "Unilateral"),
}
"""Laterality (0020,0060) to SNOMED CT (PS3.16 CID 244)."""


def imaging_study(found: StudyContent, zone: tzinfo) -> Resource:
    """Return an ImagingStudy about the surviving patient."""
    study = found.study
    order = [common.reference("ServiceRequest", found.order_public_id)] if found.order_public_id else []
    return element(
        resourceType="ImagingStudy",
        id=study.study_instance_uid,
        meta=common.meta(
            common.version_of(study.version, study.patient_record_key, found.patient), study.updated
        ),
        identifier=_identifiers(study),
        status=STATUS,
        modality=[_modality(one) for one in study.modalities if values.code(one)],
        subject=common.subject(found.patient),
        started=dates.date_time(study.study_date, study.study_time, study.timezone_offset_from_utc, zone),
        basedOn=order,
        referrer=element(display=names.spoken(study.referring_physician_name)),
        endpoint=[common.reference("Endpoint", endpoint.WADO)],
        numberOfSeries=study.number_of_series,
        numberOfInstances=study.number_of_instances,
        description=values.line(study.study_description),
        series=[_series(one, study, zone) for one in found.series],
    )


def _identifiers(study: Study) -> list[Element]:
    identifiers = [names.study_identifier(study.study_instance_uid)]
    if values.line(study.accession_number):
        accession = Identifier(study.accession_number, study.issuer_of_accession_number)
        identifiers.append(names.identifier(accession, "ACSN"))
    return identifiers


def _series(content: SeriesContent, study: Study, zone: tzinfo) -> Element:
    series = content.series
    body_part = values.line(series.body_part_examined)
    laterality = LATERALITIES.get(series.laterality.strip())
    return element(
        uid=series.series_instance_uid,
        number=values.unsigned(series.series_number),
        modality=_modality(series.modality),
        description=values.line(series.series_description),
        numberOfInstances=series.number_of_instances,
        endpoint=[common.reference("Endpoint", endpoint.WADO)],
        bodySite=element(display=body_part),
        laterality=names.coding(laterality) if laterality else None,
        started=_series_started(series, study, zone),
        instance=[_instance(one) for one in content.instances],
    )


def _series_started(series: Series, study: Study, zone: tzinfo) -> str:
    """Return the start of the series (0008,0021), else of the performed procedure step (0040,0244)."""
    offset = study.timezone_offset_from_utc
    own = dates.date_time(series.series_date, series.series_time, offset, zone)
    return own or dates.date_time(
        series.performed_procedure_step_start_date, series.performed_procedure_step_start_time, offset, zone
    )


def _instance(instance: Instance) -> Element:
    return element(
        uid=instance.sop_instance_uid,
        sopClass={"system": _SOP_CLASS_SYSTEM, "code": f"urn:oid:{instance.sop_class_uid}"},
        number=values.unsigned(instance.instance_number),
    )


def _modality(modality: str) -> Element:
    return {"system": names.DCM, "code": values.code(modality) or UNKNOWN_MODALITY}


def _by_id(query: Query, parameter: Parameter) -> Query | None:
    """The id of a study is its UID."""
    return _by_study(query, parameter.plain().texts())


def _by_identifier(query: Query, parameter: Parameter) -> Query | None:
    """Find by Study Instance UID, or by accession number with or without its issuer."""
    tokens = parameter.plain().tokens()
    uids = tuple(token.code.removeprefix("urn:oid:") for token in tokens if _names_a_study(token))
    if len(uids) == len(tokens):
        return _by_study(query, uids)
    if uids:
        raise NotSupported("'identifier' takes either study UIDs or accession numbers here")
    return _by_accession(query, parameter)


def _by_accession(query: Query, parameter: Parameter) -> Query:
    tokens = parameter.plain().tokens()
    once("accession_number" in query.matches, parameter)
    issuers = {token.system for token in tokens}
    if len(issuers) > 1:
        raise NotSupported(f"'{parameter.code}' takes accession numbers of one system here")
    found = _with(query, "accession_number", AnyOf(tuple(token.code for token in tokens)))
    system = issuers.pop()
    if system is None:
        return found
    return _with(found, "issuer_of_accession_number", Exact(names.issuer_of_system(system)))


def _names_a_study(token: Token) -> bool:
    """A bare UID is longer than any accession number (SH, 16)."""
    if token.system == names.DICOM_UID:
        return True
    bare = len(token.code) > _LONGEST_ACCESSION_NUMBER and token.code.replace(".", "").isdigit()
    return token.system is None and (bare or token.code.startswith("urn:oid:"))


def _by_study(query: Query, uids: tuple[str, ...]) -> Query | None:
    kept = query.matches.get("study_instance_uid")
    left = tuple(uid for uid in uids if not isinstance(kept, AnyOf) or uid in kept.values)
    return _with(query, "study_instance_uid", AnyOf(left)) if left else None


def _by_modality(query: Query, parameter: Parameter) -> Query | None:
    once("modalities_in_study" in query.matches, parameter)
    asked = codes(parameter, names.DCM)
    return _with(query, "modalities_in_study", AnyOf(asked)) if asked else None


def _by_sop_class(query: Query, parameter: Parameter) -> Query | None:
    once("sop_classes_in_study" in query.matches, parameter)
    asked = tuple(code.removeprefix("urn:oid:") for code in codes(parameter, _SOP_CLASS_SYSTEM))
    return _with(query, "sop_classes_in_study", AnyOf(asked)) if asked else None


def _by_started(query: Query, parameter: Parameter) -> Query | None:
    kept = query.matches.get("study_date_time")
    before = tuple((one.low, one.high) for one in kept.ranges) if isinstance(kept, AnyBetween) else ()
    ranges = tuple(Between(*one) for one in moment_ranges(parameter, before))
    return _with(query, "study_date_time", AnyBetween(ranges)) if ranges else None


def _by_status(query: Query, parameter: Parameter) -> Query | None:
    return query if STATUS in codes(parameter, _STATUS_SYSTEM) else None


def _with(query: Query, key: str, match: Match) -> Query:
    return replace(query, matches={**query.matches, key: match})


PARAMETERS: tuple[SearchParameter[Query], ...] = (
    SearchParameter("_id", "token", _by_id, "Resource-id"),
    SearchParameter("_lastUpdated", "date", by_last_updated, "Resource-lastUpdated"),
    SearchParameter("accession", "token", _by_accession),
    SearchParameter(
        "basedon",
        "reference",
        service_request.by_order,
        "ImagingStudy-basedon",
        service_request.CODES,
    ),
    SearchParameter("dicom-class", "token", _by_sop_class, "ImagingStudy-dicom-class"),
    SearchParameter("identifier", "token", _by_identifier, "clinical-identifier"),
    SearchParameter("modality", "token", _by_modality, "ImagingStudy-modality"),
    SearchParameter("patient", "reference", patient.by_subject, "clinical-patient", patient.CODES),
    SearchParameter("started", "date", _by_started, "ImagingStudy-started"),
    SearchParameter("status", "token", _by_status, "ImagingStudy-status"),
    SearchParameter("subject", "reference", patient.by_subject, "ImagingStudy-subject", patient.CODES),
)
"""`accession` is ours: R4 has `identifier` for it, which takes accession numbers too."""
