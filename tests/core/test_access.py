"""Who belongs, and that every door asks the one policy."""

import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hilum.core.access import policy
from hilum.core.access.certificates import Line
from hilum.core.access.model import Peer, PeerKind
from hilum.core.archive.model import Level, Query
from hilum.core.audit.model import Outcome
from hilum.core.exchange.model import Envelope, RegisterPatient
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller, Permission
from hilum.core.kernel.errors import Conflict, Invalid, NotFound, Refused
from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients.model import Demographics, PatientStatement

WHERE = ("10.0.0.1", "a-trace")
LINE = (Line("10.0.0.1"), "a-trace")
_OPEN_TO_ITS_OWN = {
    "sign_out",  # the secret of the session is the right to end it
    "note_rejected_message",  # it keeps what was refused
    "admit_user",  # it finds out who the caller is
}


def _asks(method: Callable[..., Any]) -> bool:
    return inspect.signature(method).parameters.get("caller") is not None


GUARDED = sorted(
    name
    for name, method in inspect.getmembers(Hub, inspect.isfunction)
    if not name.startswith("_") and _asks(method) and name not in _OPEN_TO_ITS_OWN
)


def _arguments(method: Callable[..., Any], caller: Caller) -> dict[str, Any]:
    """Give the caller, and nothing that the policy would look at but what it takes to reach it."""
    given: dict[str, Any] = {
        "caller": caller,
        "password": "a long enough sentence",
        "query": Query(Level.STUDY, {}),
        "envelope": Envelope("C1", "ADT^A04", b"MSH", "digest"),
        "command": RegisterPatient(PatientStatement((Identifier("12"),), Demographics())),
    }
    names = [name for name in inspect.signature(method).parameters if name != "self"]
    return {name: given.get(name) for name in names}


@pytest.mark.parametrize("name", GUARDED)
def test_a_caller_without_permissions_is_refused_and_noted(house: Any, name: str) -> None:
    method = getattr(house.hub, name)
    before = house.rows("audit_entries")

    with pytest.raises(Refused):
        method(**_arguments(method, house.caller(name="stranger")))

    assert house.rows("audit_entries") == before
    last = house.trail()[-1]
    assert (last.outcome, last.caller, last.trace) == (Outcome.REFUSED, "stranger", "a-trace")


@pytest.mark.parametrize("permission", list(Permission))
@pytest.mark.parametrize("role", list(policy.ROLES))
def test_a_role_may_what_its_table_says_and_nothing_else(
    house: Any, role: str, permission: Permission
) -> None:
    caller = house.caller(*policy.permissions_of([role]))

    if permission in policy.ROLES[role]:
        policy.demand(caller, permission)
    else:
        with pytest.raises(Refused):
            policy.demand(caller, permission)


def test_an_unknown_role_allows_nothing() -> None:
    assert policy.permissions_of(["emperor"]) == frozenset()


def test_a_peer_cannot_be_given_an_unknown_role(house: Any) -> None:
    with pytest.raises(Invalid, match="emperor"):
        house.hub.put_peer(house.operator, Peer("x", PeerKind.MLLP, roles=("emperor",)))


# Peers


def test_an_association_is_admitted_by_title_and_host(house: Any) -> None:
    known = Peer("ct", PeerKind.DICOM, "10.0.0.1", 104, "CT1", roles=("modality",), default_issuer="A")
    house.hub.put_peer(house.operator, known)

    caller = house.hub.admit_association("CT1", *LINE)

    assert (caller.name, caller.source, caller.default_issuer) == ("ct", "CT1", "A")
    assert caller.permissions == policy.ROLES["modality"]
    assert house.hub.peer(house.operator, "ct").last_seen is not None


@pytest.mark.parametrize(("title", "address"), [("CT1", "10.0.0.2"), ("CT2", "10.0.0.1"), ("", "")])
def test_a_strange_title_or_host_is_refused_and_noted(house: Any, title: str, address: str) -> None:
    house.hub.put_peer(house.operator, Peer("ct", PeerKind.DICOM, "10.0.0.1", 104, "CT1"))

    with pytest.raises(Refused):
        house.hub.admit_association(title, Line(address), "a-trace")

    assert house.trail()[-1].action == "access.refused.association"


def test_a_connection_is_admitted_by_its_address(house: Any) -> None:
    house.hub.put_peer(house.operator, Peer("ris", PeerKind.MLLP, "10.0.0.1", 2575))

    assert house.hub.admit_address(PeerKind.MLLP, *LINE).name == "ris"
    with pytest.raises(Refused):
        house.hub.admit_address(PeerKind.MLLP, Line("10.0.0.2"), "a-trace")


def test_an_open_house_admits_anybody(build_house: Callable[..., Any]) -> None:
    house = build_house(open_to_all=True)

    assert house.hub.admit_association("ANY", *LINE).permissions == frozenset(Permission)
    assert house.hub.admit_nobody(*WHERE).name == "open"


def test_nobody_is_admitted_to_a_closed_house(house: Any) -> None:
    with pytest.raises(Refused):
        house.hub.admit_nobody(*WHERE)


def test_a_peer_that_is_removed_is_gone(house: Any) -> None:
    house.hub.put_peer(house.operator, Peer("ct", PeerKind.DICOM, "h", 104, "CT1"))

    house.hub.remove_peer(house.operator, "ct")

    with pytest.raises(NotFound):
        house.hub.peer(house.operator, "ct")
    with pytest.raises(NotFound):
        house.hub.remove_peer(house.operator, "ct")


# Tokens


def token(house: Any, *scopes: str, lifetime: timedelta | None = None) -> str:
    secret: str = house.hub.create_token(house.operator, "viewer", scopes, lifetime)
    return secret


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (("archive.query",), {Permission.ARCHIVE_QUERY}),
        (("orders.*",), {Permission.ORDERS_READ, Permission.ORDERS_WRITE}),
        (("*",), set(Permission)),
    ],
)
def test_a_token_allows_its_scopes(house: Any, scopes: tuple[str, ...], allowed: set[Permission]) -> None:
    caller = house.hub.admit_token(token(house, *scopes), *WHERE)

    assert caller.permissions == allowed


@pytest.mark.parametrize("scopes", [(), ("emperor",), ("archive",), ("nothing.*",)])
def test_a_token_of_no_or_unknown_scope_is_invalid(house: Any, scopes: tuple[str, ...]) -> None:
    with pytest.raises(Invalid):
        token(house, *scopes)


def test_an_expired_token_is_refused(house: Any) -> None:
    secret = token(house, "*", lifetime=timedelta(hours=1))
    house.later(timedelta(hours=2))

    with pytest.raises(Refused):
        house.hub.admit_token(secret, *WHERE)

    assert house.trail()[-1].action == "access.refused.token"


def test_an_unknown_token_is_refused(house: Any) -> None:
    with pytest.raises(Refused):
        house.hub.admit_token("hilum_guess", *WHERE)


def test_a_revoked_token_is_refused_from_then_on(house: Any) -> None:
    secret = token(house, "*")
    [kept] = house.hub.tokens(house.operator)

    house.hub.revoke_token(house.operator, kept.key)

    with pytest.raises(Refused):
        house.hub.admit_token(secret, *WHERE)
    assert "access.revoke" in [one.action for one in house.trail()]
    with pytest.raises(NotFound):
        house.hub.revoke_token(house.operator, kept.key)


def test_a_token_is_revoked_by_its_name_only_where_one_has_it(house: Any) -> None:
    token(house, "*")
    token(house, "verify")

    with pytest.raises(Conflict, match="several"):
        house.hub.revoke_token(house.operator, "viewer")


def test_a_secret_is_kept_only_as_its_digest(house: Any) -> None:
    secret, link = token(house, "*"), house.hub.issue_link(house.operator, "admin")

    kept = repr(house.rows())

    assert secret not in kept
    assert link not in kept


# Links, passwords and sessions


def test_a_link_signs_in_once(house: Any) -> None:
    link = house.hub.issue_link(house.operator, "admin")

    secret, _ = house.hub.sign_in_by_link(link, *WHERE)

    assert house.hub.admit_session(secret, *WHERE)[0].name == "admin"
    with pytest.raises(Refused):
        house.hub.sign_in_by_link(link, *WHERE)


def test_an_old_link_is_refused(house: Any) -> None:
    link = house.hub.issue_link(house.operator, "admin")
    house.later(timedelta(hours=2))

    with pytest.raises(Refused):
        house.hub.sign_in_by_link(link, *WHERE)


def signed_in(house: Any) -> tuple[Caller, str]:
    secret, _ = house.hub.sign_in_by_link(house.hub.issue_link(house.operator, "admin"), *WHERE)
    return house.hub.admit_session(secret, *WHERE)[0], secret


def test_a_password_that_was_set_signs_in_and_another_does_not(house: Any) -> None:
    caller, _ = signed_in(house)
    house.hub.set_password(caller, "a long enough sentence")

    house.hub.sign_in("admin", "a long enough sentence", *WHERE)

    assert house.hub.has_users()
    for name, password in (("admin", "wrong"), ("nobody", "a long enough sentence")):
        with pytest.raises(Refused, match="name or password is wrong"):
            house.hub.sign_in(name, password, *WHERE)
    assert house.trail()[-1].action == "access.refused.sign-in"


def test_a_short_password_is_invalid(house: Any) -> None:
    caller, _ = signed_in(house)

    with pytest.raises(Invalid):
        house.hub.set_password(caller, "short")


def test_a_session_ends_by_signing_out(house: Any) -> None:
    caller, secret = signed_in(house)

    house.hub.sign_out(caller, secret)

    with pytest.raises(Refused):
        house.hub.admit_session(secret, *WHERE)


def test_a_session_ends_by_time(house: Any) -> None:
    _, secret = signed_in(house)
    house.later(timedelta(hours=13))

    with pytest.raises(Refused):
        house.hub.admit_session(secret, *WHERE)


def test_a_new_password_ends_every_other_session(house: Any) -> None:
    caller, own = signed_in(house)
    _, other = signed_in(house)

    house.hub.set_password(caller, "a long enough sentence", own)

    assert house.hub.admit_session(own, *WHERE)[0].name == "admin"
    with pytest.raises(Refused):
        house.hub.admit_session(other, *WHERE)


def test_a_password_set_by_an_administrator_ends_every_session(house: Any) -> None:
    _, secret = signed_in(house)

    house.hub.set_user_password(house.operator, "admin", "a long enough sentence")

    with pytest.raises(Refused):
        house.hub.admit_session(secret, *WHERE)
    assert house.hub.sign_in("admin", "a long enough sentence", *WHERE)


def test_a_disabled_user_is_out_and_its_sessions_do_not_come_back(house: Any) -> None:
    caller, secret = signed_in(house)
    house.hub.set_password(caller, "a long enough sentence")

    house.hub.disable_user(house.operator, "admin", disabled=True)
    with pytest.raises(Refused):
        house.hub.sign_in("admin", "a long enough sentence", *WHERE)
    house.hub.disable_user(house.operator, "admin", disabled=False)

    with pytest.raises(Refused):
        house.hub.admit_session(secret, *WHERE)
    assert house.hub.sign_in("admin", "a long enough sentence", *WHERE)
    with pytest.raises(NotFound):
        house.hub.disable_user(house.operator, "nobody", disabled=True)


def test_a_refusal_is_noted_by_the_permission_that_was_missing(house: Any) -> None:
    with pytest.raises(Refused):
        house.hub.peers(house.caller(name="stranger"))

    assert house.trail()[-1].action == "access.refused.peers.read"


def test_looking_at_the_bytes_of_a_message_is_noted(house: Any) -> None:
    ris = house.caller(Permission.PATIENTS_WRITE)
    statement = PatientStatement((Identifier("12", "A"),), Demographics())
    house.hub.receive_message(ris, Envelope("C1", "ADT^A04", b"MSH", "digest"), RegisterPatient(statement))
    [kept] = house.hub.messages(house.operator)

    house.hub.message(house.operator, kept.key)

    assert (house.trail()[-1].action, house.trail()[-1].entity) == ("exchange.read", f"Message/{kept.key}")
