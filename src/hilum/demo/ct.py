"""The CT: reads the worklist, reports what it does, stores images, asks for commitment, and looks whether they are there."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid

from hilum.demo.actors import act
from hilum.demo.dialogue import UNCOMPRESSED, Dialogue
from hilum.demo.images import Scheduled, images, rewritten
from hilum.wire.dicom.dimse import messages
from hilum.wire.dicom.dimse.respond import respond
from hilum.wire.dicom.dimse.status import look_up
from hilum.wire.dicom.part10 import read_file_meta

WORKLIST = "1.2.840.10008.5.1.4.31"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
PERFORMED_STEP = "1.2.840.10008.3.1.2.3.3"
COMMITMENT, COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"


@dataclass(slots=True)
class Ct:
    """The scanner and what it knows of the examination under way."""

    ae_title: str
    folder: Path
    hilum: tuple[str, int, str] = ("127.0.0.1", 11112, "HILUM")
    worklist: dict[str, Dataset] = field(default_factory=dict)
    scheduled: Scheduled | None = None
    stored: list[tuple[str, str]] = field(default_factory=list)

    def meet(self, host: str, port: int, ae_title: str) -> dict[str, Any]:
        """Learn where Hilum is."""
        self.hilum = (host, port, ae_title)
        return {}

    def read_worklist(self, day: str) -> dict[str, Any]:
        """C-FIND MWL: all CT steps of a day (RAD-5)."""
        query = _empty("PatientName PatientID IssuerOfPatientID PatientBirthDate PatientSex AccessionNumber "
                       "StudyInstanceUID RequestedProcedureID RequestedProcedureDescription")  # fmt: skip
        step = _empty("ScheduledStationAETitle ScheduledProcedureStepStartTime ScheduledProcedureStepID "
                      "ScheduledProcedureStepDescription ScheduledProtocolCodeSequence")  # fmt: skip
        step.Modality, step.ScheduledProcedureStepStartDate = "CT", day
        query.ScheduledProcedureStepSequence = [step]
        answers, status = self._find(WORKLIST, query)
        self.worklist = {answer.AccessionNumber: answer for answer in answers}
        return {"items": [_text(answer) for answer in answers], "status": status}

    def begin(self, accession_number: str, number: str) -> dict[str, Any]:
        """MPPS N-CREATE, IN PROGRESS (RAD-6)."""
        now = datetime.now().astimezone()
        item = self.worklist[accession_number]
        self.scheduled = Scheduled(item, generate_uid(prefix=None), now)
        self.stored = []
        step = _text_copy(item, "PatientName PatientID IssuerOfPatientID PatientBirthDate PatientSex")
        step.PerformedProcedureStepID = f"PPS{number}"
        step.PerformedStationAETitle = self.ae_title
        step.PerformedProcedureStepStartDate, step.PerformedProcedureStepStartTime = (
            f"{now:%Y%m%d}",
            f"{now:%H%M%S}",
        )
        step.PerformedProcedureStepStatus, step.Modality = "IN PROGRESS", "CT"
        step.update(_empty("PerformedStationName PerformedLocation PerformedProcedureStepDescription "
                           "PerformedProcedureTypeDescription ProcedureCodeSequence PerformedProcedureStepEndDate "
                           "PerformedProcedureStepEndTime StudyID PerformedProtocolCodeSequence PerformedSeriesSequence"))  # fmt: skip
        step.ScheduledStepAttributesSequence = [_scheduled_step(item)]
        create = messages.NCreateRequest
        return {"status": self._step(create(AffectedSOPClassUID=PERFORMED_STEP, MessageID=1, AffectedSOPInstanceUID=self.scheduled.performed_step_uid), step)}  # fmt: skip

    def complete(self) -> dict[str, Any]:
        """MPPS N-SET, COMPLETED, with the series that was made (RAD-7)."""
        scheduled, now = self._under_way(), datetime.now().astimezone()
        change = Dataset()
        change.PerformedProcedureStepStatus = "COMPLETED"
        change.PerformedProcedureStepEndDate, change.PerformedProcedureStepEndTime = (
            f"{now:%Y%m%d}",
            f"{now:%H%M%S}",
        )
        change.PerformedSeriesSequence = [self._series(uid) for uid in scheduled.series.values()]
        request = messages.NSetRequest(
            RequestedSOPClassUID=PERFORMED_STEP,
            MessageID=1,
            RequestedSOPInstanceUID=scheduled.performed_step_uid,
        )
        return {"status": self._step(request, change)}

    def store(self, source: str) -> dict[str, Any]:
        """C-STORE every image, on one association (RAD-8)."""
        files = self._make_images(Path(source) if source else None)
        metas = {file: read_file_meta(file.read_bytes()[:65536]) for file in files}
        contexts = {(one.media_storage_sop_class_uid, one.transfer_syntax_uid) for one in metas.values()}
        statuses = []
        with self._dialogue(
            [(sop_class, [syntax]) for sop_class, syntax in sorted(contexts)[:128]]
        ) as dialogue:
            for file, meta in metas.items():
                command = messages.CStoreRequest(
                    AffectedSOPClassUID=meta.media_storage_sop_class_uid,
                    MessageID=dialogue.next_message_id(),
                    AffectedSOPInstanceUID=meta.media_storage_sop_instance_uid,
                )
                context = dialogue.context(meta.media_storage_sop_class_uid, meta.transfer_syntax_uid)
                status = dialogue.store(context, command, file.read_bytes()[meta.data_set_offset :])
                self.stored.append((meta.media_storage_sop_class_uid, meta.media_storage_sop_instance_uid))
                statuses.append(_words(status))
        octets = sum(file.stat().st_size for file in files)
        return {"statuses": statuses, "octets": octets, "uids": [uid for _, uid in self.stored]}

    def commit(self) -> dict[str, Any]:
        """Storage Commitment N-ACTION, and wait for the N-EVENT-REPORT on the same association (RAD-10)."""
        request = Dataset()
        request.TransactionUID = generate_uid(prefix=None)
        request.ReferencedSOPSequence = [_reference(*stored) for stored in self.stored]
        with self._dialogue([(COMMITMENT, UNCOMPRESSED)]) as dialogue:
            action = messages.NActionRequest(
                RequestedSOPClassUID=COMMITMENT,
                MessageID=1,
                RequestedSOPInstanceUID=COMMITMENT_INSTANCE,
                ActionTypeID=1,
            )
            ((answer, _),) = dialogue.request(COMMITMENT, action, request)
            report, content = dialogue.receive()
            dialogue.answer(COMMITMENT, respond(report, 0))
        content = content or Dataset()
        return {
            "status": _words(answer.Status),
            "event_type": report.EventTypeID,
            "same_transaction": content.get("TransactionUID") == request.TransactionUID,
            "committed": [item.ReferencedSOPInstanceUID for item in content.get("ReferencedSOPSequence", [])],
        }

    def find(self, keys: Mapping[str, str]) -> dict[str, Any]:
        """C-FIND study root at STUDY level."""
        query = _empty("PatientName PatientID StudyInstanceUID AccessionNumber StudyDescription "
                       "NumberOfStudyRelatedInstances ModalitiesInStudy")  # fmt: skip
        query.QueryRetrieveLevel = "STUDY"
        for keyword, value in keys.items():
            setattr(query, keyword, value)
        answers, status = self._find(STUDY_ROOT_FIND, query)
        return {"studies": [_text(answer) for answer in answers], "status": status}

    def _find(self, sop_class_uid: str, query: Dataset) -> tuple[list[Dataset], str]:
        with self._dialogue([(sop_class_uid, UNCOMPRESSED)]) as dialogue:
            command = messages.CFindRequest(AffectedSOPClassUID=sop_class_uid, MessageID=1)
            *pending, (last, _) = dialogue.request(sop_class_uid, command, query)
        return [answer for _, answer in pending if answer is not None], _words(last.Status)

    def _step(self, command: messages.Command, data_set: Dataset) -> str:
        with self._dialogue([(PERFORMED_STEP, UNCOMPRESSED)]) as dialogue:
            ((answer, _),) = dialogue.request(PERFORMED_STEP, command, data_set)
        return _words(answer.Status)

    def _dialogue(self, contexts: list[tuple[str, Any]]) -> Dialogue:
        host, port, called = self.hilum
        return Dialogue(host, port, called, self.ae_title, contexts)

    def _under_way(self) -> Scheduled:
        assert self.scheduled is not None  # noqa: S101  # `begin` comes first
        return self.scheduled

    def _make_images(self, source: Path | None) -> list[Path]:
        self.folder.mkdir(parents=True, exist_ok=True)
        for old in self.folder.glob("*.dcm"):
            old.unlink()
        files = []
        for position, image in enumerate(images(source), 1):
            file = self.folder / f"{position:05}.dcm"
            # The bundled images come from several scanners: together they make one series.
            came_from = str(image.get("SeriesInstanceUID", "")) if source else ""
            rewritten(image, self._under_way(), position, came_from).save_as(file)
            files.append(file)
        return files

    def _series(self, series_instance_uid: str) -> Dataset:
        series = _empty("PerformingPhysicianName OperatorsName SeriesDescription RetrieveAETitle "
                        "ReferencedNonImageCompositeSOPInstanceSequence")  # fmt: skip
        series.ProtocolName, series.SeriesInstanceUID = "CHEST", series_instance_uid
        made = [dcmread(file, stop_before_pixels=True) for file in sorted(self.folder.glob("*.dcm"))]
        series.ReferencedImageSequence = [
            _reference(one.SOPClassUID, one.SOPInstanceUID)
            for one in made
            if one.SeriesInstanceUID == series_instance_uid
        ]
        return series


def _scheduled_step(item: Dataset) -> Dataset:
    step = _text_copy(
        item, "StudyInstanceUID AccessionNumber RequestedProcedureID RequestedProcedureDescription"
    )
    scheduled = item.ScheduledProcedureStepSequence[0]
    step.ScheduledProcedureStepID = scheduled.ScheduledProcedureStepID
    step.ScheduledProcedureStepDescription = scheduled.get("ScheduledProcedureStepDescription", "")
    step.update(_empty("ReferencedStudySequence ScheduledProtocolCodeSequence"))
    return step


def _reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    return reference


def _empty(keywords: str) -> Dataset:
    """Return a data set of empty attributes: return keys, and type 2."""
    data_set = Dataset()
    for keyword in keywords.split():
        setattr(data_set, keyword, [] if keyword.endswith("Sequence") else None)
    return data_set


def _text_copy(item: Dataset, keywords: str) -> Dataset:
    copied = Dataset()
    copied.SpecificCharacterSet = item.get("SpecificCharacterSet") or "ISO_IR 192"
    for keyword in keywords.split():
        setattr(copied, keyword, item.get(keyword, ""))
    return copied


def _text(answer: Dataset) -> dict[str, str]:
    """Return what the play shows of an answer."""
    shown = (
        "PatientName",
        "PatientID",
        "AccessionNumber",
        "StudyInstanceUID",
        "NumberOfStudyRelatedInstances",
    )
    return {keyword: str(answer.get(keyword, "") or "") for keyword in shown}


def _words(status: int) -> str:
    return f"{status:04X} {look_up(status).meaning}"


def main() -> None:
    """Do what the play asks. Arguments: AE title, folder for the images."""
    ct = Ct(sys.argv[1], Path(sys.argv[2]))
    deeds = (ct.meet, ct.read_worklist, ct.begin, ct.store, ct.complete, ct.commit, ct.find)
    act({deed.__name__: deed for deed in deeds})


if __name__ == "__main__":
    main()
