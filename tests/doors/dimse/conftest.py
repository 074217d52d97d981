"""A DIMSE server on a loopback socket over a real hub, and the peers that speak to it."""

import io
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from hilum.core.access import policy
from hilum.core.access.model import Peer, PeerKind
from hilum.core.archive.model import Exact, Level, Query
from hilum.core.hub import Hub
from hilum.couriers.dimse import DimseCourier
from hilum.doors.dimse.server import DimseServer
from hilum.stores.objects import objects_from_url
from hilum.stores.passwords import Argon2Passwords
from hilum.stores.sql import Database
from hilum.transport.dicom import Association, AssociationEnded, Timers
from hilum.transport.hosts import Hosts
from hilum.transport.tls import Entrance
from hilum.wire.dicom.data_sets import encoded
from hilum.wire.dicom.dimse.messages import Command, CStoreRequest
from hilum.wire.dicom.frame_work import work_on
from hilum.wire.dicom.part10 import read_file_meta
from hilum.wire.dicom.upper_layer.errors import StateError
from hilum.wire.dicom.upper_layer.events import AssociateAccepted
from hilum.wire.dicom.upper_layer.limits import DEFAULT_LIMITS, Limits
from hilum.wire.dicom.upper_layer.negotiation import find_context, propose
from hilum.wire.dicom.upper_layer.pdus import AssociateAccept
from hilum.wire.dicom.upper_layer.states import Role

OPERATOR = policy.local_operator("test")
EXPLICIT = "1.2.840.10008.1.2.1"
QUICK = Timers(artim=0.5, acse=5, idle=5)


@dataclass(slots=True)
class Record:
    """What was kept, as the doors' users see it."""

    hub: Hub
    objects: Path
    database_url: str

    def counts(self) -> tuple[int, int, int]:
        """Return how many studies, series and instances there are."""
        totals = self.hub.totals(OPERATOR)
        return totals["studies"], totals["series"], totals["instances"]

    def data_set(self, sop_instance_uid: str) -> bytes:
        """Return the data set of an instance as it is stored."""
        [kept] = self.hub.retrieve(
            OPERATOR, Query(Level.INSTANCE, {"sop_instance_uid": Exact(sop_instance_uid)})
        )
        with self.hub.open_blob(kept.instance.blob.digest) as file:
            octets = file.read()
        return octets[read_file_meta(octets).data_set_offset :]

    def spooled(self) -> list[Path]:
        """Return what was begun and neither kept nor discarded."""
        return list((self.objects / "spool").iterdir())

    def put_peer(self, name: str, port: int, *, ae_title: str = "", **more: Any) -> None:
        """Configure a DICOM peer on this machine."""
        title = ae_title or name
        self.hub.put_peer(
            OPERATOR, Peer(name, PeerKind.DICOM, "127.0.0.1", port, title, roles=("modality",), **more)
        )


@dataclass(slots=True)
class Dialled:
    """A peer of our own on one association, for what no outside client would say."""

    association: Association
    raw: socket.socket
    accept: AssociateAccept
    heard: list[bytes] = field(default_factory=list)

    def say(self, abstract_syntax: str, command: Command, data_set: Dataset | bytes | None = None) -> None:
        """Send a message."""
        context = find_context(self.association.connection.contexts, abstract_syntax)
        assert context is not None, "not accepted"
        octets = encoded(data_set, context.transfer_syntax) if isinstance(data_set, Dataset) else data_set
        self.association.send(context.context_id, command, octets)

    def hear(self) -> Any:
        """Return the next command; its data set is put to `heard`."""
        command = self.association.next_message().command
        if command.has_data_set:
            self.heard.append(b"".join(bytes(part) for part in self.association.fragments()))
        return command

    def ask(self, abstract_syntax: str, command: Command, data_set: Dataset | bytes | None = None) -> Any:
        """Send a message and return the next command."""
        self.say(abstract_syntax, command, data_set)
        return self.hear()

    def release(self) -> None:
        """A-RELEASE, unless the association is over."""
        with suppress(AssociationEnded, StateError):
            self.association.write(self.association.connection.send_release_request())
            self.association.next_message()

    def store(self, data_set: Dataset | bytes, sop_class_uid: str = "", sop_instance_uid: str = "") -> Any:
        """C-STORE, with other UIDs in the command where they are given."""
        command = CStoreRequest(
            AffectedSOPClassUID=sop_class_uid or str(data_set.SOPClassUID),
            MessageID=self.association.next_message_id(),
            AffectedSOPInstanceUID=sop_instance_uid or str(data_set.SOPInstanceUID),
        )
        return self.ask(command.AffectedSOPClassUID, command, data_set)


@contextmanager
def _dialling(
    port: int,
    contexts: list[tuple[str, list[str]]],
    *,
    calling: str = "TESTER",
    called: str = "HILUM",
    limits: Limits = DEFAULT_LIMITS,
    **said: Any,
) -> Iterator[Dialled]:
    raw = socket.create_connection(("127.0.0.1", port), timeout=20)
    association = Association(raw, Role.REQUESTOR, limits, Timers(artim=2, acse=20, idle=20))
    try:
        request = propose(called, calling, contexts, limits=limits, **said)
        association.write(association.connection.send_associate_request(request))
        answer = association.next_event()
        assert isinstance(answer, AssociateAccepted)
        dialled = Dialled(association, raw, answer.accept)
        yield dialled
        dialled.release()
    finally:
        association.close()


Dial = Callable[..., Any]


@pytest.fixture
def dial() -> Dial:
    """Return a context manager: `dial(port, [(abstract syntax, [transfer syntaxes])])` gives a `Dialled`."""
    return _dialling


@pytest.fixture
def hub(sqlite_url: str, tmp_path: Path) -> Iterator[Hub]:
    """A hub on SQLite and local files that admits everybody."""
    database = Database(sqlite_url)
    objects = objects_from_url(tmp_path / "objects", tmp_path / "spool")
    yield Hub(
        database, objects, Argon2Passwords(), lambda _digest, _keywords: {}, open_to_all=True, resolve=Hosts()
    )
    database.close()


@pytest.fixture
def record(hub: Hub, tmp_path: Path, sqlite_url: str) -> Record:
    """What the hub keeps."""
    return Record(hub, tmp_path / "objects", sqlite_url)


def server_on(hub: Hub, **changes: Any) -> DimseServer:
    """Return a server with short timers, for tests that wait for them."""
    settings: dict[str, Any] = {
        "ae_title": "HILUM",
        "any_called_ae_title": True,
        "open_destination": lambda peer, title, number: DimseCourier(
            peer, "HILUM", (title, number), frame_worker=work_on
        ),
        "maximum_associations": 64,
        "most_answers": 1000,
        "longest_instance": 1 << 30,
        "limits": Limits(),
        "timers": QUICK,
        "pending_interval": 0.0,
        "frame_worker": work_on,
    }
    return DimseServer(hub, **settings | changes)


Serve = Callable[..., int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that serves a hub until the test ends: `serve(hub, **settings)` gives the port."""
    with ExitStack() as stack:
        yield lambda hub, entrance=Entrance.PLAIN, **changes: stack.enter_context(
            _serving(server_on(hub, **changes), entrance)
        )


@contextmanager
def _serving(server: DimseServer, entrance: Entrance) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
    stop = threading.Event()
    thread = threading.Thread(target=server.serve, args=(listener, stop, entrance))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        thread.join()
        listener.close()


@pytest.fixture
def port(serve: Serve, hub: Hub) -> int:
    """The port of an open server."""
    return serve(hub)


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs an outside client to its end; its output is text, both streams in one."""
    folder = tmp_path / "run"
    folder.mkdir()

    def running(*words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(word) for word in words], cwd=folder, timeout=90, check=False, encoding="latin-1",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout
        return done

    return running


@pytest.fixture
def ct() -> Dataset:
    """A small CT image."""
    return dcmread(get_testdata_file("CT_small.dcm"))


Numbered = Callable[..., Dataset]


@pytest.fixture
def numbered() -> Numbered:
    """Return a maker of tiny CT instances: `numbered(3)` is always the same one, in series 1 of study 1."""

    def make(number: int, *, series: int = 1, study: int = 1, patient_id: str = "P1", **more: Any) -> Dataset:
        made = Dataset()
        made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        made.SOPInstanceUID = f"1.2.3.{study}.{series}.{number}"
        made.StudyDate, made.StudyTime, made.AccessionNumber = f"2026010{study}", "101500", f"ACC{study}"
        made.Modality, made.StudyDescription = "CT", "Head"
        made.PatientName, made.PatientID, made.PatientBirthDate = "Doe^Jane", patient_id, "19700101"
        made.PatientSex = "F"
        made.StudyInstanceUID, made.SeriesInstanceUID = f"1.2.3.{study}", f"1.2.3.{study}.{series}"
        made.StudyID, made.SeriesNumber, made.InstanceNumber = str(study), str(series), str(number)
        made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
        made.Rows = made.Columns = 8
        made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
        made.PixelData = bytes(range(128))
        for keyword, value in more.items():
            setattr(made, keyword, value)
        return made

    return make


@pytest.fixture
def to_file(tmp_path: Path) -> Callable[[Dataset], Path]:
    """Return a writer of Part 10 files."""
    folder = tmp_path / "files"
    folder.mkdir()

    def write(data_set: Dataset) -> Path:
        from hilum.wire.dicom.part10 import file_meta_bytes

        path = folder / f"{data_set.SOPInstanceUID}.dcm"
        meta = file_meta_bytes(str(data_set.SOPClassUID), str(data_set.SOPInstanceUID), EXPLICIT)
        path.write_bytes(meta + encoded(data_set, EXPLICIT))
        return path

    return write


@pytest.fixture
def parsed() -> Callable[[bytes], Dataset]:
    """Return a reader of a data set without file meta, in Explicit VR Little Endian."""
    return lambda octets: dcmread(io.BytesIO(octets), force=True)
