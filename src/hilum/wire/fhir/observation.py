"""Observation: a coded or measured finding of a report (FHIR R4 10.1; HL7 v2-to-FHIR, OBX)."""

import re
from collections.abc import Mapping
from datetime import tzinfo
from decimal import Decimal

from hilum.core.kernel.codes import Code
from hilum.core.kernel.errors import NotFound
from hilum.core.reports import model
from hilum.core.reports.model import FiledReport, Report
from hilum.wire.fhir import common, dates, names, values
from hilum.wire.fhir.values import Element, Resource, element

STATUSES: Mapping[str, str] = {
    "C": "corrected",
    "D": "entered-in-error",
    "F": "final",
    "I": "registered",
    "N": "registered",
    "O": "registered",
    "P": "preliminary",
    "R": "preliminary",
    "S": "preliminary",
    "U": "final",
    "W": "entered-in-error",
    "X": "cancelled",
}
"""OBX-11, HL7 table 0085."""

CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"
INTERPRETATIONS = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_INTERPRETATION_CODES = frozenset(
    [
        "B",
        "D",
        "U",
        "W",
        "<",
        ">",
        "A",
        "AA",
        "HH",
        "LL",
        "H",
        "H>",
        "HU",
        "L",
        "L<",
        "LU",
        "N",
        "I",
        "MS",
        "NS",
        "R",
        "S",
        "SDD",
        "VS",
        "HX",
        "LX",
        "IND",
        "E",
        "NEG",
        "ND",
        "POS",
        "DET",
        "NR",
        "RR",
        "WR",
    ]
)
"""OBX-8 codes (HL7 table 0078) that v3-ObservationInterpretation has too."""

_UCUM_UNITS = frozenset(
    [
        "mm",
        "cm",
        "m",
        "mm2",
        "cm2",
        "mm3",
        "cm3",
        "mL",
        "L",
        "g",
        "kg",
        "mg",
        "s",
        "ms",
        "min",
        "h",
        "d",
        "%",
        "mGy",
        "cGy",
        "Gy",
        "mSv",
        "kBq",
        "MBq",
        "GBq",
        "mm[Hg]",
        "[hnsf'U]",
        "1",
    ]
)
"""Units that are UCUM as they are commonly written, for an OBX-6 that names no coding system."""

_NUMBER = re.compile(r"(<=|>=|<|>)?\s*([+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20}))")
_CODED = frozenset({"CE", "CWE", "CNE", "CF", "IS", "ID"})
_MOMENTS = frozenset({"DT", "TS", "DTM"})
_NUMBERS = frozenset({"NM", "SN"})


def id_of(report: Report, place: int) -> str:
    """Return the id of an observation: its report's, and its place there, counted from 1."""
    return f"{report.public_id}-{place + 1}"


def place_of(observation_id: str) -> tuple[str, int]:
    """Return the report's public id and the place of an observation; raises NotFound."""
    public_id, dash, number = observation_id.rpartition("-")
    if not dash or not re.fullmatch(r"[1-9][0-9]{0,5}", number):
        raise NotFound("no such observation", next_step="follow DiagnosticReport.result")
    return public_id, int(number) - 1


def observation(found: FiledReport, place: int, zone: tzinfo) -> Resource:
    """Return the Observation at a place of a report; raises NotFound."""
    report = found.report
    if place >= len(report.observations):
        raise NotFound("no such observation", next_step="follow DiagnosticReport.result")
    said = report.observations[place]
    order = [common.reference("ServiceRequest", found.order_public_id)] if found.order_public_id else []
    return element(
        resourceType="Observation",
        id=id_of(report, place),
        meta=common.meta(
            common.version_of(report.version, report.patient_record_key, found.patient), report.created
        ),
        basedOn=order,
        partOf=_study(report),
        status=status_of(said),
        category=[{"coding": [{"system": CATEGORIES, "code": "imaging", "display": "Imaging"}]}],
        code=names.concept(said.code) or {"text": "unnamed observation"},
        subject=common.subject(found.patient),
        effectiveDateTime=dates.date_time_of(report.effective, zone),
        **_value(said, zone),
        interpretation=_interpretation(said.interpretation),
    )


def status_of(said: model.Observation) -> str:
    """Return the status for an OBX-11."""
    return STATUSES.get(said.status.strip().upper(), "unknown")


def _study(report: Report) -> list[Element]:
    if not report.study_instance_uid:
        return []
    return [common.reference("ImagingStudy", report.study_instance_uid)]


def _value(said: model.Observation, zone: tzinfo) -> Element:
    """Return value[x] for an OBX-2 and OBX-5; what does not read as its type is kept as text."""
    kind, written = said.value_type.strip().upper(), said.value.strip()
    if said.value_code or kind in _CODED:
        coded = names.concept(said.value_code) or element(text=values.line(written))
        return element(valueCodeableConcept=coded)
    if kind in _NUMBERS and (quantity := _quantity(written, said.unit)):
        return {"valueQuantity": quantity}
    if kind in _MOMENTS and (moment := dates.date_time_of(written, zone)):
        return {"valueDateTime": moment}
    if kind == "TM" and (time := dates.time_of_day(written)):
        return {"valueTime": time}
    return element(valueString=values.text(" ".join((written, _unit_text(said.unit))).strip()))


def _quantity(written: str, unit: Code) -> Element:
    met = _NUMBER.fullmatch(written)
    if met is None:
        return {}
    return element(value=_decimal(met[2]), comparator=met[1], unit=_unit_text(unit), **_unit_code(unit))


def _decimal(digits: str) -> Decimal:
    """Return the number with the digits that it was sent with: 1.50 stays 1.50."""
    return Decimal(digits.removesuffix("."))


def _unit_text(unit: Code) -> str:
    return values.line(unit.meaning or unit.value)


def _unit_code(unit: Code) -> Element:
    """Return system and code of a unit: UCUM where the message or the unit itself says so."""
    code = values.code(unit.value)
    if not unit.scheme:
        return {"system": names.UCUM, "code": code} if code in _UCUM_UNITS else {}
    return element(system=names.system_of_scheme(unit.scheme), code=code) if code else {}


def _interpretation(said: str) -> list[Element]:
    """Return OBX-8; several are repeated with ~ or a comma."""
    codes = [values.code(one) for one in re.split(r"[~,]", said)]
    return [_interpreted(one) for one in codes if one]


def _interpreted(code: str) -> Element:
    if code in _INTERPRETATION_CODES:
        return {"coding": [{"system": INTERPRETATIONS, "code": code}]}
    return {"text": code}
