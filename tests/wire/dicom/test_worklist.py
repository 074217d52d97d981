"""Worklist identifiers to core queries, and scheduled steps to answers (PS3.4 Table K.6-1)."""

from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dsutils import decode as pynetdicom_decode
from pynetdicom.dsutils import encode as pynetdicom_encode

from hilum.core.kernel.codes import Code
from hilum.core.kernel.errors import Invalid
from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders.model import (
    Order,
    OrderStatus,
    ScheduledProcedureStep,
    StepStatus,
    WorklistItem,
    WorklistQuery,
)
from hilum.core.patients.model import Demographics, PatientRecord
from hilum.wire.dicom.data_sets import decoded, encoded
from hilum.wire.dicom.worklist import WorklistRequest, worklist_answer, worklist_request

THEN = datetime(2024, 5, 6, tzinfo=UTC)
PATIENT = PatientRecord(
    key=1, public_id="a" * 32, identifier=Identifier("P1", "HOSP"),
    demographics=Demographics(name="Иванов^Иван", birth_date="19700102", sex="M"),
    survivor_key=None, root_key=1, authoritative=True, version=1, created=THEN, updated=THEN,
)  # fmt: skip
STEP = ScheduledProcedureStep(
    key=1, scheduled_procedure_step_id="SPS1", modality="CT", station_ae_title="CT1", station_name="Room 1",
    location="R1", start_date="20240506", start_time="0800", protocol=Code("CTHEAD", "99LOCAL", "CT head"),
    performing_physician="Doe^Jane", status=StepStatus.SCHEDULED,
)  # fmt: skip
ORDER = Order(
    key=1, public_id="b" * 32, patient_record_key=1, placer_order_number=Identifier("PL1"),
    filler_order_number=Identifier("FI1"), accession_number=Identifier("A1", "RIS"), study_instance_uid="1.2.3",
    requested_procedure_id="RP1", procedure=Code("P-CT", "99LOCAL", "CT of head"), priority="stat",
    status=OrderStatus.ACTIVE, requesting_physician="Req^R", referring_physician="Ref^R", reason="fall",
    admission_id="V1", patient_class="I", steps=(STEP,), version=1, created=THEN, updated=THEN,
)  # fmt: skip
ITEM = WorklistItem(STEP, ORDER, PATIENT)

TYPE_1 = {
    "PatientName",
    "PatientID",
    "StudyInstanceUID",
    "RequestedProcedureID",
    "ScheduledProcedureStepSequence",
}
STEP_TYPE_1 = {
    "Modality", "ScheduledStationAETitle", "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime",
    "ScheduledProcedureStepID",
}  # fmt: skip


def request(
    step: dict[str, object] | None = None, *, implicit: bool = True, **keys: object
) -> WorklistRequest:
    asked = Dataset()
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    if step is not None:
        item = Dataset()
        for keyword, value in step.items():
            setattr(item, keyword, value)
        asked.ScheduledProcedureStepSequence = [item]
    octets = pynetdicom_encode(asked, implicit, True) or b""
    return worklist_request(decoded(octets, ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian))


def answer(understood: WorklistRequest, item: WorklistItem = ITEM) -> Dataset:
    octets = encoded(worklist_answer(item, understood), ImplicitVRLittleEndian)
    return pynetdicom_decode(BytesIO(octets), True, True)


def keywords(data_set: Dataset) -> set[str]:
    return {element.keyword for element in data_set}


@pytest.mark.parametrize("implicit", [True, False])
def test_keys_of_the_item_and_of_the_step_become_a_query(implicit: bool) -> None:
    understood = request(
        {
            "ScheduledStationAETitle": "CT1",
            "ScheduledProcedureStepStartDate": "20240506-20240507",
            "ScheduledProcedureStepStartTime": "08-",
            "Modality": "CT",
            "ScheduledPerformingPhysicianName": "DOE*",
            "ScheduledProcedureStepStatus": ["SCHEDULED", "ARRIVED"],
        },
        implicit=implicit,
        SpecificCharacterSet="ISO_IR 144",
        PatientName="Иванов*",
        PatientID="P1",
        AccessionNumber="*",
        RequestedProcedureID="",
    )

    assert understood.query == WorklistQuery(
        patient_name="Иванов*",
        patient_id="P1",
        station_ae_title="CT1",
        modality="CT",
        performing_physician="DOE*",
        start_date=("20240506", "20240507"),
        start_time=("08", ""),
        status=(StepStatus.SCHEDULED, StepStatus.ARRIVED),
    )


def test_one_day_is_the_first_and_the_last() -> None:
    understood = request({"ScheduledProcedureStepStartDate": "20240506"})

    assert understood.query.start_date == ("20240506", "20240506")


def test_an_identifier_without_a_step_matches_every_step() -> None:
    assert request(PatientID="").query == WorklistQuery()


def test_the_answer_holds_the_keys_asked_for_and_those_of_type_1() -> None:
    understood = request({"ScheduledProcedureStepDescription": ""}, AccessionNumber="", PatientWeight=None)

    answered = answer(understood)

    assert keywords(answered) == TYPE_1 | {"AccessionNumber", "PatientWeight", "SpecificCharacterSet"}
    assert keywords(answered.ScheduledProcedureStepSequence[0]) == STEP_TYPE_1 | {
        "ScheduledProcedureStepDescription"
    }
    assert answered.AccessionNumber == "A1"
    assert answered["PatientWeight"].is_empty
    assert str(answered.PatientName) == "Иванов^Иван"
    assert answered.SpecificCharacterSet == "ISO_IR 192"
    assert answered.ScheduledProcedureStepSequence[0].ScheduledProcedureStepDescription == "CT head"


def test_a_step_asked_for_without_keys_is_answered_whole() -> None:
    step = answer(request({})).ScheduledProcedureStepSequence[0]

    assert step.Modality == "CT"
    assert step.ScheduledStationAETitle == "CT1"
    assert step.ScheduledProcedureStepStatus == "SCHEDULED"
    assert step.ScheduledProtocolCodeSequence[0].CodeValue == "CTHEAD"
    assert str(step.ScheduledPerformingPhysicianName) == "Doe^Jane"


def test_an_answer_to_no_step_key_still_holds_the_step() -> None:
    assert keywords(answer(request(PatientID="")).ScheduledProcedureStepSequence[0]) == STEP_TYPE_1


def test_everything_that_a_modality_asks_for_is_answered() -> None:
    understood = request(
        None, IssuerOfPatientID="", PatientBirthDate="", PatientSex="", RequestedProcedureDescription="",
        RequestedProcedureCodeSequence=[], RequestedProcedurePriority="", ReferencedStudySequence=[],
        RequestingPhysician="", ReferringPhysicianName="", AdmissionID="", ReferencedPatientSequence=[],
        PlacerOrderNumberImagingServiceRequest="", FillerOrderNumberImagingServiceRequest="",
        IssuerOfAccessionNumberSequence=[], ReasonForTheRequestedProcedure="", MedicalAlerts="",
    )  # fmt: skip

    answered = answer(understood)

    assert answered.IssuerOfPatientID == "HOSP"
    assert answered.PatientBirthDate == "19700102"
    assert answered.RequestedProcedureDescription == "CT of head"
    assert answered.RequestedProcedureCodeSequence[0].CodeValue == "P-CT"
    assert answered.RequestedProcedurePriority == "STAT"
    assert answered.ReferencedStudySequence[0].ReferencedSOPInstanceUID == "1.2.3"
    assert str(answered.RequestingPhysician) == "Req^R"
    assert answered.AdmissionID == "V1"
    assert len(answered.ReferencedPatientSequence) == 0
    assert answered.PlacerOrderNumberImagingServiceRequest == "PL1"
    assert answered.IssuerOfAccessionNumberSequence[0].LocalNamespaceEntityID == "RIS"
    assert answered["MedicalAlerts"].is_empty


def test_an_item_of_a_code_is_filtered_by_its_keys() -> None:
    wanted = Dataset()
    wanted.CodeValue, wanted.CodingSchemeVersion = "", ""

    answered = answer(request(None, RequestedProcedureCodeSequence=[wanted]))

    assert keywords(answered.RequestedProcedureCodeSequence[0]) == {"CodeValue", "CodingSchemeVersion"}


def test_an_order_without_codes_answers_an_empty_sequence() -> None:
    plain = replace(ORDER, procedure=Code(), accession_number=None)

    answered = answer(
        request(None, RequestedProcedureCodeSequence=[], AccessionNumber=""),
        WorklistItem(replace(STEP, protocol=Code()), plain, PATIENT),
    )

    assert len(answered.RequestedProcedureCodeSequence) == 0
    assert answered["AccessionNumber"].is_empty


def test_the_requesters_character_set_is_kept_where_it_holds_the_answer() -> None:
    assert (
        answer(request(None, SpecificCharacterSet="ISO_IR 144", PatientName="")).SpecificCharacterSet
        == "ISO_IR 144"
    )


@pytest.mark.parametrize(
    "step",
    [
        {"ScheduledProcedureStepStatus": "SOON"},
        {"Modality": ["CT", "MR"]},
    ],
)
def test_a_step_key_that_cannot_be_meant_is_invalid(step: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        request(step)
