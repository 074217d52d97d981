"""The MLLP door on a loopback socket: what is acknowledged, when, and what hostile peers can do."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import hl7.client
import pytest

from hilum.core.access import policy
from hilum.core.access.admission import Sender
from hilum.core.access.certificates import Line
from hilum.core.access.model import PeerKind
from hilum.core.exchange.model import Applied, Command, Envelope, RegisterPatient
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Busy, Conflict, HilumError, Invalid, NotFound, Refused
from hilum.doors.mllp import Bounds, MllpServer
from hilum.wire.hl7v2.message import Message
from hilum.wire.hl7v2.mllp import Framer, frame

_ADT = (
    b"MSH|^~\\&|EHR|STMARY|HILUM|RAD|20261124||ADT^A04^ADT_A01|%b|P|2.5.1\r"
    b"EVN|A04|20261124\rPID|1||4711^^^STMARY||Doe^Anna\r"
)


@dataclass
class Listening(Hub):
    """A hub that keeps what it is told, and answers as a test wants."""

    raises: Exception | None = None
    admits: bool = True
    received: list[tuple[Caller, Envelope, Command]] = field(default_factory=list)
    noted: list[tuple[Envelope, str, str]] = field(default_factory=list)
    admissions: int = 0
    gate: threading.Event | None = None
    senders: list[Sender | None] = field(default_factory=list)

    def admit_address(self, kind: PeerKind, line: Line, trace: str, sender: Sender | None = None) -> Caller:
        """Admit anybody, or nobody."""
        assert kind is PeerKind.MLLP
        self.admissions += 1
        self.senders.append(sender)
        if not self.admits:
            raise Refused("no peer of this kind is known at this address", next_step="add it")
        return policy.open_caller(line.address, trace)

    def receive_message(self, caller: Caller, envelope: Envelope, command: Command) -> Applied:
        """Keep it."""
        if self.gate is not None:
            assert self.gate.wait(10)
        if self.raises is not None:
            raise self.raises
        self.received.append((caller, envelope, command))
        return Applied(repeated=False)

    def note_rejected_message(self, caller: Caller, envelope: Envelope, answer: str, reason: str) -> None:
        """Keep what was refused."""
        assert caller.address == "127.0.0.1"
        if isinstance(self.raises, Busy):
            raise self.raises
        self.noted.append((envelope, answer, reason))


@contextmanager
def _serving(hub: Hub, bounds: Bounds) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()
    thread = threading.Thread(target=MllpServer(hub, listener, bounds).run, args=(stop,))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        thread.join()
        listener.close()


class Peer:
    """A sender that reads one acknowledgement after the other."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.framer = Framer()

    def say(self, octets: bytes) -> None:
        """Send."""
        self.socket.sendall(octets)

    def heard(self) -> Message | None:
        """Read one acknowledgement, or None when the server has closed."""
        while (content := self.framer.next_frame()) is None:
            chunk = self.socket.recv(65536)
            if not chunk:
                return None
            self.framer.feed(chunk)
        return Message(content)

    def ask(self, message: bytes) -> Message:
        """Send a message and read its acknowledgement."""
        self.say(frame(message))
        answer = self.heard()
        assert answer is not None
        return answer


Connect = Callable[..., Peer]


@pytest.fixture
def connect() -> Iterator[Callable[..., Callable[[], Peer]]]:
    """Serve a hub until the test ends; gives a function that connects."""
    with ExitStack() as stack:

        def served(hub: Hub, bounds: Bounds | None = None) -> Callable[[], Peer]:
            port = stack.enter_context(_serving(hub, bounds or Bounds()))

            def one() -> Peer:
                peer = Peer(port)
                stack.callback(peer.socket.close)
                return peer

            return one

        yield served


def test_a_message_is_taken_and_acknowledged(connect: Connect) -> None:
    hub = Listening()

    answer = connect(hub)().ask(_ADT % b"7")

    assert (answer["MSA-1"], answer["MSA-2"]) == ("AA", "7")
    ((caller, envelope, command),) = hub.received
    assert caller.address == "127.0.0.1"
    assert len(caller.trace) == 32
    assert (envelope.control_id, envelope.message_type, envelope.raw) == ("7", "ADT^A04^ADT_A01", _ADT % b"7")
    assert isinstance(command, RegisterPatient)


def test_the_acknowledgement_waits_for_the_commit(connect: Connect) -> None:
    hub = Listening(gate=threading.Event())
    peer = connect(hub)()
    peer.say(frame(_ADT % b"7"))
    peer.socket.settimeout(0.3)

    with pytest.raises(TimeoutError):
        peer.heard()
    assert hub.gate is not None
    hub.gate.set()
    peer.socket.settimeout(10)
    answer = peer.heard()

    assert answer is not None
    assert answer["MSA-1"] == "AA"


def test_many_messages_on_one_connection_are_answered_in_order(connect: Connect) -> None:
    hub = Listening()
    peer = connect(hub)()

    peer.say(b"".join(frame(_ADT % str(number).encode()) for number in range(50)))
    answers = [peer.heard() for _ in range(50)]

    assert [answer["MSA-2"] for answer in answers if answer] == [str(number) for number in range(50)]
    assert [envelope.control_id for _, envelope, _ in hub.received] == [str(number) for number in range(50)]
    assert hub.admissions == 1


def test_each_sender_on_a_connection_is_admitted_by_its_own_name(connect: Connect) -> None:
    hub = Listening()
    peer = connect(hub)()

    for application in (b"RIS", b"EHR^1.2.3^ISO", b"RIS"):
        peer.ask((_ADT % b"7").replace(_ADT.split(b"|")[2], application, 1))

    assert [one.application for one in hub.senders if one] == ["RIS", "EHR"]


def test_each_message_has_a_trace_of_its_own(connect: Connect) -> None:
    hub = Listening()
    peer = connect(hub)()

    answers = [peer.ask(_ADT % b"1"), peer.ask(_ADT % b"2")]

    traces = [caller.trace for caller, _, _ in hub.received]
    assert len(set(traces)) == 2
    assert [answer["MSH-10"] for answer in answers] == [trace[:20] for trace in traces]


@pytest.mark.parametrize(
    ("raises", "code", "condition"),
    [
        (Invalid("broken", next_step="mend it"), "AE", "102"),
        (NotFound("no order has this number"), "AE", "204"),
        (Conflict("for another patient"), "AE", "205"),
        (Refused("may not"), "AE", "207"),
        (Busy("the disk is full"), "AR", "207"),
        (RuntimeError("secret 4711"), "AR", "207"),
    ],
)
def test_what_the_hub_raises_becomes_ae_or_ar_with_err(
    connect: Connect, raises: Exception, code: str, condition: str
) -> None:
    answer = connect(Listening(raises=raises))().ask(_ADT % b"7")

    assert (answer["MSA-1"], answer["MSA-2"]) == (code, "7")
    assert answer["ERR-3.1"] == condition
    assert answer["ERR-4"] == "E"
    if isinstance(raises, HilumError):
        assert answer["MSA-3"] == answer["ERR-8"] == raises.what
    else:
        assert answer["ERR-8"].startswith("internal error, trace ")
    assert b"secret" not in answer.raw


@pytest.mark.parametrize(
    ("raw", "code", "control_id", "location", "condition"),
    [
        (b"no message at all", "AE", "", "MSH", "100"),
        (b"PID|1||4711", "AE", "", "MSH", "100"),
        (b"MSH|^^\\&|EHR||||||ADT^A04|7|P|2.5\rPID|1||1", "AE", "", "MSH^1^2", "102"),
        (b"MSH|^~\\&|EHR||||||ADT^A04|7|P|2.5||||||KLINGON\rPID|1||1", "AE", "7", "MSH^1^18", "103"),
        (b"MSH|^~\\&|EHR||||||ADT^A04|7|P|2.5\rPID|1||||Doe", "AE", "7", "PID^1^3", "101"),
        (b"MSH|^~\\&|EHR||||||ADT^A04|7|P|2.5\rPID|1||1^^^A||\0", "AE", "7", "MSH^1^18", "102"),
        (b"MSH|^~\\&|EHR||||||ZZZ^Z01|7|P|2.5\rPID|1||1", "AR", "7", "MSH^1^9^1^1", "200"),
        (b"MSH|^~\\&|EHR||||||ADT^A99|7|P|2.5\rPID|1||1", "AR", "7", "MSH^1^9^1^2", "201"),
        (b"", "AE", "", "MSH", "100"),
    ],
)
def test_bad_messages_are_refused_with_place_and_reason_and_the_next_one_is_taken(
    connect: Connect, raw: bytes, code: str, control_id: str, location: str, condition: str
) -> None:
    hub = Listening()
    peer = connect(hub)()

    refused = peer.ask(raw)
    taken = peer.ask(_ADT % b"8")

    assert (refused["MSA-1"], refused["MSA-2"]) == (code, control_id)
    assert (refused["ERR-2"], refused["ERR-3.1"]) == (location, condition)
    assert refused["ERR-8"]
    assert (taken["MSA-1"], taken["MSA-2"]) == ("AA", "8")


def test_what_was_refused_is_kept_without_wire_values_in_the_reason(connect: Connect) -> None:
    hub = Listening()
    raw = b"MSH|^~\\&|EHR||||||ADT^A04|7|P|2.5||||||DOE^ANNA\rPID|1||1"

    connect(hub)().ask(raw)

    ((envelope, answer, reason),) = hub.noted
    assert (envelope.raw, envelope.control_id, answer) == (raw, "7", "AE")
    assert reason == "103 Table value not found at MSH^1^18"


def test_a_peer_that_wants_no_acknowledgement_gets_none(connect: Connect) -> None:
    hub = Listening()
    peer = connect(hub)()
    silent = (_ADT % b"1").replace(b"|P|2.5.1", b"|P|2.5.1|||NE|NE")

    peer.say(frame(silent))
    answer = peer.ask(_ADT % b"2")

    assert answer["MSA-2"] == "2"
    assert len(hub.received) == 2


def test_an_unknown_peer_is_told_so_once_and_nothing_of_it_is_kept(connect: Connect) -> None:
    hub = Listening(admits=False)
    peer = connect(hub)()

    answer = peer.ask(_ADT % b"7")
    after = peer.heard()

    assert answer["MSA-1"] == "AE"
    assert "no peer of this kind" in answer["ERR-8"]
    assert after is None
    assert hub.received == []
    assert hub.noted == []


def test_a_full_disk_is_ar_and_service_returns_on_the_same_connection(connect: Connect) -> None:
    hub = Listening(raises=Busy("the disk is full", next_step="make room"))
    peer = connect(hub)()

    during = peer.ask(_ADT % b"7")
    hub.raises = None
    after = peer.ask(_ADT % b"7")

    assert (during["MSA-1"], during["MSA-3"]) == ("AR", "the disk is full")
    assert after["MSA-1"] == "AA"


def test_a_message_cut_in_the_middle_is_not_taken(connect: Connect) -> None:
    hub = Listening()
    peer = connect(hub)()

    peer.say(frame(_ADT % b"7")[:-20])
    peer.socket.shutdown(socket.SHUT_WR)
    answer = peer.heard()

    assert answer is None
    assert hub.received == []


def test_a_message_begun_anew_after_a_cut_is_taken_once(connect: Connect) -> None:
    hub = Listening()
    peer = connect(hub)()

    peer.say(frame(_ADT % b"7")[:-20] + frame(_ADT % b"7"))
    answer = peer.heard()

    assert answer is not None
    assert answer["MSA-1"] == "AA"
    assert len(hub.received) == 1


def test_a_block_over_the_limit_ends_the_connection_with_a_reason(connect: Connect) -> None:
    hub = Listening()
    peer = connect(hub, Bounds(maximum_frame=10_000))()

    peer.say(b"\x0bMSH|^~\\&|" + b"x" * 50_000)
    answer = peer.heard()
    after = peer.heard()

    assert answer is not None
    assert answer["MSA-1"] == "AR"
    assert "longer than 10000 bytes" in answer["ERR-8"]
    assert after is None


def test_another_protocol_is_told_that_this_is_mllp(connect: Connect) -> None:
    peer = connect(Listening())()

    peer.say(b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000)
    answer = peer.heard()

    assert answer is not None
    assert "outside of MLLP blocks" in answer["ERR-8"]
    assert peer.heard() is None


def test_a_silent_peer_is_closed_and_bytes_now_and_then_do_not_hold_it(connect: Connect) -> None:
    peer = connect(Listening(), Bounds(idle=0.5))()

    closed = False
    peer.say(b"\x0b")
    while not closed:
        time.sleep(0.05)
        try:
            peer.say(b"x")
        except ConnectionError:
            closed = True

    assert closed, "the test would not end otherwise"


def test_connections_over_the_bound_are_closed_and_others_go_on(connect: Connect) -> None:
    hub = Listening()
    one = connect(hub, Bounds(maximum_connections=1))
    first = one()
    first.ask(_ADT % b"1")

    second = one()
    heard = second.heard()

    assert heard is None
    assert first.ask(_ADT % b"2")["MSA-1"] == "AA"
    first.socket.close()


def test_a_bound_is_free_again_when_a_connection_ends(connect: Connect) -> None:
    one = connect(Listening(), Bounds(maximum_connections=1))
    first = one()
    first.ask(_ADT % b"1")
    first.socket.close()

    answer = None
    while answer is None:
        peer = one()
        try:
            answer = peer.ask(_ADT % b"2")
        except (AssertionError, ConnectionError):
            time.sleep(0.05)

    assert answer["MSA-2"] == "2"


def test_a_peer_that_vanishes_does_not_disturb_another(connect: Connect) -> None:
    hub = Listening()
    one = connect(hub)
    steady = one()

    for _ in range(20):
        rude = one()
        rude.say(frame(_ADT % b"1"))
        rude.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        rude.socket.close()
    answer = steady.ask(_ADT % b"2")

    assert answer["MSA-2"] == "2"


def test_stopping_answers_the_message_in_hand_and_no_other() -> None:
    hub = Listening(gate=threading.Event())
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()
    thread = threading.Thread(target=MllpServer(hub, listener, Bounds()).run, args=(stop,))
    thread.start()

    peer = Peer(listener.getsockname()[1])
    peer.say(frame(_ADT % b"1") + frame(_ADT % b"2"))
    while not hub.admissions:
        time.sleep(0.01)
    stop.set()
    time.sleep(0.5)
    assert hub.gate is not None
    hub.gate.set()
    heard = [peer.heard(), peer.heard()]
    thread.join()
    listener.close()
    peer.socket.close()

    assert [answer and answer["MSA-2"] for answer in heard] == ["1", None]
    assert len(hub.received) == 1


def test_an_outside_client_is_served(connect: Connect) -> None:
    hub = Listening()
    peer = connect(hub)()
    port = peer.socket.getpeername()[1]

    with hl7.client.MLLPClient("127.0.0.1", port) as client:
        answer = hl7.parse(client.send_message((_ADT % b"7").decode()).strip(b"\x0b\x1c\r").decode())

    assert str(answer.segment("MSA")[1]) == "AA"
