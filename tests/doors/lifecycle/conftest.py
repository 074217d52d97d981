"""One record behind all doors, on each database, and outside clients that store, reject and ask."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, build_role, evt

from hilum.core.access import policy
from hilum.core.access.model import Peer, PeerKind
from hilum.core.hub import Hub
from hilum.core.kernel.peer_options import PeerOptions
from hilum.couriers.dimse import DimseCourier
from hilum.doors._http.app import http_app
from hilum.doors.api.routes import api_door
from hilum.doors.dicomweb import dicomweb_doors
from hilum.doors.dimse.server import DimseServer
from hilum.doors.fhir import fhir_door
from hilum.stores.objects import objects_from_url
from hilum.stores.sql import Database
from hilum.transport.dicom import Timers
from hilum.transport.hosts import Hosts
from hilum.wire.dicom.archive_header import stored_header
from hilum.wire.dicom.key_objects import rejection_note
from hilum.wire.dicom.upper_layer.limits import Limits

T = TypeVar("T")
OPERATOR = policy.local_operator("a-trace")
CT, KOS = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.59"
FIND, MOVE, GET = (f"1.2.840.10008.5.1.4.1.2.2.{number}" for number in (1, 2, 3))
TITLES = {
    "113001": "Rejected for Quality Reasons",
    "113037": "Rejected for Patient Safety Reasons",
    "113038": "Incorrect Modality Worklist Entry",
    "113039": "Data Retention Policy Expired",
}
STUDY = "1.2.3.1"


class PlainPasswords:
    """Nobody signs in here."""

    def hashed(self, password: str) -> str:
        return f"never asked: {len(password)}"

    def verified(self, password_hash: str, password: str) -> bool:
        return password_hash == password == "never"


def image(number: int, series: int = 1, study: str = STUDY, **more: Any) -> Dataset:
    """Return a tiny CT instance: the same numbers are always the same one."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = CT, f"{study}.{series}.{number}"
    made.StudyDate, made.StudyTime, made.AccessionNumber = "20260101", "101500", "ACC1"
    made.Modality, made.StudyDescription = "CT", "Head"
    made.PatientName, made.PatientID, made.PatientBirthDate, made.PatientSex = (
        "Doe^Jane",
        "P1",
        "19700101",
        "F",
    )
    made.StudyInstanceUID, made.SeriesInstanceUID = study, f"{study}.{series}"
    made.StudyID, made.SeriesNumber, made.InstanceNumber = "1", str(series), str(number)
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows = made.Columns = 8
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.PixelData = bytes(range(128))
    for keyword, value in more.items():
        setattr(made, keyword, value)
    return with_meta(made)


def with_meta(made: Dataset) -> Dataset:
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    return made


def item(**values: Any) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def note(code: str, *rejected: Dataset, study: str = STUDY, version: str = "") -> Dataset:
    """Return a rejection note as a Change Requester writes it (IHE RAD-66, PS3.3 A.35.4)."""
    made = image(99, 900, study, SOPClassUID=KOS, SOPInstanceUID=generate_uid(), Modality="KO")
    for keyword in ("Rows", "Columns", "PixelData", "SamplesPerPixel", "PhotometricInterpretation"):
        delattr(made, keyword)
    title = item(CodeValue=code, CodingSchemeDesignator="DCM", CodeMeaning=TITLES.get(code, "Of Interest"))
    if version:
        title.CodingSchemeVersion = version
    made.ValueType, made.ContinuityOfContent, made.ConceptNameCodeSequence = "CONTAINER", "SEPARATE", [title]
    by_series: dict[str, list[Dataset]] = {}
    for one in rejected:
        reference = item(ReferencedSOPClassUID=one.SOPClassUID, ReferencedSOPInstanceUID=one.SOPInstanceUID)
        by_series.setdefault(str(one.SeriesInstanceUID), []).append(reference)
    series = [item(ReferencedSOPSequence=held, SeriesInstanceUID=uid) for uid, held in by_series.items()]
    made.CurrentRequestedProcedureEvidenceSequence = [
        item(
            StudyInstanceUID=rejected[0].StudyInstanceUID if rejected else study,
            ReferencedSeriesSequence=series,
        )
    ]
    made.ContentSequence = [
        item(RelationshipType="CONTAINS", ValueType="IMAGE", ReferencedSOPSequence=held)
        for held in by_series.values()
    ]
    return with_meta(made)


def file_of(made: Dataset) -> bytes:
    encoded = BytesIO()
    made.save_as(encoded, enforce_file_format=True)
    return encoded.getvalue()


class MovedClock:
    """A database whose transactions happen later than now."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ahead = timedelta(0)

    def write(self, work: Callable[[Any], T]) -> T:
        return self.database.write(lambda tx: work(self._moved(tx)))

    def read(self, work: Callable[[Any], T]) -> T:
        return self.database.read(lambda tx: work(self._moved(tx)))

    def _moved(self, tx: Any) -> Any:
        tx._opened.now += self.ahead
        return tx


@dataclass
class House:
    """The hub, the addresses of its doors, and what outside clients do there."""

    hub: Hub
    folder: Path
    url: str
    port: int
    closing: ExitStack
    clock: MovedClock
    received: list[Dataset] = field(default_factory=list)

    def later(self, days: float) -> None:
        """Let time pass."""
        self.clock.ahead += timedelta(days=days)

    def peer(self, name: str, view: str = "regular", port: int = 104, **more: Any) -> None:
        """Configure a DICOM peer on this machine that may do what a modality may."""
        options = PeerOptions(view=view, **more)
        made = Peer(name, PeerKind.DICOM, "127.0.0.1", port, name, roles=("modality",), options=options)
        self.hub.put_peer(OPERATOR, made)

    def send(self, *made: Dataset, title: str = "CT1") -> list[tuple[int, str]]:
        """C-STORE by pynetdicom; return status and Error Comment of each."""
        with self.associated(title, *{str(one.SOPClassUID) for one in made}) as association:
            answers = [association.send_c_store(one) for one in made]
        return [(answer.Status, answer.get("ErrorComment", "")) for answer in answers]

    def associated(self, title: str, *classes: str, roles: tuple[str, ...] = ()) -> Any:
        entity = AE(title)
        for one in classes:
            entity.add_requested_context(one, ExplicitVRLittleEndian)
        for one in roles:
            entity.add_requested_context(one, ExplicitVRLittleEndian)
        got: list[Dataset] = []

        def on_store(event: Any) -> int:
            got.append(event.dataset)
            return 0

        association = entity.associate(
            "127.0.0.1", self.port, ext_neg=[build_role(one, scp_role=True) for one in roles],
            evt_handlers=[(evt.EVT_C_STORE, on_store)],
        )  # fmt: skip
        assert association.is_established
        association.got = got

        class Closing:
            def __enter__(self) -> Any:
                return association

            def __exit__(self, *_: object) -> None:
                association.release()

        return Closing()

    def found(self, level: str, title: str = "CT1", **keys: Any) -> list[Dataset]:
        """C-FIND by pynetdicom in the study root; without keys below the one study."""
        asked = item(QueryRetrieveLevel=level, **({"StudyInstanceUID": STUDY} | keys))
        with self.associated(title, FIND) as association:
            answers = list(association.send_c_find(asked, FIND))
        assert answers[-1][0].Status == 0
        return [identifier for status, identifier in answers if identifier is not None and status.Status != 0]

    def got(self, title: str = "CT1", study: str = STUDY) -> set[str]:
        """C-GET a study by pynetdicom; return the SOP Instance UIDs that came."""
        asked = item(QueryRetrieveLevel="STUDY", StudyInstanceUID=study)
        with self.associated(title, GET, roles=(CT, KOS)) as association:
            list(association.send_c_get(asked, GET))
            return {str(one.SOPInstanceUID) for one in association.got}

    def moved(self, destination: str, title: str = "CT1", study: str = STUDY) -> Any:
        """C-MOVE a study by pynetdicom; return the final response with its identifier."""
        asked = item(QueryRetrieveLevel="STUDY", StudyInstanceUID=study)
        with self.associated(title, MOVE) as association:
            return list(association.send_c_move(asked, destination, MOVE))[-1]

    def token(self, *scopes: str) -> dict[str, str]:
        secret = self.hub.create_token(OPERATOR, "t", scopes, None)
        return {"Authorization": f"Bearer {secret}"}

    def web(self, *scopes: str) -> DICOMwebClient:
        """Return an outside DICOMweb client with a token of these scopes."""
        headers = self.token(*(scopes or ("archive.*",)))
        session = self.closing.enter_context(requests.Session())
        session.headers.update(headers)
        return DICOMwebClient(f"{self.url}/dicom-web", session=session, permissive_uid=True)

    def http(self, *scopes: str) -> httpx.Client:
        """Return a plain client with a token of these scopes."""
        client = httpx.Client(base_url=self.url, headers=self.token(*scopes), timeout=30, trust_env=False)
        return self.closing.enter_context(client)

    def audited(self, action: str) -> list[str]:
        """Return the entities of the trail with an action, newest first."""
        return [entry.entity for entry in self.hub.audit(OPERATOR, 1000) if entry.action == action]

    def blobs(self) -> list[Path]:
        objects = self.folder / "objects"
        return [path for path in objects.rglob("*") if path.is_file() and "spool" not in path.parts]


def new_house(database: Database, folder: Path, stack: ExitStack, served: Callable[..., str]) -> House:
    clock = MovedClock(database)
    objects = objects_from_url(folder / "objects", folder / "spool")
    hub = Hub(
        clock,
        objects,
        PlainPasswords(),
        lambda *_: {},
        read_note=rejection_note,
        read_header=stored_header,
        resolve=Hosts(),
    )
    doors = [*dicomweb_doors(hub), fhir_door(hub, UTC), api_door(hub)]
    house = House(hub, folder, served(http_app(hub, doors)), _dimse(hub, stack), stack, clock)
    house.peer("CT1")
    return house


def _dimse(hub: Hub, stack: ExitStack) -> int:
    server = DimseServer(
        hub,
        ae_title="HILUM",
        any_called_ae_title=True,
        open_destination=lambda peer, title, number: DimseCourier(peer, "HILUM", (title, number)),
        maximum_associations=64,
        most_answers=1000,
        longest_instance=1 << 30,
        limits=Limits(),
        timers=Timers(artim=1, acse=20, idle=20),
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=50)
    stop = threading.Event()
    thread = threading.Thread(target=server.serve, args=(listener, stop))
    thread.start()
    stack.callback(listener.close)
    stack.callback(thread.join)
    stack.callback(stop.set)
    port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def house(database: Database, tmp_path: Path, served: Callable[..., str]) -> Iterator[House]:
    """One record behind all doors, on SQLite and on PostgreSQL."""
    with ExitStack() as stack:
        yield new_house(database, tmp_path, stack, served)


@pytest.fixture
def destination(house: House) -> Iterator[str]:
    """The AE title of a pynetdicom C-STORE SCP; what comes is in `house.received`."""
    entity = AE("DEST")
    for one in (CT, KOS):
        entity.add_supported_context(one, ExplicitVRLittleEndian)

    def on_store(event: Any) -> int:
        house.received.append(event.dataset)
        return 0

    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store)])
    house.peer("DEST", port=server.server_address[1])
    yield "DEST"
    server.shutdown()
