"""The contract of summaries and chores, on each database."""

from datetime import UTC, datetime, timedelta

from hilum.core.archive import chores
from hilum.core.archive.events import ConflictKept, InstanceStored
from hilum.core.archive.model import Blob, Chore, ChoreKind
from hilum.stores.sql import Database

NOW = datetime.now(UTC)
BLOB = Blob("ab" * 32, 100)


def chore(reference: str, seconds: float) -> Chore:
    return Chore(ChoreKind.SUMMARISE, reference, NOW + timedelta(seconds=seconds))


def stored(series_instance_uid: str, sop_instance_uid: str) -> InstanceStored:
    return InstanceStored("1", series_instance_uid, sop_instance_uid, "1.2", "CT", "CT1")


def test_a_summary_counts_its_generations_and_is_forgotten(database: Database) -> None:
    for blob in (BLOB, Blob("cd" * 32, 7)):
        database.write(lambda tx, one=blob: tx.background.put_summary("1.2", one))
    second = database.read(lambda tx: tx.background.summary("1.2"))
    database.write(lambda tx: tx.background.put_summary("1.2", None))

    assert second is not None
    assert (second.generation, second.blob) == (2, Blob("cd" * 32, 7))
    assert database.read(lambda tx: tx.background.summary("1.2")) is None


def test_the_blob_of_a_summary_is_referenced(database: Database) -> None:
    database.write(lambda tx: tx.background.put_summary("1.2", BLOB))

    referenced = database.read(lambda tx: tx.archive.referenced([BLOB.digest, "ef" * 32]))

    assert referenced == {BLOB.digest}


def test_chores_become_due_in_their_order_and_not_before(database: Database) -> None:
    for one in (chore("later", 9999), chore("second", -1), chore("first", -2)):
        database.write(lambda tx, put=one: tx.background.put_chore(put))

    first = database.write(chores.take_up)
    second = database.write(chores.take_up)

    assert (first and first.reference, second and second.reference) == ("first", "second")
    assert database.write(chores.take_up) is None


def test_a_chore_that_was_put_again_meanwhile_does_not_end(database: Database) -> None:
    database.write(lambda tx: tx.background.put_chore(chore("1.2", -1)))
    taken = database.write(chores.take_up)
    assert taken is not None

    database.write(lambda tx: tx.background.put_chore(chore("1.2", -3)))
    database.write(lambda tx: tx.background.end_chore(taken))
    again = database.write(chores.take_up)
    assert again is not None
    database.write(lambda tx: tx.background.end_chore(again))

    assert database.read(lambda tx: tx.background.due_chore(NOW + timedelta(days=1))) is None


def test_news_of_many_instances_make_one_chore_a_series_once_it_is_quiet(database: Database) -> None:
    news = [stored(f"1.{number % 2}", f"2.{number}") for number in range(20)]

    database.write(lambda tx: chores.follow(tx, [*news, ConflictKept("same-uid", "1")]))

    assert database.write(chores.take_up) is None
    soon = NOW + timedelta(days=1)
    for _ in range(2):
        due = database.read(lambda tx: tx.background.due_chore(soon))
        assert due is not None
        assert due.due > NOW + chores.QUIET - timedelta(seconds=1)
        database.write(lambda tx, one=due: tx.background.end_chore(one))
    assert database.read(lambda tx: tx.background.due_chore(soon)) is None
