"""Instance Availability Notification (PS3.4 R, RAD-49), received by pynetdicom."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import InstanceAvailabilityNotification

from hilum.core.access import policy
from hilum.core.access.model import Peer, PeerKind
from hilum.core.hub import Hub
from hilum.core.reactions import react
from hilum.core.routing.announcing import QUIET
from hilum.core.routing.model import DeliveryQuery, Rule
from hilum.couriers.dimse import DimseCourier
from hilum.engine.delivery import DestinationWorker
from hilum.stores.objects import objects_from_url
from hilum.stores.passwords import Argon2Passwords
from hilum.stores.sql import Database
from hilum.wire.dicom.archive_header import indexed_header
from hilum.wire.dicom.header import read_header
from hilum.wire.dicom.part10 import read_file_meta

OPERATOR = policy.local_operator("test")
STUDY = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"
UID = "1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322"


@pytest.fixture
def told() -> list[tuple[str, Dataset]]:
    return []


@pytest.fixture
def hub(database: Database, tmp_path: Path, told: list[tuple[str, Dataset]]) -> Iterator[Hub]:
    """A hub that tells the RIS of CT studies, and has one."""

    def created(event: Any) -> tuple[int, Dataset]:
        told.append((str(event.request.AffectedSOPInstanceUID), event.attribute_list))
        return 0, event.attribute_list

    entity = AE("RIS")
    entity.add_supported_context(InstanceAvailabilityNotification)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_CREATE, created)])
    objects = objects_from_url(tmp_path / "objects", tmp_path / "spool")
    hub = Hub(database, objects, Argon2Passwords(), lambda _digest, _keywords: {})
    hub.put_peer(OPERATOR, Peer("ris", PeerKind.DICOM, "127.0.0.1", server.server_address[1], "RIS"))
    rules = [
        Rule("ct", "study-available", ("ris",), modality=("CT",)),
        Rule("mr", "study-available", ("ris",), modality=("MR",)),
    ]
    hub.put_rules(OPERATOR, rules)
    octets = Path(get_testdata_file("CT_small.dcm")).read_bytes()
    spool = hub.spool()
    spool.write(octets)
    hub.store(OPERATOR, spool, indexed_header(read_header(spool, read_file_meta(octets))))
    while react(hub, 100):
        pass
    yield hub
    server.shutdown()


def _deliver(hub: Hub) -> None:
    lease = hub.claim("ris", "test")
    assert lease is not None
    worker = DestinationWorker(
        hub, lambda peer: DimseCourier(peer, "HILUM"), lease, lambda _: False, random.random, lambda: False
    )
    worker._deliver(hub.batch(lease, 32))
    worker._close()


def test_a_stored_study_is_announced_only_when_it_has_been_quiet(hub: Hub, database: Database) -> None:
    due = database.read(
        lambda tx: [tx.background.due_chore(tx.now), tx.background.due_chore(tx.now + QUIET * 2)]
    )

    assert due[0] is None
    assert due[1] is not None
    assert hub.deliveries(OPERATOR, DeliveryQuery()) == []


def test_an_announcement_names_every_instance_and_how_to_retrieve_it(
    hub: Hub, told: list[tuple[str, Dataset]]
) -> None:
    hub.announce_study(STUDY)
    hub.announce_study(STUDY)
    _deliver(hub)

    assert [one.state for one in hub.deliveries(OPERATOR, DeliveryQuery())] == ["sent"]
    [(uid, said)] = told
    assert uid.startswith("2.25.")
    assert said.StudyInstanceUID == STUDY
    assert list(said.ReferencedPerformedProcedureStepSequence) == []
    [instance] = said.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert (instance.ReferencedSOPInstanceUID, instance.InstanceAvailability) == (UID, "ONLINE")
    assert instance.RetrieveAETitle == "HILUM"


def test_a_study_that_is_not_here_is_not_announced(hub: Hub) -> None:
    hub.announce_study("1.2.3")

    assert hub.deliveries(OPERATOR, DeliveryQuery()) == []
