"""The keys of queries, and when two statements about an instance contradict."""

from collections.abc import Mapping

from hilum.core.archive.model import Found, Header, Level
from hilum.core.patients.model import Demographics

KEYS: Mapping[str, Level] = {
    "patient_id": Level.PATIENT,
    "issuer_of_patient_id": Level.PATIENT,
    "patient_name": Level.PATIENT,
    "patient_birth_date": Level.PATIENT,
    "patient_sex": Level.PATIENT,
    "study_instance_uid": Level.STUDY,
    "study_date": Level.STUDY,
    "study_time": Level.STUDY,
    "study_date_time": Level.STUDY,
    "study_id": Level.STUDY,
    "accession_number": Level.STUDY,
    "issuer_of_accession_number": Level.STUDY,
    "study_description": Level.STUDY,
    "referring_physician_name": Level.STUDY,
    "modalities_in_study": Level.STUDY,
    "series_instance_uid": Level.SERIES,
    "modality": Level.SERIES,
    "series_number": Level.SERIES,
    "series_date": Level.SERIES,
    "series_description": Level.SERIES,
    "body_part_examined": Level.SERIES,
    "protocol_name": Level.SERIES,
    "station_name": Level.SERIES,
    "performed_procedure_step_start_date": Level.SERIES,
    "performed_procedure_step_start_time": Level.SERIES,
    "requested_procedure_id": Level.SERIES,
    "scheduled_procedure_step_id": Level.SERIES,
    "sop_instance_uid": Level.INSTANCE,
    "sop_class_uid": Level.INSTANCE,
    "instance_number": Level.INSTANCE,
    "sop_classes_in_study": Level.STUDY,
}
"""What a query may match on, and the level that the key belongs to (PS3.4 C.6.1.1, C.6.2.1; PS3.18 10.6.1.2).

`study_date_time` is DA and TM joined: combined matching of a date and a time (PS3.4 C.2.2.2.5.4).
"""

LEVELS = (Level.PATIENT, Level.STUDY, Level.SERIES, Level.INSTANCE)

PERSON_NAMES = frozenset({"patient_name", "referring_physician_name"})
"""Keys of VR PN: matched without regard to case."""


def keys_at(level: Level) -> frozenset[str]:
    """Return the keys that a query at a level may use: those of the level and of all levels above."""
    reach = LEVELS[: LEVELS.index(level) + 1]
    return frozenset(key for key, at in KEYS.items() if at in reach)


def demographics_of(header: Header) -> Demographics:
    """Return what an image says of its patient."""
    return Demographics(
        name=header.patient_name, birth_date=header.patient_birth_date, sex=header.patient_sex
    )


def as_many_as_fit(found: list[Found], most_instances: int) -> list[Found]:
    """Return the first studies that hold no more instances than this together, one at least."""
    held = 0
    fitting: list[Found] = []
    for one in found:
        held += one.study.number_of_instances if one.study else 0
        if fitting and held > most_instances:
            break
        fitting.append(one)
    return fitting
