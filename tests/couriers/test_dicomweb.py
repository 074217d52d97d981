"""The DICOMweb courier against peers that answer well, badly or not at all."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any, cast

import pytest

from hilum.core.access.model import Peer, PeerKind
from hilum.core.archive.model import Blob, Instance, Retrieved
from hilum.core.routing.model import CommitmentParcel, InstanceParcel, Parcel, Verdict
from hilum.couriers.dicomweb import DicomWebCourier, echo

FILE = bytes(128) + b"DICM" + b"what was stored" * 100_000
UID = "1.2.3.4"


def _parcel() -> InstanceParcel:
    instance = Instance(
        key=1,
        sop_instance_uid=UID,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.7",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        instance_number="1",
        rows=0,
        columns=0,
        bits_allocated=0,
        number_of_frames=0,
        image_type="",
        content_date="",
        content_time="",
        specific_character_set="",
        blob=Blob("0" * 64, len(FILE)),
        source="CT1",
        stored=datetime(2026, 11, 24, tzinfo=UTC),
    )
    return InstanceParcel(Retrieved(instance, "1.2.3.1", "1.2.3", None), lambda _: BytesIO(FILE))


def _answer(sequence: str, **reason: Any) -> bytes:
    item = {"00081155": {"vr": "UI", "Value": [UID]}}
    item |= {tag: {"vr": "US", "Value": [value]} for tag, value in reason.items()}
    return json.dumps({sequence: {"vr": "SQ", "Value": [item]}}).encode()


STORED = _answer("00081199")


class Other(ThreadingHTTPServer):
    """A peer that answers everything alike, and keeps what it was sent."""

    status = 200
    body = STORED

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[str, str, bytes]] = []

    @property
    def peer(self) -> Peer:
        return Peer("CLOUD", PeerKind.DICOMWEB, url=f"http://127.0.0.1:{self.server_port}/dicom-web/")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        other = cast("Other", self.server)
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        other.received.append((self.path, self.headers.get("Content-Type", ""), body))
        if not other.status:
            self.close_connection = True
            return
        self.send_response(other.status)
        self.send_header("Content-Length", str(len(other.body)))
        self.end_headers()
        self.wfile.write(other.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def other() -> Iterator[Other]:
    with ExitStack() as stack:
        server = stack.enter_context(Other())
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        yield server


def test_an_instance_is_sent_as_one_part_byte_for_byte(other: Other) -> None:
    courier = DicomWebCourier(other.peer)

    receipt = courier.send(_parcel())
    courier.close()

    assert receipt.verdict is Verdict.ACCEPTED
    ((path, content_type, body),) = other.received
    assert path == "/dicom-web/studies"
    boundary = content_type.partition("boundary=")[2].encode()
    head, _, rest = body.partition(b"\r\n\r\n")
    assert head.startswith(b"--" + boundary)
    assert rest == FILE + b"\r\n--" + boundary + b"--\r\n"


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, b"", Verdict.ACCEPTED),
        (202, STORED, Verdict.ACCEPTED),
        (202, b"no json", Verdict.UNCERTAIN),
        (202, _answer("00081198", **{"00081197": 0xC000}), Verdict.REJECTED),
        (409, _answer("00081198", **{"00081197": 0x0122}), Verdict.REJECTED),
        (409, _answer("00081198", **{"00081197": 0xA700}), Verdict.RETRY),
        (409, b"[" * 100_000, Verdict.REJECTED),
        (400, b"", Verdict.REJECTED),
        (401, b"", Verdict.REJECTED),
        (301, b"", Verdict.REJECTED),
        (429, b"", Verdict.RETRY),
        (503, b"", Verdict.RETRY),
        (0, b"", Verdict.UNCERTAIN),
    ],
)
def test_the_answer_of_the_peer_is_judged(status: int, body: bytes, verdict: Verdict, other: Other) -> None:
    other.status, other.body = status, body
    courier = DicomWebCourier(other.peer)

    receipt = courier.send(_parcel())
    courier.close()

    assert receipt.verdict is verdict, receipt


def test_a_peer_that_is_not_there_is_tried_again(free_port: int) -> None:
    peer = Peer("CLOUD", PeerKind.DICOMWEB, url=f"http://127.0.0.1:{free_port}")

    receipts = [DicomWebCourier(peer).send(_parcel()), echo(peer)]

    assert [receipt.verdict for receipt in receipts] == [Verdict.RETRY, Verdict.RETRY]


def test_silence_after_the_last_octet_is_uncertain() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = Peer("CLOUD", PeerKind.DICOMWEB, url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        small = InstanceParcel(_parcel().retrieved, lambda _: BytesIO(FILE))
        taker = threading.Thread(target=_take_all, args=(listener,))
        taker.start()

        receipt = DicomWebCourier(peer, answer_seconds=0.5).send(small)
        taker.join()

    assert receipt.verdict is Verdict.UNCERTAIN


def _take_all(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        while connection.recv(1 << 16):
            pass


def test_other_parcels_and_other_addresses_are_rejected() -> None:
    good = Peer("CLOUD", PeerKind.DICOMWEB, url="http://127.0.0.1")
    bad = Peer("CLOUD", PeerKind.DICOMWEB, url="file:///etc/passwd")

    commitment = DicomWebCourier(good).send(cast("Parcel", CommitmentParcel.__new__(CommitmentParcel)))
    elsewhere = DicomWebCourier(bad).send(_parcel())

    assert commitment.verdict is elsewhere.verdict is echo(bad).verdict is Verdict.REJECTED
    assert "only instances" in commitment.text


def test_echo_asks_for_one_study(other: Other) -> None:
    receipt = echo(other.peer)

    assert receipt.verdict is Verdict.ACCEPTED
    assert other.received[0][0] == "/dicom-web/studies?limit=1"
