"""What every resource has: its meta, and references to others."""

from datetime import datetime

from hilum.core.patients.model import PatientRecord
from hilum.wire.fhir import dates
from hilum.wire.fhir.values import Element


def meta(version: str, updated: datetime) -> Element:
    """Return Meta with version and time of the last change."""
    return {"versionId": version, "lastUpdated": dates.instant(updated)}


def version_of(version: int, own_record_key: int, survivor: PatientRecord) -> str:
    """Return a versionId that also changes when a merge gives the resource another subject.

    A merge sets a pointer and touches no study, order or report; their views show the survivor all the same.
    """
    merged = own_record_key != survivor.key
    return f"{version}-{survivor.public_id[:12]}" if merged else f"{version}"


def reference(resource_type: str, public_id: str) -> Element:
    """Return a literal reference relative to the base URL."""
    return {"reference": f"{resource_type}/{public_id}"}


def subject(survivor: PatientRecord) -> Element:
    """Return the reference to the surviving patient."""
    return reference("Patient", survivor.public_id)
