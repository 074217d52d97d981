"""CapabilityStatement: what this server answers, from the tables that it answers from (FHIR R4 5.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hilum.wire.fhir.parameters import SearchParameter
from hilum.wire.fhir.values import Element, Resource, element

FHIR_VERSION = "4.0.1"
FORMATS = ("json", "application/fhir+json")
DOCUMENTATION = """\
Views of the one imaging record: what DICOM and HL7 v2 brought, as it stands now.

- The system of an identifier comes from its issuer: an OID is `urn:oid:...`, a URI stands as it is, any other name is
  `urn:hilum:issuer:` and the name percent-encoded; without an issuer there is no system. Coding schemes that have no
  system of their own stand under `urn:hilum:scheme:` in the same way.
- A patient that was merged is inactive and links to who replaced it; searches by its id or its identifier find what
  belongs to the survivor.
- Times that the record holds without an offset are read on the clock of the site.
- Unknown search parameters are left out and told, or refused with `Prefer: handling=strict`; modifiers that are not
  supported are always refused.
"""
_PROFILE = "http://hl7.org/fhir/StructureDefinition/"


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One resource type that is served, and what it can be searched by."""

    name: str
    parameters: Sequence[SearchParameter[Any]]
    versioned: bool = False
    """Whether vread answers."""


def capability_statement(base_url: str, software_version: str, served: Sequence[ResourceType]) -> Resource:
    """Return the statement of this instance."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-24",
        "kind": "instance",
        "software": {"name": "Hilum", "version": software_version},
        "implementation": {"description": "The imaging record as FHIR", "url": base_url},
        "fhirVersion": FHIR_VERSION,
        "format": list(FORMATS),
        "rest": [
            {
                "mode": "server",
                "documentation": DOCUMENTATION,
                "security": {"description": "A bearer token, or the session of the console."},
                "resource": [_resource(one) for one in served],
            }
        ],
    }


def _resource(served: ResourceType) -> Element:
    interactions = ["read", "vread", "search-type"] if served.versioned else ["read", "search-type"]
    return {
        "type": served.name,
        "profile": _PROFILE + served.name,
        "interaction": [{"code": code} for code in interactions],
        "versioning": "versioned",
        "readHistory": served.versioned,
        "updateCreate": False,
        "conditionalCreate": False,
        "conditionalRead": "not-match",
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
        "searchParam": [_parameter(one) for one in served.parameters],
    }


def _parameter(known: SearchParameter[Any]) -> Element:
    chains = f"Chains: {', '.join(sorted(known.chains))}" if known.chains else ""
    return element(name=known.code, definition=known.url, type=known.kind, documentation=chains)
