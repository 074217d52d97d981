"""The MLLP courier against peers that answer well, badly, late or not at all."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import cast

import pytest

from hilum.core.access.model import Peer, PeerKind
from hilum.core.kernel.codes import Code
from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients.model import Demographics, PatientRecord
from hilum.core.reports.model import FiledReport, Report, ReportStatus
from hilum.core.routing.model import Parcel, ReportParcel, Verdict
from hilum.couriers.mllp import MllpCourier
from hilum.wire.hl7v2.message import Message
from hilum.wire.hl7v2.mllp import Framer, frame

_AT = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)

Answer = Callable[[Message], bytes | None]
"""What a peer says to a message; None closes the connection."""


def _ack(code: str, control_id: str, *rest: str) -> bytes:
    segments = ["MSH|^~\\&|EHR||HILUM||20261124||ACK|1|P|2.5.1", f"MSA|{code}|{control_id}", *rest]
    return frame("\r".join(segments).encode())


def _accept(message: Message) -> bytes:
    return _ack("AA", message["MSH-10"])


class Other:
    """A peer: answers each message as the next of `answers` says, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.received: list[Message] = []
        self.connections = 0

    def serve(self, listener: socket.socket) -> None:
        """Take one connection after the other until the listener is closed."""
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection, contextlib.suppress(ConnectionError):
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        framer = Framer()
        while chunk := connection.recv(65536):
            framer.feed(chunk)
            while (content := framer.next_frame()) is not None:
                message = Message(content)
                self.received.append(message)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                said = answer(message)
                if said is None:
                    return
                connection.sendall(said)


@contextmanager
def _listening(other: Other) -> Iterator[Peer]:
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=other.serve, args=(listener,), daemon=True)
    thread.start()
    try:
        yield Peer("EHR", PeerKind.MLLP, "127.0.0.1", listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.fixture
def courier() -> Iterator[Callable[[Other], MllpCourier]]:
    """Give a courier to a peer that runs until the test ends."""
    with ExitStack() as stack:

        def one(other: Other) -> MllpCourier:
            peer = stack.enter_context(_listening(other))
            made = MllpCourier(peer, answer_seconds=0.5)
            stack.callback(made.close)
            return made

        yield one


Make = Callable[[Other], MllpCourier]


def _parcel(control_id: str = "HILUM1") -> ReportParcel:
    patient = PatientRecord(
        key=1,
        public_id="p1",
        identifier=Identifier("4711", "STMARY"),
        demographics=Demographics("Doe^Anna", "19700131", "F"),
        survivor_key=None,
        root_key=1,
        authoritative=True,
        version=1,
        created=_AT,
        updated=_AT,
    )
    report = Report(
        key=1,
        public_id="r1",
        version=1,
        identifier=Identifier("F1"),
        patient_record_key=1,
        order_key=None,
        placer_order_number=None,
        filler_order_number=Identifier("F1"),
        accession_number=Identifier("ACC1"),
        study_instance_uid="1.2.3",
        status=ReportStatus.FINAL,
        code=Code("71260", "C4", "CT chest"),
        effective="",
        issued="",
        interpreter="",
        text="Fine",
        conclusion="",
        observations=(),
        attachments=(),
        source="RPT",
        created=_AT,
    )
    return ReportParcel(FiledReport(report, patient), None, control_id)


def test_a_report_is_sent_and_settled_by_its_acknowledgement(courier: Make) -> None:
    other = Other(_accept)

    receipt = courier(other).send(_parcel())

    assert (receipt.verdict, receipt.code) == (Verdict.ACCEPTED, "AA")
    (sent,) = other.received
    assert sent.structure == "ORU^R01"
    assert (sent["MSH-5"], sent["MSH-10"], sent["PID-3.1"]) == ("EHR", "HILUM1", "4711")


def test_parcels_share_a_connection(courier: Make) -> None:
    other = Other(_accept)
    sender = courier(other)

    receipts = [sender.send(_parcel(f"H{number}")) for number in range(5)]

    assert {receipt.verdict for receipt in receipts} == {Verdict.ACCEPTED}
    assert other.connections == 1


def test_each_attempt_sends_the_same_bytes(courier: Make) -> None:
    other = Other(lambda message: _ack("AE", message["MSH-10"], "ERR|||206"))
    sender = courier(other)

    sender.send(_parcel())
    sender.send(_parcel())

    assert other.received[0].raw == other.received[1].raw


@pytest.mark.parametrize(
    ("code", "error", "verdict"),
    [
        ("AA", (), Verdict.ACCEPTED),
        ("CA", (), Verdict.ACCEPTED),
        ("AE", (), Verdict.RETRY),
        ("CE", (), Verdict.RETRY),
        ("AR", (), Verdict.REJECTED),
        ("CR", (), Verdict.REJECTED),
        ("AE", ("ERR||PID^1^3|101^Required field missing^HL70357|E",), Verdict.REJECTED),
        ("AE", ("ERR|PID^1^3^102&Data type error",), Verdict.REJECTED),
        ("AE", ("ERR|||206^Application record locked^HL70357|E",), Verdict.RETRY),
        ("AR", ("ERR|||207^Application internal error^HL70357|E",), Verdict.RETRY),
    ],
)
def test_the_peers_own_code_decides(
    courier: Make, code: str, error: tuple[str, ...], verdict: Verdict
) -> None:
    other = Other(lambda message: _ack(code, message["MSH-10"], *error))

    receipt = courier(other).send(_parcel())

    assert (receipt.verdict, receipt.code) == (verdict, code)


def test_the_peers_words_are_kept(courier: Make) -> None:
    other = Other(
        lambda message: _ack("AR", message["MSH-10"], "ERR||MSH^1^12|203^Unsupported^HL70357|E||||no 2.5.1")
    )

    receipt = courier(other).send(_parcel())

    assert "no 2.5.1" in receipt.text


def test_silence_is_uncertain_and_a_late_answer_is_never_taken_for_the_next_message(courier: Make) -> None:
    late = threading.Event()

    def after_a_while(message: Message) -> bytes:
        late.wait(2)
        return _ack("AA", message["MSH-10"])

    other = Other(after_a_while, lambda message: _ack("AR", message["MSH-10"]))
    sender = courier(other)

    first = sender.send(_parcel("H1"))
    late.set()
    second = sender.send(_parcel("H2"))

    assert first.verdict is Verdict.UNCERTAIN
    assert "no acknowledgement within" in first.text
    assert (second.verdict, second.code) == (Verdict.REJECTED, "AR")


def test_the_acknowledgement_of_another_message_is_not_ours(courier: Make) -> None:
    other = Other(lambda _: _ack("AA", "OTHER"))

    receipt = courier(other).send(_parcel())

    assert receipt.verdict is Verdict.UNCERTAIN


def test_a_stray_answer_before_ours_is_passed_over(courier: Make) -> None:
    other = Other(lambda message: _ack("AE", "OTHER") + _ack("AA", message["MSH-10"]))

    receipt = courier(other).send(_parcel())

    assert receipt.verdict is Verdict.ACCEPTED


def test_a_stray_answer_after_ours_is_not_taken_for_the_next(courier: Make) -> None:
    other = Other(
        lambda message: _ack("AA", message["MSH-10"]) + _ack("AA", "H2"),
        lambda message: _ack("AR", message["MSH-10"]),
    )
    sender = courier(other)

    first = sender.send(_parcel("H1"))
    second = sender.send(_parcel("H2"))

    assert first.verdict is Verdict.ACCEPTED
    assert second.verdict is Verdict.REJECTED


def test_a_refusal_of_what_the_peer_could_not_read_is_ours(courier: Make) -> None:
    other = Other(lambda _: _ack("AR", "", "ERR|||100"))

    receipt = courier(other).send(_parcel())

    assert (receipt.verdict, receipt.code) == (Verdict.REJECTED, "AR")


@pytest.mark.parametrize(
    "said",
    [
        b"\x0bgarbage\x1c\r",
        b"\x0bMSH|^~\\&|EHR\rPID|1\x1c\r",
        b"\x0bMSH|^~\\&|EHR\rMSA|OK|HILUM1\x1c\r",
        b"y" * 70_000,
    ],
)
def test_garbage_is_uncertain_and_the_connection_is_given_up(courier: Make, said: bytes) -> None:
    other = Other(lambda _: said, _accept)
    sender = courier(other)

    first = sender.send(_parcel())
    second = sender.send(_parcel())

    assert first.verdict is Verdict.UNCERTAIN
    assert second.verdict is Verdict.ACCEPTED
    assert other.connections == 2


def test_a_peer_that_closes_instead_of_answering_leaves_us_uncertain(courier: Make) -> None:
    other = Other(lambda _: None)

    receipt = courier(other).send(_parcel())

    assert receipt.verdict is Verdict.UNCERTAIN
    assert "closed" in receipt.text


def test_a_connection_that_the_peer_closed_meanwhile_is_replaced(courier: Make) -> None:
    other = Other(_accept)
    sender = courier(other)
    sender.send(_parcel("H1"))
    assert sender._socket is not None
    sender._socket.shutdown(socket.SHUT_WR)  # the peer sees the end and closes
    while sender._socket.recv(1):
        pass

    receipt = sender.send(_parcel("H2"))

    assert receipt.verdict is Verdict.ACCEPTED
    assert other.connections == 2


def test_a_peer_that_is_down_can_be_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    sender = MllpCourier(Peer("EHR", PeerKind.MLLP, "127.0.0.1", port))

    receipt = sender.send(_parcel())

    assert (receipt.verdict, receipt.code) == (Verdict.RETRY, "connection")
    assert f"127.0.0.1:{port}" in receipt.text


def test_anything_but_a_report_is_refused() -> None:
    sender = MllpCourier(Peer("EHR", PeerKind.MLLP, "127.0.0.1", 1))

    receipt = sender.send(cast("Parcel", object()))

    assert receipt.verdict is Verdict.REJECTED
