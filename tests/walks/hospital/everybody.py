"""One server and everybody around it: who sends, who receives, and what each door shows."""

from pathlib import Path
from typing import Any

import httpx
from dicomweb_client import DICOMwebClient

from hilum.core.access.model import Peer, PeerKind
from hilum.core.patients.model import PatientQuery, PatientRecord
from hilum.core.routing.model import DeliveryQuery
from hilum.wire.routes import rules_of
from hospital import ehr as messages
from hospital import modality
from hospital.ehr import Receiver
from hospital.pacs import SecondPacs
from hospital.server import Server

RULES = """
rules:
  - name: ct-to-second-pacs
    when: {event: instance-stored, source: [CT01], modality: [CT]}
    to: [pacs2]
  - name: reports-to-ehr
    when: {event: report-filed, status: [final, corrected]}
    to: [ehr]
"""


class Hospital:
    """Everybody."""

    def __init__(self, server: Server, folder: Path, ehr: Receiver, second_pacs: SecondPacs) -> None:
        self.server = server
        self.folder = folder
        self.ehr = ehr
        self.second_pacs = second_pacs
        self.web = httpx.Client(base_url=server.url, timeout=20)
        self.dicomweb = DICOMwebClient(f"{server.url}/dicom-web")

    def close(self) -> None:
        """Close the connections of the readers."""
        self.web.close()
        self.dicomweb._session.close()

    def tell(self, *said: bytes) -> list[str]:
        """Send HL7 messages; MSA-1 of each answer."""
        return messages.send(self.server.hl7, *said)

    def resources(self, resource_type: str, **matches: str) -> list[dict[str, Any]]:
        """FHIR search."""
        answer = self.web.get(f"/fhir/{resource_type}", params=matches)
        assert answer.status_code == 200, answer.text
        found = [entry["resource"] for entry in answer.json().get("entry", [])]
        return [one for one in found if one["resourceType"] == resource_type]

    def subject_numbers(self, resource: dict[str, Any]) -> list[str]:
        """The identifiers of the patient whom a resource is about."""
        subject = self.web.get(f"/fhir/{resource['subject']['reference']}").json()
        return [one["value"] for one in subject["identifier"]]

    def qido(self, **matches: str) -> bytes:
        """QIDO-RS at study level, octet for octet."""
        answer = self.web.get(
            "/dicom-web/studies", params=matches, headers={"Accept": "application/dicom+json"}
        )
        assert answer.status_code in (200, 204), answer.text
        return answer.content

    def seen_by(self, patient_id: str) -> dict[str, list[tuple[str, str, int]]]:
        """The studies under a patient ID as each door shows them: number shown, UID, images."""
        found = modality.find_study(self.server.dicom, self.folder / "find", f"PatientID={patient_id}")
        searched = self.dicomweb.search_for_studies(search_filters={"PatientID": patient_id})
        imaging = self.resources("ImagingStudy", **{"patient.identifier": patient_id})
        return {
            "C-FIND": [
                (one.PatientID, one.StudyInstanceUID, int(one.NumberOfStudyRelatedInstances)) for one in found
            ],
            "QIDO-RS": [
                (_value(one, "00100020"), _value(one, "0020000D"), _value(one, "00201208"))
                for one in searched
            ],
            "FHIR": [
                (self.subject_numbers(one)[0], _study_uid(one), one["numberOfInstances"]) for one in imaging
            ],
        }

    def record(self, number: str) -> PatientRecord:
        """The record that one identifier names, merged or not."""
        query = PatientQuery(include_merged=True)
        found, _ = self.server.ask(lambda hub, caller: hub.find_patients(caller, query))
        (record,) = [one for one in found if one.identifier.value == number]
        return record

    def route(self) -> None:
        """Make the second PACS and the EHR known, and let the rules send to them."""
        self.server.add_peers(
            Peer("pacs2", PeerKind.DICOM, "127.0.0.1", self.second_pacs.port, "PACS2", roles=("modality",)),
            Peer("ehr", PeerKind.MLLP, "127.0.0.1", self.ehr.port, roles=("information-system",)),
        )
        self.server.ask(lambda hub, caller: hub.put_rules(caller, rules_of(RULES)))

    def deliveries(self, destination: str) -> list[tuple[str, str]]:
        """Reference and state of every delivery to a peer, oldest first."""
        query = DeliveryQuery(destination=destination, limit=10_000)
        found = self.server.ask(lambda hub, caller: hub.deliveries(caller, query))
        return [(one.reference, one.state.value) for one in reversed(found)]

    def states(self, destination: str) -> list[str]:
        """State of every delivery to a peer, oldest first."""
        return [state for _, state in self.deliveries(destination)]

    def totals(self) -> dict[str, int]:
        """How much of everything there is: what must not change when somebody repeats himself."""
        totals: dict[str, int] = self.server.ask(lambda hub, caller: hub.totals(caller))
        counts = {kind: len(self.resources(kind, _count="1000")) for kind in
                  ("Patient", "ServiceRequest", "ImagingStudy", "DiagnosticReport", "Observation")}  # fmt: skip
        sent = {name: len(self.deliveries(name)) for name in ("pacs2", "ehr")}
        return totals | counts | sent


def _value(answer: dict[str, Any], tag: str) -> Any:
    return answer[tag]["Value"][0]


def _study_uid(imaging_study: dict[str, Any]) -> str:
    values = [one["value"] for one in imaging_study["identifier"] if one.get("system") == "urn:dicom:uid"]
    return str(values[0].removeprefix("urn:oid:"))
