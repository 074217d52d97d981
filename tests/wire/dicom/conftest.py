"""What the tests of this room share: real files, and data sets encoded by pydicom in any syntax."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

BUNDLED = Path(pydicom.__file__).parent / "data"
NO_DICOM = {".py", ".pyc", ".json", ".txt", ".md", ".dump", ".icc"}

Encode = Callable[..., bytes]
Bundled = Callable[[str], bytes]


def bundled_files() -> list[Path]:
    """Return every data file that pydicom brings along; nothing is fetched."""
    return sorted(
        path
        for path in BUNDLED.rglob("*")
        if path.is_file() and path.suffix not in NO_DICOM and path.name != "README"
    )


@pytest.fixture
def bundled() -> Bundled:
    def read(name: str) -> bytes:
        return next(path for path in bundled_files() if path.name == name).read_bytes()

    return read


@pytest.fixture
def instance() -> Dataset:
    """Return a minimal instance of a made-up patient."""
    data_set = Dataset()
    data_set.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    data_set.SOPInstanceUID = "1.2.3.4"
    data_set.StudyInstanceUID = "1.2.3"
    data_set.SeriesInstanceUID = "1.2.3.1"
    data_set.PatientID = "P1"
    return data_set


@pytest.fixture
def encode() -> Encode:
    """Return a writer of Part 10 bytes: `encode(data_set, transfer_syntax_uid)`."""

    def write(data_set: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> bytes:
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = transfer_syntax_uid
        meta.MediaStorageSOPClassUID = data_set.get("SOPClassUID", "1.2")
        meta.MediaStorageSOPInstanceUID = data_set.get("SOPInstanceUID", "1.2.3.4")
        data_set.file_meta = meta
        encoded = BytesIO()
        data_set.save_as(encoded, enforce_file_format=True)
        return encoded.getvalue()

    return write
