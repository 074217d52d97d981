"""The indexed attributes of one instance, scanned from its encoded data set without reading the pixels."""

from dataclasses import dataclass
from typing import BinaryIO

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.assumption import NOTHING_ASSUMED, Assumption
from hilum.wire.dicom.character_sets import UNDECLARED, CharacterSet, character_set_of
from hilum.wire.dicom.elements import (
    NOTHING,
    DataSet,
    Element,
    Remainder,
    Selection,
    open_data_set,
)
from hilum.wire.dicom.part10 import FileMeta, read_file_meta
from hilum.wire.dicom.source import Source, source_of
from hilum.wire.dicom.values import (
    date_of,
    integer_of,
    required_uid,
    text_of,
    time_of,
    uid_of,
)
from hilum.wire.dicom.walker import Walker

_MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
_ISSUER_ITEM: Selection = {0x00400031: NOTHING, 0x00400032: NOTHING, 0x00400033: NOTHING}
_REQUEST_ITEM: Selection = {
    0x00080050: NOTHING,
    0x00080051: _ISSUER_ITEM,
    0x0020000D: NOTHING,
    0x00321060: NOTHING,
    0x00400007: NOTHING,
    0x00400009: NOTHING,
    0x00401001: NOTHING,
}
_PATIENT_ID_ITEM: Selection = {0x00100020: NOTHING, 0x00100021: NOTHING, 0x00100024: _ISSUER_ITEM}
_PLAIN_TAGS = (
    0x00080005, 0x00080008, 0x00080016, 0x00080018, 0x00080020, 0x00080021, 0x00080022, 0x00080023, 0x0008002A,
    0x00080030, 0x00080031, 0x00080032, 0x00080033, 0x00080050, 0x00080060, 0x00080070, 0x00080080, 0x00080090,
    0x00080201, 0x00081010, 0x00081030, 0x0008103E, 0x00081090, 0x00100010, 0x00100020, 0x00100021, 0x00100030,
    0x00100040, 0x00101000, 0x00180015, 0x00181030, 0x0020000D, 0x0020000E, 0x00200010, 0x00200011, 0x00200013,
    0x00200060, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00400244, 0x00400245, 0x00400253, 0x00400254,
)  # fmt: skip
_SELECTION: Selection = {
    **dict.fromkeys(_PLAIN_TAGS, NOTHING),
    0x00080051: _ISSUER_ITEM,
    0x00081111: {0x00081155: NOTHING},
    0x00100024: _ISSUER_ITEM,
    0x00101002: _PATIENT_ID_ITEM,
    0x00400275: _REQUEST_ITEM,
}
_LAST = 0x00400275
_MOST_INFLATED = 32 << 20  # a header is some kilobytes


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issued an identifier (PS3.3 Tables 10-14 and 10-17); the shape of an HL7 v2 HD."""

    local_namespace: str = ""
    universal_entity_id: str = ""
    universal_entity_id_type: str = ""


NO_ISSUER = Issuer()


@dataclass(frozen=True, slots=True)
class PatientIdentifier:
    """One patient ID as the data set gives it."""

    value: str
    issuer: Issuer = NO_ISSUER


@dataclass(frozen=True, slots=True)
class RequestAttributes:
    """One item of the Request Attributes Sequence (0040,0275)."""

    requested_procedure_id: str = ""
    scheduled_procedure_step_id: str = ""
    accession_number: str = ""
    issuer_of_accession_number: Issuer = NO_ISSUER
    study_instance_uid: str = ""
    requested_procedure_description: str = ""
    scheduled_procedure_step_description: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """What Hilum indexes of one instance: text as decoded and unpadded, empty where absent; PN with all its groups."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    specific_character_set: str
    patient_id: str
    issuer_of_patient_id: Issuer
    patient_name: str
    patient_birth_date: str
    patient_sex: str
    other_patient_ids: tuple[PatientIdentifier, ...]
    accession_number: str
    issuer_of_accession_number: Issuer
    study_date: str
    study_time: str
    study_id: str
    study_description: str
    referring_physician_name: str
    modality: str
    series_number: int | None
    series_date: str
    series_time: str
    series_description: str
    body_part_examined: str
    laterality: str
    protocol_name: str
    station_name: str
    manufacturer: str
    manufacturer_model_name: str
    institution_name: str
    performed_procedure_step_start_date: str
    performed_procedure_step_start_time: str
    performed_procedure_step_id: str
    performed_procedure_step_description: str
    referenced_performed_procedure_step_uid: str
    request_attributes: tuple[RequestAttributes, ...]
    instance_number: int | None
    rows: int | None
    columns: int | None
    bits_allocated: int | None
    number_of_frames: int | None
    image_type: str
    acquisition_date: str
    acquisition_time: str
    acquisition_date_time: str
    content_date: str
    content_time: str
    timezone_offset_from_utc: str


def read_header(file: bytes | BinaryIO | Source, meta: FileMeta | None = None) -> Header:
    """Read the header of a Part 10 object."""
    source = source_of(file)
    meta = meta or read_file_meta(source)
    if meta.media_storage_sop_class_uid == _MEDIA_STORAGE_DIRECTORY:
        raise Invalid("the file is a DICOMDIR: a directory of instances, not an instance")
    return scan_header(source, meta.data_set_offset, meta.transfer_syntax_uid)[0]


def scan_header(
    source: Source, offset: int, transfer_syntax_uid: str, assumption: Assumption = NOTHING_ASSUMED
) -> tuple[Header, Remainder]:
    """Read the header of a data set that begins at `offset`, and tell what stands behind the last indexed attribute."""
    data_set, coding = open_data_set(source, offset, transfer_syntax_uid, most_inflated=_MOST_INFLATED)
    found, following = Walker(data_set).data_set(0, coding, _SELECTION, last=_LAST)
    return _header(assumption.applied(found), transfer_syntax_uid), Remainder(data_set, coding, following)


def _header(found: DataSet, transfer_syntax_uid: str) -> Header:
    """Decode what was found. Keyword by keyword: the table is this function."""
    character_set = _character_set(found)
    get = found.get

    def text(tag: int) -> str:
        element = get(tag)
        return text_of(element, character_set) if element is not None else ""

    return Header(
        sop_class_uid=required_uid(found, 0x00080016, "SOP Class UID"),
        sop_instance_uid=required_uid(found, 0x00080018, "SOP Instance UID"),
        study_instance_uid=required_uid(found, 0x0020000D, "Study Instance UID"),
        series_instance_uid=required_uid(found, 0x0020000E, "Series Instance UID"),
        transfer_syntax_uid=transfer_syntax_uid,
        specific_character_set=text(0x00080005),
        patient_id=text(0x00100020),
        issuer_of_patient_id=_issuer_of_patient_id(found, character_set),
        patient_name=text(0x00100010),
        patient_birth_date=date_of(get(0x00100030)),
        patient_sex=text(0x00100040),
        other_patient_ids=_other_patient_ids(found, character_set),
        accession_number=text(0x00080050),
        issuer_of_accession_number=_issuer(get(0x00080051), character_set),
        study_date=date_of(get(0x00080020)),
        study_time=time_of(get(0x00080030)),
        study_id=text(0x00200010),
        study_description=text(0x00081030),
        referring_physician_name=text(0x00080090),
        modality=text(0x00080060),
        series_number=integer_of(get(0x00200011)),
        series_date=date_of(get(0x00080021)),
        series_time=time_of(get(0x00080031)),
        series_description=text(0x0008103E),
        body_part_examined=text(0x00180015),
        laterality=text(0x00200060),
        protocol_name=text(0x00181030),
        station_name=text(0x00081010),
        manufacturer=text(0x00080070),
        manufacturer_model_name=text(0x00081090),
        institution_name=text(0x00080080),
        performed_procedure_step_start_date=date_of(get(0x00400244)),
        performed_procedure_step_start_time=time_of(get(0x00400245)),
        performed_procedure_step_id=text(0x00400253),
        performed_procedure_step_description=text(0x00400254),
        referenced_performed_procedure_step_uid=_first_referenced_uid(get(0x00081111)),
        request_attributes=_request_attributes(get(0x00400275), character_set),
        instance_number=integer_of(get(0x00200013)),
        rows=integer_of(get(0x00280010)),
        columns=integer_of(get(0x00280011)),
        bits_allocated=integer_of(get(0x00280100)),
        number_of_frames=integer_of(get(0x00280008)),
        image_type=text(0x00080008),
        acquisition_date=date_of(get(0x00080022)),
        acquisition_time=time_of(get(0x00080032)),
        acquisition_date_time=text(0x0008002A),
        content_date=date_of(get(0x00080023)),
        content_time=time_of(get(0x00080033)),
        timezone_offset_from_utc=text(0x00080201),
    )


def _character_set(found: DataSet, outer: CharacterSet = UNDECLARED) -> CharacterSet:
    element = found.get(0x00080005)
    return outer if element is None else character_set_of(element.value)


def _items(element: Element | None) -> tuple[DataSet, ...]:
    return element.items or () if element is not None else ()


def _issuer(sequence: Element | None, character_set: CharacterSet, local_namespace: str = "") -> Issuer:
    """Read the first item of an issuer sequence (PS3.3 10.14, 10.17)."""
    for item in _items(sequence)[:1]:
        return Issuer(
            text_of(item.get(0x00400031), character_set) or local_namespace,
            text_of(item.get(0x00400032), character_set),
            text_of(item.get(0x00400033), character_set),
        )
    return Issuer(local_namespace) if local_namespace else NO_ISSUER


def _issuer_of_patient_id(data_set: DataSet, character_set: CharacterSet) -> Issuer:
    namespace = text_of(data_set.get(0x00100021), character_set)
    qualifiers = data_set.get(0x00100024)
    if qualifiers is None:
        return Issuer(namespace) if namespace else NO_ISSUER
    issuer = _issuer(qualifiers, character_set)
    return Issuer(namespace, issuer.universal_entity_id, issuer.universal_entity_id_type)


def _other_patient_ids(found: DataSet, character_set: CharacterSet) -> tuple[PatientIdentifier, ...]:
    """Read Other Patient IDs Sequence (0010,1002), or the retired Other Patient IDs (0010,1000)."""
    identifiers = [
        PatientIdentifier(value, _issuer_of_patient_id(item, character_set))
        for item in _items(found.get(0x00101002))
        if (value := text_of(item.get(0x00100020), character_set))
    ]
    if not identifiers and 0x00101000 in found:
        texts = text_of(found[0x00101000], character_set).split("\\")
        identifiers = [PatientIdentifier(text.strip(" ")) for text in texts if text.strip(" ")]
    return tuple(identifiers)


def _request_attributes(
    sequence: Element | None, character_set: CharacterSet
) -> tuple[RequestAttributes, ...]:
    return tuple(
        RequestAttributes(
            requested_procedure_id=text_of(item.get(0x00401001), character_set),
            scheduled_procedure_step_id=text_of(item.get(0x00400009), character_set),
            accession_number=text_of(item.get(0x00080050), character_set),
            issuer_of_accession_number=_issuer(item.get(0x00080051), character_set),
            study_instance_uid=uid_of(item.get(0x0020000D)),
            requested_procedure_description=text_of(item.get(0x00321060), character_set),
            scheduled_procedure_step_description=text_of(item.get(0x00400007), character_set),
        )
        for item in _items(sequence)
    )


def _first_referenced_uid(sequence: Element | None) -> str:
    return next((uid for item in _items(sequence) if (uid := uid_of(item.get(0x00081155)))), "")
