"""Unified Procedure Step spoken by pynetdicom: every service of every class, and the events (PS3.4 CC)."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from hilum.core.access.model import Peer, PeerKind
from hilum.core.reactions import react
from hilum.core.workitems.model import WorkitemState
from hilum.couriers.dimse import DimseCourier
from hilum.doors.dimse import services
from hilum.engine.delivery import DestinationWorker
from hilum.wire.dicom import ups

PUSH, WATCH, PULL = "1.2.840.10008.5.1.4.34.6.1", "1.2.840.10008.5.1.4.34.6.2", "1.2.840.10008.5.1.4.34.6.3"
EVENT, QUERY = "1.2.840.10008.5.1.4.34.6.4", "1.2.840.10008.5.1.4.34.6.5"
ALL, FILTERED = "1.2.840.10008.5.1.4.34.5", "1.2.840.10008.5.1.4.34.5.1"
UID, CLAIM = "1.2.3.4", "2.25.77"


def code(value: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "99H", value
    return item


def step(**changes: Any) -> Dataset:
    """Return an N-CREATE data set with all of types 1 and 2."""
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 100"
    made.TransactionUID = ""
    made.ProcedureStepState = "SCHEDULED"
    made.ScheduledProcedureStepPriority = "MEDIUM"
    made.WorklistLabel, made.ProcedureStepLabel = "Reading", "Lunge prüfen"
    made.InputReadinessState, made.ScheduledProcedureStepStartDateTime = "READY", "20261201093000"
    made.PatientName, made.PatientID, made.PatientBirthDate, made.PatientSex = "Müller^Jörg", "P1", "", "M"
    made.AdmissionID = made.AdmittingDiagnosesDescription = made.CommentsOnTheScheduledProcedureStep = ""
    made.ScheduledWorkitemCodeSequence = [code("SEG")]
    for keyword in (
        "InputInformationSequence", "ScheduledStationNameCodeSequence", "ScheduledStationClassCodeSequence",
        "ScheduledStationGeographicLocationCodeSequence", "ScheduledProcessingParametersSequence",
        "IssuerOfAdmissionIDSequence", "AdmittingDiagnosesCodeSequence", "ReferencedRequestSequence",
        "ProcedureStepProgressInformationSequence", "UnifiedProcedureStepPerformedProcedureSequence",
    ):  # fmt: skip
        setattr(made, keyword, [])
    for keyword, value in changes.items():
        if value is None:
            delattr(made, keyword)
        else:
            setattr(made, keyword, value)
    return made


def performed() -> Dataset:
    item = Dataset()
    item.PerformedStationNameCodeSequence, item.PerformedWorkitemCodeSequence = [code("AI1")], [code("SEG")]
    item.PerformedProcedureStepStartDateTime = "20261201094000"
    item.PerformedProcedureStepEndDateTime = "20261201094500"
    item.OutputInformationSequence = []
    change = Dataset()
    change.TransactionUID = CLAIM
    change.UnifiedProcedureStepPerformedProcedureSequence = [item]
    return change


def state(wanted: str, transaction_uid: str = CLAIM) -> Dataset:
    asked = Dataset()
    asked.ProcedureStepState, asked.TransactionUID = wanted, transaction_uid
    return asked


def receiver(ae_title: str = "STATION", lock: str = "FALSE") -> Dataset:
    asked = Dataset()
    asked.ReceivingAE, asked.DeletionLock = ae_title, lock
    return asked


class Scu:
    """Any performer, scheduler or watcher: one pynetdicom association with all classes."""

    def __init__(self, association: Any) -> None:
        self.association = association

    def create(self, data_set: Dataset, uid: str | None = UID) -> int:
        return int(self.association.send_n_create(data_set, PUSH, uid)[0].Status)

    def act(self, number: int, asked: Dataset, meta: str, uid: str = UID) -> int:
        status, _ = self.association.send_n_action(asked, number, PUSH, uid, meta_uid=meta)
        return int(status.Status)

    def state(self, wanted: str, transaction_uid: str = CLAIM, uid: str = UID) -> int:
        return self.act(1, state(wanted, transaction_uid), PULL, uid)

    def set(self, change: Dataset, uid: str = UID) -> Any:
        return self.association.send_n_set(change, PUSH, uid, meta_uid=PULL)[0]

    def get(self, *tags: tuple[int, int], meta: str = PULL, uid: str = UID) -> tuple[int, Dataset]:
        status, attributes = self.association.send_n_get(list(tags), PUSH, uid, meta_uid=meta)
        return int(status.Status), attributes

    def find(self, meta: str = PULL, **keys: Any) -> list[Dataset]:
        identifier = Dataset()
        identifier.SOPInstanceUID, identifier.SOPClassUID, identifier.ProcedureStepState = "", "", ""
        for keyword, value in keys.items():
            setattr(identifier, keyword, value)
        answers = list(self.association.send_c_find(identifier, meta))
        assert answers[-1][0].Status == 0, answers[-1][0]
        return [one for _, one in answers[:-1]]


@pytest.fixture
def scu(port: int) -> Iterator[Scu]:
    entity = AE("STATION")
    for sop_class in (PUSH, WATCH, PULL, QUERY):
        entity.add_requested_context(sop_class)
    association = entity.associate("127.0.0.1", port)
    assert association.is_established
    assert len(association.accepted_contexts) == 4
    yield Scu(association)
    association.release()


def test_a_workitem_goes_from_push_to_completed(scu: Scu) -> None:
    assert scu.create(step()) == 0
    assert scu.state("IN PROGRESS") == 0
    assert scu.set(performed()).Status == 0
    assert scu.state("COMPLETED") == 0

    status, got = scu.get()
    assert (status, got.ProcedureStepState) == (0, "COMPLETED")
    assert (
        got.UnifiedProcedureStepPerformedProcedureSequence[0].PerformedWorkitemCodeSequence[0].CodeValue
        == "SEG"
    )
    assert str(got.PatientName) == "Müller^Jörg"
    assert got.SpecificCharacterSet == "ISO_IR 192"
    assert got.SOPClassUID == PUSH
    assert "TransactionUID" not in got


def test_get_gives_what_is_asked_for_and_the_transaction_uid_to_nobody(scu: Scu) -> None:
    scu.create(step())
    scu.state("IN PROGRESS")

    status, got = scu.get((0x0074, 0x1204), meta=WATCH)
    secret, without = scu.get((0x0008, 0x1195), (0x0074, 0x1000), meta=PUSH)

    assert (status, got.ProcedureStepLabel) == (0, "Lunge prüfen")
    assert "PatientName" not in got
    assert (secret, without.ProcedureStepState) == (0x0001, "IN PROGRESS")
    assert "TransactionUID" not in without


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"ProcedureStepState": "IN PROGRESS"}, 0xC309),
        ({"ProcedureStepState": None}, 0x0120),
        ({"ScheduledProcedureStepPriority": ""}, 0x0121),
        ({"TransactionUID": CLAIM}, 0x0106),
        ({"CommentsOnTheScheduledProcedureStep": None}, 0xB300),
        ({"WorklistLabel": ""}, 0),
    ],
)
def test_create_answers_with_the_code_of_the_standard(scu: Scu, changes: dict[str, Any], status: int) -> None:
    assert scu.create(step(**changes)) == status
    assert scu.get()[0] == (0 if status in (0, 0xB300) else 0xC307)


def test_a_uid_is_created_once_and_a_missing_one_is_given(scu: Scu) -> None:
    assert [scu.create(step()), scu.create(step())] == [0, 0x0111]

    answer, given = scu.association.send_n_create(step(), PUSH, None)

    assert answer.Status == 0
    [other] = [one for one in scu.find() if one.SOPInstanceUID != UID]
    assert other.SOPInstanceUID.startswith("2.25.")
    assert given is None or "TransactionUID" not in given


def test_every_refusal_of_change_state_has_its_code(scu: Scu) -> None:
    assert scu.state("IN PROGRESS") == 0xC307
    scu.create(step())
    assert scu.state("COMPLETED") == 0xC310
    assert scu.state("IN PROGRESS", "") == 0xC301
    assert scu.state("SCHEDULED") == 0xC303
    assert scu.act(1, state("PAUSED"), PULL) == 0x0106
    assert scu.state("IN PROGRESS") == 0
    assert scu.state("IN PROGRESS") == 0xC302
    assert scu.state("IN PROGRESS", "2.25.1") == 0xC301
    assert scu.state("COMPLETED") == 0xC304
    assert scu.state("CANCELED") == 0
    assert scu.state("CANCELED") == 0xB304
    assert scu.state("COMPLETED") == 0xC300
    scu.create(step(), "1.2.5")
    scu.state("IN PROGRESS", uid="1.2.5")
    scu.set(performed(), "1.2.5")
    assert scu.state("COMPLETED", uid="1.2.5") == 0
    assert scu.state("COMPLETED", uid="1.2.5") == 0xB306


def test_every_refusal_of_set_has_its_code(scu: Scu) -> None:
    label, claimed, patient = Dataset(), Dataset(), Dataset()
    label.ProcedureStepLabel = claimed.ProcedureStepLabel = "Other"
    claimed.TransactionUID, patient.PatientID = CLAIM, "P2"

    assert scu.set(label).Status == 0xC307
    scu.create(step())
    assert scu.set(claimed).Status == 0xC310
    refused = scu.set(patient)
    assert (refused.Status, refused.ErrorComment) == (0x0106, "PatientID (0010,0020) may not be set")
    assert scu.set(label).Status == 0
    scu.state("IN PROGRESS")
    assert scu.set(label).Status == 0xC301
    assert scu.set(claimed).Status == 0
    scu.state("CANCELED")
    assert scu.set(claimed).Status == 0xC300


def test_cancel_is_requested_by_push_and_by_watch(scu: Scu, record: Any) -> None:
    record.put_peer("PERFORMER", 11, ae_title="STATION")
    reason = Dataset()
    reason.ReasonForCancellation = "no longer needed"

    assert scu.act(2, reason, PUSH) == 0xC307
    scu.create(step())
    assert scu.act(2, reason, PUSH) == 0
    assert scu.act(2, reason, WATCH) == 0xB304
    scu.create(step(), "1.2.5")
    scu.state("IN PROGRESS", uid="1.2.5")
    assert scu.act(2, reason, WATCH, "1.2.5") == 0xC312
    scu.act(3, receiver(), WATCH, "1.2.5")
    assert scu.act(2, reason, WATCH, "1.2.5") == 0
    scu.set(performed(), "1.2.5")
    scu.state("COMPLETED", uid="1.2.5")
    assert scu.act(2, reason, WATCH, "1.2.5") == 0xC311


def test_each_class_has_its_own_actions(scu: Scu) -> None:
    scu.create(step())

    assert scu.act(1, state("IN PROGRESS"), WATCH) == 0x0123
    assert scu.act(3, receiver(), PULL) == 0x0123
    assert scu.act(3, receiver(), PUSH) == 0x0123
    assert scu.act(9, receiver(), WATCH) == 0x0123


def test_subscriptions_answer_with_their_codes(scu: Scu, record: Any) -> None:
    nobody, lockless = receiver("NOBODY"), Dataset()
    lockless.ReceivingAE = "STATION"
    record.put_peer("STATION", 11, ae_title="STATION")

    assert scu.act(3, receiver(), WATCH) == 0xC307
    scu.create(step())
    assert scu.act(3, nobody, WATCH) == 0xC308
    assert scu.act(3, lockless, WATCH) == 0x0120
    assert scu.act(3, receiver(lock="PERHAPS"), WATCH) == 0x0106
    assert scu.act(3, receiver(), WATCH) == 0
    assert scu.act(4, receiver(), WATCH) == 0
    assert scu.act(5, receiver(), WATCH) == 0xC314
    assert scu.act(5, receiver(), WATCH, ALL) == 0
    assert scu.act(3, receiver(), WATCH, FILTERED) == 0x0115


def test_find_matches_sequences_ranges_and_names(scu: Scu) -> None:
    scu.create(step())
    later = step(ScheduledProcedureStepStartDateTime="20270101", PatientName="Doe^Jane", PatientID="P2")
    later.ScheduledWorkitemCodeSequence = [code("QA")]
    scu.create(later, "1.2.5")

    wanted = Dataset()
    wanted.CodeValue, wanted.CodeMeaning = "QA", ""
    [qa] = scu.find(ScheduledWorkitemCodeSequence=[wanted], PatientName="")
    assert (qa.SOPInstanceUID, qa.SOPClassUID, str(qa.PatientName)) == ("1.2.5", PUSH, "Doe^Jane")
    assert list(qa.ScheduledWorkitemCodeSequence[0].dir()) == ["CodeMeaning", "CodeValue"]
    assert [one.SOPInstanceUID for one in scu.find(QUERY)] == [UID, "1.2.5"]
    ranged = scu.find(WATCH, ScheduledProcedureStepStartDateTime="20261101-20261231")
    assert [one.SOPInstanceUID for one in ranged] == [UID]
    assert [one.PatientID for one in scu.find(PatientName="M?ller*", PatientID="")] == ["P1"]
    assert scu.find(ProcedureStepState="COMPLETED") == []
    assert all("TransactionUID" not in one or not one.TransactionUID for one in scu.find(TransactionUID=""))


def test_more_matches_than_the_limit_are_a700_and_not_silence(serve: Any, hub: Any) -> None:
    entity = AE("STATION")
    entity.add_requested_context(PUSH)
    entity.add_requested_context(QUERY)
    association = entity.associate("127.0.0.1", serve(hub, most_answers=1))
    few = Scu(association)
    identifier = Dataset()
    identifier.SOPInstanceUID = ""

    few.create(step())
    assert len(few.find(QUERY)) == 1
    few.create(step(), "1.2.5")
    answers = list(association.send_c_find(identifier, QUERY))
    with disable_value_validation():
        odd = Dataset()
        odd.ScheduledProcedureStepStartDateTime = "2026-2027-2028"
        refused = list(association.send_c_find(odd, QUERY))
    association.release()

    assert [status.Status for status, _ in answers] == [0xA700]
    assert [status.Status for status, _ in refused] == [0xA900]


def test_who_may_not_is_told_0124(serve: Any, hub: Any) -> None:
    hub.open_to_all = False
    hub.put_peer(_operator(), Peer("viewer", PeerKind.DICOM, "127.0.0.1", 0, "STATION", roles=("viewer",)))
    entity = AE("STATION")
    for sop_class in (PUSH, PULL):
        entity.add_requested_context(sop_class)
    association = entity.associate("127.0.0.1", serve(hub))
    viewer = Scu(association)

    created, found = viewer.create(step()), viewer.find()
    association.release()

    assert (created, found) == (0x0124, [])


def test_conformance_is_what_the_services_register() -> None:
    assert {PUSH, WATCH, PULL, QUERY} <= set(services.SUPPORTED)
    assert set(ups.STATUS_OF_REASON.values()) <= {0x0111, *ups.UpsStatus}


@pytest.fixture
def station() -> Iterator[Any]:
    """A pynetdicom AE that takes events: its port, and what it hears."""
    heard: list[tuple[str, int, Dataset]] = []

    def on_event(event: Any) -> tuple[int, None]:
        heard.append((str(event.request.AffectedSOPInstanceUID), event.event_type, event.event_information))
        assert event.request.AffectedSOPClassUID == PUSH
        return 0, None

    entity = AE("STATION")
    entity.add_supported_context(EVENT, scu_role=False, scp_role=True)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, on_event)]
    )
    yield server.server_address[1], heard
    server.shutdown()


def _deliver(hub: Any, destination: str = "STATION") -> None:
    """React as the engine does, then run its worker over one destination."""
    react(hub, 1000)
    lease = hub.claim(destination, "test")
    courier: Callable[[Any], DimseCourier] = lambda peer: DimseCourier(peer, "HILUM")  # noqa: E731
    DestinationWorker(hub, courier, lease, lambda _: False, lambda: 0.0, lambda: False).run()


def test_a_subscriber_is_told_in_order_on_an_association_of_ours(scu: Scu, record: Any, station: Any) -> None:
    port, heard = station
    record.put_peer("STATION", port, ae_title="STATION")
    assert scu.act(3, receiver(lock="TRUE"), WATCH, ALL) == 0

    scu.create(step(ScheduledStationNameCodeSequence=[code("AI1")]))
    scu.state("IN PROGRESS")
    progress, item = Dataset(), Dataset()
    item.ProcedureStepProgress = 25
    progress.TransactionUID, progress.ProcedureStepProgressInformationSequence = CLAIM, [item]
    scu.set(progress)
    reason = Dataset()
    reason.ReasonForCancellation, reason.ContactDisplayName = "überflüssig", "Dr. Who"
    scu.act(2, reason, WATCH)
    scu.state("CANCELED")
    record.hub.announce_restart(())
    _deliver(record.hub)

    assert [(uid, number) for uid, number, _ in heard] == [
        (UID, 1), (UID, 5), (UID, 1), (UID, 3), (UID, 2), (UID, 1), (ALL, 4)
    ]  # fmt: skip
    told = [information for _, _, information in heard]
    assert (told[0].ProcedureStepState, told[0].InputReadinessState) == ("SCHEDULED", "READY")
    assert told[1].ScheduledStationNameCodeSequence[0].CodeValue == "AI1"
    assert told[2].ProcedureStepState == "IN PROGRESS"
    assert told[3].ProcedureStepProgressInformationSequence[0].ProcedureStepProgress == 25
    assert (told[4].RequestingAE, told[4].ReasonForCancellation) == ("STATION", "überflüssig")
    assert told[4].ContactDisplayName == "Dr. Who"
    assert told[5].ProcedureStepDiscontinuationReasonCodeSequence[0].CodeValue == "110513"
    assert (told[6].SCPStatus, told[6].SubscriptionListStatus) == ("RESTARTED", "WARM START")


def test_a_subscriber_that_is_away_is_told_when_it_is_back(scu: Scu, record: Any, station: Any) -> None:
    port, heard = station
    record.put_peer("STATION", 9, ae_title="STATION")
    scu.create(step())
    scu.act(3, receiver(), WATCH)
    _deliver(record.hub)
    assert heard == []

    record.put_peer("STATION", port, ae_title="STATION")
    from hilum.core.routing.model import DeliveryQuery, DeliveryState

    [delivery] = record.hub.deliveries(_operator(), DeliveryQuery(destination="STATION"))
    assert (delivery.state, delivery.attempts) == (DeliveryState.WAITING, 1)
    threading.Event().wait(max(0, delivery.next_attempt.timestamp() - _now()))
    _deliver(record.hub)

    assert [number for _, number, _ in heard] == [1]


def test_a_filtered_subscription_tells_of_what_matches(scu: Scu, record: Any, station: Any) -> None:
    port, heard = station
    record.put_peer("STATION", port, ae_title="STATION")
    asked = receiver(lock="TRUE")
    asked.WorklistLabel = "Reading"
    assert scu.act(3, asked, WATCH, FILTERED) == 0

    scu.create(step(WorklistLabel="Other"))
    scu.create(step(), "1.2.5")
    _deliver(record.hub)

    assert [uid for uid, _, _ in heard] == ["1.2.5"]


def test_workitems_survive_a_restart(scu: Scu, record: Any, sqlite_url: str) -> None:
    from hilum.core.hub import Hub
    from hilum.stores.sql import Database

    scu.create(step())
    scu.state("IN PROGRESS")

    database = Database(sqlite_url)
    again = Hub(database, record.hub._objects, record.hub._passwords, record.hub.read_tags)
    kept = again.read_workitem(_operator(), UID)
    again.change_workitem_state(_operator(), UID, WorkitemState.CANCELED, CLAIM)
    database.close()

    assert kept.state is WorkitemState.IN_PROGRESS
    assert scu.get()[1].ProcedureStepState == "CANCELED"


def test_a_workitem_that_is_too_long_is_refused(scu: Scu) -> None:
    with disable_value_validation():
        long = step(CommentsOnTheScheduledProcedureStep="x" * ups.MOST_OCTETS)
        assert scu.create(long) == 0x0115

    assert scu.get()[0] == 0xC307


def _operator() -> Any:
    from hilum.core.access import policy

    return policy.local_operator("test")


def _now() -> float:
    import time

    return time.time()
