"""The contract of rules, deliveries and leases, on each database."""

from datetime import UTC, datetime, timedelta

from hilum.core.routing.model import (
    Attempt,
    Delivery,
    DeliveryQuery,
    DeliveryState,
    ParcelKind,
    Rule,
    Verdict,
)
from hilum.stores.sql import Database

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SOON = NOW + timedelta(seconds=10)


def planned(database: Database, reference: str, destination: str = "pacs") -> bool:
    return database.write(
        lambda tx: tx.routing.add(destination, ParcelKind.INSTANCE, reference, "rule", "trace")
    )


def head(database: Database, destination: str = "pacs", limit: int = 10) -> list[Delivery]:
    return database.read(lambda tx: tx.routing.head(destination, NOW, limit))


def settled(
    database: Database, delivery: Delivery, state: DeliveryState, next_attempt: datetime | None = None
) -> None:
    database.write(lambda tx: tx.routing.settle(delivery.key, state, next_attempt, "A700 full"))


def test_rules_are_replaced_and_keep_their_order(database: Database) -> None:
    rules = [
        Rule("b", "instance-stored", ("x", "y"), source=("CT*",), tags={"BodyPartExamined": "CH*"}),
        Rule("a", "report-filed", ("z",), status=("final",), modality=()),
    ]
    database.write(lambda tx: tx.routing.put_rules([Rule("old", "report-filed", ("q",))]))

    database.write(lambda tx: tx.routing.put_rules(rules))

    assert database.read(lambda tx: tx.routing.rules()) == rules
    database.write(lambda tx: tx.routing.put_rules([]))
    assert database.read(lambda tx: tx.routing.rules()) == []


def test_the_same_parcel_to_the_same_destination_is_planned_once(database: Database) -> None:
    assert [planned(database, "1.1"), planned(database, "1.1"), planned(database, "1.1", "other")] == [
        True,
        False,
        True,
    ]


def test_the_queue_is_in_the_order_of_planning(database: Database) -> None:
    for number in range(5):
        planned(database, f"1.{number}")

    assert [one.reference for one in head(database, limit=3)] == ["1.0", "1.1", "1.2"]
    newest = database.read(lambda tx: tx.routing.find(DeliveryQuery(limit=2)))
    assert [one.reference for one in newest] == ["1.4", "1.3"]


def test_a_head_that_is_not_due_holds_the_queue(database: Database) -> None:
    for number in range(2):
        planned(database, f"1.{number}")
    first, second = head(database)

    settled(database, first, DeliveryState.UNCERTAIN, SOON)

    assert head(database) == []
    assert database.read(lambda tx: tx.routing.destinations_due(NOW)) == []
    assert database.read(lambda tx: tx.routing.destinations_due(SOON)) == ["pacs"]
    later = database.read(lambda tx: tx.routing.head("pacs", SOON, 10))
    assert [(one.key, one.state, one.attempts) for one in later] == [
        (first.key, DeliveryState.UNCERTAIN, 1),
        (second.key, DeliveryState.WAITING, 0),
    ]


def test_what_ended_leaves_the_queue_and_comes_back_to_its_place_by_replay(database: Database) -> None:
    for number in range(3):
        planned(database, f"1.{number}")
    first, second, third = head(database)
    settled(database, first, DeliveryState.SENT)
    settled(database, second, DeliveryState.DEAD)

    database.write(lambda tx: tx.routing.put_back(second.key))

    again = head(database)
    assert [one.key for one in again] == [second.key, third.key]
    assert (again[0].attempts, again[0].settled, again[0].state) == (0, None, DeliveryState.WAITING)
    sent = database.read(lambda tx: tx.routing.delivery(first.key))
    assert sent is not None
    assert sent.settled is not None
    assert sent.reason == "A700 full"
    assert database.read(lambda tx: tx.routing.delivery(10**6)) is None


def test_due_destinations_are_each_named_once(database: Database) -> None:
    for destination in ("b", "a", "c"):
        for number in range(3):
            planned(database, f"1.{number}", destination)
    settled(database, head(database, "c")[0], DeliveryState.WAITING, SOON)

    assert database.read(lambda tx: tx.routing.destinations_due(NOW)) == ["a", "b"]


def test_queues_say_how_each_destination_stands(database: Database) -> None:
    for number in range(4):
        planned(database, f"1.{number}")
    planned(database, "1.1", "idle")
    first, second, third, _ = head(database)
    settled(database, first, DeliveryState.SENT)
    settled(database, second, DeliveryState.DEAD)
    settled(database, third, DeliveryState.UNCERTAIN, SOON)

    idle, pacs = database.read(lambda tx: tx.routing.queues())

    assert (idle.destination, idle.waiting, idle.dead, idle.sent, idle.last_reason) == ("idle", 1, 0, 0, "")
    assert (pacs.destination, pacs.waiting, pacs.dead, pacs.sent) == ("pacs", 2, 1, 1)
    assert (pacs.oldest_waiting, pacs.last_reason) == (third.created, "A700 full")


def test_deliveries_are_found_by_the_query(database: Database) -> None:
    planned(database, "1.1")
    planned(database, "1.2", "other")
    settled(database, head(database)[0], DeliveryState.DEAD)

    def found(query: DeliveryQuery) -> list[str]:
        return [one.reference for one in database.read(lambda tx: tx.routing.find(query))]

    assert found(DeliveryQuery(destination="other")) == ["1.2"]
    assert found(DeliveryQuery(states=(DeliveryState.DEAD,))) == ["1.1"]
    assert found(DeliveryQuery(kind=ParcelKind.REPORT)) == []
    assert found(DeliveryQuery(reference="1.2")) == ["1.2"]
    newest = database.read(lambda tx: tx.routing.find(DeliveryQuery()))[0]
    assert found(DeliveryQuery(before_key=newest.key)) == ["1.1"]


def test_attempts_are_kept_in_their_order(database: Database) -> None:
    planned(database, "1.1")
    key = head(database)[0].key
    attempts = [Attempt(key, number, NOW, SOON, Verdict.RETRY, "A700", "full") for number in (1, 2)]

    for attempt in attempts:
        database.write(lambda tx, one=attempt: tx.routing.add_attempt(one))

    assert database.read(lambda tx: tx.routing.attempts(key)) == attempts


def test_a_lease_is_held_by_one_until_it_expires_and_each_new_owner_has_a_higher_fence(
    database: Database,
) -> None:
    later = SOON + timedelta(seconds=10)

    mine = database.write(lambda tx: tx.routing.lease("pacs", "me", NOW, SOON))
    refused = database.write(lambda tx: tx.routing.lease("pacs", "you", NOW, SOON))
    renewed = database.write(lambda tx: tx.routing.lease("pacs", "me", NOW, SOON))
    yours = database.write(lambda tx: tx.routing.lease("pacs", "you", SOON, later))

    assert refused is None
    assert mine is not None
    assert renewed is not None
    assert yours is not None
    assert (mine.fence, renewed.fence, yours.fence) == (1, 1, 2)
    assert not database.write(lambda tx: tx.routing.holds(mine, SOON))
    assert database.write(lambda tx: tx.routing.holds(yours, SOON))
    assert not database.write(lambda tx: tx.routing.holds(yours, later))


def test_a_released_lease_is_free_at_once_and_its_fence_is_spent(database: Database) -> None:
    mine = database.write(lambda tx: tx.routing.lease("pacs", "me", NOW, SOON))
    assert mine is not None

    database.write(lambda tx: tx.routing.release(mine))

    again = database.write(lambda tx: tx.routing.lease("pacs", "you", NOW, SOON))
    assert again is not None
    assert again.fence == 2
    database.write(lambda tx: tx.routing.release(mine))
    assert database.write(lambda tx: tx.routing.holds(again, NOW))
