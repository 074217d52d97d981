"""Modality worklist and performed procedure steps (PS3.4 K, F.7, F.8; RAD-5, RAD-6, RAD-7)."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE

from hilum.core.access import policy
from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders.model import OrderAction, OrderMessage, OrderRequest, StepRequest
from hilum.core.patients.model import Demographics, PatientStatement

WORKLIST = "1.2.840.10008.5.1.4.31"
STEP, STEP_RETRIEVE = "1.2.840.10008.3.1.2.3.3", "1.2.840.10008.3.1.2.3.4"
STEP_UID = "1.2.3.50"


@pytest.fixture
def ordered(record: Any, port: int) -> int:
    """A port behind which two CT steps and one MR step stand on the worklist."""
    for number, modality in enumerate(("CT", "CT", "MR"), 1):
        steps = (
            StepRequest(
                scheduled_procedure_step_id=f"SPS{number}",
                modality=modality,
                station_ae_title=f"{modality}1",
                start_date=f"2026112{number}",
                start_time="0900",
            ),
        )
        request = OrderRequest(
            OrderAction.PLACE,
            placer_order_number=Identifier(f"PL{number}", "EHR"),
            accession_number=Identifier(f"ACC{number}"),
            study_instance_uid=f"1.2.3.{number}",
            requested_procedure_id=f"RP{number}",
            steps=steps,
        )
        patient = PatientStatement(
            (Identifier(f"P{number}", "HOSP"),), Demographics(f"Doe^Jane {number}", "19700101", "F")
        )
        record.hub.place_orders(policy.local_operator("test"), OrderMessage(patient, (request,)))
    return port


@pytest.fixture
def modality(ordered: int) -> Iterator[Any]:
    """A pynetdicom association for worklist and procedure steps."""
    entity = AE("CT1")
    for sop_class in (WORKLIST, STEP, STEP_RETRIEVE):
        entity.add_requested_context(sop_class)
    association = entity.associate("127.0.0.1", ordered)
    assert association.is_established
    yield association
    association.release()


def _worklist(association: Any, **step_keys: str) -> list[Dataset]:
    query, step = Dataset(), Dataset()
    for keyword in (
        "PatientName",
        "PatientID",
        "AccessionNumber",
        "StudyInstanceUID",
        "RequestedProcedureID",
    ):
        setattr(query, keyword, "")
    step.Modality = step.ScheduledProcedureStepStartDate = step.ScheduledProcedureStepID = ""
    step.ScheduledStationAETitle = ""
    for keyword, value in step_keys.items():
        setattr(step, keyword, value)
    query.ScheduledProcedureStepSequence = [step]
    answers = list(association.send_c_find(query, WORKLIST))
    assert [status.Status for status, _ in answers] == [*[0xFF00] * (len(answers) - 1), 0]
    return [item for _, item in answers[:-1]]


def _created(**changes: Any) -> Dataset:
    """An N-CREATE data set of the first step."""
    scheduled = Dataset()
    scheduled.StudyInstanceUID, scheduled.AccessionNumber = "1.2.3.1", "ACC1"
    scheduled.RequestedProcedureID, scheduled.ScheduledProcedureStepID = "RP1", "SPS1"
    made = Dataset()
    made.ScheduledStepAttributesSequence = [scheduled]
    made.PatientName, made.PatientID = "Doe^Jane 1", "P1"
    made.PerformedProcedureStepID, made.PerformedStationAETitle = "PPS1", "CT1"
    made.PerformedProcedureStepStartDate, made.PerformedProcedureStepStartTime = "20261121", "090100"
    made.PerformedProcedureStepStatus, made.Modality = "IN PROGRESS", "CT"
    made.PerformedSeriesSequence = []
    for keyword, value in changes.items():
        setattr(made, keyword, value)
    return made


def _ended(status: str = "COMPLETED") -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID, series.ProtocolName = "1.2.3.1.1", "Head"
    change = Dataset()
    change.PerformedProcedureStepStatus = status
    change.PerformedProcedureStepEndDate, change.PerformedProcedureStepEndTime = "20261121", "091500"
    change.PerformedSeriesSequence = [series]
    return change


def test_the_worklist_gives_what_its_keys_ask_for(modality: Any) -> None:
    every, mr = _worklist(modality), _worklist(modality, Modality="MR")
    days = _worklist(modality, ScheduledProcedureStepStartDate="20261121-20261122", Modality="CT")

    assert sorted(item.AccessionNumber for item in every) == ["ACC1", "ACC2", "ACC3"]
    [item] = mr
    assert (item.PatientID, str(item.PatientName), item.StudyInstanceUID) == ("P3", "Doe^Jane 3", "1.2.3.3")
    [step] = item.ScheduledProcedureStepSequence
    assert (step.ScheduledStationAETitle, step.ScheduledProcedureStepID) == ("MR1", "SPS3")
    assert sorted(item.AccessionNumber for item in days) == ["ACC1", "ACC2"]


@pytest.mark.needs("dcmtk")
def test_findscu_reads_the_worklist(run: Any, ordered: int) -> None:
    keys = ["-k", "AccessionNumber", "-k", "ScheduledProcedureStepSequence[0].Modality=CT"]

    said = run("findscu", "-v", "-W", *keys, "127.0.0.1", ordered).stdout

    assert sorted(re.findall(r"\[(ACC\d) *\]", said)) == ["ACC1", "ACC2"]
    assert "Received Final Find Response (Success)" in said


def test_a_step_goes_from_in_progress_to_completed_and_leaves_the_worklist(modality: Any) -> None:
    created, _ = modality.send_n_create(_created(), STEP, STEP_UID)
    changed, _ = modality.send_n_set(_ended(), STEP, STEP_UID)
    got, attributes = modality.send_n_get([(0x0040, 0x0252), (0x0040, 0x0340)], STEP_RETRIEVE, STEP_UID)

    assert [created.Status, changed.Status, got.Status] == [0, 0, 0]
    assert attributes.PerformedProcedureStepStatus == "COMPLETED"
    assert attributes.PerformedSeriesSequence[0].SeriesInstanceUID == "1.2.3.1.1"
    assert "PatientName" not in attributes
    assert sorted(item.AccessionNumber for item in _worklist(modality)) == ["ACC2", "ACC3"]


@pytest.mark.parametrize("final", ["COMPLETED", "DISCONTINUED"])
def test_a_step_that_has_ended_is_not_changed_any_more(modality: Any, final: str) -> None:
    modality.send_n_create(_created(), STEP, STEP_UID)
    modality.send_n_set(_ended(final), STEP, STEP_UID)

    status, _ = modality.send_n_set(_ended("IN PROGRESS"), STEP, STEP_UID)

    assert (status.Status, status.ErrorID) == (0x0110, 0xA710)
    assert status.ErrorComment == "Performed Procedure Step Object may no longer be updated"


def test_a_step_is_created_once(modality: Any) -> None:
    first, _ = modality.send_n_create(_created(), STEP, STEP_UID)
    again, _ = modality.send_n_create(_created(), STEP, STEP_UID)

    assert (first.Status, again.Status) == (0, 0x0111)


def test_a_step_without_a_uid_gets_one(modality: Any, dial: Any, ordered: int) -> None:
    from hilum.wire.dicom.dimse.messages import NCreateRequest

    with dial(ordered, [(STEP, ["1.2.840.10008.1.2.1"])]) as peer:
        answer = peer.ask(STEP, NCreateRequest(AffectedSOPClassUID=STEP, MessageID=1), _created())

    assert answer.Status == 0
    assert answer.AffectedSOPInstanceUID.startswith("2.25.")
    changed, _ = modality.send_n_set(_ended(), STEP, answer.AffectedSOPInstanceUID)
    assert changed.Status == 0


@pytest.mark.parametrize(
    ("changes", "status", "comment"),
    [
        ({"PerformedProcedureStepStatus": "COMPLETED"}, 0x0106, "must be IN PROGRESS"),
        ({"PerformedProcedureStepStatus": "DONE"}, 0x0106, "PerformedProcedureStepStatus"),
        ({"PerformedProcedureStepID": ""}, 0x0121, "PerformedProcedureStepID (0040,0253) has no value"),
        ({"ScheduledStepAttributesSequence": []}, 0x0121, "ScheduledStepAttributesSequence"),
    ],
)
def test_a_step_that_lacks_what_it_must_have_is_not_created(
    modality: Any, changes: dict[str, Any], status: int, comment: str
) -> None:
    answer, _ = modality.send_n_create(_created(**changes), STEP, STEP_UID)
    then, _ = modality.send_n_get([], STEP_RETRIEVE, STEP_UID)

    assert answer.Status == status
    assert comment in answer.ErrorComment
    assert then.Status == 0x0112


def test_an_unknown_step_is_neither_changed_nor_read(modality: Any) -> None:
    changed, _ = modality.send_n_set(_ended(), STEP, "1.2.3.99")
    got, _ = modality.send_n_get([], STEP_RETRIEVE, "1.2.3.99")

    assert (changed.Status, got.Status) == (0x0112, 0x0112)
