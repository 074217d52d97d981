"""MPPS sent on by the durable engine: received by our door, forwarded in order to pynetdicom (PS3.4 F.7)."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import ModalityPerformedProcedureStep

from hilum.core.access import policy
from hilum.core.access.model import Peer, PeerKind
from hilum.core.hub import Hub
from hilum.core.reactions import react
from hilum.core.routing.model import DeliveryQuery, Rule
from hilum.couriers.dimse import DimseCourier
from hilum.engine.delivery import DestinationWorker
from hilum.stores.objects import objects_from_url
from hilum.stores.passwords import Argon2Passwords
from hilum.stores.sql import Database
from hilum.wire.dicom.mpps import changed_step, created_step

OPERATOR = policy.local_operator("test")
EXPLICIT = "1.2.840.10008.1.2.1"


class Ris:
    """A pynetdicom MPPS SCP that keeps what it is told; `refuses` is a status for everything."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, Dataset]] = []
        self.refuses = 0
        entity = AE("RIS")
        entity.add_supported_context(ModalityPerformedProcedureStep)
        handlers = [(evt.EVT_N_CREATE, self._create), (evt.EVT_N_SET, self._set)]
        self.server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)

    def _create(self, event: Any) -> tuple[int, Dataset | None]:
        uid = str(event.request.AffectedSOPInstanceUID)
        if any(one[1] == uid for one in self.told):
            return 0x0111, None
        self.told.append(("create", uid, event.attribute_list))
        return 0, event.attribute_list

    def _set(self, event: Any) -> tuple[int, Dataset | None]:
        self.told.append(("set", str(event.request.RequestedSOPInstanceUID), event.modification_list))
        return self.refuses, event.modification_list


@pytest.fixture
def ris() -> Iterator[Ris]:
    made = Ris()
    yield made
    made.server.shutdown()


@pytest.fixture
def hub(database: Database, tmp_path: Path, ris: Ris) -> Hub:
    """A hub that sends the MPPS of CT rooms on to the RIS."""
    objects = objects_from_url(tmp_path / "objects", tmp_path / "spool")
    hub = Hub(database, objects, Argon2Passwords(), lambda _digest, _keywords: {})
    hub.put_peer(OPERATOR, Peer("ris", PeerKind.DICOM, "127.0.0.1", ris.server.server_address[1], "RIS"))
    hub.put_rules(OPERATOR, [Rule("steps", "procedure-step-reported", ("ris",), modality=("CT",))])
    return hub


def _encoded(**values: Any) -> bytes:
    from hilum.wire.dicom.data_sets import encoded

    data_set = Dataset()
    for keyword, value in values.items():
        setattr(data_set, keyword, value)
    return encoded(data_set, EXPLICIT)


def _reported(hub: Hub, uid: str, modality: str = "CT") -> None:
    scheduled, series = Dataset(), Dataset()
    scheduled.StudyInstanceUID = "1.2.3"
    series.SeriesInstanceUID = "1.2.3.4"
    begun = _encoded(
        SpecificCharacterSet="ISO_IR 100", PatientName="M\u00fcller^Anna", Modality=modality,
        PerformedProcedureStepStatus="IN PROGRESS", PerformedStationAETitle="CT1",
        PerformedProcedureStepStartDate="20261124", PerformedProcedureStepStartTime="0900",
        PerformedProcedureStepID="P1", ScheduledStepAttributesSequence=[scheduled],
    )  # fmt: skip
    hub.start_procedure(OPERATOR, created_step(begun, EXPLICIT, uid))
    for values in (
        {"PerformedProcedureStepDescription": "Head"},
        {
            "PerformedProcedureStepStatus": "COMPLETED",
            "PerformedProcedureStepEndDate": "20261124",
            "PerformedProcedureStepEndTime": "0910",
            "PerformedSeriesSequence": [series],
        },
    ):
        hub.change_procedure(OPERATOR, uid, changed_step(_encoded(**values), EXPLICIT)[0])


def _deliver(hub: Hub) -> list[str]:
    """Run the engine's steps once, and return how the deliveries stand."""
    while react(hub, 100):
        pass
    lease = hub.claim("ris", "test")
    assert lease is not None
    worker = DestinationWorker(
        hub, lambda peer: DimseCourier(peer, "HILUM"), lease, lambda _: False, random.random, lambda: False
    )
    worker._deliver(hub.batch(lease, 32))
    worker._close()
    return [one.state.value for one in hub.deliveries(OPERATOR, DeliveryQuery())[::-1]]


def test_each_message_is_sent_on_in_order_and_as_it_came(hub: Hub, ris: Ris) -> None:
    _reported(hub, "1.2.3.5")
    _reported(hub, "1.2.3.6", modality="MR")

    assert _deliver(hub) == ["sent", "sent", "sent"]
    assert [(what, uid) for what, uid, _ in ris.told] == [
        ("create", "1.2.3.5"),
        ("set", "1.2.3.5"),
        ("set", "1.2.3.5"),
    ]
    created, described, completed = (data_set for _, _, data_set in ris.told)
    assert str(created.PatientName) == "M\u00fcller^Anna"
    assert created.PerformedProcedureStepStatus == "IN PROGRESS"
    assert [one.keyword for one in described if one.tag != 0x00080005] == [
        "PerformedProcedureStepDescription"
    ]
    assert completed.PerformedProcedureStepStatus == "COMPLETED"


def test_a_step_that_the_peer_has_already_counts_as_sent(hub: Hub, ris: Ris) -> None:
    ris.told.append(("create", "1.2.3.5", Dataset()))
    _reported(hub, "1.2.3.5")

    assert _deliver(hub) == ["sent", "sent", "sent"]


def test_what_the_peer_refuses_is_dead_with_its_own_code(hub: Hub, ris: Ris) -> None:
    ris.refuses = 0x0110
    _reported(hub, "1.2.3.5")

    assert _deliver(hub) == ["sent", "dead", "dead"]
    assert hub.deliveries(OPERATOR, DeliveryQuery())[0].reason.startswith("0110")
