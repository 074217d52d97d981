"""Records and demographics."""

from dataclasses import dataclass
from datetime import datetime

from hilum.core.kernel.identifiers import Identifier, IdentifierMatch

UNIDENTIFIED = "hilum:unidentified"
"""Issuer of the records of images that came without a patient ID: one record a study, never shared, never shown."""


@dataclass(frozen=True, slots=True)
class Demographics:
    """What is said of a person. `name` is a DICOM PN with its component groups (PS3.5 6.2.1.1); dates are DA."""

    name: str = ""
    birth_date: str = ""
    sex: str = ""
    address: str = ""
    telephone: str = ""


@dataclass(frozen=True, slots=True)
class PatientRecord:
    """What one issuer says of a person. `root_key` is the record that survives all merges so far."""

    key: int
    public_id: str
    identifier: Identifier
    demographics: Demographics
    survivor_key: int | None
    """The pointer that a merge sets, and an unmerge takes back."""
    root_key: int
    authoritative: bool
    """Told by an information system (ADT, order), not only read off an image."""
    version: int
    created: datetime
    updated: datetime


@dataclass(frozen=True, slots=True)
class PatientStatement:
    """What a message or an image says: identifiers, best first, and demographics.

    `known` fields of the demographics replace; empty ones keep what is there; `deleted` names those that an HL7
    null (`""`) erases.
    """

    identifiers: tuple[Identifier, ...]
    demographics: Demographics
    deleted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LinkedPatient:
    """A record and all records linked to it, root first; the record itself is among them."""

    record: PatientRecord
    linked: tuple[PatientRecord, ...]


@dataclass(frozen=True, slots=True)
class PatientQuery:
    """A search for patients. Strings match without regard to case; names match from the start of any name part."""

    name: str = ""
    family: str = ""
    given: str = ""
    birth_date: str = ""
    sex: str = ""
    public_id: str = ""
    updated_since: datetime | None = None
    updated_before: datetime | None = None
    include_merged: bool = False
    only_merged: bool = False
    public_ids: tuple[str, ...] = ()
    """Any of these."""
    identified_by: tuple[IdentifierMatch, ...] = ()
    """Any of these; a survivor is also found by the identifiers of the records that point to it."""
    born: tuple[tuple[str, str], ...] = ()
    """Any of these ranges of days, DA, inclusive; either end may be empty."""
    sexes: tuple[str, ...] = ()
    limit: int = 100
    offset: int = 0
