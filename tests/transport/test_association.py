"""The blocking face of a connection: news without waiting, half messages, and ends that never spin or hang."""

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hilum.transport.dicom import Association, AssociationEnded, Timers
from hilum.wire.dicom.dimse.messages import CCancelRequest, CEchoRequest, CStoreRequest
from hilum.wire.dicom.upper_layer.errors import ProtocolError
from hilum.wire.dicom.upper_layer.events import AssociateAccepted, AssociateRequested
from hilum.wire.dicom.upper_layer.limits import DEFAULT_LIMITS
from hilum.wire.dicom.upper_layer.negotiation import Supported, negotiate, propose
from hilum.wire.dicom.upper_layer.states import Role

EXPLICIT, CT = "1.2.840.10008.1.2.1", "1.2.840.10008.5.1.4.1.1.2"
QUICK = Timers(artim=0.2, acse=1, idle=0.5)
STORE = CStoreRequest(AffectedSOPClassUID=CT, MessageID=1, AffectedSOPInstanceUID="1.2.3")


@pytest.fixture
def pair() -> Iterator[tuple[Association, Association]]:
    """A requestor and an acceptor that have agreed on CT images."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    requestor = Association(near, Role.REQUESTOR, DEFAULT_LIMITS, QUICK)
    acceptor = Association(far, Role.ACCEPTOR, DEFAULT_LIMITS, QUICK)
    request = propose("HILUM", "CT1", [(CT, [EXPLICIT])])
    requestor.write(requestor.connection.send_associate_request(request))
    asked = acceptor.next_event()
    assert isinstance(asked, AssociateRequested)
    answer = negotiate(asked.request, {CT: Supported((EXPLICIT,))})
    acceptor.write(acceptor.connection.send_associate_accept(answer))
    assert isinstance(requestor.next_event(), AssociateAccepted)
    yield requestor, acceptor
    requestor.close()
    acceptor.close()


def _eventually(holds: Callable[[], bool]) -> None:
    for _ in range(200):
        if holds():
            return
        time.sleep(0.01)
    assert holds()


def test_news_are_told_without_waiting(pair: Any) -> None:
    requestor, acceptor = pair

    before = acceptor.has_news()
    requestor.send(1, CEchoRequest(AffectedSOPClassUID=CT, MessageID=1))
    _eventually(acceptor.has_news)

    assert not before
    assert acceptor.next_message().command.MessageID == 1
    assert not acceptor.has_news()


def test_a_cancel_is_seen_and_what_else_was_said_is_kept_for_later(pair: Any) -> None:
    requestor, acceptor = pair
    requestor.send(1, CCancelRequest(MessageIDBeingRespondedTo=6))
    requestor.send(1, CCancelRequest(MessageIDBeingRespondedTo=7))
    requestor.send(1, STORE, b"octets")
    _eventually(acceptor.has_news)

    assert acceptor.cancelled(7)
    _eventually(acceptor.has_news)
    assert not acceptor.cancelled(7)
    assert not acceptor.cancelled(7)
    assert acceptor.next_message().command == STORE
    assert b"".join(bytes(part) for part in acceptor.fragments()) == b"octets"


def test_a_message_that_breaks_off_is_never_followed_by_another(pair: Any) -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:  # noqa: ARG002  # the name that RawIOBase gives it
            raise OSError("the disk is gone")

    requestor, acceptor = pair
    threading.Thread(target=requestor.send, args=(1, STORE, b"whole")).start()
    acceptor.next_message()
    list(acceptor.fragments())

    with pytest.raises(OSError, match="the disk is gone"):
        acceptor.send(1, STORE, Broken())
    with pytest.raises(AssociationEnded, match="aborted by the peer"):
        requestor.next_message()
    with pytest.raises(AssociationEnded):
        acceptor.next_message()


def test_a_release_is_answered_and_both_ends_close(pair: Any) -> None:
    requestor, acceptor = pair
    ended: list[AssociationEnded] = []

    def serve() -> None:
        with pytest.raises(AssociationEnded) as raised:
            acceptor.next_message()
        ended.append(raised.value)

    thread = threading.Thread(target=serve)
    thread.start()
    requestor.write(requestor.connection.send_release_request())
    with pytest.raises(AssociationEnded, match="released"):
        requestor.next_message()
    requestor.close()
    thread.join(5)

    assert [(one.how, one.orderly) for one in ended] == [("released", True)]


def test_a_peer_that_does_not_close_after_its_release_is_left_at_artim_without_spinning(pair: Any) -> None:
    requestor, acceptor = pair
    requestor.write(requestor.connection.send_release_request())
    used = time.thread_time()

    with pytest.raises(AssociationEnded, match="released"):
        acceptor.next_message()

    assert time.thread_time() - used < QUICK.artim / 2, "it waited in the kernel"


@pytest.mark.parametrize("error", [None, ProtocolError("a lie")])
def test_an_abort_after_the_end_is_nothing(pair: Any, error: ProtocolError | None) -> None:
    requestor, acceptor = pair
    requestor.close()
    with pytest.raises(AssociationEnded, match="closed by the peer"):
        acceptor.next_message()

    acceptor.abort(error)
    acceptor.abort(error)

    with pytest.raises(AssociationEnded):
        acceptor.next_message()


def test_silence_ends_an_association(pair: Any) -> None:
    _, acceptor = pair

    with pytest.raises(AssociationEnded, match="silent for too long") as raised:
        acceptor.next_message()

    assert not raised.value.orderly


def test_a_peer_that_reads_nothing_ends_an_association(pair: Any) -> None:
    _, acceptor = pair

    with pytest.raises(AssociationEnded, match="the peer took"):
        acceptor.send(1, STORE, bytes(100_000_000))

    with pytest.raises(AssociationEnded):
        acceptor.send(1, STORE, b"more")


def test_message_ids_go_round(pair: Any) -> None:
    requestor, _ = pair

    ids = [requestor.next_message_id() for _ in range(0x10000)]

    assert (ids[0], ids[0xFFFE], ids[0xFFFF]) == (1, 0xFFFF, 1)
