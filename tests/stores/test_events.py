"""The contract of the outbox of events and of the audit trail, on each database."""

from datetime import UTC, datetime

import pytest

from hilum.core.archive.events import ConflictKept
from hilum.core.audit.model import AuditEntry, Outcome
from hilum.core.exchange.ports import ExchangeTransaction
from hilum.core.kernel.events import Recorded
from hilum.core.patients.events import PatientsMerged
from hilum.core.reports.events import ReportFiled
from hilum.stores.sql import Database

NEWS = [ReportFiled("r1", 2, "final", "RIS"), PatientsMerged("a", "b"), ConflictKept("same-uid", "1.2")]


def waiting(database: Database, limit: int = 10) -> list[Recorded]:
    return database.write(lambda tx: tx.events.waiting(limit))


def test_events_wait_in_the_order_of_their_writing_until_they_are_settled(database: Database) -> None:
    for event in NEWS:
        database.write(lambda tx, one=event: tx.events.append(one, "trace"))

    first = waiting(database, 2)
    database.write(lambda tx: tx.events.settle([recorded.sequence for recorded in first]))

    assert [recorded.event for recorded in first] == NEWS[:2]
    assert [recorded.event for recorded in waiting(database)] == NEWS[2:]
    assert (first[0].trace, first[0].occurred.tzinfo) == ("trace", UTC)


def test_an_event_of_a_broken_transaction_never_was(database: Database) -> None:
    def broken(tx: ExchangeTransaction) -> None:
        tx.events.append(NEWS[0], "trace")
        raise LookupError

    with pytest.raises(LookupError):
        database.write(broken)

    assert waiting(database) == []


def test_the_trail_is_read_newest_first_by_page_and_by_entity(database: Database) -> None:
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    for number in range(4):
        entry = AuditEntry(
            "archive.store",
            Outcome.REFUSED,
            "ct",
            "peer",
            "10.0.0.1",
            f"Instance/{number % 2}",
            "t",
            "d",
            moment,
        )
        database.write(lambda tx, one=entry: tx.audit.append(one))

    newest = database.read(lambda tx: tx.audit.newest(3))
    rest = database.read(lambda tx: tx.audit.newest(3, before=newest[-1].sequence))
    of_one = database.read(lambda tx: tx.audit.newest(10, entity="Instance/1"))

    assert [entry.entity for entry in newest + rest] == [
        "Instance/1",
        "Instance/0",
        "Instance/1",
        "Instance/0",
    ]
    assert [entry.entity for entry in of_one] == ["Instance/1"] * 2
    assert (newest[0].outcome, newest[0].occurred, newest[0].caller) == (Outcome.REFUSED, moment, "ct")
