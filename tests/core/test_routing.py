"""Rules, leases and the queue."""

from datetime import timedelta
from typing import Any

import pytest

from hilum.core import reactions
from hilum.core.access.model import Peer, PeerKind
from hilum.core.archive.model import CommitmentState, ReferencedInstance
from hilum.core.kernel.errors import Conflict, Invalid
from hilum.core.routing.model import Attempted, DeliveryQuery, ParcelKind, Receipt, Rule, Verdict
from hilum.core.routing.rules import INSTANCE_STORED, MOST_ATTEMPTS, wait_after
from hilum.core.routing.usecases import COMMITMENT_PATIENCE, LEASE_LIFETIME


def peer(house: Any, name: str = "pacs", ae_title: str = "PACS") -> None:
    house.hub.put_peer(house.operator, Peer(name, PeerKind.DICOM, "127.0.0.1", 104, ae_title))


def rule(house: Any, **conditions: Any) -> None:
    peer(house)
    house.hub.put_rules(house.operator, [Rule("rule", INSTANCE_STORED, ("pacs",), **conditions)])


def planned(house: Any) -> list[str]:
    """React to what happened and return what is planned, in order."""
    while reactions.react(house.hub, 100):
        pass
    return [one.reference for one in house.hub.deliveries(house.operator, DeliveryQuery())[::-1]]


def settle(house: Any, lease: Any, verdict: Verdict) -> Any:
    """Answer the head of the queue and return it as it stands then."""
    (head,) = house.hub.batch(lease, 1)
    now = house.database.read(lambda tx: tx.now)
    house.hub.settle(lease, Attempted(head, Receipt(verdict, "C0DE", "said"), now, now), 0.0)
    return house.hub.delivery(house.operator, head.key)[0]


@pytest.mark.parametrize(
    ("conditions", "matches"),
    [
        ({}, True),
        ({"source": ("oper*",)}, True),
        ({"source": ("CT?",)}, False),
        ({"modality": ("MR", "CT")}, True),
        ({"modality": ("MR",)}, False),
        ({"tags": {"BodyPartExamined": "CH*"}}, True),
        ({"tags": {"BodyPartExamined": "HEAD"}}, False),
        ({"modality": ("CT",), "tags": {"StationName": "?*"}}, False),
    ],
)
def test_a_rule_applies_when_all_its_conditions_match(
    house: Any, conditions: dict[str, Any], matches: bool
) -> None:
    rule(house, **conditions)

    header = house.header()
    house.store(header, b"BodyPartExamined=CHEST")

    assert planned(house) == ([header.sop_instance_uid] if matches else [])


def test_two_rules_to_one_destination_plan_one_delivery(house: Any) -> None:
    peer(house)
    both = [Rule(name, INSTANCE_STORED, ("pacs",)) for name in ("a", "b")]
    house.hub.put_rules(house.operator, both)

    image = house.store_image()

    assert planned(house) == [image.sop_instance_uid]


def test_rules_to_an_unknown_destination_are_invalid(house: Any) -> None:
    with pytest.raises(Invalid, match="nobody"):
        house.hub.put_rules(house.operator, [Rule("rule", INSTANCE_STORED, ("nobody",))])

    assert house.hub.rules(house.operator) == []


def test_bytes_that_cannot_be_read_do_not_stop_the_events_behind_them(house: Any) -> None:
    rule(house, tags={"BodyPartExamined": "CHEST"})
    house.store(house.header(), b"BodyPartExamined=CHEST\nlost")
    for path in house.folder.rglob("*"):
        if path.is_file() and len(path.name) == 64:
            path.unlink()
    second = house.header()
    house.store(second, b"BodyPartExamined=CHEST")

    assert planned(house) == [second.sop_instance_uid]


def test_a_live_lease_has_one_owner(house: Any) -> None:
    assert house.hub.claim("pacs", "first") is not None

    assert house.hub.claim("pacs", "second") is None


def test_an_expired_lease_is_taken_with_a_higher_fence_and_the_first_owner_settles_nothing(
    house: Any,
) -> None:
    rule(house)
    house.store_image()
    planned(house)
    first = house.hub.claim("pacs", "first")
    house.later(LEASE_LIFETIME)

    second = house.hub.claim("pacs", "second")

    assert second.fence > first.fence
    assert house.hub.batch(first, 1) == []
    (head,) = house.hub.batch(second, 1)
    attempted = Attempted(head, Receipt(Verdict.ACCEPTED, "0", ""), head.created, head.created)
    with pytest.raises(Conflict):
        house.hub.settle(first, attempted, 0.0)
    assert house.hub.delivery(house.operator, head.key) == (head, [])


def test_a_released_lease_is_free_at_once(house: Any) -> None:
    house.hub.release(house.hub.claim("pacs", "first"))

    assert house.hub.claim("pacs", "second") is not None


def test_waits_grow_and_are_capped() -> None:
    waits = [wait_after(attempts, 0.0) for attempts in range(1, 41)]

    assert waits[0] < waits[1] < waits[5]
    assert waits == sorted(waits)
    assert wait_after(40, 1.0) <= timedelta(hours=6) * 1.2


def test_a_delivery_is_dead_when_its_attempts_are_spent(house: Any) -> None:
    rule(house)
    house.store_image()
    planned(house)
    states = []

    for _ in range(MOST_ATTEMPTS):
        house.later(timedelta(hours=8))
        delivery = settle(house, house.hub.claim("pacs", "a"), Verdict.RETRY)
        states.append(delivery.state.value)

    assert states == ["waiting"] * (MOST_ATTEMPTS - 1) + ["dead"]
    assert "DeliveryDied" in [type(event).__name__ for event in house.news()]
    assert len(house.hub.delivery(house.operator, delivery.key)[1]) == MOST_ATTEMPTS


def test_nothing_overtakes_a_head_that_waits(house: Any) -> None:
    rule(house)
    for _ in range(2):
        house.store_image()
    planned(house)
    lease = house.hub.claim("pacs", "a")

    settle(house, lease, Verdict.RETRY)

    assert house.hub.batch(lease, 10) == []
    assert house.hub.destinations_due() == []


def test_a_replay_waits_at_its_old_place(house: Any) -> None:
    rule(house)
    first, second = house.store_image(), house.store_image()
    planned(house)
    lease = house.hub.claim("pacs", "a")
    dead = settle(house, lease, Verdict.REJECTED)

    replayed = house.hub.replay(house.operator, [dead.key])

    assert replayed == 1
    assert [one.reference for one in house.hub.batch(lease, 10)] == [
        first.sop_instance_uid,
        second.sop_instance_uid,
    ]


def test_what_waits_already_is_not_replayed(house: Any) -> None:
    rule(house)
    house.store_image()
    planned(house)

    (waiting,) = house.hub.deliveries(house.operator, DeliveryQuery())

    assert house.hub.replay(house.operator, [waiting.key]) == 0


def test_a_delivery_by_hand_is_in_the_trail_once(house: Any) -> None:
    peer(house)
    image = house.store_image()

    said = [
        house.hub.send(house.operator, "pacs", ParcelKind.INSTANCE, image.sop_instance_uid) for _ in range(2)
    ]

    assert said == [True, False]
    assert house.actions().count("routing.send") == 1


def ask(house: Any, ae_title: str = "PACS") -> None:
    references = (ReferencedInstance("1.2", "1.9"),)
    house.hub.request_commitment(house.operator, ae_title, "1.2.3", references)


def test_a_commitment_report_is_planned_to_who_asked_once_its_association_had_time(house: Any) -> None:
    peer(house)
    ask(house)
    house.hub.plan_overdue_commitments()
    early = planned(house)

    house.later(COMMITMENT_PATIENCE + timedelta(seconds=1))
    house.hub.plan_overdue_commitments()

    assert early == []
    assert planned(house) == ["1.2.3"]
    assert house.hub.commitment("1.2.3").state is CommitmentState.PLANNED


def test_a_delivered_commitment_report_is_noted(house: Any) -> None:
    peer(house)
    ask(house)
    house.hub.report_later("1.2.3")

    settle(house, house.hub.claim("pacs", "a"), Verdict.ACCEPTED)

    assert house.hub.commitment("1.2.3").state is CommitmentState.REPORTED


def test_a_requester_that_is_no_peer_cannot_be_reached(house: Any) -> None:
    ask(house, "NOBODY")

    house.hub.report_later("1.2.3")

    assert house.hub.commitment("1.2.3").state is CommitmentState.UNREACHABLE
    assert planned(house) == []
