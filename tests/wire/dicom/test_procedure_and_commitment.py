"""Performed procedure steps and storage commitments: data sets to values and back."""

from datetime import UTC, datetime

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dsutils import encode as pynetdicom_encode

from hilum.core.archive.model import Commitment, CommitmentState, ReferencedInstance
from hilum.core.kernel.errors import Invalid
from hilum.core.orders.model import PerformedStatus
from hilum.wire.dicom.commitment import (
    ALL_COMMITTED,
    FAILURES_EXIST,
    action_data_set,
    action_request,
    event_report,
    told,
)
from hilum.wire.dicom.data_sets import (
    INVALID_VALUE,
    MISSING_ATTRIBUTE,
    MISSING_VALUE,
    AttributeProblem,
    decoded,
    encoded,
)
from hilum.wire.dicom.mpps import changed_step, created_step, step_data_set

CT = "1.2.840.10008.5.1.4.1.1.2"


def in_progress() -> Dataset:
    scheduled = Dataset()
    scheduled.StudyInstanceUID = "1.2.3"
    scheduled.AccessionNumber = "A1"
    scheduled.RequestedProcedureID = "RP1"
    scheduled.ScheduledProcedureStepID = "SPS1"
    step = Dataset()
    step.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    step.PatientName = "Yamada^Tarou=山田^太郎"
    step.PatientID = "P1"
    step.Modality = "CT"
    step.ScheduledStepAttributesSequence = [scheduled]
    step.PerformedProcedureStepID = "PPS1"
    step.PerformedStationAETitle = "CT1"
    step.PerformedStationName = ""
    step.PerformedProcedureStepStartDate = "20240506"
    step.PerformedProcedureStepStartTime = "0801"
    step.PerformedProcedureStepStatus = "IN PROGRESS"
    step.PerformedSeriesSequence = []
    return step


def octets(data_set: Dataset, *, implicit: bool = True) -> bytes:
    return pynetdicom_encode(data_set, implicit, True) or b""


@pytest.mark.parametrize(
    ("implicit", "uid"), [(True, ImplicitVRLittleEndian), (False, ExplicitVRLittleEndian)]
)
def test_a_created_step_is_read_and_given_back(implicit: bool, uid: str) -> None:
    step = created_step(octets(in_progress(), implicit=implicit), uid, "1.9.9")

    assert step.status is PerformedStatus.IN_PROGRESS
    assert step.study_instance_uids == ("1.2.3",)
    assert step.accession_numbers == ("A1",)
    assert step.scheduled_procedure_step_ids == ("SPS1",)
    assert (step.start_date, step.start_time, step.modality) == ("20240506", "0801", "CT")
    assert step.attributes["00100010"]["Value"] == [
        {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}
    ]
    got = step_data_set(step)
    assert str(got.PatientName) == "Yamada^Tarou=山田^太郎"
    assert got.SpecificCharacterSet == "ISO_IR 192"
    assert got.ScheduledStepAttributesSequence[0].AccessionNumber == "A1"
    assert encoded(got, uid)


def test_an_n_get_of_some_attributes_gives_those() -> None:
    step = created_step(octets(in_progress()), ImplicitVRLittleEndian, "1.9.9")

    got = step_data_set(step, [0x00400252, 0x00100020])

    assert {element.keyword for element in got} == {
        "SpecificCharacterSet", "PatientID", "PerformedProcedureStepStatus",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("keyword", "value", "status"),
    [
        ("PerformedProcedureStepStatus", None, MISSING_ATTRIBUTE),
        ("PerformedProcedureStepStatus", "", MISSING_VALUE),
        ("PerformedProcedureStepStatus", "COMPLETED", INVALID_VALUE),
        ("PerformedProcedureStepStatus", "RUNNING", INVALID_VALUE),
        ("Modality", None, MISSING_ATTRIBUTE),
        ("PerformedProcedureStepStartDate", "", MISSING_VALUE),
        ("ScheduledStepAttributesSequence", None, MISSING_ATTRIBUTE),
        ("ScheduledStepAttributesSequence", [], MISSING_VALUE),
        ("ScheduledStepAttributesSequence", [Dataset()], MISSING_ATTRIBUTE),
    ],
)
def test_a_creation_without_what_it_needs_names_the_attribute(
    keyword: str, value: object, status: int
) -> None:
    data_set = in_progress()
    delattr(data_set, keyword) if value is None else setattr(data_set, keyword, value)

    with pytest.raises(AttributeProblem) as problem:
        created_step(octets(data_set), ImplicitVRLittleEndian, "1.9.9")

    assert problem.value.status == status
    assert keyword in str(problem.value) or "StudyInstanceUID" in str(problem.value)


def test_a_completed_step_is_a_change_with_its_series() -> None:
    series = Dataset()
    series.SeriesInstanceUID = "1.2.3.4"
    data_set = Dataset()
    data_set.PerformedProcedureStepStatus = "COMPLETED"
    data_set.PerformedProcedureStepEndDate, data_set.PerformedProcedureStepEndTime = "20240506", "0830"
    data_set.PerformedSeriesSequence = [series]

    change, remarks = changed_step(octets(data_set), ImplicitVRLittleEndian)

    assert change.status is PerformedStatus.COMPLETED
    assert change.series_instance_uids == ("1.2.3.4",)
    assert (change.end_date, change.end_time) == ("20240506", "0830")
    assert set(change.attributes) == {"00400252", "00400250", "00400251", "00400340"}
    assert remarks == ()


def test_a_final_state_without_series_is_taken_and_remarked_on() -> None:
    data_set = Dataset()
    data_set.PerformedProcedureStepStatus = "DISCONTINUED"

    change, remarks = changed_step(octets(data_set), ImplicitVRLittleEndian)

    assert change.status is PerformedStatus.DISCONTINUED
    assert len(remarks) == 2


def test_a_change_to_no_status_is_invalid() -> None:
    data_set = Dataset()
    data_set.PerformedProcedureStepStatus = "DONE"

    with pytest.raises(AttributeProblem):
        changed_step(octets(data_set), ImplicitVRLittleEndian)


ONE, TWO = ReferencedInstance(CT, "1.2.3.4.1"), ReferencedInstance(CT, "1.2.3.4.2")


def commitment(
    failed: tuple[ReferencedInstance, ...], committed: tuple[ReferencedInstance, ...]
) -> Commitment:
    return Commitment(
        transaction_uid="1.2.3.9", peer="ct", ae_title="CT1", committed=committed, failed=failed,
        state=CommitmentState.REQUESTED, created=datetime(2024, 5, 6, tzinfo=UTC),
    )  # fmt: skip


def test_a_request_is_read_back_as_written() -> None:
    data_set = action_data_set("1.2.3.9", (ONE, TWO))

    assert action_request(decoded(octets(data_set), ImplicitVRLittleEndian)) == ("1.2.3.9", (ONE, TWO))


def test_a_report_of_success_is_of_type_1_and_read_back() -> None:
    event_type, data_set = event_report(commitment((), (ONE, TWO)), "HILUM")

    report = told(decoded(octets(data_set), ImplicitVRLittleEndian))

    assert event_type == ALL_COMMITTED
    uids = {ONE.sop_instance_uid, TWO.sop_instance_uid}
    assert (report.transaction_uid, report.committed, report.failed) == ("1.2.3.9", uids, {})
    assert data_set.RetrieveAETitle == "HILUM"
    assert "FailedSOPSequence" not in data_set


def test_a_report_of_failures_is_of_type_2_and_gives_the_reasons() -> None:
    missing = ReferencedInstance(CT, "1.2.3.4.2", failure_reason=0x0112)

    event_type, data_set = event_report(commitment((missing,), ()), "HILUM")

    assert event_type == FAILURES_EXIST
    assert data_set.FailedSOPSequence[0].FailureReason == 0x0112
    assert "ReferencedSOPSequence" not in data_set
    assert told(decoded(octets(data_set), ImplicitVRLittleEndian)).failed == {"1.2.3.4.2": 0x0112}


@pytest.mark.parametrize("keyword", ["TransactionUID", "ReferencedSOPSequence"])
def test_a_request_without_what_it_needs_names_the_attribute(keyword: str) -> None:
    data_set = action_data_set("1.2.3.9", (ONE,))
    delattr(data_set, keyword)

    with pytest.raises(AttributeProblem, match=keyword) as problem:
        action_request(decoded(octets(data_set), ImplicitVRLittleEndian))

    assert problem.value.status == MISSING_ATTRIBUTE


def test_a_request_for_what_is_no_uid_is_invalid() -> None:
    data_set = action_data_set("1.2.3.9", (ReferencedInstance(CT, "1.2/3"),))

    with pytest.raises(AttributeProblem, match="ReferencedSOPInstanceUID"):
        action_request(decoded(encoded(data_set, ImplicitVRLittleEndian), ImplicitVRLittleEndian))


def test_a_data_set_nested_without_end_is_invalid() -> None:
    deep = b"\x08\x00\x99\x11\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 5000

    with pytest.raises(Invalid, match="nested"):
        decoded(deep, ImplicitVRLittleEndian)
