"""The images that the CT makes: real ones, rewritten into the scheduled study."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.errors import InvalidDicomError
from pydicom.uid import generate_uid

from hilum.core.kernel.errors import Invalid

BUNDLED = ("CT_small.dcm", "J2K_pixelrep_mismatch.dcm", "693_J2KI.dcm")
"""The CT images that come with pydicom: 128 x 128 uncompressed, 512 x 512 in JPEG 2000 lossless and lossy."""


@dataclass(slots=True)
class Scheduled:
    """What the worklist told the CT, as a data set, and the numbers that it makes itself."""

    item: Dataset
    performed_step_uid: str
    moment: datetime
    series: dict[str, str] = field(default_factory=dict)
    """UIDs of the new series, by those that the images came with."""


def images(folder: Path | None) -> Iterator[Dataset]:
    """Yield the images: those bundled with pydicom, or those below a folder; raises Invalid when there are none."""
    found = 0
    for path in _paths(folder):
        try:
            image = dcmread(path)
        except (InvalidDicomError, OSError):
            continue  # other files may lie between: the CT has only images
        if "SOPClassUID" in image and "PixelData" in image:
            found += 1
            yield image
    if not found:
        raise Invalid(
            f"there is no DICOM image below {folder}", next_step="name a folder of DICOM images: --dicom DIR"
        )


def _paths(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        yield from sorted(path for path in folder.rglob("*") if path.is_file())
        return
    for name in BUNDLED:
        path = get_testdata_file(name, download=False)
        if isinstance(path, str):
            yield Path(path)


def rewritten(image: Dataset, scheduled: Scheduled, position: int, came_from: str) -> Dataset:
    """Return an image as the CT would write it for the scheduled step (RAD-8), in the series for `came_from`."""
    item = scheduled.item
    series = scheduled.series.setdefault(came_from, generate_uid(prefix=None))
    for keyword in ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"):
        setattr(image, keyword, item.get(keyword, ""))
    image.StudyInstanceUID = item.StudyInstanceUID
    image.SeriesInstanceUID = series
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid(prefix=None)
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.AccessionNumber = item.AccessionNumber
    image.StudyID = item.RequestedProcedureID
    image.StudyDescription = item.get("RequestedProcedureDescription", "")
    image.StudyDate = image.SeriesDate = image.ContentDate = f"{scheduled.moment:%Y%m%d}"
    image.StudyTime = image.SeriesTime = image.ContentTime = f"{scheduled.moment:%H%M%S}"
    image.SeriesNumber, image.InstanceNumber = "1", str(position)
    image.ReferencedPerformedProcedureStepSequence = [_performed(scheduled)]
    image.RequestAttributesSequence = [_request(item)]
    return image


def _performed(scheduled: Scheduled) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.3"
    reference.ReferencedSOPInstanceUID = scheduled.performed_step_uid
    return reference


def _request(item: Dataset) -> Dataset:
    step = item.ScheduledProcedureStepSequence[0]
    request = Dataset()
    request.RequestedProcedureID = item.RequestedProcedureID
    request.ScheduledProcedureStepID = step.ScheduledProcedureStepID
    request.ScheduledProtocolCodeSequence = deepcopy(step.get("ScheduledProtocolCodeSequence", []))
    return request
