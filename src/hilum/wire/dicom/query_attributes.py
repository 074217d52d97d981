"""The attributes of queries, one table for C-FIND, QIDO-RS and matching.

PS3.4 Tables C.6-1 to C.6-5; PS3.18 Tables 10.6.1-5 and 10.6.3-3 to 10.6.3-5.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from hilum.core.archive.model import Found, Instance, Level, Series, Study
from hilum.core.archive.rules import LEVELS
from hilum.core.patients.model import UNIDENTIFIED, PatientRecord

FieldValue = str | int | tuple[str, ...]
Read = Callable[[Found], FieldValue]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One row: where it stands in a data set, what it is matched by, how an answer reads it.

    `key` is the field of `archive.rules.KEYS`, empty where it is returned only. `read` is None where it is matched
    only. `always` is whether a QIDO-RS answer holds it unasked. `sequence` is the tag of the sequence around it.
    """

    tag: int
    keyword: str
    vr: str
    level: Level
    key: str
    read: Read | None
    always: bool = False
    sequence: int = 0


ISSUER_OF_ACCESSION_NUMBER_SEQUENCE, REQUEST_ATTRIBUTES_SEQUENCE = 0x00080051, 0x00400275
RETRIEVE_URL = 0x00081190
PATIENT_ID, STUDY_INSTANCE_UID = 0x00100020, 0x0020000D
SERIES_INSTANCE_UID, SOP_INSTANCE_UID = 0x0020000E, 0x00080018


def _patient(read: Callable[[PatientRecord], str]) -> Read:
    return lambda found: read(found.patient)


def _study(read: Callable[[Study], FieldValue]) -> Read:
    return lambda found: "" if found.study is None else read(found.study)


def _series(read: Callable[[Series], FieldValue]) -> Read:
    return lambda found: "" if found.series is None else read(found.series)


def _instance(read: Callable[[Instance], FieldValue]) -> Read:
    return lambda found: "" if found.instance is None else read(found.instance)


def _identifier(patient: PatientRecord) -> str:
    """Images without a patient ID are kept under one of ours, which is nobody's patient ID."""
    return "" if patient.identifier.issuer == UNIDENTIFIED else patient.identifier.value


def _issuer(patient: PatientRecord) -> str:
    return "" if patient.identifier.issuer == UNIDENTIFIED else patient.identifier.issuer


def _image_type(instance: Instance) -> FieldValue:
    return tuple(instance.image_type.split("\\")) if instance.image_type else ""


def _online(_: Found) -> FieldValue:
    return "ONLINE"


_P, _S, _E, _I = Level.PATIENT, Level.STUDY, Level.SERIES, Level.INSTANCE

# fmt: off
TABLE: tuple[Attribute, ...] = (
    Attribute(0x00100010, "PatientName", "PN", _P, "patient_name", _patient(lambda p: p.demographics.name), True),
    Attribute(0x00100020, "PatientID", "LO", _P, "patient_id", _patient(_identifier), True),
    Attribute(0x00100021, "IssuerOfPatientID", "LO", _P, "issuer_of_patient_id", _patient(_issuer)),
    Attribute(0x00100030, "PatientBirthDate", "DA", _P, "patient_birth_date", _patient(lambda p: p.demographics.birth_date), True),
    Attribute(0x00100040, "PatientSex", "CS", _P, "patient_sex", _patient(lambda p: p.demographics.sex), True),

    Attribute(0x00080020, "StudyDate", "DA", _S, "study_date", _study(lambda s: s.study_date), True),
    Attribute(0x00080030, "StudyTime", "TM", _S, "study_time", _study(lambda s: s.study_time), True),
    Attribute(0x00080050, "AccessionNumber", "SH", _S, "accession_number", _study(lambda s: s.accession_number), True),
    Attribute(0x00400031, "LocalNamespaceEntityID", "UT", _S, "issuer_of_accession_number", _study(lambda s: s.issuer_of_accession_number), sequence=ISSUER_OF_ACCESSION_NUMBER_SEQUENCE),
    Attribute(0x00080056, "InstanceAvailability", "CS", _S, "", _online, True),
    Attribute(0x00080061, "ModalitiesInStudy", "CS", _S, "modalities_in_study", _study(lambda s: s.modalities), True),
    Attribute(0x00080062, "SOPClassesInStudy", "UI", _S, "sop_classes_in_study", None),
    Attribute(0x00080090, "ReferringPhysicianName", "PN", _S, "referring_physician_name", _study(lambda s: s.referring_physician_name), True),
    Attribute(0x00080201, "TimezoneOffsetFromUTC", "SH", _S, "", _study(lambda s: s.timezone_offset_from_utc), True),
    Attribute(0x00081030, "StudyDescription", "LO", _S, "study_description", _study(lambda s: s.study_description)),
    Attribute(0x0020000D, "StudyInstanceUID", "UI", _S, "study_instance_uid", _study(lambda s: s.study_instance_uid), True),
    Attribute(0x00200010, "StudyID", "SH", _S, "study_id", _study(lambda s: s.study_id), True),
    Attribute(0x00201206, "NumberOfStudyRelatedSeries", "IS", _S, "", _study(lambda s: s.number_of_series), True),
    Attribute(0x00201208, "NumberOfStudyRelatedInstances", "IS", _S, "", _study(lambda s: s.number_of_instances), True),

    Attribute(0x00080021, "SeriesDate", "DA", _E, "series_date", _series(lambda s: s.series_date)),
    Attribute(0x00080031, "SeriesTime", "TM", _E, "", _series(lambda s: s.series_time)),
    Attribute(0x00080060, "Modality", "CS", _E, "modality", _series(lambda s: s.modality), True),
    Attribute(0x00080070, "Manufacturer", "LO", _E, "", _series(lambda s: s.manufacturer)),
    Attribute(0x00080080, "InstitutionName", "LO", _E, "", _series(lambda s: s.institution_name)),
    Attribute(0x00081010, "StationName", "SH", _E, "station_name", _series(lambda s: s.station_name)),
    Attribute(0x0008103E, "SeriesDescription", "LO", _E, "series_description", _series(lambda s: s.series_description), True),
    Attribute(0x00180015, "BodyPartExamined", "CS", _E, "body_part_examined", _series(lambda s: s.body_part_examined)),
    Attribute(0x00181030, "ProtocolName", "LO", _E, "protocol_name", _series(lambda s: s.protocol_name)),
    Attribute(0x0020000E, "SeriesInstanceUID", "UI", _E, "series_instance_uid", _series(lambda s: s.series_instance_uid), True),
    Attribute(0x00200011, "SeriesNumber", "IS", _E, "series_number", _series(lambda s: s.series_number), True),
    Attribute(0x00200060, "Laterality", "CS", _E, "", _series(lambda s: s.laterality)),
    Attribute(0x00201209, "NumberOfSeriesRelatedInstances", "IS", _E, "", _series(lambda s: s.number_of_instances), True),
    Attribute(0x00400244, "PerformedProcedureStepStartDate", "DA", _E, "performed_procedure_step_start_date", _series(lambda s: s.performed_procedure_step_start_date), True),
    Attribute(0x00400245, "PerformedProcedureStepStartTime", "TM", _E, "performed_procedure_step_start_time", _series(lambda s: s.performed_procedure_step_start_time), True),
    Attribute(0x00400253, "PerformedProcedureStepID", "SH", _E, "", _series(lambda s: s.performed_procedure_step_id)),
    Attribute(0x00400009, "ScheduledProcedureStepID", "SH", _E, "scheduled_procedure_step_id", _series(lambda s: s.scheduled_procedure_step_id), True, REQUEST_ATTRIBUTES_SEQUENCE),
    Attribute(0x00401001, "RequestedProcedureID", "SH", _E, "requested_procedure_id", _series(lambda s: s.requested_procedure_id), True, REQUEST_ATTRIBUTES_SEQUENCE),

    Attribute(0x00080008, "ImageType", "CS", _I, "", _instance(_image_type)),
    Attribute(0x00080016, "SOPClassUID", "UI", _I, "sop_class_uid", _instance(lambda i: i.sop_class_uid), True),
    Attribute(0x00080018, "SOPInstanceUID", "UI", _I, "sop_instance_uid", _instance(lambda i: i.sop_instance_uid), True),
    Attribute(0x00080023, "ContentDate", "DA", _I, "", _instance(lambda i: i.content_date)),
    Attribute(0x00080033, "ContentTime", "TM", _I, "", _instance(lambda i: i.content_time)),
    Attribute(0x00083002, "AvailableTransferSyntaxUID", "UI", _I, "", _instance(lambda i: i.transfer_syntax_uid)),
    Attribute(0x00200013, "InstanceNumber", "IS", _I, "instance_number", _instance(lambda i: i.instance_number), True),
    Attribute(0x00280008, "NumberOfFrames", "IS", _I, "", _instance(lambda i: i.number_of_frames or ""), True),
    Attribute(0x00280010, "Rows", "US", _I, "", _instance(lambda i: i.rows or ""), True),
    Attribute(0x00280011, "Columns", "US", _I, "", _instance(lambda i: i.columns or ""), True),
    Attribute(0x00280100, "BitsAllocated", "US", _I, "", _instance(lambda i: i.bits_allocated or ""), True),
)
# fmt: on

BY_TAG = MappingProxyType({(row.sequence, row.tag): row for row in TABLE})
BY_KEYWORD = MappingProxyType({(row.sequence, row.keyword): row for row in TABLE})

SEQUENCES = MappingProxyType({
    "IssuerOfAccessionNumberSequence": ISSUER_OF_ACCESSION_NUMBER_SEQUENCE,
    "RequestAttributesSequence": REQUEST_ATTRIBUTES_SEQUENCE,
})  # fmt: skip
"""The sequences whose items the table knows."""


def rows_inside(sequence: int, level: Level) -> tuple[Attribute, ...]:
    """Return the rows of a sequence that a query at a level reaches."""
    return tuple(row for row in TABLE if sequence and row.sequence == sequence and reaches(row, level))


def reaches(row: Attribute, level: Level) -> bool:
    """Say whether a query at a level sees an attribute: one of its own level, or of a level above."""
    return LEVELS.index(row.level) <= LEVELS.index(level)


UNIQUE_KEYS = MappingProxyType({
    Level.PATIENT: BY_TAG[0, PATIENT_ID],
    Level.STUDY: BY_TAG[0, STUDY_INSTANCE_UID],
    Level.SERIES: BY_TAG[0, SERIES_INSTANCE_UID],
    Level.INSTANCE: BY_TAG[0, SOP_INSTANCE_UID],
})  # fmt: skip
"""PS3.4 C.6.1.1, C.6.2.1: the key that names one entity of a level."""
