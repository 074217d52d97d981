"""Hostile and broken input to a running server: it gets a clear answer, costs little, and the others go on."""

import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from hospital import ehr as messages
from hospital import modality
from hospital.ehr import END, START, Person, Sender
from hospital.everybody import Hospital
from hospital.modality import Study
from hospital.server import Server
from pydicom import dcmread
from pydicom.uid import CTImageStorage
from pynetdicom import AE

pytestmark = pytest.mark.needs("dcmtk")

MEGABYTES = 1 << 20
THREE_GIGABYTES = 3 << 30
MOST_GROWTH = 64 * MEGABYTES

_ADT = b"ADT^A04^ADT_A01"
_HEADER = b"MSH|^~\\&|RIS|STMARY|HILUM|RAD|20261124100000||ADT^A04^ADT_A01|BAD1|P|2.5.1"
_PID = b"PID|1||77^^^STMARY^MR||Bad^Boy||19700131|M"


@pytest.fixture
def record_url() -> str:
    """The embedded database: what a parser says does not depend on where the record is kept."""
    return ""


@contextmanager
def others_go_on(hospital: Hospital) -> Iterator[None]:
    """An EHR and a CT were there before, work during it, and work after it, each on the connection it had."""
    entity = AE(modality.CT_AE_TITLE)
    entity.add_requested_context(CTImageStorage)
    association = entity.associate("127.0.0.1", hospital.server.dicom, ae_title="HILUM")
    study = Study("GOOD", "Good^Girl", "", "", modality.new_uid())
    images = modality.make_series(hospital.folder / "good", study, 40)
    over = threading.Event()
    answers: list[object] = []

    def store() -> None:
        for image in images:
            answers.append(association.send_c_store(dcmread(image)).Status)
            if over.wait(0.05):
                return

    def tell() -> None:
        with Sender(hospital.server.hl7) as sender:
            for number in range(40):
                answer = sender.send(messages.registration(Person(f"GOOD{number}")))
                answers.append(str(answer.segment("MSA")[1]))
                if over.wait(0.05):
                    return

    threads = [threading.Thread(target=store), threading.Thread(target=tell)]
    for thread in threads:
        thread.start()
    roles = {name: process.pid for name, process in hospital.server.roles().items()}
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
    association.release()
    assert set(answers) == {0x0000, "AA"}
    assert {name: process.pid for name, process in hospital.server.roles().items()} == roles, "no role died"
    assert hospital.server.is_ready()


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (_PID, "AE"),
        (_HEADER.replace(b"|", b"A") + b"\r" + _PID, "AE"),
        (_HEADER + b"||||||KLINGON\r" + _PID, "AE"),
        (_HEADER + b"||||||8859/1\r" + _PID.replace(b"77", b""), "AE"),
        (_HEADER.replace(_ADT, b"XYZ^Z99") + b"\r" + _PID, "AR"),
        (b"\x00\xff" * 5000, "AE"),
    ],
    ids=["no-MSH", "wrong-delimiter", "unknown-charset", "no-identifier", "unknown-event", "noise"],
)
def test_a_message_that_is_wrong_is_told_so_and_the_next_on_the_connection_is_taken(
    hospital: Hospital, message: bytes, code: str
) -> None:
    with others_go_on(hospital), Sender(hospital.server.hl7) as sender:
        answer = sender.send(message)
        following = sender.send(messages.registration(Person("NEXT")))

    assert str(answer.segment("MSA")[1]) == code
    assert answer.segments("ERR"), "it says what and where"
    assert str(following.segment("MSA")[1]) == "AA"
    assert hospital.resources("Patient", identifier="77") == []


def test_a_message_that_is_cut_in_its_frame_is_not_applied(hospital: Hospital) -> None:
    whole = START + messages.registration(Person("CUT")) + END

    with others_go_on(hospital):
        for length in (1, 40, len(whole) - 2, len(whole) - 3):
            with socket.create_connection(("127.0.0.1", hospital.server.hl7), timeout=20) as connection:
                connection.sendall(whole[:length])

    assert hospital.resources("Patient", identifier="CUT") == []


def test_a_block_without_end_costs_no_more_than_the_longest_block(hospital: Hospital) -> None:
    before = _resident(hospital.server, "hl7")

    with (
        others_go_on(hospital),
        socket.create_connection(("127.0.0.1", hospital.server.hl7), timeout=20) as connection,
    ):
        connection.sendall(START)
        answered = _flood(connection, b"A" * MEGABYTES, 64)

    assert answered is not None, "the connection ends, with or without a word"
    assert _resident(hospital.server, "hl7") - before < MOST_GROWTH


def _flood(connection: socket.socket, chunk: bytes, most: int) -> bytes | None:
    """Send until the peer has enough; what it said last, None when it takes everything."""
    try:
        for _ in range(most):
            connection.sendall(chunk)
    except OSError:
        return b""
    connection.settimeout(10)
    try:
        return connection.recv(65536)
    except TimeoutError:
        return None
    except OSError:
        return b""


def _pdu(kind: int, length: int) -> bytes:
    return struct.pack(">BBI", kind, 0, length)


@pytest.mark.parametrize(
    "said",
    [
        _pdu(1, THREE_GIGABYTES) + bytes(4096),
        _pdu(4, THREE_GIGABYTES) + bytes(4096),
        _pdu(0xFF, 10) + bytes(10),
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        bytes(10_000),
    ],
    ids=["3-GB-request", "3-GB-data", "unknown-PDU", "HTTP", "TLS", "zeroes"],
)
def test_a_connection_that_speaks_no_dicom_is_ended_and_costs_nothing(
    hospital: Hospital, said: bytes
) -> None:
    before = _resident(hospital.server, "dicom")

    with (
        others_go_on(hospital),
        socket.create_connection(("127.0.0.1", hospital.server.dicom), timeout=20) as connection,
    ):
        answered = _flood(connection, said, 1)

    assert answered is not None
    assert answered[:1] in (b"", b"\x07"), "closed or A-ABORT (PS3.8 9.3.8)"
    assert _resident(hospital.server, "dicom") - before < MOST_GROWTH


def test_a_length_of_three_gigabytes_inside_an_association_ends_that_association_only(
    hospital: Hospital,
) -> None:
    before = _resident(hospital.server, "dicom")

    with (
        others_go_on(hospital),
        socket.create_connection(("127.0.0.1", hospital.server.dicom), timeout=20) as connection,
    ):
        connection.sendall(_verification_request())
        accepted = connection.recv(65536)
        answered = _flood(connection, _pdu(4, THREE_GIGABYTES) + bytes(65536), 1)

    assert accepted[:1] == b"\x02"
    assert answered is not None
    assert answered[:1] in (b"", b"\x07")
    assert _resident(hospital.server, "dicom") - before < MOST_GROWTH


def _verification_request() -> bytes:
    """A-ASSOCIATE-RQ for Verification, octet for octet (PS3.8 9.3.2)."""

    def item(kind: int, content: bytes) -> bytes:
        return struct.pack(">BBH", kind, 0, len(content)) + content

    context = b"\x01\x00\x00\x00" + item(0x30, b"1.2.840.10008.1.1") + item(0x40, b"1.2.840.10008.1.2")
    user = item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3")
    items = item(0x10, b"1.2.840.10008.3.1.1.1") + item(0x20, context) + item(0x50, user)
    titles = b"HILUM".ljust(16) + b"CT01".ljust(16)
    body = struct.pack(">HH", 1, 0) + titles + bytes(32) + items
    return _pdu(1, len(body)) + body


def test_a_hundred_silent_connections_keep_nobody_out(hospital: Hospital) -> None:
    doors = (hospital.server.dicom, hospital.server.http)
    silent = [socket.create_connection(("127.0.0.1", port), timeout=20) for port in doors for _ in range(100)]

    with others_go_on(hospital):
        echoed = subprocess.run(
            ["echoscu", "-aec", "HILUM", "127.0.0.1", str(hospital.server.dicom)], check=False, timeout=60
        )

    for connection in silent:
        connection.close()
    assert echoed.returncode == 0


@pytest.mark.parametrize("uid", ["../../../../etc/passwd", "1.2." + "3" * 300, "..", "1.2/3.4"])
@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_an_instance_with_a_uid_that_is_none_is_refused_by_stow_and_leaves_nothing(
    server: Server, tmp_path: Path, keyword: str, uid: str
) -> None:
    study = Study("P1", "Doe^Anna", "", "", modality.new_uid())
    (file,) = modality.make_series(tmp_path / "ct", study, 1)
    original = str(dcmread(file)[keyword].value)
    padded = uid.ljust(len(original), "\0") if len(uid) <= len(original) else uid
    content = _with_value(file.read_bytes(), original, padded)

    answer = _stow(server, content)

    assert answer.status_code in (400, 409), answer.text
    totals = server.ask(lambda hub, caller: hub.totals(caller))
    assert (totals["instances"], totals["conflicts"]) == (0, 0)
    assert list(server.folder.rglob("passwd")) == []


def _with_value(part10: bytes, old: str, new: str) -> bytes:
    """Write another UID over one, in the file meta information and the data set, with the right lengths."""
    element = old.encode() + b"\0" * (len(old) % 2)
    other = new.encode() + b"\0" * (len(new) % 2)
    before = struct.pack("<2sH", b"UI", len(element)) + element
    return part10.replace(before, struct.pack("<2sH", b"UI", len(other)) + other)


def _stow(server: Server, content: bytes) -> httpx.Response:
    part = b"--frontier\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--frontier--\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary=frontier'
    headers = {"Content-Type": kind, "Accept": "application/dicom+json"}
    return httpx.post(f"{server.url}/dicom-web/studies", content=part, headers=headers, timeout=60)


def _resident(server: Server, role: str) -> int:
    return int(server.roles()[role].memory_info().rss)
