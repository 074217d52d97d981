"""Instances as received, the rows they are found by, and queries over them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hilum.core.archive.bookmark import Bookmark
from hilum.core.archive.lifecycle import Standing
from hilum.core.kernel.choices import View
from hilum.core.orders.model import OrderQuery
from hilum.core.patients.model import PatientQuery, PatientRecord


class Level(StrEnum):
    """Query/Retrieve Level (0008,0052)."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    INSTANCE = "IMAGE"


@dataclass(frozen=True, slots=True)
class Blob:
    """Stored bytes under their content address: SHA-256 in hexadecimal, and size in octets."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Header:
    """The indexed attributes of one instance, decoded. Text as the standard writes it: dates DA, times TM, names PN.

    `offset` is where the data set starts in the stored Part 10 object.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    patient_id: str = ""
    issuer_of_patient_id: str = ""
    patient_name: str = ""
    patient_birth_date: str = ""
    patient_sex: str = ""
    accession_number: str = ""
    issuer_of_accession_number: str = ""
    study_date: str = ""
    study_time: str = ""
    study_id: str = ""
    study_description: str = ""
    referring_physician_name: str = ""
    modality: str = ""
    series_number: str = ""
    series_date: str = ""
    series_time: str = ""
    series_description: str = ""
    body_part_examined: str = ""
    laterality: str = ""
    protocol_name: str = ""
    station_name: str = ""
    manufacturer: str = ""
    institution_name: str = ""
    performed_procedure_step_start_date: str = ""
    performed_procedure_step_start_time: str = ""
    performed_procedure_step_id: str = ""
    referenced_performed_procedure_step_uid: str = ""
    requested_procedure_id: str = ""
    scheduled_procedure_step_id: str = ""
    instance_number: str = ""
    rows: int = 0
    columns: int = 0
    bits_allocated: int = 0
    number_of_frames: int = 0
    image_type: str = ""
    content_date: str = ""
    content_time: str = ""
    acquisition_date_time: str = ""
    timezone_offset_from_utc: str = ""
    specific_character_set: str = ""


class StoreOutcome(StrEnum):
    """What became of an instance that was sent."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    """The same bytes were here already: nothing changed, and success is true."""
    CONFLICT = "conflict"
    """The same SOP Instance UID with other bytes: kept aside for a person to decide."""
    REPLACED = "replaced"
    """The same SOP Instance UID with other bytes, which are in use now."""
    QUARANTINED = "quarantined"
    """The same SOP Instance UID with other bytes: kept out of sight for a person to decide; the sender hears success."""
    REJECTED = "rejected"
    """It was rejected for a reason that does not let it in again: nothing was kept."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer of `store`."""

    outcome: StoreOutcome
    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Study:
    """One study. Names and counts stand on its row; the person stands beside it in `Found`."""

    key: int
    study_instance_uid: str
    patient_record_key: int
    """The record that the images came under; a merge moves a pointer and not this, a reassignment does."""
    received_patient_id: str
    accession_number: str
    issuer_of_accession_number: str
    study_date: str
    study_time: str
    study_id: str
    study_description: str
    referring_physician_name: str
    modalities: tuple[str, ...]
    number_of_series: int
    number_of_instances: int
    timezone_offset_from_utc: str
    order_key: int | None
    version: int
    created: datetime
    updated: datetime
    reassigned: bool = False
    """A person moved the study to another patient: what is handed out shows that patient."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series."""

    key: int
    series_instance_uid: str
    modality: str
    series_number: str
    series_date: str
    series_time: str
    series_description: str
    body_part_examined: str
    laterality: str
    protocol_name: str
    station_name: str
    manufacturer: str
    institution_name: str
    performed_procedure_step_start_date: str
    performed_procedure_step_start_time: str
    performed_procedure_step_id: str
    requested_procedure_id: str
    scheduled_procedure_step_id: str
    number_of_instances: int
    created: datetime
    updated: datetime


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance and where its bytes are."""

    key: int
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    instance_number: str
    rows: int
    columns: int
    bits_allocated: int
    number_of_frames: int
    image_type: str
    content_date: str
    content_time: str
    specific_character_set: str
    blob: Blob
    source: str
    """AE title or name of the caller that sent it."""
    stored: datetime
    standing: Standing = Standing.CURRENT


@dataclass(frozen=True, slots=True)
class Found:
    """One answer of a query: the surviving patient, and the rows down to the level asked for."""

    patient: PatientRecord
    study: Study | None = None
    series: Series | None = None
    instance: Instance | None = None


@dataclass(frozen=True, slots=True)
class SeriesContent:
    """One series and its instances, in their order."""

    series: Series
    instances: tuple[Instance, ...]


@dataclass(frozen=True, slots=True)
class StudyContent:
    """One study, the surviving patient, the order it belongs to, and everything below it."""

    patient: PatientRecord
    study: Study
    order_public_id: str
    series: tuple[SeriesContent, ...]


@dataclass(frozen=True, slots=True)
class StudyPage:
    """One page of studies; whether there are more, and how many in all where that was asked."""

    studies: tuple[StudyContent, ...]
    more: bool
    total: int | None


@dataclass(frozen=True, slots=True)
class Exact:
    """Single value matching (PS3.4 C.2.2.2.1)."""

    value: str


@dataclass(frozen=True, slots=True)
class AnyOf:
    """List of UID matching (PS3.4 C.2.2.2.2), and lists of other keys where a door allows them."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wildcard:
    """Wild card matching with * and ? (PS3.4 C.2.2.2.4)."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Between:
    """Range matching, both ends inclusive, either may be empty (PS3.4 C.2.2.2.5)."""

    low: str
    high: str


@dataclass(frozen=True, slots=True)
class AnyBetween:
    """Any of several ranges; FHIR dates need it for lists and for `ne`."""

    ranges: tuple[Between, ...]


Match = Exact | AnyOf | Wildcard | Between | AnyBetween


@dataclass(frozen=True, slots=True)
class Query:
    """A search at one level. Keys are the field names of KEYS in `rules`; absent keys match everything.

    Person names match without regard to case; times and dates by their text. Newest study first, unless asked else.
    """

    level: Level
    matches: Mapping[str, Match]
    limit: int | None = None
    offset: int = 0
    after: Bookmark | None = None
    """Restrict to what stands behind this place in the order of answers."""
    fuzzy: bool = False
    """Match person names from the start of any of their parts (PS3.4 C.2.2.2.1.1)."""
    updated_since: datetime | None = None
    updated_before: datetime | None = None
    patient_root_key: int | None = None
    """Restrict to one person, whichever identifier the images came under."""
    patients: tuple[PatientQuery, ...] = ()
    """Restrict to persons of whom every one of these finds a record."""
    orders: tuple[OrderQuery, ...] = ()
    """Restrict to studies of an order that every one of these finds."""
    view: View = View.REGULAR
    """What of the rejected is found; the use-case sets it to the caller's."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """One instance to hand out.

    When `patient` is given, the header must be made to show this person (PatientID, issuer, name, birth date, sex)
    with the received values kept in Original Attributes Sequence (0400,0561); when None, the bytes go out as they are.
    """

    instance: Instance
    series_instance_uid: str
    study_instance_uid: str
    patient: PatientRecord | None


@dataclass(frozen=True, slots=True)
class KeptSummary:
    """Where the summary of a series is kept: what was read from its instances, to be removed and made anew at any time.

    `generation` counts how often it was made.
    """

    series_instance_uid: str
    generation: int
    blob: Blob


class ChoreKind(StrEnum):
    """Work that the engine does in the background, once things have become quiet."""

    SUMMARISE = "summarise"
    """Make the summary of a series; the reference is its UID."""
    ANNOUNCE = "announce"
    """Tell who wants to know that a study is available; the reference is its UID."""


@dataclass(frozen=True, slots=True)
class Chore:
    """One piece of such work. `due` tells when; whoever works on it puts it off, so that it is taken up if he dies."""

    kind: ChoreKind
    reference: str
    due: datetime


@dataclass(frozen=True, slots=True)
class StoredConflict:
    """Something that contradicts what is kept: same UID with other bytes, or one identifier with two people."""

    key: int
    kind: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    blob: Blob | None
    source: str
    detail: str
    created: datetime
    resolved: datetime | None = None
    resolution: str = ""
    resolved_by: str = ""
    resolution_detail: str = ""


class CommitmentState(StrEnum):
    """Where a storage commitment request stands."""

    REQUESTED = "requested"
    """The report is due: on the association of the request, or soon on a new one."""
    PLANNED = "planned"
    """The report stands in the queue of the peer."""
    REPORTED = "reported"
    UNREACHABLE = "unreachable"
    """The requester left its association and is no configured peer: there is nowhere to report to."""


@dataclass(frozen=True, slots=True)
class ReferencedInstance:
    """One item of Referenced SOP Sequence (0008,1199), with its Failure Reason (0008,1197) where it failed."""

    sop_class_uid: str
    sop_instance_uid: str
    failure_reason: int = 0


@dataclass(frozen=True, slots=True)
class Commitment:
    """One storage commitment transaction (PS3.4 J.3)."""

    transaction_uid: str
    peer: str
    ae_title: str
    """Calling AE title of the requester: where the report goes."""
    committed: tuple[ReferencedInstance, ...]
    failed: tuple[ReferencedInstance, ...]
    state: CommitmentState
    created: datetime
