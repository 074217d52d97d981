"""The contract of messages, on each database."""

from datetime import UTC, datetime, timedelta

from hilum.core.exchange.model import Envelope, InboundMessage
from hilum.stores.sql import Database

NOW = datetime(2024, 1, 1, tzinfo=UTC)
ENVELOPE = Envelope("C1", "ADT^A04", b"MSH|^~\\&|\x00\xe4", "d" * 64, "EHR", "HOSPITAL")


def kept(database: Database, answer: str = "AA", received: datetime = NOW, peer: str = "ehr") -> None:
    message = InboundMessage(0, peer, ENVELOPE, answer, "", "trace", received)
    database.write(lambda tx: tx.messages.add(message))


def is_known(database: Database, peer: str = "ehr", control_id: str = "C1", digest: str = "d" * 64) -> bool:
    since = NOW - timedelta(hours=1)
    return database.write(lambda tx: tx.messages.accepted_since(peer, control_id, digest, since))


def test_a_message_keeps_every_octet(database: Database) -> None:
    kept(database)

    (listed,) = database.read(lambda tx: tx.messages.newest(10))
    read = database.read(lambda tx: tx.messages.message(listed.key))

    assert read == listed
    assert read is not None
    assert (read.envelope, read.received, read.answer, read.peer) == (ENVELOPE, NOW, "AA", "ehr")


def test_a_repeat_is_known_by_peer_control_id_and_bytes(database: Database) -> None:
    kept(database)

    assert is_known(database)
    assert not is_known(database, peer="other")
    assert not is_known(database, control_id="C2")
    assert not is_known(database, digest="e" * 64)


def test_what_was_rejected_or_is_long_past_is_no_repeat(database: Database) -> None:
    kept(database, answer="AE")
    kept(database, received=NOW - timedelta(hours=2))

    assert not is_known(database)


def test_messages_are_listed_newest_first_and_paged_by_key(database: Database) -> None:
    for number in range(3):
        kept(database, peer=f"p{number}")

    newest = database.read(lambda tx: tx.messages.newest(2))
    rest = database.read(lambda tx: tx.messages.newest(2, newest[-1].key))

    assert [one.peer for one in newest + rest] == ["p2", "p1", "p0"]
    assert database.read(lambda tx: tx.messages.message(10**6)) is None
