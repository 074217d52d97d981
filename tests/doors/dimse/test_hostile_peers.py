"""What lies, drips, goes silent or falls over costs a bounded amount, and never disturbs another association."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset

from hilum.transport.dicom import Timers
from hilum.wire.dicom.data_sets import encoded
from hilum.wire.dicom.dimse.codec import encode_command
from hilum.wire.dicom.dimse.messages import CEchoRequest, CGetRequest, CStoreRequest
from hilum.wire.dicom.upper_layer.encoding import encode_pdu
from hilum.wire.dicom.upper_layer.limits import Limits
from hilum.wire.dicom.upper_layer.negotiation import propose
from hilum.wire.dicom.upper_layer.user_information import RoleSelection

CT, EXPLICIT, VERIFICATION = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.1"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
CONTEXTS = [(CT, [EXPLICIT]), (VERIFICATION, [EXPLICIT])]
ABORT = b"\x07\0\0\0\0\4"
SHORT = Timers(artim=0.3, acse=2, idle=0.6)


@pytest.fixture
def port(serve: Any, hub: Any) -> int:
    """A server with timers that run out soon."""
    return serve(hub, timers=SHORT)


@pytest.fixture
def bystander(port: int, dial: Any, numbered: Any) -> Iterator[Any]:
    """Another association that keeps storing meanwhile: at the end it must have been served every time."""
    stop, statuses = threading.Event(), []

    def keep_storing() -> None:
        with dial(port, CONTEXTS, calling="BYSTANDER") as peer:
            number = 0
            while not stop.is_set() or number < 3:
                number += 1
                statuses.append(peer.store(numbered(number, study=9)).Status)
                stop.wait(0.02)

    thread = threading.Thread(target=keep_storing)
    thread.start()
    yield statuses
    stop.set()
    thread.join()
    assert len(statuses) >= 3
    assert set(statuses) == {0}


def _pdv(context_id: int, control: int, octets: bytes) -> bytes:
    return struct.pack(">BxIIBB", 4, len(octets) + 6, len(octets) + 2, context_id, control) + octets


def _requested() -> bytes:
    return encode_pdu(propose("HILUM", "EVIL", CONTEXTS))


def _store_command(data_set: Dataset) -> bytes:
    request = CStoreRequest(
        AffectedSOPClassUID=CT, MessageID=1, AffectedSOPInstanceUID=str(data_set.SOPInstanceUID)
    )
    return _pdv(1, 3, encode_command(request))


class Evil:
    """A raw connection."""

    def __init__(self, port: int, *, associate: bool = True) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        if associate:
            self.socket.sendall(_requested())
            head = self._exactly(6)
            assert head[0] == 2, "accepted"
            self._exactly(int.from_bytes(head[2:], "big"))

    def say(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def rest(self) -> bytes:
        """Return all that comes until the server closes; a reset is a close."""
        said = b""
        try:
            while chunk := self.socket.recv(65536):
                said += chunk
        except ConnectionResetError:
            pass
        finally:
            self.socket.close()
        return said

    def _exactly(self, size: int) -> bytes:
        said = b""
        while len(said) < size:
            chunk = self.socket.recv(size - len(said))
            assert chunk
            said += chunk
        return said


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\nHost: hilum\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        bytes(1000),
        b"\xff" * 1000,
        b"\x0bMSH|^~\\&|EHR\r\x1c\r",
        b"\x04\0\0\0\0\x0a" + bytes(10),
        b"\x01\0\xff\xff\xff\xff" + bytes(100),
        b"\x01\0\0\0\0\x44" + b"\xff" * 68,
        b"\x05\0\0\0\0\4\0\0\0\0",
    ],
    ids=["http", "tls", "zeros", "ones", "mllp", "data first", "4 GB request", "garbled request", "release"],
)
@pytest.mark.usefixtures("bystander")
def test_what_is_no_association_request_is_aborted(port: int, octets: bytes) -> None:
    evil = Evil(port, associate=False)
    evil.say(octets)

    assert evil.rest()[:6] == ABORT


@pytest.mark.parametrize(
    "octets",
    [
        b"\x04\0\xc0\0\0\0" + bytes(100),
        b"\x04\0\0\x02\0\x01" + bytes(100),
        struct.pack(">BxIIBB", 4, 10, 0xC0000000, 1, 3) + bytes(4),
        struct.pack(">BxIIBB", 4, 10, 1, 1, 3) + bytes(4),
        _pdv(77, 3, encode_command(CEchoRequest(AffectedSOPClassUID=VERIFICATION, MessageID=1))),
        _pdv(1, 2, b"a data set that no command announced"),
        _pdv(1, 3, b"\xff" * 40),
        _pdv(1, 3, b"\0\0\0\1\x02\0\0\0\x30\0" + b"\0\0\0\x08\x02\0\0\0\1\1"),
        b"\x09\0\0\0\0\4\0\0\0\0",
        b"\x02\0\0\0\0\x44" + bytes(68),
    ],
    ids=[
        "3 GB PDU", "PDU beyond the limit", "3 GB item", "item too short", "unknown context", "no command",
        "garbled command", "command without its fields", "unknown PDU", "accept",
    ],
)  # fmt: skip
@pytest.mark.usefixtures("bystander")
def test_a_lie_on_an_association_aborts_it_alone(port: int, octets: bytes) -> None:
    evil = Evil(port)
    evil.say(octets)

    assert evil.rest()[:6] == ABORT


@pytest.mark.usefixtures("bystander")
def test_a_command_set_without_end_is_aborted(port: int) -> None:
    evil = Evil(port)

    with evil.socket, pytest.raises(OSError, match=r"reset|[Pp]ipe"):
        _say_often(evil, _pdv(1, 1, bytes(10_000)))


def _say_often(evil: Evil, octets: bytes) -> None:
    for _ in range(1000):
        evil.say(octets)
        time.sleep(0.005)


@pytest.mark.usefixtures("bystander")
def test_silence_before_the_request_ends_at_artim_without_a_word(port: int) -> None:
    assert Evil(port, associate=False).rest() == b""


@pytest.mark.usefixtures("bystander")
def test_silence_on_an_association_is_aborted(port: int) -> None:
    assert Evil(port).rest()[:6] == ABORT


@pytest.mark.usefixtures("bystander")
def test_a_request_that_drips_is_cut_although_each_octet_comes_in_time(port: int) -> None:
    evil = Evil(port, associate=False)

    assert _drip(evil, _requested()) < len(_requested())


@pytest.mark.usefixtures("bystander")
def test_a_pdu_that_drips_is_cut_and_leaves_nothing(port: int, record: Any, numbered: Any) -> None:
    evil = Evil(port)
    evil.say(_store_command(numbered(1)))
    pdu = _pdv(1, 2, encoded(numbered(1), EXPLICIT))

    assert _drip(evil, pdu) < len(pdu)
    _eventually_clear(record)


def _drip(evil: Evil, octets: bytes) -> int:
    """Send octet by octet until the server has had enough; return how many it took."""
    with evil.socket:
        for count, octet in enumerate(octets):
            try:
                evil.say(bytes([octet]))
            except OSError:
                return count
            time.sleep(0.03)
    return len(octets)


@pytest.mark.parametrize("how", ["half a header", "half a PDU", "between PDUs", "abort", "release", "reset"])
@pytest.mark.usefixtures("bystander")
def test_what_breaks_off_in_the_middle_of_an_object_leaves_nothing(
    port: int, record: Any, numbered: Any, how: str
) -> None:
    octets = encoded(numbered(1, Rows=500, Columns=500, PixelData=bytes(500_000)), EXPLICIT)
    evil = Evil(port)
    evil.say(_store_command(numbered(1)) + _pdv(1, 0, octets[:100_000]) + _pdv(1, 0, octets[100_000:200_000]))

    evil.say(
        {
            "half a header": b"\x04\0\0",
            "half a PDU": _pdv(1, 0, octets[:50_000])[:20_000],
            "abort": b"\x07\0\0\0\0\4\0\0\0\0",
            "release": b"\x05\0\0\0\0\4\0\0\0\0",
        }.get(how, b"")
    )
    if how == "reset":
        evil.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    evil.socket.close()

    _eventually_clear(record)
    assert "1.2.3.1.1.1" not in _kept(record)


@pytest.mark.parametrize(
    "change",
    [
        lambda octets: octets.replace(b"\x10\0\x10\0PN\x08\0", b"\x10\0\x10\0PN\xff\xff"),
        lambda octets: octets.replace(b"\xe0\x7f\x10\0OW\0\0\x80\0\0\0", b"\xe0\x7f\x10\0OW\0\0\0\0\0\xc0"),
        lambda octets: octets.replace(b"\xe0\x7f\x10\0OW\0\0\x80\0\0\0", b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff"),
        lambda octets: octets[:300],
        lambda _: b"\x08\0\x05\0SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\xff\xff\xff\xff\x08\0\x05\0SQ\0\0\xff\xff\xff\xff" * 500,
        lambda octets: b"\xff" * len(octets),
        lambda _: b"",
    ],
    ids=["64 KB name", "3 GB pixels", "pixels without end", "cut", "nested without end", "garbage", "nothing"],
)  # fmt: skip
@pytest.mark.usefixtures("bystander")
def test_an_object_that_lies_about_itself_is_refused_and_the_association_goes_on(
    port: int, record: Any, dial: Any, numbered: Any, change: Any
) -> None:
    octets = encoded(numbered(1), EXPLICIT)
    with dial(port, CONTEXTS) as peer:
        answer = peer.store(change(octets), CT, "1.2.3.1.1.1")
        after = peer.store(numbered(2))

    assert answer.Status == 0xC000
    assert answer.ErrorComment
    assert after.Status == 0
    assert "1.2.3.1.1.1" not in _kept(record)


@pytest.mark.usefixtures("bystander")
def test_who_never_reads_our_answers_is_left(port: int, dial: Any, numbered: Any) -> None:
    size = 40_000_000
    roles = (RoleSelection(CT, scu_role=True, scp_role=True),)
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", "1.2.3.1"
    with dial(port, [(CT, [EXPLICIT]), (STUDY_ROOT_GET, [EXPLICIT])], role_selections=roles) as peer:
        peer.store(numbered(1, Rows=4000, Columns=5000, PixelData=bytes(size)))
        peer.say(STUDY_ROOT_GET, CGetRequest(AffectedSOPClassUID=STUDY_ROOT_GET, MessageID=1), identifier)
        time.sleep(3 * SHORT.idle)

        assert _read_to_the_end(peer.raw) < size
        peer.association.close()


def _read_to_the_end(raw: socket.socket) -> int:
    """Return how much was sent before the server closed."""
    count = 0
    try:
        while chunk := raw.recv(1 << 20):
            count += len(chunk)
    except ConnectionResetError:
        pass
    return count


@pytest.mark.usefixtures("bystander")
def test_connections_that_say_nothing_leave_no_thread_and_no_file(port: int) -> None:
    before = _threads()

    silent = [Evil(port, associate=False) for _ in range(50)]
    said = [one.rest() for one in silent]

    assert said == [b""] * 50
    _eventually(lambda: _threads() <= before + 1)


def _threads() -> int:
    """Count what may be a connection's; the few threads that sync objects are shared, and stay."""
    return sum(not thread.name.startswith("sync") for thread in threading.enumerate())


def test_more_connections_than_may_wait_are_closed_at_once(serve: Any, hub: Any, dial: Any) -> None:
    port = serve(hub, maximum_associations=2, timers=Timers(artim=3, acse=5, idle=5))
    silent = [Evil(port, associate=False) for _ in range(8)]

    said = Evil(port, associate=False).rest()
    for one in silent:
        one.socket.close()

    assert said == b""
    _eventually(lambda: _is_served(port, dial))


def _is_served(port: int, dial: Any) -> bool:
    try:
        with dial(port, CONTEXTS) as peer:
            return (
                peer.ask(VERIFICATION, CEchoRequest(AffectedSOPClassUID=VERIFICATION, MessageID=1)).Status
                == 0
            )
    except Exception:  # noqa: BLE001  # not yet
        return False


def test_a_peer_that_takes_tiny_pdus_gets_them(port: int, dial: Any) -> None:
    limits = Limits(maximum_length_received=128, smallest_length_sent=128)
    with dial(port, CONTEXTS, limits=limits) as peer:
        answer = peer.ask(VERIFICATION, CEchoRequest(AffectedSOPClassUID=VERIFICATION, MessageID=1))

    assert answer.Status == 0


def test_a_server_that_stops_cuts_who_stays_and_leaves_nothing(
    hub: Any, record: Any, serve: Any, numbered: Any
) -> None:
    evil = Evil(serve(hub, timers=Timers(artim=1, acse=5, idle=30)))
    evil.say(_store_command(numbered(1)) + _pdv(1, 0, bytes(1000)))
    _eventually(lambda: len(record.spooled()) == 1)

    evil.socket.close()

    _eventually_clear(record)


def _kept(record: Any) -> set[str]:
    from hilum.core.access import policy
    from hilum.core.archive.model import Level, Query

    found = record.hub.retrieve(policy.local_operator("test"), Query(Level.INSTANCE, {}))
    return {one.instance.sop_instance_uid for one in found}


def _eventually_clear(record: Any) -> None:
    """What was begun is gone at some moment: the bystander pauses between its own."""
    _eventually(lambda: record.spooled() == [])


def _eventually(holds: Any) -> None:
    for _ in range(300):
        if holds():
            return
        time.sleep(0.02)
    assert holds()
