"""A modality over HTTP: worklist, performed steps and storage commitment (PS3.18 13 to 15)."""

import json
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset

from hilum.core.kernel.codes import Code
from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders.model import OrderAction, OrderMessage, OrderRequest, StepRequest
from hilum.core.patients.model import Demographics, PatientStatement
from hilum.wire.dicom.xml_model import data_set_of_xml, data_set_xml

from .conftest import OPERATOR, Archive, made_up, part10, store

JSON = {"Content-Type": "application/dicom+json"}
XML = {"Content-Type": "application/dicom+xml", "Accept": "application/dicom+xml"}
WORKLIST = "/modality-scheduled-procedure-steps"
STEP = "/modality-performed-procedure-steps/1.2.3.4"


def _body(data_set: Dataset) -> bytes:
    return json.dumps(data_set.to_json_dict()).encode()


def _step(**attributes: Any) -> Dataset:
    scheduled = Dataset()
    scheduled.StudyInstanceUID, scheduled.AccessionNumber = "1.2.3", "A1"
    step = Dataset()
    step.PerformedProcedureStepStatus, step.Modality = "IN PROGRESS", "CT"
    step.PerformedStationAETitle, step.PerformedProcedureStepID = "CT1", "P1"
    step.PerformedProcedureStepStartDate, step.PerformedProcedureStepStartTime = "20240101", "1000"
    step.ScheduledStepAttributesSequence = [scheduled]
    for keyword, value in attributes.items():
        setattr(step, keyword, value)
    return step


def _request(*images: Dataset) -> Dataset:
    request = Dataset()
    request.ReferencedSOPSequence = []
    for image in images:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
        request.ReferencedSOPSequence.append(item)
    return request


def test_a_step_is_created_updated_and_read(http: httpx.Client) -> None:
    created = http.post(STEP, content=_body(_step()), headers=JSON)
    end = Dataset()
    end.PerformedProcedureStepStatus = "COMPLETED"
    updated = http.post(f"{STEP}?update", content=_body(end), headers=JSON)
    (read,) = http.get(STEP).json()

    assert created.status_code == 201
    assert created.headers["location"].endswith(STEP)
    assert updated.status_code == 200
    assert read["00400252"]["Value"] == ["COMPLETED"]
    assert read["00400253"]["Value"] == ["P1"]


def test_a_step_in_xml_is_the_same(http: httpx.Client) -> None:
    created = http.post(STEP, content=data_set_xml(_step().to_json_dict()), headers=XML)
    read = http.get(STEP, headers=XML)

    assert created.status_code == 201, created.text
    assert data_set_of_xml(read.content)["00400253"]["Value"] == ["P1"]


def test_what_cannot_be_done_to_a_step_is_told(http: httpx.Client) -> None:
    http.post(STEP, content=_body(_step()), headers=JSON)

    twice = http.post(STEP, content=_body(_step()), headers=JSON)
    unknown = http.post(f"{STEP}.5?update", content=_body(_step()), headers=JSON)
    without = http.post(f"{STEP}.6", content=_body(_step(PerformedProcedureStepID="")), headers=JSON)

    assert [twice.status_code, unknown.status_code, without.status_code] == [409, 404, 400]
    assert "PerformedProcedureStepID" in without.json()["detail"]
    assert http.get(f"{STEP}.7").status_code == 404


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/dicom+json", 400),
        (b"[" * 100_000, "application/dicom+json", 400),
        (b"[{}, {}]", "application/dicom+json", 400),
        (b"<x/>", "application/dicom+xml", 400),
        (b"{}", "text/plain", 415),
        (b"x" * (17 << 20), "application/dicom+json", 413),
    ],
    ids=range(6),
)
@pytest.mark.parametrize("path", [STEP, "/commitment-requests/1.2.3"])
def test_a_body_that_is_no_data_set_is_refused(
    path: str, body: bytes, content_type: str, status: int, http: httpx.Client
) -> None:
    answer = http.post(path, content=body, headers={"Content-Type": content_type})

    assert answer.status_code == status


def test_what_is_kept_is_committed_to_at_once(http: httpx.Client, archive: Archive) -> None:
    kept, lost, other = made_up(), made_up(), made_up()
    store(http, part10(kept), part10(other))
    other.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"

    answer = http.post("/commitment-requests/1.2.3", content=_body(_request(kept, lost, other)), headers=JSON)
    again = http.get("/commitment-requests/1.2.3")
    reused = http.post("/commitment-requests/1.2.3", content=_body(_request(kept)), headers=JSON)

    assert answer.status_code == 200
    committed = [one["00081155"]["Value"][0] for one in answer.json()["00081199"]["Value"]]
    failed = {
        one["00081155"]["Value"][0]: one["00081197"]["Value"][0] for one in answer.json()["00081198"]["Value"]
    }
    assert committed == [kept.SOPInstanceUID]
    assert failed == {lost.SOPInstanceUID: 0x0112, other.SOPInstanceUID: 0x0119}
    assert "00081195" not in answer.json()
    assert again.json() == answer.json()
    assert reused.status_code == 409
    assert archive.hub.commitment("1.2.3").state == "reported"  # no association owes it


def test_a_commitment_that_nobody_asked_for_is_404(http: httpx.Client) -> None:
    assert http.get("/commitment-requests/1.2.3").status_code == 404
    assert http.post("/commitment-requests/1.2.3", content=b"{}", headers=JSON).status_code == 400


@pytest.fixture
def scheduled(archive: Archive) -> None:
    """Order a CT of Doe and an MR of Müller."""
    for number, modality, name in (("1", "CT", "Doe^Jane"), ("2", "MR", "Müller^Jörg")):
        _order(archive, number, modality, name)


@pytest.mark.usefixtures("scheduled")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Doe^Jane", "Müller^Jörg"]),
        ("00400100.00080060=CT", ["Doe^Jane"]),
        ("ScheduledProcedureStepSequence.Modality=MR", ["Müller^Jörg"]),
        ("PatientName=M%C3%BCl*", ["Müller^Jörg"]),
        ("00100020=P1", ["Doe^Jane"]),
        ("AccessionNumber=A2", ["Müller^Jörg"]),
        ("00400100.ScheduledProcedureStepStartDate=20240101-20240102&PatientID=P2", ["Müller^Jörg"]),
        ("00400100.00400002=20250101-", []),
        ("limit=0", []),
    ],
)
def test_scheduled_steps_are_found(query: str, names: list[str], http: httpx.Client) -> None:
    answer = http.get(f"{WORKLIST}?{query}")

    assert answer.status_code == 200, answer.text
    assert sorted(one["00100010"]["Value"][0]["Alphabetic"] for one in answer.json()) == names


@pytest.mark.usefixtures("scheduled")
def test_a_page_of_the_worklist_begins_where_it_is_asked_to(http: httpx.Client) -> None:
    whole = http.get(WORKLIST).json()

    assert http.get(f"{WORKLIST}?limit=1&offset=1").json() == whole[1:]
    assert whole[0]["00400100"]["Value"][0]["00080060"]["Value"][0] in {"CT", "MR"}
    assert http.get(f"{WORKLIST}?limit=-1").status_code == 400
    assert "Colour" in http.get(f"{WORKLIST}?Colour=blue").headers["warning"]


def _order(archive: Archive, number: str, modality: str, name: str) -> None:
    step = StepRequest(
        f"S{number}",
        modality=modality,
        station_ae_title=f"{modality}1",
        start_date="20240102",
        start_time="0900",
        protocol=Code("P", "L", "Thorax"),
    )
    request = OrderRequest(
        OrderAction.PLACE,
        placer_order_number=Identifier(f"PL{number}", "EHR"),
        accession_number=Identifier(f"A{number}", "RIS"),
        requested_procedure_id=f"RP{number}",
        procedure=Code("CTTHX", "L", "CT Thorax"),
        steps=(step,),
    )
    patient = PatientStatement((Identifier(f"P{number}", "HOSP"),), Demographics(name))
    archive.hub.place_orders(OPERATOR, OrderMessage(patient, (request,)))
