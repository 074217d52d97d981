"""No room on the disk, no database: every door says "busy" in its own words, and service returns by itself."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import psycopg
import pytest
from hospital import ehr as messages
from hospital import modality
from hospital.ehr import Person, Sender
from hospital.modality import Study
from hospital.scarcity import SmallDisk, Wire, can_mount, small_disk
from hospital.server import Server, eventually, free_ports
from pydicom import Dataset, dcmread
from pydicom.uid import CTImageStorage
from pynetdicom import AE
from pynetdicom.association import Association

from hilum.core.access.model import Peer, PeerKind, User
from hilum.core.exchange.ports import ExchangeTransaction
from hilum.core.kernel.errors import Busy
from hilum.core.patients.model import PatientQuery
from hilum.stores.sql import Database, migrate

pytestmark = pytest.mark.needs("dcmtk")

OUT_OF_RESOURCES = 0xA700
MOST_MESSAGES = 3000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of 32 MB for the data folder."""
    with tempfile.TemporaryDirectory() as probe:
        if not can_mount(Path(probe)):
            pytest.skip("this account may not mount a file system")
    with small_disk(tmp_path / "small", 32) as mounted:
        yield mounted


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A way to the database that can be cut."""
    way = Wire(*free_ports(1)).connect()
    yield way
    way.cut()


def _associate(server: Server) -> Association:
    entity = AE(modality.CT_AE_TITLE)
    entity.add_requested_context(CTImageStorage)
    return entity.associate("127.0.0.1", server.dicom, ae_title="HILUM")


def _images(folder: Path, count: int) -> list[Dataset]:
    study = Study("P1", "Doe^Anna", "", "", modality.new_uid())
    return [dcmread(file) for file in modality.make_series(folder, study, count)]


def _stow(server: Server, image: Dataset) -> httpx.Response:
    with tempfile.TemporaryFile() as file:
        image.save_as(file, enforce_file_format=True)
        file.seek(0)
        part = (
            b"--frontier\r\nContent-Type: application/dicom\r\n\r\n" + file.read() + b"\r\n--frontier--\r\n"
        )
    kind = 'multipart/related; type="application/dicom"; boundary=frontier'
    headers = {"Content-Type": kind, "Accept": "application/dicom+json"}
    return httpx.post(f"{server.url}/dicom-web/studies", content=part, headers=headers, timeout=60)


def _make_known(server: Server) -> None:
    server.add_peers(
        Peer("ct", PeerKind.DICOM, "127.0.0.1", 11113, modality.CT_AE_TITLE, roles=("modality",)),
        Peer("ehr", PeerKind.MLLP, "127.0.0.1", 2576, roles=("information-system",)),
    )


def _all_is_well(server: Server, association: Association, images: list[Dataset], number: str) -> None:
    """Every door takes something."""
    first, second = images
    eventually(server.is_ready, "not ready again", tell=server.last_words)
    assert association.send_c_store(first).Status == 0
    assert _stow(server, second).status_code == 200
    assert messages.send(server.hl7, messages.registration(Person(number))) == ["AA"]


@pytest.mark.parametrize("known", [False, True], ids=["strangers", "peers"])
def test_a_full_disk_is_told_at_every_door_and_service_returns_with_room(
    servers: Callable[..., Server], disk: SmallDisk, tmp_path: Path, known: bool
) -> None:
    server = servers(folder=disk.folder).start()
    if known:
        _make_known(server)
    association = _associate(server)
    images = _images(tmp_path / "ct", 7)
    _all_is_well(server, association, images[:2], "before")

    disk.fill()
    stored = association.send_c_store(images[2]).Status
    stowed = _stow(server, images[3])
    stored_by_dcmtk = set(modality.storescu(server.dicom, sorted((tmp_path / "ct").iterdir())[:1]).values())
    taken, refusal = _tell_until_refused(server)
    eventually(lambda: server.health() == 503, "it says that it is ready")
    disk.make_room()

    assert stored == OUT_OF_RESOURCES
    assert (stowed.status_code, int(stowed.headers["Retry-After"]) > 0) == (503, True)
    assert stored_by_dcmtk == {"Refused: OutOfResources"}
    assert refusal == "AR"
    _all_is_well(server, association, images[4:6], "after")
    association.release()
    _every_patient_is_kept(server, ["before", *taken, "after"])


def _tell_until_refused(server: Server) -> tuple[list[str], str]:
    """Messages fit into what the database has on disk already, up to a point."""
    taken: list[str] = []
    with Sender(server.hl7) as sender:
        for number in range(MOST_MESSAGES):
            answer = str(sender.send(messages.registration(Person(f"full{number}"))).segment("MSA")[1])
            if answer != "AA":
                return taken, answer
            taken.append(f"full{number}")
    return taken, "AA"


def _every_patient_is_kept(server: Server, numbers: list[str]) -> None:
    query = PatientQuery(limit=2 * MOST_MESSAGES)
    found = server.ask(lambda hub, caller: hub.find_patients(caller, query))[0]
    assert {one.identifier.value for one in found} == {"P1", *numbers}


@pytest.mark.needs("postgresql")
@pytest.mark.parametrize("known", [False, True], ids=["strangers", "peers"])
def test_a_database_that_goes_away_is_told_at_every_door_and_service_returns_with_it(
    servers: Callable[..., Server], empty_postgresql_url: str, wire: Wire, tmp_path: Path, known: bool
) -> None:
    server = servers(empty_postgresql_url.replace(":5432", f":{wire.port}")).start()
    if known:
        _make_known(server)
    association, connection = _associate(server), Sender(server.hl7)
    images = _images(tmp_path / "ct", 6)
    _all_is_well(server, association, images[:2], "before")

    wire.cut()
    eventually(lambda: server.health() == 503, "it says that it is ready")
    stored = association.send_c_store(images[2]).Status
    stowed = _stow(server, images[3])
    told = str(connection.send(messages.registration(Person("away"))).segment("MSA")[1])
    stranger = _associate(server)
    wire.connect()

    assert stored == OUT_OF_RESOURCES
    assert (stowed.status_code, int(stowed.headers["Retry-After"]) > 0) == (503, True)
    assert told == "AR"
    assert stranger.is_rejected
    assert stranger.acceptor.primitive.result == 0x02, "for now, not for good"
    assert httpx.get(f"{server.url}/health/live").status_code == 200
    _all_is_well(server, association, images[4:6], "after")
    assert str(connection.send(messages.registration(Person("away"))).segment("MSA")[1]) == "AA"
    connection.socket.close()
    association.release()


@pytest.mark.needs("postgresql")
def test_a_database_that_falls_silent_is_told_at_every_door_and_service_returns_with_its_voice(
    servers: Callable[..., Server],
    empty_postgresql_url: str,
    wire: Wire,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HILUM_DATABASE_PATIENCE", "2")
    server = servers(empty_postgresql_url.replace(":5432", f":{wire.port}")).start()
    association, connection = _associate(server), Sender(server.hl7)
    images = _images(tmp_path / "ct", 6)
    _all_is_well(server, association, images[:2], "before")

    wire.freeze()
    stored = association.send_c_store(images[2]).Status
    stowed = _stow(server, images[3])
    told = str(connection.send(messages.registration(Person("silent"))).segment("MSA")[1])
    wire.thaw()

    assert stored == OUT_OF_RESOURCES
    assert (stowed.status_code, int(stowed.headers["Retry-After"]) > 0) == (503, True)
    assert told == "AR"
    _all_is_well(server, association, images[4:6], "after")
    connection.socket.close()
    association.release()


@pytest.mark.needs("postgresql")
def test_a_transaction_in_which_the_database_falls_silent_ends_and_the_next_one_works(
    empty_postgresql_url: str, wire: Wire
) -> None:
    migrate(empty_postgresql_url)
    database = Database(empty_postgresql_url.replace(":5432", f":{wire.port}"), patience=1.0)

    def fall_silent(tx: ExchangeTransaction) -> None:
        tx.access.put_user(User("ada", "", (), tx.now))
        wire.freeze()
        tx.access.put_user(User("bob", "", (), tx.now))

    def look_in_silence(tx: ExchangeTransaction) -> None:
        tx.access.users()
        wire.freeze()

    for act, work in ((database.write, fall_silent), (database.read, look_in_silence)):
        began = time.monotonic()
        with pytest.raises(Busy) as refusal:
            act(work)
        assert time.monotonic() - began < 30
        assert "did not answer" in refusal.value.what
        wire.thaw()
        assert database.read(lambda tx: tx.access.users()) == []
    database.close()


@pytest.mark.needs("postgresql")
def test_sessions_that_the_database_ends_cost_no_answer(
    servers: Callable[..., Server], empty_postgresql_url: str, tmp_path: Path
) -> None:
    server = servers(empty_postgresql_url).start()
    association = _associate(server)
    images = _images(tmp_path / "ct", 4)
    _all_is_well(server, association, images[:2], "before")

    with closing(psycopg.connect(empty_postgresql_url, autocommit=True)) as administrator:
        administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    _all_is_well(server, association, images[2:], "after")
    association.release()
