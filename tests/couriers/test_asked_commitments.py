"""Storage commitment as requester (PS3.4 J): pynetdicom stores, is asked, and reports on this or another association."""

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import CTImageStorage, StorageCommitmentPushModel

from hilum.core.access import policy
from hilum.core.access.model import Peer, PeerKind
from hilum.core.hub import Hub
from hilum.core.kernel.peer_options import PeerOptions
from hilum.core.routing.model import DeliveryQuery, ParcelKind
from hilum.couriers.dimse import DimseCourier
from hilum.doors.dimse.server import DimseServer
from hilum.engine.delivery import DestinationWorker
from hilum.stores.objects import objects_from_url
from hilum.stores.passwords import Argon2Passwords
from hilum.stores.sql import Database
from hilum.transport.dicom import Timers
from hilum.wire.dicom.archive_header import indexed_header
from hilum.wire.dicom.header import read_header
from hilum.wire.dicom.part10 import read_file_meta
from hilum.wire.dicom.upper_layer.limits import Limits

OPERATOR = policy.local_operator("test")
UID = "1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322"
QUICK = Timers(artim=0.5, acse=5, idle=5)


class Pacs:
    """A pynetdicom archive: takes CT, and reports on the association of the request, on its own, or not at all."""

    def __init__(self) -> None:
        self.stored: list[str] = []
        self.asked: list[Dataset] = []
        self.missing: set[str] = set()
        self.reports: Callable[[Any, Dataset], None] = lambda _event, _asked: None
        self.action_status = 0
        entity = AE("PACS")
        entity.add_supported_context(CTImageStorage)
        entity.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
        handlers = [(evt.EVT_C_STORE, self._store), (evt.EVT_N_ACTION, self._action)]
        self.server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)

    def _store(self, event: Any) -> int:
        self.stored.append(str(event.request.AffectedSOPInstanceUID))
        return 0

    def _action(self, event: Any) -> tuple[int, None]:
        self.asked.append(event.action_information)
        if not self.action_status:
            self.reports(event, event.action_information)
        return self.action_status, None

    def report(self, asked: Dataset) -> tuple[Dataset, int]:
        """Return the information and event type of a report."""
        told, kept, failed = Dataset(), [], []
        told.TransactionUID = asked.TransactionUID
        for one in asked.ReferencedSOPSequence:
            if one.ReferencedSOPInstanceUID in self.missing:
                one.FailureReason = 0x0112
                failed.append(one)
            else:
                kept.append(one)
        if kept:
            told.ReferencedSOPSequence = kept
        if failed:
            told.FailedSOPSequence = failed
        return told, 2 if failed else 1


@pytest.fixture
def pacs() -> Iterator[Pacs]:
    made = Pacs()
    yield made
    made.server.shutdown()


@pytest.fixture
def hub(database: Database, tmp_path: Path, pacs: Pacs) -> Hub:
    """A hub with one image on its way to the archive."""
    objects = objects_from_url(tmp_path / "objects", tmp_path / "spool")
    hub = Hub(database, objects, Argon2Passwords(), lambda _digest, _keywords: {})
    port = pacs.server.server_address[1]
    options = PeerOptions(commitment=True)
    hub.put_peer(
        OPERATOR,
        Peer("pacs", PeerKind.DICOM, "127.0.0.1", port, "PACS", roles=("modality",), options=options),
    )
    octets = Path(get_testdata_file("CT_small.dcm")).read_bytes()
    spool = hub.spool()
    spool.write(octets)
    hub.store(OPERATOR, spool, indexed_header(read_header(spool, read_file_meta(octets))))
    hub.send(OPERATOR, "pacs", ParcelKind.INSTANCE, UID)
    return hub


def _run(hub: Hub) -> None:
    """Let the engine deliver what is due."""
    lease = hub.claim("pacs", "test")
    assert lease is not None
    worker = DestinationWorker(
        hub,
        lambda peer: DimseCourier(peer, "HILUM", report_seconds=1),
        lease,
        lambda _: False,
        random.random,
        lambda: False,
    )
    worker._deliver(hub.batch(lease, 32))
    worker._close()


def _states(hub: Hub, kind: ParcelKind = ParcelKind.INSTANCE) -> list[str]:
    return [one.state.value for one in hub.deliveries(OPERATOR, DeliveryQuery(kind=kind))]


def _asked(hub: Hub) -> None:
    """Deliver, plan the request as the engine does by the clock, and send it."""
    _run(hub)
    assert _states(hub) == ["stored"]
    hub.plan_commitment_requests()
    assert _states(hub) == ["asked"]
    _run(hub)


def _on_its_association(pacs: Pacs) -> Callable[[Any, Dataset], None]:
    def report(event: Any, asked: Dataset) -> None:
        told, event_type = pacs.report(asked)

        def send() -> None:
            time.sleep(0.1)
            event.assoc.send_n_event_report(
                told, event_type, StorageCommitmentPushModel, "1.2.840.10008.1.20.1.1"
            )

        threading.Thread(target=send, daemon=True).start()

    return report


def test_a_report_on_the_association_of_the_request_settles_the_delivery(hub: Hub, pacs: Pacs) -> None:
    pacs.reports = _on_its_association(pacs)

    _asked(hub)

    assert _states(hub) == ["committed"]
    assert [str(one.ReferencedSOPInstanceUID) for one in pacs.asked[0].ReferencedSOPSequence] == [UID]
    assert hub.audit(OPERATOR, 1)[0].action == "routing.committed"


@pytest.fixture
def our_port(hub: Hub) -> Iterator[int]:
    """The port of our own server."""
    server = DimseServer(
        hub, ae_title="HILUM", any_called_ae_title=False, open_destination=None, maximum_associations=8,
        most_answers=10, longest_instance=1 << 20, limits=Limits(), timers=QUICK,
    )  # type: ignore[arg-type]  # nothing is moved here  # fmt: skip
    listener, stop = socket.create_server(("127.0.0.1", 0)), threading.Event()
    thread = threading.Thread(target=server.serve, args=(listener, stop))
    thread.start()
    yield listener.getsockname()[1]
    stop.set()
    thread.join()
    listener.close()


def _report_by_call(port: int, told: Dataset, event_type: int) -> int:
    """Call our server in the role of the SCP, as PS3.4 J.3.3 has it, and report."""
    entity = AE("PACS")
    entity.add_requested_context(StorageCommitmentPushModel)
    role = build_role(StorageCommitmentPushModel, scp_role=True)
    association = entity.associate("127.0.0.1", port, ae_title="HILUM", ext_neg=[role])
    assert association.is_established
    status, _ = association.send_n_event_report(
        told, event_type, StorageCommitmentPushModel, "1.2.840.10008.1.20.1.1"
    )
    association.release()
    return int(status.Status)


def test_a_report_on_an_association_of_the_peer_settles_the_delivery(
    hub: Hub, pacs: Pacs, our_port: int
) -> None:
    _asked(hub)
    assert _states(hub) == ["asked"]

    status = _report_by_call(our_port, *pacs.report(pacs.asked[0]))

    assert status == 0
    assert _states(hub) == ["committed"]


def test_a_report_that_nobody_asked_for_is_answered_so(hub: Hub, pacs: Pacs, our_port: int) -> None:
    _asked(hub)
    told, event_type = pacs.report(pacs.asked[0])
    told.TransactionUID = "1.2.3.4"

    assert _report_by_call(our_port, told, event_type) == 0x0112
    assert _states(hub) == ["asked"]


def test_what_the_peer_reports_as_failed_is_sent_and_asked_for_again(hub: Hub, pacs: Pacs) -> None:
    pacs.reports, pacs.missing = _on_its_association(pacs), {UID}

    _asked(hub)
    waiting = hub.deliveries(OPERATOR, DeliveryQuery(kind=ParcelKind.INSTANCE))[0]
    pacs.missing = set()
    hub.replay(OPERATOR, [waiting.key])

    assert (waiting.state, waiting.reason) == ("waiting", "0112 not committed to by the peer")
    deadline = time.monotonic() + 20
    while _states(hub) != ["stored"] and time.monotonic() < deadline:
        _run(hub)
        time.sleep(0.2)
    hub.plan_commitment_requests()
    _run(hub)
    assert _states(hub) == ["committed"]
    assert pacs.stored == [UID, UID]


def test_a_peer_that_does_not_take_the_request_up_leaves_no_delivery_as_settled(hub: Hub, pacs: Pacs) -> None:
    pacs.action_status = 0x0110

    _asked(hub)

    assert _states(hub) == ["dead"]
    assert _states(hub, ParcelKind.COMMITMENT_REQUEST) == ["dead"]
    assert "not taken up: 0110" in hub.deliveries(OPERATOR, DeliveryQuery(kind=ParcelKind.INSTANCE))[0].reason
