"""The sub-associations of a C-MOVE: destinations that are dead, refuse, hang, break off or take few associations."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from hilum.couriers.dimse import DimseCourier
from hilum.transport.dicom import Timers
from hilum.wire.dicom.dimse.messages import CMoveRequest

EXPLICIT, CT = "1.2.840.10008.1.2.1", "1.2.840.10008.5.1.4.1.1.2"
STUDY_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
SHORT = Timers(artim=0.5, acse=1, idle=1)


@pytest.fixture
def full(record: Any, numbered: Any, dial: Any, serve: Any) -> Callable[..., int]:
    """Return a function that serves a study of twelve instances with other settings and gives the port."""

    def serving(**changes: Any) -> int:
        port = serve(record.hub, **changes)
        with dial(port, [(CT, [EXPLICIT])]) as peer:
            for number in range(1, 13):
                assert peer.store(numbered(number)).Status == 0
        return int(port)

    return serving


Start = Callable[..., "Receiver"]


class Receiver:
    """A pynetdicom SCP that notes what came on which association."""

    def __init__(self, store: Callable[["Receiver", Any], int], most: int, required: str) -> None:
        self.got: list[tuple[int, str]] = []
        self.associations = 0
        self._store = store
        entity = AE("DEST")
        entity.maximum_associations = most
        entity.require_called_aet = bool(required)
        entity.ae_title = required or "DEST"
        entity.add_supported_context(CT, [EXPLICIT])
        handlers = [(evt.EVT_C_STORE, self._take), (evt.EVT_ACCEPTED, self._count)]
        self.server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.port = self.server.server_address[1]

    def _take(self, event: Any) -> int:
        self.got.append((id(event.assoc), event.request.AffectedSOPInstanceUID))
        return self._store(self, event)

    def _count(self, _event: Any) -> None:
        self.associations += 1


@pytest.fixture
def start(record: Any) -> Iterator[Start]:
    """Return a function that starts a receiver and makes it the peer DEST."""
    with ExitStack() as stack:

        def starting(
            store: Callable[[Receiver, Any], int] = lambda *_: 0, *, most: int = 10, required: str = ""
        ) -> Receiver:
            receiver = Receiver(store, most, required)
            stack.callback(receiver.server.shutdown)
            record.put_peer("DEST", receiver.port)
            return receiver

        yield starting


@contextmanager
def _moving(dial: Any, port: int) -> Iterator[Any]:
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", "1.2.3.1"
    request = CMoveRequest(AffectedSOPClassUID=STUDY_MOVE, MessageID=5, MoveDestination="DEST")
    with dial(port, [(STUDY_MOVE, [EXPLICIT])]) as peer:
        peer.say(STUDY_MOVE, request, identifier)
        yield peer


def _answers(peer: Any) -> list[Any]:
    answers = [peer.hear()]
    while answers[-1].Status == 0xFF00:
        answers.append(peer.hear())
    return answers


def _counted(answer: Any) -> tuple[int, int]:
    return answer.NumberOfCompletedSuboperations, answer.NumberOfFailedSuboperations


def test_several_sub_associations_share_one_move(full: Any, start: Start, dial: Any) -> None:
    together = threading.Barrier(3, timeout=10)

    def store(receiver: Receiver, event: Any) -> int:
        if len([one for one, _ in receiver.got if one == id(event.assoc)]) == 1:
            together.wait()  # the first of each association waits for the others
        return 0

    receiver = start(store)

    with _moving(dial, full(sub_associations=3)) as peer:
        final = _answers(peer)[-1]

    assert (final.Status, *_counted(final)) == (0, 12, 0)
    assert len({association for association, _ in receiver.got}) == 3
    assert len({instance for _, instance in receiver.got}) == 12


def test_a_destination_that_takes_one_association_gets_everything_on_it(
    full: Any, start: Start, dial: Any
) -> None:
    receiver = start(most=1)

    with _moving(dial, full(sub_associations=3)) as peer:
        final = _answers(peer)[-1]

    assert (final.Status, *_counted(final)) == (0, 12, 0)
    assert len(receiver.got) == 12


def test_pending_responses_come_at_intervals_and_not_for_each_image(
    full: Any, start: Start, dial: Any
) -> None:
    start()

    with _moving(dial, full(pending_interval=30.0)) as peer:
        answers = _answers(peer)

    assert len(answers) == 2, "one at once, then nothing for thirty seconds, then the last"
    assert _counted(answers[-1]) == (12, 0)


def test_a_sub_association_that_breaks_off_is_opened_once_more_for_the_same_instance(
    full: Any, start: Start, dial: Any
) -> None:
    def store(receiver: Receiver, event: Any) -> int:
        if len(receiver.got) == 3:
            event.assoc.abort()
        return 0

    receiver = start(store)

    with _moving(dial, full()) as peer:
        final = _answers(peer)[-1]

    assert (final.Status, *_counted(final)) == (0, 12, 0)
    assert receiver.associations == 2
    assert [instance for _, instance in receiver.got].count("1.2.3.1.1.3") == 2


def test_a_destination_that_breaks_off_each_time_ends_the_move(full: Any, start: Start, dial: Any) -> None:
    def store(_: Receiver, event: Any) -> int:
        event.assoc.abort()
        return 0

    receiver = start(store)

    with _moving(dial, full()) as peer:
        final = _answers(peer)[-1]

    assert (final.Status, *_counted(final)) == (0xA702, 0, 12)
    assert len(receiver.got) == 2, "one attempt, and one more"
    assert b"1.2.3.1.1.12" in peer.heard[-1]


def test_a_rejection_is_told_in_the_words_of_the_standard(full: Any, start: Start, dial: Any) -> None:
    start(required="OTHER")

    with _moving(dial, full()) as peer:
        final = _answers(peer)[-1]

    assert (final.Status, *_counted(final)) == (0xA702, 0, 12)
    assert final.ErrorComment == "rejected: called AE title not recognized"


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_destination_that_accepts_and_says_nothing_costs_one_timer(
    full: Any, record: Any, dial: Any, at_once: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        record.put_peer("DEST", mute.getsockname()[1])
        port = full(
            sub_associations=at_once,
            open_destination=lambda peer, title, number: DimseCourier(
                peer, "HILUM", (title, number), timers=SHORT
            ),
        )
        began = time.monotonic()
        with _moving(dial, port) as peer:
            final = _answers(peer)[-1]
        took = time.monotonic() - began

    assert (final.Status, *_counted(final)) == (0xA702, 0, 12)
    assert final.ErrorComment == "the peer was silent for too long"
    assert took < 10


def test_a_mover_that_aborts_stops_the_work(full: Any, start: Start, dial: Any) -> None:
    first, gone = threading.Event(), threading.Event()

    def store(_: Receiver, _event: Any) -> int:
        first.set()
        gone.wait(60)
        return 0

    receiver = start(store)

    with _moving(dial, full()) as peer:
        assert first.wait(30)
        peer.association.abort()
    _until(lambda: not _is_established(receiver))
    gone.set()

    assert len(receiver.got) == 1


def _is_established(receiver: Receiver) -> bool:
    """Tell whether the socket of the sub-association is still open at the other end."""
    if not receiver.server.active_associations:
        return False
    [association] = receiver.server.active_associations
    transport = association.dul.socket.socket
    try:
        return transport is not None and transport.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except OSError:  # closed at its end too
        return False


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
