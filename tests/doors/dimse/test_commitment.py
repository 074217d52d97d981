"""Storage commitment: on the association of the request, or on a new one (PS3.4 J.3, ADR 16)."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from hilum.core.archive.model import CommitmentState
from hilum.core.hub import Hub
from hilum.couriers.dimse import DimseCourier
from hilum.engine.delivery import DestinationWorker
from hilum.wire.dicom.commitment import action_data_set
from hilum.wire.dicom.dimse.messages import CEchoRequest, NActionRequest, NEventReportRequest
from hilum.wire.dicom.dimse.respond import respond

CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
VERIFICATION = "1.2.840.10008.1.1"
PUSH, WELL_KNOWN = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
CONTEXTS = [(CT, [EXPLICIT]), (PUSH, [EXPLICIT]), (VERIFICATION, [EXPLICIT])]
TRANSACTION = "1.2.3.777"


def _reference(sop_instance_uid: str, sop_class_uid: str = CT) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    return item


def _asked(*references: Dataset) -> Dataset:
    request = action_data_set(TRANSACTION, ())
    request.ReferencedSOPSequence = list(references)
    return request


def _action(**changes: Any) -> NActionRequest:
    said = {
        "RequestedSOPClassUID": PUSH,
        "MessageID": 40,
        "RequestedSOPInstanceUID": WELL_KNOWN,
        "ActionTypeID": 1,
    }
    return NActionRequest(**said | changes)


def _state(hub: Hub) -> CommitmentState:
    return hub.commitment(TRANSACTION).state


@pytest.fixture
def stored(port: int, dial: Any, numbered: Any) -> Iterator[Any]:
    """A peer on one association that has stored two instances."""
    with dial(port, CONTEXTS, calling="CT1") as peer:
        assert [peer.store(numbered(number)).Status for number in (1, 2)] == [0, 0]
        yield peer


def test_what_is_kept_is_committed_on_the_same_association(
    stored: Any, record: Any, parsed: Callable[[bytes], Dataset]
) -> None:
    answer = stored.ask(PUSH, _action(), _asked(_reference("1.2.3.1.1.1"), _reference("1.2.3.1.1.2")))
    report = stored.hear()
    stored.say(PUSH, respond(report, 0))
    stored.ask(VERIFICATION, CEchoRequest(AffectedSOPClassUID=VERIFICATION, MessageID=41))

    assert (answer.Status, answer.MessageIDBeingRespondedTo, answer.ActionTypeID) == (0, 40, 1)
    assert isinstance(report, NEventReportRequest)
    assert (report.EventTypeID, report.AffectedSOPInstanceUID) == (1, WELL_KNOWN)
    information = parsed(stored.heard[-1])
    assert information.TransactionUID == TRANSACTION
    assert [one.ReferencedSOPInstanceUID for one in information.ReferencedSOPSequence] == [
        "1.2.3.1.1.1",
        "1.2.3.1.1.2",
    ]
    assert _state(record.hub) is CommitmentState.REPORTED


def test_what_is_not_kept_is_listed_with_its_reason(stored: Any, parsed: Callable[[bytes], Dataset]) -> None:
    mr = "1.2.840.10008.5.1.4.1.1.4"
    references = _reference("1.2.3.1.1.1"), _reference("1.2.3.99"), _reference("1.2.3.1.1.2", mr)

    stored.ask(PUSH, _action(), _asked(*references))
    report = stored.hear()

    information = parsed(stored.heard[-1])
    assert report.EventTypeID == 2
    assert [one.ReferencedSOPInstanceUID for one in information.ReferencedSOPSequence] == ["1.2.3.1.1.1"]
    assert [(one.ReferencedSOPInstanceUID, one.FailureReason) for one in information.FailedSOPSequence] == [
        ("1.2.3.99", 0x0112),
        ("1.2.3.1.1.2", 0x0119),
    ]


@pytest.mark.parametrize(
    ("action", "asked", "status"),
    [
        (_action(ActionTypeID=2), _asked(_reference("1.2.3")), 0x0123),
        (_action(RequestedSOPInstanceUID="1.2.3"), _asked(_reference("1.2.3")), 0x0112),
        (_action(), _asked(), 0x0121),
        (_action(), Dataset(), 0x0120),
    ],
)
def test_a_request_that_is_none_is_refused(
    stored: Any, action: NActionRequest, asked: Dataset, status: int
) -> None:
    answer = stored.ask(PUSH, action, asked)
    echo = stored.ask(VERIFICATION, CEchoRequest(AffectedSOPClassUID=VERIFICATION, MessageID=41))

    assert (answer.Status, echo.Status) == (status, 0)


@pytest.mark.usefixtures("stored")
def test_pynetdicom_gets_its_report_on_the_same_association(port: int) -> None:
    heard: list[Dataset] = []
    came = threading.Event()

    def on_report(event: Any) -> tuple[int, None]:
        heard.append(event.event_information)
        came.set()
        return 0, None

    entity = AE("CT1")
    entity.add_requested_context(PUSH)
    association = entity.associate("127.0.0.1", port, evt_handlers=[(evt.EVT_N_EVENT_REPORT, on_report)])
    status, _ = association.send_n_action(_asked(_reference("1.2.3.1.1.1")), 1, PUSH, WELL_KNOWN)
    came.wait(10)
    association.release()

    assert status.Status == 0
    assert heard[0].TransactionUID == TRANSACTION
    assert len(heard[0].ReferencedSOPSequence) == 1


@pytest.fixture
def requester() -> Iterator[Any]:
    """A pynetdicom AE that takes reports: its port, and what it hears."""
    heard: list[tuple[int, Dataset]] = []

    def on_report(event: Any) -> tuple[int, None]:
        heard.append((event.event_type, event.event_information))
        return 0, None

    entity = AE("CT1")
    entity.add_supported_context(PUSH, scu_role=False, scp_role=True)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, on_report)]
    )
    yield server.server_address[1], heard
    server.shutdown()


def _deliver(hub: Hub, destination: str) -> None:
    """Run the engine's worker over one destination."""
    lease = hub.claim(destination, "test")
    DestinationWorker(
        hub, lambda peer: DimseCourier(peer, "HILUM"), lease, lambda _: False, lambda: 0.0, lambda: False
    ).run()


def test_who_leaves_before_the_report_gets_it_on_a_new_association(
    stored: Any, record: Any, requester: Any
) -> None:
    port, heard = requester
    record.put_peer("SCANNER", port, ae_title="CT1")

    stored.ask(PUSH, _action(), _asked(_reference("1.2.3.1.1.1"), _reference("1.2.3.99")))
    stored.release()
    _eventually(lambda: _state(record.hub) is CommitmentState.PLANNED)
    _deliver(record.hub, "SCANNER")

    [(event_type, information)] = heard
    assert event_type == 2
    assert information.FailedSOPSequence[0].FailureReason == 0x0112
    assert _state(record.hub) is CommitmentState.REPORTED


def test_who_does_not_take_the_report_gets_it_again_on_a_new_association(
    stored: Any, record: Any, requester: Any
) -> None:
    port, heard = requester
    record.put_peer("SCANNER", port, ae_title="CT1")

    stored.ask(PUSH, _action(), _asked(_reference("1.2.3.1.1.1")))
    stored.say(PUSH, respond(stored.hear(), 0x0110))
    stored.release()
    _eventually(lambda: _state(record.hub) is CommitmentState.PLANNED)
    _deliver(record.hub, "SCANNER")

    assert len(heard) == 1
    assert _state(record.hub) is CommitmentState.REPORTED


def test_a_report_to_nobody_is_told_as_that(stored: Any, record: Any) -> None:
    stored.ask(PUSH, _action(), _asked(_reference("1.2.3.1.1.1")))
    stored.association.abort()

    _eventually(lambda: _state(record.hub) is CommitmentState.UNREACHABLE)


def _eventually(holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(500):
        if holds():
            return
        pause.wait(0.02)
    assert holds()
