"""Rows to C-FIND answers and QIDO-RS JSON."""

from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom.dsutils import decode as pynetdicom_decode
from pynetdicom.dsutils import encode as pynetdicom_encode

from hilum.core.archive.model import (
    AnyOf,
    Between,
    Blob,
    Exact,
    Found,
    Instance,
    Level,
    Series,
    Study,
    Wildcard,
)
from hilum.core.kernel.errors import Invalid
from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients.model import UNIDENTIFIED, Demographics, PatientRecord
from hilum.wire.dicom.answers import find_answer
from hilum.wire.dicom.data_sets import decoded, encoded
from hilum.wire.dicom.queries import InformationModel, find_request
from hilum.wire.dicom.search import search_answer, search_request

THEN = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
PATIENT = PatientRecord(
    key=1, public_id="a" * 32, identifier=Identifier("P1", "HOSP"),
    demographics=Demographics(name="Yamada^Tarou=山田^太郎", birth_date="19700102", sex="M"),
    survivor_key=None, root_key=1, authoritative=True, version=1, created=THEN, updated=THEN,
)  # fmt: skip
STUDY = Study(
    key=1, study_instance_uid="1.2.3", patient_record_key=1, received_patient_id="P1", accession_number="A1",
    issuer_of_accession_number="", study_date="20240506", study_time="070809", study_id="S1",
    study_description="CT head", referring_physician_name="Müller^Jörg", modalities=("CT", "SR"),
    number_of_series=2, number_of_instances=9, timezone_offset_from_utc="", order_key=None, version=1,
    created=THEN, updated=THEN,
)  # fmt: skip
SERIES = Series(
    key=1, series_instance_uid="1.2.3.4", modality="CT", series_number="3", series_date="20240506", series_time="0709",
    series_description="Axial", body_part_examined="HEAD", laterality="", protocol_name="Head", station_name="CT1",
    manufacturer="M", institution_name="I", performed_procedure_step_start_date="20240506",
    performed_procedure_step_start_time="0708", performed_procedure_step_id="PPS1", requested_procedure_id="RP1",
    scheduled_procedure_step_id="SPS1", number_of_instances=8, created=THEN, updated=THEN,
)  # fmt: skip
INSTANCE = Instance(
    key=1, sop_instance_uid="1.2.3.4.5", sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
    transfer_syntax_uid="1.2.840.10008.1.2.1", instance_number="7", rows=512, columns=256, bits_allocated=16,
    number_of_frames=0, image_type="ORIGINAL\\PRIMARY", content_date="20240506", content_time="0710",
    specific_character_set="", blob=Blob("0" * 64, 10), source="CT1", stored=THEN,
)  # fmt: skip
FOUND = {
    Level.PATIENT: Found(PATIENT),
    Level.STUDY: Found(PATIENT, STUDY),
    Level.SERIES: Found(PATIENT, STUDY, SERIES),
    Level.INSTANCE: Found(PATIENT, STUDY, SERIES, INSTANCE),
}


def asked(level: Level, found: Found = FOUND[Level.INSTANCE], **keys: object) -> Dataset:
    wanted = Dataset()
    wanted.QueryRetrieveLevel = level.value
    for keyword, value in keys.items():
        setattr(wanted, keyword, value)
    octets = pynetdicom_encode(wanted, True, True) or b""
    request = find_request(
        decoded(octets, ImplicitVRLittleEndian), InformationModel.PATIENT_ROOT, relational=True
    )
    answer = find_answer(found, request, "HILUM")
    return pynetdicom_decode(BytesIO(encoded(answer, ImplicitVRLittleEndian)), True, True)


def test_an_answer_holds_the_keys_asked_for_and_where_to_retrieve_from() -> None:
    answer = asked(
        Level.STUDY, PatientName="", StudyInstanceUID="", ModalitiesInStudy="", NumberOfStudyRelatedInstances="",
        NumberOfStudyRelatedSeries="", PatientComments="", SOPClassesInStudy="",
    )  # fmt: skip

    assert {element.keyword for element in answer} == {
        "SpecificCharacterSet", "QueryRetrieveLevel", "RetrieveAETitle", "InstanceAvailability", "ModalitiesInStudy",
        "SOPClassesInStudy", "PatientName", "PatientComments", "StudyInstanceUID", "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
    }  # fmt: skip
    assert answer.QueryRetrieveLevel == "STUDY"
    assert answer.RetrieveAETitle == "HILUM"
    assert answer.InstanceAvailability == "ONLINE"
    assert list(answer.ModalitiesInStudy) == ["CT", "SR"]
    assert answer.NumberOfStudyRelatedSeries == 2
    assert answer.NumberOfStudyRelatedInstances == 9
    assert answer.SpecificCharacterSet == "ISO_IR 192"
    assert str(answer.PatientName) == "Yamada^Tarou=山田^太郎"
    assert answer["PatientComments"].is_empty


def test_the_requesters_character_set_is_used_where_it_holds_everything() -> None:
    japanese = asked(Level.PATIENT, SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName="")
    western = asked(Level.PATIENT, SpecificCharacterSet="ISO_IR 100", PatientName="")

    assert list(japanese.SpecificCharacterSet) == ["", "ISO 2022 IR 87"]
    assert str(japanese.PatientName) == "Yamada^Tarou=山田^太郎"
    assert western.SpecificCharacterSet == "ISO_IR 192"
    assert str(western.PatientName) == "Yamada^Tarou=山田^太郎"


def test_series_and_instances_are_answered_with_their_counts_and_requests() -> None:
    series = asked(Level.SERIES, Modality="", NumberOfSeriesRelatedInstances="", RequestAttributesSequence=[])
    image = asked(Level.INSTANCE, SOPClassUID="", InstanceNumber="", Rows=None, ImageType="")

    assert series.NumberOfSeriesRelatedInstances == 8
    assert series.RequestAttributesSequence[0].RequestedProcedureID == "RP1"
    assert series.RequestAttributesSequence[0].ScheduledProcedureStepID == "SPS1"
    assert image.InstanceNumber == 7
    assert image.Rows == 512
    assert list(image.ImageType) == ["ORIGINAL", "PRIMARY"]


def test_an_image_without_patient_id_shows_none() -> None:
    nobody = replace(PATIENT, identifier=Identifier("1.2.3", UNIDENTIFIED))

    answer = asked(Level.PATIENT, Found(nobody), PatientID="", IssuerOfPatientID="")

    assert answer["PatientID"].is_empty
    assert answer["IssuerOfPatientID"].is_empty


def test_stored_values_that_break_their_vr_are_answered_as_they_are() -> None:
    odd = replace(STUDY, study_date="2024-05-06T", study_id="x" * 40, study_instance_uid="1.02")

    answer = asked(Level.STUDY, Found(PATIENT, odd), StudyDate="", StudyID="", StudyInstanceUID="")

    assert answer.get_item("StudyDate").value.strip() == b"2024-05-06T"


@pytest.mark.parametrize(
    ("uid", "implicit", "little"),
    [
        (ImplicitVRLittleEndian, True, True),
        (ExplicitVRLittleEndian, False, True),
        (ExplicitVRBigEndian, False, False),
    ],
)
def test_an_answer_is_written_as_the_transfer_syntax_says(uid: str, implicit: bool, little: bool) -> None:
    answer = Dataset()
    answer.PatientID, answer.Rows = "P1", 512

    octets = encoded(answer, uid)

    assert octets == pynetdicom_encode(answer, implicit, little)


def test_a_deflated_answer_is_read_back() -> None:
    answer = Dataset()
    answer.PatientID = "P1"

    assert decoded(
        encoded(answer, DeflatedExplicitVRLittleEndian), DeflatedExplicitVRLittleEndian
    ).keys() == {0x00100020}


STUDY_ALWAYS = {
    "00080005",  # the name is not of ASCII alone
    "00080020", "00080030", "00080050", "00080056", "00080061", "00080090", "00081190", "00100010", "00100020",
    "00100030", "00100040", "0020000D", "00200010", "00201206", "00201208",
}  # fmt: skip
SERIES_ALWAYS = {
    "00080060", "0008103E", "0020000E", "00200011", "00201209", "00400244", "00400245", "00400275", "00081190",
}  # fmt: skip
INSTANCE_ALWAYS = {
    "00080016", "00080018", "00080056", "00200013", "00280010", "00280011", "00280100", "00081190",
}  # fmt: skip


def searched(level: Level, parameters: dict[str, list[str]], *path: str, found: Found | None = None) -> dict:
    request = search_request(level, parameters, *path)
    return search_answer(found or FOUND[level], request, "http://h/dicom-web")


def test_a_study_answer_holds_what_the_table_demands() -> None:
    answer = searched(Level.STUDY, {})

    assert set(answer) == STUDY_ALWAYS
    assert list(answer) == sorted(answer)
    assert answer["00081190"] == {"vr": "UR", "Value": ["http://h/dicom-web/studies/1.2.3"]}
    assert answer["00100010"] == {
        "vr": "PN", "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}],
    }  # fmt: skip
    assert answer["00080061"] == {"vr": "CS", "Value": ["CT", "SR"]}
    assert answer["00201208"] == {"vr": "IS", "Value": [9]}


def test_empty_values_are_present_without_value() -> None:
    answer = searched(Level.STUDY, {}, found=Found(PATIENT, replace(STUDY, accession_number="")))

    assert answer["00080050"] == {"vr": "SH"}


def test_series_and_instances_below_a_parent_leave_its_attributes_out_but_for_the_uids() -> None:
    series = searched(Level.SERIES, {}, "1.2.3")
    instance = searched(Level.INSTANCE, {}, "1.2.3", "1.2.3.4")
    of_study = searched(Level.INSTANCE, {}, "1.2.3")

    assert set(series) == SERIES_ALWAYS | {"0020000D", "00080056"}
    assert set(instance) == INSTANCE_ALWAYS | {"0020000D", "0020000E"}
    assert set(of_study) == INSTANCE_ALWAYS | SERIES_ALWAYS | {"0020000D"}
    assert instance["00081190"]["Value"] == [
        "http://h/dicom-web/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.5"
    ]
    assert series["00400275"]["Value"] == [
        {"00400009": {"vr": "SH", "Value": ["SPS1"]}, "00401001": {"vr": "SH", "Value": ["RP1"]}}
    ]


def test_searches_of_all_series_and_instances_hold_the_levels_above() -> None:
    assert set(searched(Level.SERIES, {})) == STUDY_ALWAYS | SERIES_ALWAYS
    assert set(searched(Level.INSTANCE, {})) == STUDY_ALWAYS | SERIES_ALWAYS | INSTANCE_ALWAYS


def test_included_fields_are_added_and_those_of_deeper_levels_are_not() -> None:
    one = searched(Level.STUDY, {"includefield": ["00081030,00080060", "IssuerOfPatientID"]})
    everything = searched(Level.STUDY, {"includefield": ["all"]})

    assert set(one) == STUDY_ALWAYS | {"00081030", "00100021"}
    assert everything["00081030"] == {"vr": "LO", "Value": ["CT head"]}
    assert "00080060" not in everything


def test_fields_matched_on_are_returned() -> None:
    assert "00081030" in searched(Level.STUDY, {"StudyDescription": ["*head*"]})


def test_parameters_become_matches() -> None:
    request = search_request(
        Level.SERIES,
        {
            "PatientName": ["*doe*"],
            "00100020": ["P1"],
            "StudyDate": ["20240101-20241231"],
            "SeriesInstanceUID": ["1.2,1.3"],
            "ModalitiesInStudy": ["CT", "MR"],
            "00400275.00401001": ["RP1"],
            "RequestAttributesSequence.ScheduledProcedureStepID": ["SPS1"],
            "limit": ["10"],
            "offset": ["20"],
            "fuzzymatching": ["true"],
        },
        "1.2.3",
    )

    assert request.query.matches == {
        "patient_name": Wildcard("*doe*"),
        "patient_id": Exact("P1"),
        "study_date": Between("20240101", "20241231"),
        "series_instance_uid": AnyOf(("1.2", "1.3")),
        "modalities_in_study": AnyOf(("CT", "MR")),
        "requested_procedure_id": Exact("RP1"),
        "scheduled_procedure_step_id": Exact("SPS1"),
        "study_instance_uid": Exact("1.2.3"),
    }
    assert (request.query.limit, request.query.offset, request.query.fuzzy) == (10, 20, True)
    assert request.warnings == ()


def test_what_a_viewer_asks_for_its_study_list_is_understood() -> None:
    request = search_request(
        Level.STUDY,
        {"limit": ["101"], "offset": ["0"], "fuzzymatching": ["false"], "PatientName": ["*doe**"],
         "includefield": ["00081030,00080060,00080090,00100030"]},
    )  # fmt: skip

    assert request.query.matches == {"patient_name": Wildcard("*doe*")}
    assert request.query.limit == 101
    assert request.warnings == ()


def test_unknown_parameters_are_ignored_with_a_warning() -> None:
    request = search_request(
        Level.STUDY,
        {"Modality": ["CT"], "00091001": ["x"], "OtherSequence.PatientID": ["x"], "\r\nX: y": ["1"]},
    )

    assert request.query.matches == {}
    assert len(request.warnings) == 4
    assert not any("\n" in warning or "\r" in warning for warning in request.warnings)


@pytest.mark.parametrize(
    "parameters",
    [
        {"StudyDate": ["2024-01-31"]},
        {"limit": ["-1"]},
        {"limit": ["ten"]},
        {"offset": ["²"]},
        {"fuzzymatching": ["perhaps"]},
        {"PatientID": ["P1", "P2"]},
    ],
)
def test_a_parameter_that_cannot_be_meant_is_invalid(parameters: dict[str, list[str]]) -> None:
    with pytest.raises(Invalid):
        search_request(Level.STUDY, parameters)
