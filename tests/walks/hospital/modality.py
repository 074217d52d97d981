"""A CT of DCMTK (worklist, storage, query, retrieval) and pynetdicom (MPPS, storage commitment)."""

import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from random import Random
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, evt
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at import
    ModalityPerformedProcedureStep,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

CT_AE_TITLE = "CT01"
_SENT = re.compile(r"Sending file: (?P<file>.+)|Received Store Response \((?P<status>.+)\)")


@dataclass(frozen=True, slots=True)
class Study:
    """What a CT is about to make."""

    patient_id: str
    patient_name: str
    issuer: str = ""
    accession_number: str = ""
    study_instance_uid: str = ""
    birth_date: str = ""
    sex: str = ""


def new_uid() -> str:
    """Return a UID that nobody has."""
    return str(generate_uid(prefix=None))


def make_series(
    folder: Path, study: Study, count: int, side: int = 32, chance: Random | None = None
) -> list[Path]:
    """Write one new CT series of `count` images of noise and return its files."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = chance or Random()
    series_instance_uid = new_uid()
    return [
        _image(folder, study, series_instance_uid, number, side, chance) for number in range(1, count + 1)
    ]


def _image(
    folder: Path, study: Study, series_instance_uid: str, number: int, side: int, chance: Random
) -> Path:
    image = Dataset()
    image.SpecificCharacterSet = "ISO_IR 100"
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, new_uid()
    image.StudyDate, image.StudyTime = "20261124", "101500"
    image.AccessionNumber = study.accession_number
    image.Modality = "CT"
    image.PatientName, image.PatientID = study.patient_name, study.patient_id
    if study.issuer:
        image.IssuerOfPatientID = study.issuer
    image.PatientBirthDate, image.PatientSex = study.birth_date, study.sex
    image.StudyInstanceUID, image.SeriesInstanceUID = study.study_instance_uid, series_instance_uid
    image.StudyID, image.SeriesNumber, image.InstanceNumber = "1", 1, number
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Rows = image.Columns = side
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.PixelData = chance.randbytes(2 * side * side)
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = folder / f"{image.SOPInstanceUID}.dcm"
    image.save_as(file, enforce_file_format=True)
    return file


def uid_of(file: Path) -> str:
    """Return the SOP Instance UID of a file of ours."""
    return file.stem


def data_set_bytes(part10: bytes) -> bytes:
    """Return what follows the file meta information (PS3.10 7.1)."""
    length = int.from_bytes(part10[140:144], "little")
    return part10[144 + length :]


def storescu(port: int, files: Iterable[Path], ae_title: str = CT_AE_TITLE) -> dict[Path, str]:
    """DCMTK's storescu on one association: file to the status that came back; a file without answer is not named."""
    command = ["storescu", "-v", "-nh", "-to", "20", "-td", "20", "-ta", "20", "-aet", ae_title, "-aec", "HILUM",
               "127.0.0.1", str(port), *map(str, files)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=100)
    answers: dict[Path, str] = {}
    sending = Path()
    for found in _SENT.finditer(done.stderr + done.stdout):
        if found["file"]:
            sending = Path(found["file"])
        else:
            answers[sending] = found["status"]
    return answers


def findscu(
    port: int, folder: Path, model: str, keys: Sequence[str], ae_title: str = CT_AE_TITLE
) -> list[Dataset]:
    """DCMTK's findscu: `-S` study root, `-P` patient root, `-W` worklist. Returns the answers."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = [part for key in keys for part in ("-k", key)]
    command = ["findscu", model, "-aet", ae_title, "-aec", "HILUM", "-X", "-od", str(folder), *asked,
               "127.0.0.1", str(port)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    files = sorted(folder.glob("rsp*.dcm"))
    answers = [dcmread(file, force=True) for file in files]
    for file in files:
        file.unlink()
    return answers


def find_study(port: int, folder: Path, *keys: str) -> list[Dataset]:
    """C-FIND at study level."""
    shown = ("PatientID", "IssuerOfPatientID", "PatientName", "StudyInstanceUID", "AccessionNumber",
             "NumberOfStudyRelatedInstances", "NumberOfStudyRelatedSeries")  # fmt: skip
    matched = {key.split("=")[0] for key in keys}
    returned = [keyword for keyword in shown if keyword not in matched]
    return findscu(port, folder, "-S", ["QueryRetrieveLevel=STUDY", *keys, *returned])


def getscu(port: int, folder: Path, study_instance_uid: str) -> list[Dataset]:
    """DCMTK's getscu: every instance of a study as it leaves Hilum."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["getscu", "-S", "-aet", CT_AE_TITLE, "-aec", "HILUM", "-od", str(folder), "-k", "QueryRetrieveLevel=STUDY",
               "-k", f"StudyInstanceUID={study_instance_uid}", "127.0.0.1", str(port)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return [dcmread(file) for file in sorted(folder.iterdir())]


def worklist(port: int, folder: Path, accession_number: str) -> list[Dataset]:
    """DCMTK's findscu -W: the scheduled CT steps of an accession number (RAD-5)."""
    step = "ScheduledProcedureStepSequence[0]"
    keys = [f"AccessionNumber={accession_number}", "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate",
            "PatientSex", "StudyInstanceUID", "RequestedProcedureID", "RequestedProcedureDescription",
            f"{step}.Modality=CT", f"{step}.ScheduledStationAETitle", f"{step}.ScheduledProcedureStepStartDate",
            f"{step}.ScheduledProcedureStepStartTime", f"{step}.ScheduledProcedureStepID",
            f"{step}.ScheduledProcedureStepStatus"]  # fmt: skip
    return findscu(port, folder, "-W", keys)


class PerformedStep:
    """MPPS as a CT reports it (RAD-6, RAD-7), by pynetdicom."""

    def __init__(self, port: int, item: Dataset) -> None:
        self._port = port
        self._item = item
        self.sop_instance_uid = new_uid()

    def create(self) -> int:
        """N-CREATE, IN PROGRESS; returns the status."""
        item = self._item
        step = Dataset()
        step.SpecificCharacterSet = item.get("SpecificCharacterSet", "ISO_IR 100")
        for keyword in ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"):
            setattr(step, keyword, item.get(keyword, ""))
        step.PerformedProcedureStepID, step.PerformedStationAETitle = "PPS1", CT_AE_TITLE
        step.PerformedStationName = step.PerformedLocation = ""
        step.PerformedProcedureStepStartDate, step.PerformedProcedureStepStartTime = "20261124", "101500"
        step.PerformedProcedureStepEndDate = step.PerformedProcedureStepEndTime = ""
        step.PerformedProcedureStepStatus, step.Modality = "IN PROGRESS", "CT"
        step.PerformedProcedureStepDescription = step.PerformedProcedureTypeDescription = step.StudyID = ""
        step.ProcedureCodeSequence = []
        step.ReferencedPatientSequence = []
        step.PerformedProtocolCodeSequence = []
        step.PerformedSeriesSequence = []
        step.ScheduledStepAttributesSequence = [self._scheduled()]
        return self._send(lambda association: association.send_n_create(
            step, ModalityPerformedProcedureStep, self.sop_instance_uid))  # fmt: skip

    def complete(self, files: Sequence[Path], status: str = "COMPLETED") -> int:
        """N-SET, COMPLETED, with the images that were made; returns the status."""
        change = Dataset()
        change.PerformedProcedureStepStatus = status
        change.PerformedProcedureStepEndDate, change.PerformedProcedureStepEndTime = "20261124", "102500"
        change.PerformedSeriesSequence = [_performed_series(files)]
        return self._send(lambda association: association.send_n_set(
            change, ModalityPerformedProcedureStep, self.sop_instance_uid))  # fmt: skip

    def _scheduled(self) -> Dataset:
        scheduled = self._item.ScheduledProcedureStepSequence[0]
        step = Dataset()
        step.StudyInstanceUID, step.AccessionNumber = self._item.StudyInstanceUID, self._item.AccessionNumber
        step.ReferencedStudySequence = []
        step.RequestedProcedureID = self._item.get("RequestedProcedureID", "")
        step.RequestedProcedureDescription = self._item.get("RequestedProcedureDescription", "")
        step.ScheduledProcedureStepID = scheduled.get("ScheduledProcedureStepID", "")
        step.ScheduledProcedureStepDescription = ""
        step.ScheduledProtocolCodeSequence = []
        return step

    def _send(self, request: Any) -> int:
        entity = AE(CT_AE_TITLE)
        entity.add_requested_context(ModalityPerformedProcedureStep)
        association = entity.associate("127.0.0.1", self._port, ae_title="HILUM")
        assert association.is_established
        status, _ = request(association)
        association.release()
        return int(status.Status)


@dataclass(frozen=True, slots=True)
class CommitmentReport:
    """An N-EVENT-REPORT of storage commitment (PS3.4 J.3.3)."""

    event_type: int
    transaction_uid: str
    committed: frozenset[str]
    failed: frozenset[str]


class CommitmentClient:
    """Asks for storage commitment and takes reports, on the association of the request or on new ones (RAD-10)."""

    def __init__(self, port: int, listen: int = 0) -> None:
        self._port = port
        self._reports: Queue[CommitmentReport] = Queue()
        self._taken: list[CommitmentReport] = []
        self._handlers: Any = [(evt.EVT_N_EVENT_REPORT, self._take), (evt.EVT_PDU_SENT, self._answered)]
        self._server: Any = None
        if listen:
            entity = AE(CT_AE_TITLE)
            entity.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
            self._server = entity.start_server(
                ("127.0.0.1", listen), block=False, evt_handlers=self._handlers
            )

    def ask(self, files: Sequence[Path], *, stay: bool = True) -> CommitmentReport:
        """N-ACTION, then wait for the report; without `stay` the association is aborted first."""
        entity = AE(CT_AE_TITLE)
        entity.add_requested_context(StorageCommitmentPushModel)
        handlers = self._handlers if stay else []
        association = entity.associate("127.0.0.1", self._port, ae_title="HILUM", evt_handlers=handlers)
        assert association.is_established
        request = _commitment_request(files)
        status, _ = association.send_n_action(
            request, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        assert status.Status == 0
        if not stay:
            association.abort()
        report = self._reports.get(timeout=60)
        assert report.transaction_uid == request.TransactionUID
        if stay:
            association.release()
        return report

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()

    def _take(self, event: Any) -> tuple[int, None]:
        told = event.event_information
        self._taken.append(
            CommitmentReport(
                event_type=event.request.EventTypeID,
                transaction_uid=told.TransactionUID,
                committed=frozenset(
                    one.ReferencedSOPInstanceUID for one in told.get("ReferencedSOPSequence", [])
                ),
                failed=frozenset(one.ReferencedSOPInstanceUID for one in told.get("FailedSOPSequence", [])),
            )
        )
        return 0x0000, None

    def _answered(self, event: Any) -> None:
        """Tell of a report once its response has left: a release that overtakes it would be a fault of ours."""
        if self._taken and isinstance(event.pdu, P_DATA_TF):
            self._reports.put(self._taken.pop())


def _commitment_request(files: Sequence[Path]) -> Dataset:
    request = Dataset()
    request.TransactionUID = new_uid()
    request.ReferencedSOPSequence = [_reference(file) for file in files]
    return request


def _performed_series(files: Sequence[Path]) -> Dataset:
    first = dcmread(files[0], stop_before_pixels=True)
    series = Dataset()
    series.PerformingPhysicianName = series.OperatorsName = series.SeriesDescription = (
        series.RetrieveAETitle
    ) = ""
    series.ProtocolName, series.SeriesInstanceUID = "CHEST", first.SeriesInstanceUID
    series.ReferencedImageSequence = [_reference(file) for file in files]
    series.ReferencedNonImageCompositeSOPInstanceSequence = []
    return series


def _reference(file: Path) -> Dataset:
    meta = read_file_meta_info(file)
    reference = Dataset()
    reference.ReferencedSOPClassUID = meta.MediaStorageSOPClassUID
    reference.ReferencedSOPInstanceUID = meta.MediaStorageSOPInstanceUID
    return reference
