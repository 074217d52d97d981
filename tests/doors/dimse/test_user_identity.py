"""User identity negotiation (PS3.7 D.3.3.7), asked by DCMTK and pynetdicom."""

from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file
from pynetdicom import AE, build_context
from pynetdicom.pdu_primitives import UserIdentityNegotiation
from pynetdicom.sop_class import Verification

from hilum.core.access import policy
from hilum.core.kernel.peer_options import PeerOptions
from hilum.transport.backoff import FREE_FAILURES

OPERATOR = policy.local_operator("test")
PASSWORD = "a long enough sentence"
NAME, NAME_AND_PASSCODE, KERBEROS, SAML, JWT = 1, 2, 3, 4, 5


@pytest.fixture
def guarded(record: Any) -> Any:
    """A hub that knows CT1, and ada with her password."""
    record.hub.open_to_all = False
    record.put_peer("CT1", 104)
    record.hub.issue_link(OPERATOR, "ada")
    record.hub.set_user_password(OPERATOR, "ada", PASSWORD)
    return record.hub


def _asked(port: int, kind: int, primary: bytes, secondary: bytes = b"", *, response: bool = True) -> Any:
    """Return the association if it was accepted, else (result, source, reason)."""
    identity = UserIdentityNegotiation()
    identity.user_identity_type, identity.primary_field = kind, primary
    if secondary:
        identity.secondary_field = secondary
    identity.positive_response_requested = response
    association = AE("CT1").associate(
        "127.0.0.1", port, contexts=[build_context(Verification)], ext_neg=[identity], ae_title="HILUM"
    )
    if association.is_established:
        return association
    said = association.acceptor.primitive
    return said.result, said.result_source, said.diagnostic


def _responded(association: Any) -> bool:
    answered = any(
        type(one).__name__ == "UserIdentityNegotiation" for one in association.acceptor.user_information
    )
    association.release()
    return answered


def _last_sign_in(hub: Any) -> Any:
    return next(one for one in hub.audit(OPERATOR, 20) if one.action == "access.sign-in")


@pytest.mark.needs("dcmtk")
def test_dcmtk_stores_as_a_user_with_passcode(run: Any, serve: Any, guarded: Any, record: Any) -> None:
    port = serve(guarded)
    file = get_testdata_file("CT_small.dcm")
    store = ["storescu", "-aet", "CT1", "-aec", "HILUM", "-R", "-usr", "ada", "-rsp"]

    wrong = run(*store, "-pwd", "a guess of mine", "127.0.0.1", port, file, check=False)
    run(*store, "-pwd", PASSWORD, "127.0.0.1", port, file)

    assert wrong.returncode != 0
    assert record.counts() == (1, 1, 1)
    signed_in = _last_sign_in(guarded)
    assert (signed_in.caller, signed_in.caller_kind, signed_in.detail) == ("ada", "user", "by CT1")
    [stored] = [one for one in guarded.audit(OPERATOR, 20) if one.action == "archive.store"]
    assert stored.caller == "ada"


@pytest.mark.needs("dcmtk")
def test_dcmtk_stores_by_a_token(run: Any, serve: Any, guarded: Any, record: Any, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(guarded.create_token(OPERATOR, "ai", ("archive.store",), None))
    file = get_testdata_file("CT_small.dcm")

    run(
        "storescu",
        "-aet",
        "CT1",
        "-aec",
        "HILUM",
        "-R",
        "--jwt",
        token,
        "-rsp",
        "127.0.0.1",
        serve(guarded),
        file,
    )

    assert record.counts() == (1, 1, 1)
    assert _last_sign_in(guarded).caller_kind == "token"


def test_a_user_may_do_what_both_the_user_and_the_peer_may(guarded: Any) -> None:
    token = guarded.create_token(OPERATOR, "ai", ("archive.query", "access.administer"), None)

    caller = guarded.admit_association("CT1", _line(), "a-trace")
    acting = guarded.admit_user(caller, _token(token))

    assert acting.permissions == {"archive.query"}
    assert (acting.source, acting.peer) == ("CT1", "CT1")


@pytest.mark.parametrize(
    ("kind", "primary", "secondary"),
    [
        (NAME_AND_PASSCODE, b"ada", b"a guess of mine"),
        (NAME_AND_PASSCODE, b"nobody", PASSWORD.encode()),
        (NAME_AND_PASSCODE, b"\xff\xfe", b"\xff"),
        (KERBEROS, b"ticket", b""),
        (SAML, b"<assertion/>", b""),
        (JWT, b"hilum_guess", b""),
    ],
)
def test_what_is_wrong_or_cannot_be_checked_is_rejected_and_noted(
    serve: Any, guarded: Any, kind: int, primary: bytes, secondary: bytes
) -> None:
    answer = _asked(serve(guarded), kind, primary, secondary)

    assert answer == (1, 1, 1)
    refused = guarded.audit(OPERATOR, 1)[0]
    assert (refused.action, refused.caller) == ("access.refused.user-identity", "CT1")


def test_a_positive_response_comes_when_asked_and_only_for_what_was_checked(serve: Any, guarded: Any) -> None:
    port = serve(guarded)

    checked = _responded(_asked(port, NAME_AND_PASSCODE, b"ada", PASSWORD.encode()))
    not_asked = _responded(_asked(port, NAME_AND_PASSCODE, b"ada", PASSWORD.encode(), response=False))
    name_only = _responded(_asked(port, NAME, b"ada"))

    assert (checked, not_asked, name_only) == (True, False, False)


def test_a_peer_that_must_name_its_user_is_rejected_without(serve: Any, guarded: Any, record: Any) -> None:
    record.put_peer("CT1", 104, options=PeerOptions(user_identity="required"))
    port = serve(guarded)

    silent = AE("CT1").associate("127.0.0.1", port, contexts=[build_context(Verification)], ae_title="HILUM")
    named = _asked(port, NAME, b"ada")
    proven = _asked(port, NAME_AND_PASSCODE, b"ada", PASSWORD.encode())

    assert not silent.is_established
    assert named == (1, 1, 1)
    assert proven.is_established
    proven.release()


def test_a_peer_whose_identities_are_ignored_stays_itself(serve: Any, guarded: Any, record: Any) -> None:
    record.put_peer("CT1", 104, options=PeerOptions(user_identity="ignored"))

    association = _asked(serve(guarded), KERBEROS, b"ticket")

    assert not _responded(association)


def test_after_some_failures_even_the_right_passcode_has_to_wait(serve: Any, guarded: Any) -> None:
    port = serve(guarded)
    for _ in range(FREE_FAILURES + 3):
        _asked(port, NAME_AND_PASSCODE, b"ada", b"a guess of mine")

    assert _asked(port, NAME_AND_PASSCODE, b"ada", PASSWORD.encode()) == (2, 1, 1)


def _line() -> Any:
    from hilum.core.access.certificates import Line

    return Line("127.0.0.1")


def _token(secret: str) -> Any:
    from hilum.core.access.model import Claim, ClaimKind

    return Claim(ClaimKind.TOKEN, secret=secret)
