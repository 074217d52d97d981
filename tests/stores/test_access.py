"""The contract of peers, users, tokens, links and sessions, on each database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hilum.core.access.model import LoginLink, Peer, PeerKind, Session, Token, User
from hilum.core.kernel.peer_options import PeerOptions
from hilum.stores.sql import Database

NOW = datetime(2024, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
PEER = Peer("ct", PeerKind.DICOM, "10.0.0.1", 104, "CT1", "", ("modality", "viewer"), "HOSPITAL", False, None)


def test_peers_are_added_replaced_listed_and_removed(database: Database) -> None:
    ehr = Peer("ehr", PeerKind.MLLP, "10.0.0.2", 2575, ae_title="CT1")
    for peer in (ehr, replace(PEER, port=1), PEER):
        database.write(lambda tx, one=peer: tx.access.put_peer(one))

    assert database.read(lambda tx: tx.access.peers()) == [PEER, ehr]
    assert database.read(lambda tx: tx.access.peer("ct")) == PEER
    assert database.read(lambda tx: tx.access.peers_by_ae_title("CT1")) == [PEER]
    assert database.write(lambda tx: tx.access.remove_peer("ct"))
    assert not database.write(lambda tx: tx.access.remove_peer("ct"))
    assert database.read(lambda tx: tx.access.peer("ct")) is None


def test_a_peer_that_was_heard_is_noted(database: Database) -> None:
    database.write(lambda tx: tx.access.put_peer(PEER))

    database.write(lambda tx: tx.access.seen("ct", NOW))

    assert database.read(lambda tx: tx.access.peer("ct")) == replace(PEER, last_seen=NOW)


def test_users_are_added_and_replaced(database: Database) -> None:
    user = User("ada", "", ("administrator",), NOW)
    database.write(lambda tx: tx.access.put_user(user))
    changed = replace(user, password_hash="$argon2id$", disabled=True)
    database.write(lambda tx: tx.access.put_user(changed))

    assert database.read(lambda tx: tx.access.user("ada")) == changed
    assert database.read(lambda tx: tx.access.users()) == [changed]
    assert database.read(lambda tx: tx.access.user("bob")) is None


def test_tokens_are_found_by_digest_and_listed_newest_first(database: Database) -> None:
    elder = Token("a", "one", ("archive.*", "verify"), NOW, None)
    newer = Token("b", "two", ("*",), LATER, LATER, revoked=True)
    for token in (elder, newer):
        database.write(lambda tx, one=token: tx.access.put_token(one))

    assert database.read(lambda tx: tx.access.tokens()) == [newer, elder]
    assert database.read(lambda tx: tx.access.token("a")) == elder
    assert database.read(lambda tx: tx.access.token("c")) is None


def test_a_link_signs_in_once_and_not_after_its_time(database: Database) -> None:
    for digest in ("a", "b"):
        database.write(lambda tx, one=digest: tx.access.put_link(LoginLink(one, "ada", LATER)))

    first = database.write(lambda tx: tx.access.use_link("a", NOW))
    again = database.write(lambda tx: tx.access.use_link("a", NOW))
    late = database.write(lambda tx: tx.access.use_link("b", LATER))

    assert (first, again, late) == (LoginLink("a", "ada", LATER, used=True), None, None)
    assert database.write(lambda tx: tx.access.use_link("c", NOW)) is None


def test_sessions_begin_and_end(database: Database) -> None:
    session = Session("s", "ada", LATER, "csrf")
    database.write(lambda tx: tx.access.put_session(session))
    before = database.read(lambda tx: tx.access.session("s"))

    database.write(lambda tx: tx.access.remove_session("s"))

    assert before == session
    assert database.read(lambda tx: tx.access.session("s")) is None


def test_the_sessions_of_a_user_end_but_for_one(database: Database) -> None:
    for digest, user in (("a", "ada"), ("b", "ada"), ("c", "bob")):
        session = Session(digest, user, LATER, "csrf")
        database.write(lambda tx, one=session: tx.access.put_session(one))

    database.write(lambda tx: tx.access.remove_sessions("ada", "b"))

    assert [bool(database.read(lambda tx, at=one: tx.access.session(at))) for one in "abc"] == [
        False,
        True,
        True,
    ]


def test_options_of_a_peer_are_kept(database: Database) -> None:
    peer = replace(PEER, options=PeerOptions(addresses=("10.0.0.0/8",), tls=True, maximum_associations=3))

    database.write(lambda tx: tx.access.put_peer(peer))

    assert database.read(lambda tx: tx.access.peers()) == [peer]
