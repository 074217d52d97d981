"""Which patient attributes of an object differ from the person as known now (IHE RAD PIR)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from types import MappingProxyType

from hilum.core.patients.model import UNIDENTIFIED, PatientRecord

PATIENT_NAME, PATIENT_ID, ISSUER_OF_PATIENT_ID = 0x00100010, 0x00100020, 0x00100021
ISSUER_OF_PATIENT_ID_QUALIFIERS = 0x00100024
PATIENT_BIRTH_DATE, PATIENT_SEX = 0x00100030, 0x00100040

VRS = MappingProxyType({
    PATIENT_NAME: "PN",
    PATIENT_ID: "LO",
    ISSUER_OF_PATIENT_ID: "LO",
    ISSUER_OF_PATIENT_ID_QUALIFIERS: "SQ",
    PATIENT_BIRTH_DATE: "DA",
    PATIENT_SEX: "CS",
})  # fmt: skip

MODIFYING_SYSTEM = "HILUM"
REASON = "COERCE"
"""Reason for the Attribute Modification (0400,0565): a defined term of PS3.3 C.12.1.1.9."""


@dataclass(frozen=True, slots=True)
class Received:
    """What an object says of its patient."""

    name: str
    patient_id: str
    issuer: str
    """Issuer of Patient ID (0010,0021), else the universal ID of its qualifiers."""
    birth_date: str
    sex: str
    qualified: bool
    """Whether Issuer of Patient ID Qualifiers Sequence (0010,0024) is there."""


def replacements(received: Received, patient: PatientRecord) -> dict[int, str | None]:
    """Return the attributes to show instead; None removes. What is not known of the person never erases."""
    known = patient.demographics
    shown: dict[int, str | None] = {}
    if known.name and not _same_name(received.name, known.name):
        shown[PATIENT_NAME] = known.name
    if patient.identifier.issuer != UNIDENTIFIED:
        shown.update(_identifier(received, patient))
    if known.birth_date not in {"", received.birth_date}:
        shown[PATIENT_BIRTH_DATE] = known.birth_date
    if known.sex not in {"", received.sex}:
        shown[PATIENT_SEX] = known.sex
    if shown.keys() & {PATIENT_NAME, PATIENT_BIRTH_DATE, PATIENT_SEX}:
        shown.update(_missing_issuer(received, patient, shown))
    return shown


def modification_date_time(patient: PatientRecord) -> str:
    """Return when the record became what is shown: the same object is then coerced to the same bytes every time."""
    return patient.updated.astimezone(UTC).strftime("%Y%m%d%H%M%S.%f+0000")


def _identifier(received: Received, patient: PatientRecord) -> Mapping[int, str | None]:
    """An identifier is a value and its issuer: they are replaced together.

    An issuer that a device left out is no difference by itself: most do, and nothing would go out as received.
    """
    identifier = patient.identifier
    if identifier.value == received.patient_id and received.issuer in {"", identifier.issuer}:
        return {}
    if identifier.value == received.patient_id and not identifier.issuer:
        return {}
    shown: dict[int, str | None] = {}
    if identifier.value != received.patient_id:
        shown[PATIENT_ID] = identifier.value
    if identifier.issuer != received.issuer:
        shown[ISSUER_OF_PATIENT_ID] = identifier.issuer
    if received.qualified:
        shown[ISSUER_OF_PATIENT_ID_QUALIFIERS] = None
    return shown


def _missing_issuer(
    received: Received, patient: PatientRecord, shown: Mapping[int, str | None]
) -> Mapping[int, str | None]:
    issuer = patient.identifier.issuer
    absent = not received.issuer and issuer not in {"", UNIDENTIFIED} and ISSUER_OF_PATIENT_ID not in shown
    return {ISSUER_OF_PATIENT_ID: issuer} if absent else {}


def _same_name(received: str, known: str) -> bool:
    """Compare the component groups that are known; others, say the ideographic one, may stand there besides."""
    theirs, ours = _groups(received), _groups(known)
    return len(ours) <= len(theirs) and all(
        not mine or mine == their for mine, their in zip(ours, theirs, strict=False)
    )


def _groups(name: str) -> list[str]:
    groups = [group.rstrip("^ ") for group in name.split("=")]
    return ["^".join(part.strip(" ") for part in group.split("^")) for group in groups]
