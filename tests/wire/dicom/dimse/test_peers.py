"""The upper layer and DIMSE against DCMTK and pynetdicom on a loopback socket, in both roles."""

import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pynetdicom import AE, evt

from hilum.wire.dicom.dimse.assembler import CommandReceived, MessageAssembler
from hilum.wire.dicom.dimse.codec import encode_command
from hilum.wire.dicom.dimse.messages import CEchoRequest, Command, CStoreRequest
from hilum.wire.dicom.dimse.respond import respond
from hilum.wire.dicom.upper_layer.connection import Connection
from hilum.wire.dicom.upper_layer.events import (
    AssociateAccepted,
    AssociateRequested,
    DataFragment,
    Event,
    Released,
    ReleaseRequested,
    TransportClosed,
)
from hilum.wire.dicom.upper_layer.limits import Limits
from hilum.wire.dicom.upper_layer.negotiation import Supported, find_context, negotiate, propose
from hilum.wire.dicom.upper_layer.pdus import AssociateRequest
from hilum.wire.dicom.upper_layer.states import Role
from hilum.wire.dicom.upper_layer.user_information import UserIdentity, UserIdentityResponse

CT, VERIFICATION = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.1"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
SUPPORTED = {CT: Supported((EXPLICIT,)), VERIFICATION: Supported((IMPLICIT,))}
CT_FILE = Path(get_testdata_file("CT_small.dcm"))


class Peer:
    """The smallest blocking transport: what a door or courier does with timers and TLS."""

    def __init__(self, connected: socket.socket, connection: Connection) -> None:
        self.socket, self.connection = connected, connection
        self.assembler = MessageAssembler()

    def next_event(self) -> Event:
        while (event := self.connection.next_event()) is None:
            octets = (
                self.socket.recv(self.connection.needed, socket.MSG_WAITALL)
                if self.connection.needed
                else b""
            )
            self.connection.receive(octets) if octets else self.connection.receive_closed()
        return event

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def send_message(self, context_id: int, command: Any, data_set: Any = None) -> None:
        for buffers in self.connection.send_message(context_id, encode_command(command), data_set):
            self.send(b"".join(buffers))


def accept_one(listener: socket.socket, limits: Limits) -> tuple[AssociateRequest | None, list[Any]]:
    """Serve one association; return its request and its messages."""
    connected, _ = listener.accept()
    peer, request, messages = Peer(connected, Connection(Role.ACCEPTOR, limits)), None, []
    with connected:
        while not isinstance(event := peer.next_event(), TransportClosed):
            match event:
                case AssociateRequested(request):
                    identity = UserIdentityResponse() if request.user_information.user_identity else None
                    accept = negotiate(request, SUPPORTED, limits=limits, user_identity_response=identity)
                    peer.send(peer.connection.send_associate_accept(accept))
                case DataFragment():
                    take(peer, event, messages)
                case ReleaseRequested():
                    peer.send(peer.connection.send_release_response())
    return request, messages


def take(peer: Peer, fragment: DataFragment, messages: list[Any]) -> None:
    """Collect a message and answer it once it is whole."""
    received = peer.assembler.put(fragment)
    if isinstance(received, CommandReceived):
        messages.append((received.command, bytearray()))
    elif received is not None:
        messages[-1][1].extend(received.payload)
    if peer.assembler.is_between_messages:
        peer.send_message(fragment.context_id, respond(messages[-1][0], 0))


@contextmanager
def acceptor(limits: Limits = None) -> Iterator[tuple[int, Future[Any]]]:
    """Our acceptor for one association: (port, future of what it heard)."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        yield listener.getsockname()[1], pool.submit(accept_one, listener, limits or Limits())


@contextmanager
def requestor(port: int, contexts: list[tuple[str, list[str]]], **said: Any) -> Iterator[Peer]:
    """Our requestor on one association that the peer accepts."""
    with socket.create_connection(("127.0.0.1", port)) as connected:
        peer = Peer(connected, Connection(Role.REQUESTOR))
        peer.send(peer.connection.send_associate_request(propose("PEER", "HILUM", contexts, **said)))
        assert isinstance(peer.next_event(), AssociateAccepted)
        yield peer
        peer.send(peer.connection.send_release_request())
        assert peer.next_event() == Released()


def answer(peer: Peer) -> Command:
    """The command that answers ours."""
    while not isinstance(received := peer.assembler.put(peer.next_event()), CommandReceived):
        pass
    return received.command


def encoded_data_set(path: Path) -> bytes:
    """The octets of a file behind its meta information."""
    octets = path.read_bytes()
    return octets[144 + dcmread(path).file_meta.FileMetaInformationGroupLength :]


@pytest.mark.needs("dcmtk")
@pytest.mark.parametrize("maximum_length", [4096, 131_072])
def test_storescu_stores_an_image_octet_by_octet(maximum_length: int) -> None:
    with acceptor(Limits(maximum_length_received=maximum_length)) as (port, heard):
        subprocess.run(["storescu", "127.0.0.1", str(port), str(CT_FILE)], check=True, timeout=30)

        _, [(command, octets)] = heard.result(timeout=30)

    assert command.AffectedSOPInstanceUID == dcmread(CT_FILE).SOPInstanceUID
    assert bytes(octets) == without_padding_element(CT_FILE)


def without_padding_element(path: Path) -> bytes:
    """DCMTK drops trailing padding (FFFC,FFFC) when it sends."""
    octets = encoded_data_set(path)
    position = octets.rfind(b"\xfc\xff\xfc\xff")
    return octets if position < 0 else octets[:position]


@pytest.mark.needs("dcmtk")
def test_echoscu_is_answered() -> None:
    with acceptor() as (port, heard):
        subprocess.run(["echoscu", "-aec", "HILUM", "127.0.0.1", str(port)], check=True, timeout=30)

        request, [(command, _)] = heard.result(timeout=30)

    assert request.called_ae_title == "HILUM"
    assert command.AffectedSOPClassUID == VERIFICATION


@pytest.mark.needs("dcmtk")
@pytest.mark.parametrize("as_stream", [False, True])
def test_storescp_keeps_what_we_send(tmp_path: Path, as_stream: bool) -> None:
    port = free_port()
    server = subprocess.Popen(["storescp", "-od", str(tmp_path), "+B", "-pdu", "4096", str(port)])
    try:
        wait_for(port)
        octets = encoded_data_set(CT_FILE)
        source = tmp_path.parent / "source"
        source.write_bytes(octets)
        with requestor(port, [(CT, [EXPLICIT])]) as peer, source.open("rb") as stream:
            context = find_context(peer.connection.contexts, CT)
            uid = str(dcmread(CT_FILE).SOPInstanceUID)
            command = CStoreRequest(AffectedSOPClassUID=CT, MessageID=1, AffectedSOPInstanceUID=uid)
            peer.send_message(context.context_id, command, stream if as_stream else octets)
            response = answer(peer)
    finally:
        server.terminate()
        server.wait(10)

    [stored] = tmp_path.glob("*")
    assert (response.Status, response.AffectedSOPInstanceUID) == (0, uid)
    assert encoded_data_set(stored) == octets


def test_pynetdicom_verifies_our_identity_and_answers_an_echo() -> None:
    heard = []

    def on_identity(event: evt.Event) -> tuple[bool, bytes]:
        heard.append((event.user_id_type, event.primary_field, event.secondary_field))
        return True, b""

    entity = AE("PEER")
    entity.add_supported_context(VERIFICATION)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_USER_ID, on_identity)])
    port = server.server_address[1]
    identity = UserIdentity(2, b"alice", b"secret", positive_response_requested=True)

    with requestor(port, [(VERIFICATION, [IMPLICIT])], user_identity=identity) as peer:
        peer.send_message(1, CEchoRequest(AffectedSOPClassUID=VERIFICATION, MessageID=5))
        response = answer(peer)
    server.shutdown()

    assert (response.Status, response.MessageIDBeingRespondedTo) == (0, 5)
    assert heard == [(2, b"alice", b"secret")]


def test_pynetdicom_stores_on_our_acceptor() -> None:
    entity = AE("CT1")
    entity.add_requested_context(CT, [EXPLICIT])
    with acceptor() as (port, heard):
        association = entity.associate("127.0.0.1", port)
        status = association.send_c_store(dcmread(CT_FILE))
        association.release()

        request, [(command, octets)] = heard.result(timeout=30)

    assert status.Status == 0
    assert request.calling_ae_title == "CT1"
    assert command.AffectedSOPClassUID == CT
    assert len(octets) > 30_000


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(port: int) -> None:
    """Until a server that was just started listens."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            sleep(0.05)
        else:
            return
    pytest.fail("the server did not start")
