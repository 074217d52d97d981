"""A scanned header as the archive indexes it."""

from typing import BinaryIO

from hilum.core.archive import model
from hilum.wire.dicom.header import Header, Issuer, RequestAttributes, read_header

_NOT_REQUESTED = RequestAttributes()


def indexed_header(header: Header) -> model.Header:
    """Flatten a header: the first request stands for all, an issuer is its namespace or else its universal ID.

    An accession number that stands only in the request is the study's, as devices that follow IHE SWF write it.
    """
    request = header.request_attributes[0] if header.request_attributes else _NOT_REQUESTED
    from_request = not header.accession_number
    issuer = request.issuer_of_accession_number if from_request else header.issuer_of_accession_number
    return model.Header(
        sop_class_uid=header.sop_class_uid,
        sop_instance_uid=header.sop_instance_uid,
        study_instance_uid=header.study_instance_uid,
        series_instance_uid=header.series_instance_uid,
        transfer_syntax_uid=header.transfer_syntax_uid,
        patient_id=header.patient_id,
        issuer_of_patient_id=_issuer_text(header.issuer_of_patient_id),
        patient_name=header.patient_name,
        patient_birth_date=header.patient_birth_date,
        patient_sex=header.patient_sex,
        accession_number=header.accession_number or request.accession_number,
        issuer_of_accession_number=_issuer_text(issuer),
        study_date=header.study_date,
        study_time=header.study_time,
        study_id=header.study_id,
        study_description=header.study_description,
        referring_physician_name=header.referring_physician_name,
        modality=header.modality,
        series_number=_integer_text(header.series_number),
        series_date=header.series_date,
        series_time=header.series_time,
        series_description=header.series_description,
        body_part_examined=header.body_part_examined,
        laterality=header.laterality,
        protocol_name=header.protocol_name,
        station_name=header.station_name,
        manufacturer=header.manufacturer,
        institution_name=header.institution_name,
        performed_procedure_step_start_date=header.performed_procedure_step_start_date,
        performed_procedure_step_start_time=header.performed_procedure_step_start_time,
        performed_procedure_step_id=header.performed_procedure_step_id,
        referenced_performed_procedure_step_uid=header.referenced_performed_procedure_step_uid,
        requested_procedure_id=request.requested_procedure_id,
        scheduled_procedure_step_id=request.scheduled_procedure_step_id,
        instance_number=_integer_text(header.instance_number),
        rows=header.rows or 0,
        columns=header.columns or 0,
        bits_allocated=header.bits_allocated or 0,
        number_of_frames=header.number_of_frames or 0,
        image_type=header.image_type,
        content_date=header.content_date,
        content_time=header.content_time,
        acquisition_date_time=header.acquisition_date_time,
        timezone_offset_from_utc=header.timezone_offset_from_utc,
        specific_character_set=header.specific_character_set,
    )


def stored_header(file: BinaryIO) -> model.Header:
    """Return the indexed attributes of a stored Part 10 object; raises Invalid."""
    return indexed_header(read_header(file))


def _issuer_text(issuer: Issuer) -> str:
    return issuer.local_namespace or issuer.universal_entity_id


def _integer_text(number: int | None) -> str:
    return "" if number is None else str(number)
