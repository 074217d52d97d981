"""A DICOMweb server on a loopback port, over a SQLite record of its own, and real files to store there."""

import email.parser
import email.policy
import secrets
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from hilum.core.access import policy
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.doors._http.app import http_app
from hilum.doors.dicomweb import dicomweb_doors
from hilum.stores.objects import objects_from_url
from hilum.stores.sql import Database
from hilum.wire.dicom.frame_work import work_on

BUNDLED = Path(pydicom.__file__).parent / "data"
NO_DICOM = {".py", ".pyc", ".json", ".txt", ".md", ".dump", ".icc"}
OPERATOR = policy.local_operator(secrets.token_hex(8))

MOST_ANSWERS = 5
LONGEST_INSTANCE = 8 << 20


class NoPasswords:
    """Nobody signs in here."""

    def hashed(self, password: str) -> str:
        return f"never asked: {len(password)}"

    def verified(self, password_hash: str, password: str) -> bool:
        return password_hash == password == "never"


@dataclass(frozen=True)
class Archive:
    """The hub, and the address of its DICOMweb service."""

    hub: Hub
    url: str
    folder: Path
    operator: Caller = OPERATOR

    @property
    def web(self) -> str:
        return f"{self.url}/dicom-web"

    def blobs(self) -> list[Path]:
        """Return every file below the object store, spools included."""
        return [path for path in (self.folder / "objects").rglob("*") if path.is_file()]


@pytest.fixture
def archive(sqlite_url: str, tmp_path: Path, served: Callable[..., str]) -> Iterator[Archive]:
    """Serve an empty archive that admits everybody on loopback; a page of a search has five answers."""
    database = Database(sqlite_url)
    objects = objects_from_url(tmp_path / "objects", tmp_path / "spool")
    hub = Hub(database, objects, NoPasswords(), lambda *_: {}, open_to_all=True)
    doors = dicomweb_doors(hub, worker=work_on, most_answers=MOST_ANSWERS, longest_instance=LONGEST_INSTANCE)
    yield Archive(hub, served(http_app(hub, doors)), tmp_path)
    database.close()


@pytest.fixture
def client(archive: Archive) -> DICOMwebClient:
    """Ask by an outside client."""
    return DICOMwebClient(archive.web, permissive_uid=True)


@pytest.fixture
def http(archive: Archive) -> Iterator[httpx.Client]:
    """Ask by plain HTTP."""
    with httpx.Client(base_url=archive.web, timeout=30, trust_env=False) as asking:
        yield asking


def bundled_files() -> list[Path]:
    """Return every data file that pydicom brings along; nothing is fetched."""
    return sorted(
        path
        for path in BUNDLED.rglob("*")
        if path.is_file() and path.suffix not in NO_DICOM and path.name != "README"
    )


def undecodable() -> bytes:
    """Return an object whose codestream no codec reads."""
    return bundled("JPEG-lossy.dcm").replace(b"\xff\xd8\xff", b"\0\0\0")


def bundled(name: str) -> bytes:
    """Return one of pydicom's files."""
    return next(path for path in bundled_files() if path.name == name).read_bytes()


def part10(data_set: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> bytes:
    """Return a data set as a file, right or wrong."""
    encoded = BytesIO()
    with disable_value_validation():
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = transfer_syntax_uid
        meta.MediaStorageSOPClassUID = data_set.SOPClassUID or "1.2"
        meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
        data_set.file_meta = meta
        data_set.save_as(encoded, enforce_file_format=True)
    return encoded.getvalue()


def data_set_of(file: bytes) -> bytes:
    """Return the data set of a Part 10 file as it is encoded, group 2 left out by its own length."""
    (length,) = struct.unpack_from("<I", file, 140)
    return file[144 + length :]


def made_up(**attributes: Any) -> Dataset:
    """Return a small image of nobody: 4 x 4 pixels of 8 bits."""
    data_set = Dataset()
    data_set.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    data_set.SOPInstanceUID = generate_uid()
    data_set.StudyInstanceUID = generate_uid()
    data_set.SeriesInstanceUID = generate_uid()
    data_set.PatientID = "P1"
    data_set.PatientName = "Doe^Jane"
    data_set.Modality = "OT"
    data_set.StudyDate = "20240102"
    data_set.StudyTime = "101500"
    data_set.AccessionNumber = "ACC1"
    data_set.SeriesNumber = 1
    data_set.InstanceNumber = 1
    data_set.Rows = data_set.Columns = 4
    data_set.SamplesPerPixel = 1
    data_set.PhotometricInterpretation = "MONOCHROME2"
    data_set.BitsAllocated = data_set.BitsStored = 8
    data_set.HighBit = 7
    data_set.PixelRepresentation = 0
    data_set.PixelData = bytes(range(16))
    with disable_value_validation():
        for keyword, value in attributes.items():
            data_set.pop(keyword, None)  # an element keeps the validation that it was made with
            setattr(data_set, keyword, value)
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return data_set


def related(*parts: bytes, boundary: str = "b0undary", head: bytes | None = None) -> bytes:
    """Return parts as the body of a store request."""
    head = b"Content-Type: application/dicom\r\n" if head is None else head
    delimiter = b"--" + boundary.encode()
    body = b"".join(delimiter + b"\r\n" + head + b"\r\n" + part + b"\r\n" for part in parts)
    return body + delimiter + b"--\r\n"


RELATED = 'multipart/related; type="application/dicom"; boundary=b0undary'


def store(http: httpx.Client, *files: bytes, path: str = "/studies", **options: Any) -> httpx.Response:
    """Send a store request."""
    return http.post(path, content=related(*files), headers={"Content-Type": RELATED}, **options)


def parts_of(answer: httpx.Response) -> list[tuple[dict[str, str], bytes]]:
    """Take an answer of parts apart, by the email package and not by our own reader."""
    boundary = answer.headers["content-type"].partition("boundary=")[2].split(";")[0].strip('"').encode()
    body = b"\r\n" + answer.content
    pieces = body.split(b"\r\n--" + boundary)
    assert pieces[-1].startswith(b"--")
    parts = []
    for piece in pieces[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        message = email.parser.BytesHeaderParser(policy=email.policy.compat32).parsebytes(
            head.lstrip() + b"\r\n\r\n"
        )
        parts.append(({name.lower(): value for name, value in message.items()}, content))
    return parts
