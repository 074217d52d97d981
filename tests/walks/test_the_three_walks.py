"""The three walks of the house, end to end: a server as it is started, and peers that are not ours."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hospital import ehr as messages
from hospital import modality
from hospital.ehr import Order, Person
from hospital.everybody import RULES, Hospital
from hospital.modality import CommitmentClient, PerformedStep, Study
from hospital.server import eventually
from pydicom import Dataset

pytestmark = pytest.mark.needs("dcmtk")


SURVIVOR, RETIRED = Person("4711"), Person("4712", given_name="Ann")


@pytest.mark.parametrize("order_message", [messages.order_orm, messages.order_omi], ids=["ORM", "OMI"])
def test_an_order_becomes_images_a_report_and_one_person(
    hospital: Hospital, order_message: Callable[[Person, Order], bytes]
) -> None:
    order = Order("1", modality.new_uid())
    load_rules(hospital)

    item = an_order_stands_on_the_worklist(hospital, order, order_message(RETIRED, order))
    files = images_are_stored_and_visible_at_once(hospital, order, item)
    images_are_forwarded_and_settled(hospital, files)
    a_report_becomes_a_resource_and_goes_on(hospital, order)
    two_records_are_one_and_two_again(hospital, order, files)


def load_rules(hospital: Hospital) -> None:
    """The operator says who is there, and what goes where."""
    rules = hospital.folder / "rules.yaml"
    rules.write_text(RULES)
    hospital.server.hilum("peers", "add", "pacs2", "--dicom", f"PACS2@127.0.0.1:{hospital.second_pacs.port}")
    hospital.server.hilum("peers", "add", "ehr", "--mllp", f"127.0.0.1:{hospital.ehr.port}")
    hospital.server.hilum("routes", "load", str(rules))


def an_order_stands_on_the_worklist(hospital: Hospital, order: Order, message: bytes) -> Dataset:
    """ADT^A04, then the order; the CT asks."""
    assert hospital.tell(messages.registration(RETIRED), message) == ["AA", "AA"]

    (item,) = _worklist(hospital, order)

    shown = (item.PatientID, item.IssuerOfPatientID, item.StudyInstanceUID)
    assert shown == ("4712", "STMARY", order.study_instance_uid)
    (request,) = hospital.resources("ServiceRequest", identifier=order.accession_number)
    assert request["status"] == "active"
    return item


def images_are_stored_and_visible_at_once(hospital: Hospital, order: Order, item: Dataset) -> list[Path]:
    """MPPS IN PROGRESS, C-STORE, MPPS COMPLETED, storage commitment."""
    study = Study(item.PatientID, str(item.PatientName), item.IssuerOfPatientID, item.AccessionNumber,
                  item.StudyInstanceUID, item.PatientBirthDate, item.PatientSex)  # fmt: skip
    files = modality.make_series(hospital.folder / "ct", study, 6)
    step = PerformedStep(hospital.server.dicom, item)
    assert step.create() == 0

    answers = modality.storescu(hospital.server.dicom, files)

    shown = [("4712", order.study_instance_uid, 6)]
    assert set(answers.values()) == {"Success"}
    assert hospital.seen_by("4712") == {"C-FIND": shown, "QIDO-RS": shown, "FHIR": shown}
    assert step.complete(files) == 0
    report = CommitmentClient(hospital.server.dicom).ask(files)
    assert (report.event_type, report.committed) == (1, {modality.uid_of(file) for file in files})
    assert _worklist(hospital, order) == []
    return files


def images_are_forwarded_and_settled(hospital: Hospital, files: list[Path]) -> None:
    """The rule sends them to the second PACS in their order; its own answer settles each."""
    uids = [modality.uid_of(file) for file in files]

    eventually(lambda: hospital.deliveries("pacs2") == [(uid, "sent") for uid in uids], "not all are settled")

    assert hospital.second_pacs.arrivals == uids
    assert hospital.second_pacs.senders == {"HILUM"}


def a_report_becomes_a_resource_and_goes_on(hospital: Hospital, order: Order) -> None:
    """ORU^R01 in, DiagnosticReport, ORU^R01 out, settled by its ACK."""
    assert hospital.tell(messages.report(RETIRED, order, "Normal chest CT.")) == ["AA"]

    (report,) = hospital.resources("DiagnosticReport", **{"patient.identifier": "4712"})
    eventually(lambda: hospital.states("ehr") == ["sent"], "the report is not settled")

    assert (report["status"], report["conclusion"]) == ("final", "Normal chest CT.")
    assert hospital.ehr.impressions() == ["Normal chest CT."]
    listed = json.loads(hospital.server.hilum("deliveries", "list", "--json"))
    assert [(one["destination"], one["state"]) for one in listed] == [
        ("ehr", "sent"),
        *[("pacs2", "sent")] * 6,
    ]


def two_records_are_one_and_two_again(hospital: Hospital, order: Order, files: list[Path]) -> None:
    """ADT^A40, and an unmerge that leaves no trace in any answer."""
    assert hospital.tell(messages.registration(SURVIVOR)) == ["AA"]
    before = _qido_answers(hospital)

    assert hospital.tell(messages.merge(SURVIVOR, RETIRED)) == ["AA"]

    shown = [("4711", order.study_instance_uid, 6)]
    assert hospital.seen_by("4711") == {"C-FIND": shown, "QIDO-RS": shown, "FHIR": shown}
    assert hospital.seen_by("4712") == {"C-FIND": shown, "QIDO-RS": shown, "FHIR": shown}, (
        "by the old number too"
    )
    (report,) = hospital.resources("DiagnosticReport", **{"patient.identifier": "4711"})
    assert hospital.subject_numbers(report)[0] == "4711"
    what_is_retrieved_shows_the_survivor_and_what_was_received(hospital, order, files)

    retired = hospital.record("4712").public_id
    hospital.server.ask(lambda hub, caller: hub.unmerge_patient(caller, retired))

    assert _qido_answers(hospital) == before
    (instance, *_) = hospital.dicomweb.retrieve_study(order.study_instance_uid)
    assert (instance.PatientID, "OriginalAttributesSequence" in instance) == ("4712", False)


def what_is_retrieved_shows_the_survivor_and_what_was_received(
    hospital: Hospital, order: Order, files: list[Path]
) -> None:
    """WADO-RS and C-GET: Original Attributes Sequence (PS3.3 C.12.1.1.9)."""
    by_web = hospital.dicomweb.retrieve_study(order.study_instance_uid)
    by_getscu = modality.getscu(hospital.server.dicom, hospital.folder / "get", order.study_instance_uid)

    uids = {modality.uid_of(file) for file in files}
    assert {one.SOPInstanceUID for one in by_web} == {one.SOPInstanceUID for one in by_getscu} == uids
    for instance in [*by_web, *by_getscu]:
        assert (instance.PatientID, str(instance.PatientName)) == ("4711", "Doe^Anna")
        (original,) = instance.OriginalAttributesSequence
        (modified,) = original.ModifiedAttributesSequence
        assert (modified.PatientID, str(modified.PatientName)) == ("4712", "Doe^Ann")


def _worklist(hospital: Hospital, order: Order) -> list[Dataset]:
    return modality.worklist(hospital.server.dicom, hospital.folder / "worklist", order.accession_number)


def _qido_answers(hospital: Hospital) -> list[bytes]:
    questions = ({"PatientID": "4711"}, {"PatientID": "4712"}, {"includefield": "all"})
    return [hospital.qido(**matches) for matches in questions]
