"""Patient: a record of the patient index, with the records it is linked to (FHIR R4 8.1; IHE PDQm, PIXm)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from hilum.core.archive.model import Query
from hilum.core.orders.model import OrderQuery
from hilum.core.patients.model import UNIDENTIFIED, LinkedPatient, PatientQuery, PatientRecord
from hilum.core.reports.model import ReportQuery
from hilum.wire.fhir import common, dates, names, values
from hilum.wire.fhir.parameters import (
    SearchParameter,
    applied,
    both,
    by_last_updated,
    codes,
    day_ranges,
    identifier_matches,
    once,
)
from hilum.wire.fhir.search import NotSupported, Parameter
from hilum.wire.fhir.values import Element, Resource, element

OfPatient = TypeVar("OfPatient", OrderQuery, ReportQuery, Query)

GENDERS: Mapping[str, str] = {"M": "male", "F": "female", "O": "other", "U": "unknown"}
"""Patient's Sex (0010,0040) and HL7 table 0001, to administrative-gender."""

_GENDER_SYSTEM = "http://hl7.org/fhir/administrative-gender"
_BOOLEANS = "http://terminology.hl7.org/CodeSystem/special-values"


def patient(found: LinkedPatient) -> Resource:
    """Return a Patient. A merged record is inactive and says who replaced it; the survivor lists all identifiers."""
    record = found.record
    said = record.demographics
    return element(
        resourceType="Patient",
        id=record.public_id,
        meta=common.meta(f"{record.version}", record.updated),
        identifier=_identifiers(found),
        active=record.key == record.root_key,
        name=names.human_names(said.name),
        telecom=_told("value", said.telephone, system="phone"),
        gender=GENDERS.get(said.sex.strip().upper(), "unknown" if said.sex.strip() else ""),
        birthDate=dates.day(said.birth_date),
        address=_told("text", said.address),
        link=_links(found),
    )


def _told(name: str, text: str, **more: str) -> list[Element]:
    """Return one element with a text, none when nothing is told."""
    told = values.line(text)
    return [{**more, name: told}] if told else []


def _identifiers(found: LinkedPatient) -> list[Element]:
    """Return the record's identifier, and on a survivor those that were retired into it.

    A number of another issuer may be an insurance's or a state's: only those of the record's own are called MR.
    """
    own = found.record.identifier
    shown = [names.identifier(own, "MR", "official")] if own.issuer != UNIDENTIFIED else []
    for one in (record.identifier for record in _retired(found)):
        if one.issuer == own.issuer:
            shown.append(names.identifier(one, "MR", "old"))
        elif one.issuer != UNIDENTIFIED:
            shown.append(names.identifier(one, "", "secondary"))
    return shown


def _links(found: LinkedPatient) -> list[Element]:
    record = found.record
    if record.key != record.root_key:
        survivors = [one for one in found.linked if one.key == record.root_key]
        return [_link(one, "replaced-by") for one in survivors]
    return [_link(one, "replaces") for one in _retired(found)]


def _link(other: PatientRecord, kind: str) -> Element:
    return {"other": common.reference("Patient", other.public_id), "type": kind}


def _retired(found: LinkedPatient) -> list[PatientRecord]:
    if found.record.key != found.record.root_key:
        return []
    return [one for one in found.linked if one.key != found.record.key]


def _by_id(query: PatientQuery, parameter: Parameter) -> PatientQuery | None:
    """Find a record by its own id, merged or not."""
    ids = both(query.public_ids, parameter.plain().texts())
    return replace(query, public_ids=ids, include_merged=True) if ids else None


def _by_identifier(query: PatientQuery, parameter: Parameter) -> PatientQuery:
    once(query.identified_by, parameter)
    return replace(query, identified_by=identifier_matches(parameter))


def _by_name(query: PatientQuery, parameter: Parameter) -> PatientQuery:
    once(query.name, parameter)
    return replace(query, name=parameter.plain().only_name())


def _by_family(query: PatientQuery, parameter: Parameter) -> PatientQuery:
    once(query.family, parameter)
    return replace(query, family=parameter.plain().only_name())


def _by_given(query: PatientQuery, parameter: Parameter) -> PatientQuery:
    once(query.given, parameter)
    return replace(query, given=parameter.plain().only_name())


def _by_birth_date(query: PatientQuery, parameter: Parameter) -> PatientQuery | None:
    ranges = day_ranges(parameter, query.born)
    return replace(query, born=ranges) if ranges else None


def _by_gender(query: PatientQuery, parameter: Parameter) -> PatientQuery | None:
    asked = codes(parameter, _GENDER_SYSTEM)
    sexes = both(query.sexes, tuple(sex for sex, gender in GENDERS.items() if gender in asked))
    return replace(query, sexes=sexes) if sexes else None


def _by_active(query: PatientQuery, parameter: Parameter) -> PatientQuery | None:
    """Tell survivors from merged records."""
    asked = set(codes(parameter, _BOOLEANS)) & {"true", "false"}
    if not asked:
        return None
    return replace(query, include_merged="false" in asked, only_merged=asked == {"false"})


PARAMETERS: tuple[SearchParameter[PatientQuery], ...] = (
    SearchParameter("_id", "token", _by_id, "Resource-id"),
    SearchParameter("_lastUpdated", "date", by_last_updated, "Resource-lastUpdated"),
    SearchParameter("active", "token", _by_active, "Patient-active"),
    SearchParameter("birthdate", "date", _by_birth_date, "individual-birthdate"),
    SearchParameter("family", "string", _by_family, "individual-family"),
    SearchParameter("gender", "token", _by_gender, "individual-gender"),
    SearchParameter("given", "string", _by_given, "individual-given"),
    SearchParameter("identifier", "token", _by_identifier, "Patient-identifier"),
    SearchParameter("name", "string", _by_name, "Patient-name"),
)
"""Only survivors are found, unless `active` or `_id` asks for more: a merged record is not a person."""

CODES = frozenset(one.code for one in PARAMETERS)
"""What a chain may ask of a patient."""


def by_subject(query: OfPatient, parameter: Parameter) -> OfPatient | None:
    """Narrow to what belongs to the person that a reference or a chain names, by old or new id."""
    asked = _referenced(parameter)
    return replace(query, patients=(*query.patients, asked)) if asked else None


def _referenced(parameter: Parameter) -> PatientQuery | None:
    if parameter.modifier not in ("", "Patient"):
        raise NotSupported(f"'{parameter.code}' takes no modifier but :Patient here")
    if not parameter.chain:
        ids = parameter.ids("Patient")
        return PatientQuery(include_merged=True, public_ids=ids) if ids else None
    return applied(PARAMETERS, PatientQuery(include_merged=True), [parameter.chained()]).query
