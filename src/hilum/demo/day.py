"""The day of a hospital, step by step; each step says what was sent, what was answered, and what is true now."""

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.routing.model import DeliveryQuery, DeliveryState
from hilum.demo import messages
from hilum.demo.actors import Actor
from hilum.demo.messages import Examination, Person, Written
from hilum.demo.stage import Stage
from hilum.demo.views import Views
from hilum.settings import Settings

_PATIENCE = 20.0


@dataclass(slots=True)
class Day:
    """Who plays, and what the day is about."""

    stage: Stage
    settings: Settings
    hub: Hub
    operator: Caller
    ehr: Actor
    ct: Actor
    pacs: Actor
    views: Views
    source: str
    number: str
    examination: Examination
    arrived: Person
    known: Person
    stored: list[str] = field(default_factory=list)

    def play(self) -> None:
        """Play all steps in their order; raises StepFailed at the first that does not hold."""
        for step in (
            self.register, self.order, self.read_worklist, self.begin, self.store, self.complete, self.commit,
            self.look, self.forward, self.report, self.merge,
        ):  # fmt: skip
            step()

    def register(self) -> None:
        """ADT^A04."""
        self.stage.step("The EHR registers a patient")
        self._message(messages.registration(self.arrived, _now()), f"{self._named(self.arrived)}")
        found = self.views.resources("Patient", identifier=self.arrived.patient_id)
        self.stage.holds(len(found) == 1, "FHIR Patient has the record")

    def order(self) -> None:
        """ORM^O01."""
        self.stage.step("The RIS orders a chest CT")
        accession = self.examination.accession_number
        self._message(
            messages.order(self.arrived, self.examination, _now()), f"accession {accession}, CT, today"
        )
        found = self.views.resources("ServiceRequest", identifier=accession)
        self.stage.holds(
            len(found) == 1, f"FHIR ServiceRequest has the order, {found[0].get('status') if found else '-'}"
        )

    def read_worklist(self) -> None:
        """C-FIND MWL."""
        self.stage.step("The CT reads its worklist")
        day = f"{self.examination.moment:%Y%m%d}"
        self.stage.sent(
            "CT01", "HILUM", f"C-FIND Modality Worklist: Modality=CT, ScheduledProcedureStepStartDate={day}"
        )
        answer = self.ct.ask("read_worklist", day=day)
        mine = [
            item for item in answer["items"] if item["AccessionNumber"] == self.examination.accession_number
        ]
        self.stage.answered("CT01", "HILUM", f"{len(answer['items'])} scheduled; {answer['status']}")
        self.stage.holds(mine, f"the order is on the list: {mine[0]['PatientName'] if mine else ''}")
        same = mine[0]["StudyInstanceUID"] == self.examination.study_instance_uid
        self.stage.holds(same, "the Study Instance UID is the one of the order")

    def begin(self) -> None:
        """MPPS N-CREATE."""
        self.stage.step("The CT says that it begins")
        self.stage.sent("CT01", "HILUM", "N-CREATE Modality Performed Procedure Step: IN PROGRESS")
        answer = self.ct.ask("begin", accession_number=self.examination.accession_number, number=self.number)
        self._status("CT01", answer["status"])

    def store(self) -> None:
        """C-STORE."""
        self.stage.step("The CT stores the series")
        answer = self.ct.ask("store", source=self.source)
        self.stored = answer["uids"]
        self.stage.sent(
            "CT01",
            "HILUM",
            f"C-STORE, {len(self.stored)} images, {answer['octets'] / 1e6:.2f} MB, one association",
        )
        self.stage.answered("CT01", "HILUM", "; ".join(sorted(set(answer["statuses"]))))
        good = all(status.startswith("0000") for status in answer["statuses"])
        self.stage.holds(self.stored and good, "every image is durable and committed")

    def complete(self) -> None:
        """MPPS N-SET."""
        self.stage.step("The CT says that it is done")
        self.stage.sent(
            "CT01", "HILUM", "N-SET Modality Performed Procedure Step: COMPLETED, with the series"
        )
        self._status("CT01", self.ct.ask("complete")["status"])

    def commit(self) -> None:
        """Storage commitment."""
        self.stage.step("The CT asks whether it may delete its images")
        self.stage.sent("CT01", "HILUM", f"N-ACTION Storage Commitment for {len(self.stored)} images")
        answer = self.ct.ask("commit")
        self.stage.answered(
            "CT01", "HILUM", f"{answer['status']}; N-EVENT-REPORT type {answer['event_type']}"
        )
        committed = answer["event_type"] == 1 and answer["same_transaction"]
        self.stage.holds(
            committed and set(answer["committed"]) == set(self.stored), "Hilum answers for every image"
        )

    def look(self) -> None:
        """C-FIND, QIDO-RS, FHIR."""
        self.stage.step("The study is visible everywhere, at once")
        self._visible_under(self.arrived)

    def forward(self) -> None:
        """The routing rule."""
        self.stage.step("A routing rule forwards the study to the second PACS")
        self.stage.say("    rule  images-to-second-pacs: from CT01 -> pacs2")
        has = self._eventually(lambda: set(self.stored) <= set(self.pacs.ask("received")["instances"]))
        self.stage.sent("HILUM", "PACS2", f"C-STORE, {len(self.stored)} images")
        self.stage.holds(has, "the second PACS has every image")
        query = DeliveryQuery(destination="pacs2", states=(DeliveryState.SENT,), limit=10_000)
        settled = self._eventually(
            lambda: set(self.stored) <= {one.reference for one in self.hub.deliveries(self.operator, query)}
        )
        self.stage.holds(settled, "every delivery is settled by the answer of the PACS")

    def report(self) -> None:
        """ORU^R01 in, DiagnosticReport, ORU^R01 out."""
        self.stage.step("The report arrives, becomes a DiagnosticReport and goes on to the EHR")
        self._message(
            messages.report(self.arrived, self.examination, _now()), "final report: Normal chest CT."
        )
        (patient,) = self.views.resources("Patient", identifier=self.arrived.patient_id)
        reports = self.views.resources("DiagnosticReport", patient=patient["id"])
        self.stage.holds(
            len(reports) == 1 and reports[0]["status"] == "final", "FHIR DiagnosticReport is final"
        )
        reached = self._eventually(
            lambda: [one for one in self._heard() if one["text"] == "Normal chest CT."]
        )
        self.stage.sent("HILUM", "EHR", "ORU^R01")
        self.stage.holds(reached, "the EHR has the report")
        self.stage.answered("HILUM", "EHR", "AA")
        query = DeliveryQuery(destination="ehr", states=(DeliveryState.SENT,), limit=1)
        before = len(self._heard())
        settled = self._eventually(lambda: self.hub.deliveries(self.operator, query))
        self.stage.holds(
            settled and len(self._heard()) == before, "the delivery is settled by the ACK, sent once"
        )

    def merge(self) -> None:
        """ADT^A40."""
        self.stage.step("The patient is recognised: two records become one")
        self._message(messages.registration(self.known, _now()), f"{self._named(self.known)}")
        what = f"{self.known.patient_id} survives, {self.arrived.patient_id} retires"
        self._message(messages.merge(self.known, self.arrived, _now()), what)
        self._visible_under(self.known)

    def _visible_under(self, person: Person) -> None:
        uid, many = self.examination.study_instance_uid, len(self.stored)
        found = self.ct.ask("find", keys={"PatientID": person.patient_id})["studies"]
        self.stage.sent("CT01", "HILUM", f"C-FIND STUDY, PatientID={person.patient_id}")
        self.stage.answered("CT01", "HILUM", _shown(found))
        self.stage.holds(_is_study(found, uid, many, person), f"C-FIND shows it under {person.patient_id}")
        found = self.views.studies(PatientID=person.patient_id)
        self.stage.sent("web", "HILUM", f"GET /dicom-web/studies?PatientID={person.patient_id}")
        self.stage.answered("web", "HILUM", _shown(found))
        self.stage.holds(_is_study(found, uid, many, person), f"QIDO-RS shows it under {person.patient_id}")
        inside = self.views.patient_id_in_metadata(uid)
        self.stage.holds(inside == {person.patient_id}, "WADO-RS shows the same Patient ID in every instance")
        self._visible_in_fhir(person, uid, many)

    def _visible_in_fhir(self, person: Person, uid: str, many: int) -> None:
        identifier = f"urn:dicom:uid|urn:oid:{uid}"
        found = self.views.resources("ImagingStudy", identifier=identifier)
        self.stage.sent("web", "HILUM", f"GET /fhir/ImagingStudy?identifier={identifier}")
        subject = self.views.resource(found[0]["subject"]["reference"]) if found else {}
        values = [one.get("value") for one in subject.get("identifier", [])]
        self.stage.answered(
            "web", "HILUM", f"{len(found)} ImagingStudy, subject {', '.join(map(str, values))}"
        )
        counted = bool(found) and found[0].get("numberOfInstances") == many
        self.stage.holds(counted and person.patient_id in values, f"FHIR shows it under {person.patient_id}")

    def _message(self, written: Written, what: str) -> None:
        self.stage.sent("EHR", "HILUM", f"{written.message_type}: {what}")
        bind = self.settings.hl7.bind
        content = base64.b64encode(written.content).decode()
        answer = self.ehr.ask(
            "send", host=bind.host, port=bind.port, content=content, control_id=written.control_id
        )
        self.stage.answered("EHR", "HILUM", f"{answer['code']} {answer['text']}".strip())
        self.stage.holds(answer["code"] == "AA", "accepted, after the commit", answer["text"])

    def _status(self, asker: str, status: str) -> None:
        self.stage.answered(asker, "HILUM", status)
        self.stage.holds(status.startswith("0000"), "accepted")

    def _heard(self) -> list[dict[str, Any]]:
        heard: list[dict[str, Any]] = self.ehr.ask("received")["messages"]
        return heard

    def _named(self, person: Person) -> str:
        return f"{person.family_name}^{person.given_name}, {person.patient_id} of {person.issuer}"

    def _eventually(self, look: Callable[[], Any]) -> Any:  # noqa: ANN401  # whatever is looked for
        """Look again and again until there is something, or patience ends: what the engine does takes a moment."""
        deadline = time.monotonic() + _PATIENCE
        while not (found := look()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return found


def _now() -> datetime:
    return datetime.now().astimezone()


def _shown(studies: list[dict[str, str]]) -> str:
    lines = [
        f"{one['PatientName']} {one['PatientID']}, {one['NumberOfStudyRelatedInstances']} images"
        for one in studies
    ]
    return f"{len(studies)} study: {'; '.join(lines)}" if len(studies) == 1 else f"{len(studies)} studies"


def _is_study(found: list[dict[str, str]], uid: str, many: int, person: Person) -> bool:
    shown = [
        (one["StudyInstanceUID"], one["NumberOfStudyRelatedInstances"], one["PatientID"]) for one in found
    ]
    return shown == [(uid, str(many), person.patient_id)]
