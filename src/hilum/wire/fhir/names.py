"""Person names, identifiers and code systems in FHIR's words."""

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from hilum.core.kernel.codes import Code
from hilum.core.kernel.identifiers import Identifier
from hilum.wire.fhir import values
from hilum.wire.fhir.values import Element, element

DICOM_UID = "urn:dicom:uid"
DCM = "http://dicom.nema.org/resources/ontology/DCM"
UCUM = "http://unitsofmeasure.org"
_V2 = "http://terminology.hl7.org/CodeSystem/v2-"
IDENTIFIER_TYPES = f"{_V2}0203"
REPRESENTATION = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"

_ISSUER = "urn:hilum:issuer:"
_SCHEME = "urn:hilum:scheme:"
_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_URI = re.compile(r"(?:https?://|urn:)\S+")

_TYPE_NAMES: Mapping[str, str] = {
    "MR": "Medical record number",
    "PLAC": "Placer Identifier",
    "FILL": "Filler Identifier",
    "ACSN": "Accession ID",
}
"""HL7 table 0203."""

_SYSTEMS: Mapping[str, str] = {
    "SCT": "http://snomed.info/sct",
    "SRT": "http://snomed.info/srt",
    "LN": "http://loinc.org",
    "LOINC": "http://loinc.org",
    "DCM": DCM,
    "RADLEX": "http://radlex.org",
    "UCUM": UCUM,
    "I10": "http://hl7.org/fhir/sid/icd-10",
    "I10C": "http://hl7.org/fhir/sid/icd-10-cm",
    "I9C": "http://hl7.org/fhir/sid/icd-9-cm",
    "C4": "http://www.ama-assn.org/go/cpt",
    "CPT": "http://www.ama-assn.org/go/cpt",
}
"""Coding Scheme Designator (PS3.16 table 8-1) and HL7 table 0396, to a system. SRT codes are no SNOMED CT concepts."""

_REPRESENTATIONS = ("ABC", "IDE", "SYL")


def system_of_issuer(issuer: str) -> str:
    """Return the system for an issuer: an OID as urn:oid, a URI as it is, any other name under urn:hilum:issuer."""
    return _system(issuer, _ISSUER)


def issuer_of_system(system: str) -> str:
    """Return the issuer for a system: the inverse of `system_of_issuer`."""
    return _named(system, _ISSUER)


def identifier(found: Identifier, type_code: str, use: str = "") -> Element:
    """Return an Identifier with a type of HL7 table 0203, if one is given."""
    return element(
        use=use,
        type=identifier_type(type_code) if type_code else None,
        system=system_of_issuer(found.issuer),
        value=values.line(found.value),
    )


def identifier_type(type_code: str) -> Element:
    """Return a type of HL7 table 0203."""
    coding = element(system=IDENTIFIER_TYPES, code=type_code, display=_TYPE_NAMES[type_code])
    return {"coding": [coding]}


def study_identifier(study_instance_uid: str) -> Element:
    """Return the Identifier of a study (FHIR R4 ImagingStudy, DICOM mapping)."""
    return element(system=DICOM_UID, value=f"urn:oid:{study_instance_uid}" if study_instance_uid else "")


def system_of_scheme(scheme: str) -> str:
    """Return the code system for a coding scheme; HL7nnnn is a table, an unknown one stands under urn:hilum:scheme."""
    name = scheme.strip().upper()
    if name in _SYSTEMS:
        return _SYSTEMS[name]
    if re.fullmatch(r"HL7[0-9]{4}", name):
        return _V2 + name[3:]
    return _system(scheme, _SCHEME)


def schemes_of_system(system: str) -> tuple[str, ...]:
    """Return the coding schemes that a code system can stand for: the inverse of `system_of_scheme`."""
    known = tuple(scheme for scheme, at in _SYSTEMS.items() if at == system)
    if known:
        return known
    if system.startswith(_V2):
        return (f"HL7{system.removeprefix(_V2)}",)
    return (_named(system, _SCHEME),)


def coding(found: Code) -> Element:
    """Return a Coding."""
    return element(
        system=system_of_scheme(found.scheme) if found.value else "",
        code=values.code(found.value),
        display=values.line(found.meaning),
    )


def concept(found: Code) -> Element:
    """Return a CodeableConcept; a meaning without a code is its text."""
    codings = [coding(found)] if found.value.strip() else []
    return element(coding=codings, text=values.line(found.meaning))


def human_names(name: str) -> list[Element]:
    """Return a HumanName for each component group of a PN (PS3.5 6.2.1; ISO 21090 EN representation)."""
    groups = name.split("=")[:3]
    told_apart = any(group.strip("^ ") for group in groups[1:])
    return [
        _human_name(group, representation if told_apart else "")
        for group, representation in zip(groups, _REPRESENTATIONS, strict=False)
        if group.strip("^ ")
    ]


def spoken(name: str) -> str:
    """Return a PN the way it is said: prefix, given, middle, family, suffix; the first group that is given."""
    group = next((group for group in name.split("=")[:3] if group.strip("^ ")), "")
    family, given, middle, prefix, suffix = _components(group)
    return " ".join(part for part in (prefix, given, middle, family, suffix) if part)


def _human_name(group: str, representation: str) -> Element:
    family, given, middle, prefix, suffix = _components(group)
    told = [{"url": REPRESENTATION, "valueCode": representation}] if representation else []
    return element(
        extension=told,
        use="official",
        text=spoken(group),
        family=family,
        given=[part for part in (given, middle) if part],
        prefix=[prefix] if prefix else [],
        suffix=[suffix] if suffix else [],
    )


def _components(group: str) -> list[str]:
    return [values.line(part) for part in (group.split("^") + [""] * 5)[:5]]


def _system(name: str, prefix: str) -> str:
    name = values.line(name)
    if not name or _URI.fullmatch(name):
        return name
    if _OID.fullmatch(name):
        return f"urn:oid:{name}"
    return prefix + quote(name, safe="")


def _named(system: str, prefix: str) -> str:
    if system.startswith(prefix):
        return unquote(system.removeprefix(prefix))
    oid = system.removeprefix("urn:oid:")
    return oid if oid != system and _OID.fullmatch(oid) else system
