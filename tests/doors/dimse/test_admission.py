"""Who is let in, and with what words the others are sent away (PS3.8 9.3.4)."""

from typing import Any

import pytest
from pynetdicom import AE, build_context
from pynetdicom.pdu_primitives import UserIdentityNegotiation

from hilum.wire.dicom.upper_layer.pdus import AssociateRequest

VERIFICATION = "1.2.840.10008.1.1"
PERMANENT, TRANSIENT = 1, 2


@pytest.fixture
def guarded(record: Any) -> Any:
    """A hub that knows CT1 on this machine and OTHER elsewhere, and nobody else."""
    from hilum.core.access.model import Peer, PeerKind

    record.hub.open_to_all = False
    record.put_peer("CT1", 104)
    elsewhere = Peer("other", PeerKind.DICOM, "192.0.2.7", 104, "OTHER", roles=("modality",))
    record.hub.put_peer(_operator(), elsewhere)
    return record.hub


def _operator() -> Any:
    from hilum.core.access import policy

    return policy.local_operator("test")


def _answer(port: int, calling: str, called: str = "HILUM", **more: Any) -> Any:
    """Ask for an association; return it if accepted, else (result, source, reason)."""
    association = AE(calling).associate(
        "127.0.0.1", port, contexts=[build_context(VERIFICATION)], ae_title=called, **more
    )
    if association.is_established:
        return association
    said = association.acceptor.primitive
    return said.result, said.result_source, said.diagnostic


@pytest.mark.needs("dcmtk")
def test_echoscu_is_answered(run: Any, port: int) -> None:
    said = run("echoscu", "-v", "--repeat", 3, "127.0.0.1", port).stdout

    assert said.count("Received Echo Response (Success)") == 3


def test_pynetdicom_echoes(port: int) -> None:
    association = _answer(port, "ANYBODY")

    assert association.send_c_echo().Status == 0
    association.release()


def test_a_known_peer_from_its_host_is_let_in(guarded: Any, serve: Any) -> None:
    association = _answer(serve(guarded, any_called_ae_title=False), "CT1")

    assert association.send_c_echo().Status == 0
    association.release()


@pytest.mark.parametrize(
    ("calling", "called", "reason"),
    [("STRANGER", "HILUM", 3), ("OTHER", "HILUM", 3), ("CT1", "SOMEBODY", 7), ("ct1", "HILUM", 3)],
)
def test_who_is_not_known_from_here_or_calls_another_is_rejected(
    guarded: Any, serve: Any, calling: str, called: str, reason: int
) -> None:
    port = serve(guarded, any_called_ae_title=False)

    assert _answer(port, calling, called) == (PERMANENT, 1, reason)


@pytest.mark.needs("dcmtk")
def test_dcmtk_is_told_why_it_is_rejected(run: Any, guarded: Any, serve: Any) -> None:
    port = serve(guarded, any_called_ae_title=False)

    stranger = run("echoscu", "-aet", "STRANGER", "-aec", "HILUM", "127.0.0.1", port, check=False)
    elsewhere = run("echoscu", "-aet", "CT1", "-aec", "ELSEWHERE", "127.0.0.1", port, check=False)

    assert "Calling AE Title Not Recognized" in stranger.stdout
    assert "Called AE Title Not Recognized" in elsewhere.stdout


def test_a_rejection_is_written_to_the_trail_without_the_name_that_was_claimed(
    guarded: Any, serve: Any
) -> None:
    _answer(serve(guarded), "STRANGER")

    [entry] = [one for one in guarded.audit(_operator(), 20) if "refused" in one.action]
    assert "STRANGER" not in repr(entry)
    assert entry.address == "127.0.0.1"


def test_beyond_the_limit_an_association_is_put_off_and_then_let_in(serve: Any, hub: Any) -> None:
    port = serve(hub, maximum_associations=2)
    first, second = _answer(port, "A"), _answer(port, "B")

    third = _answer(port, "C")
    first.release()
    again = _answer(port, "C")

    assert third == (TRANSIENT, 3, 2)
    assert again.send_c_echo().Status == second.send_c_echo().Status == 0
    again.release()
    second.release()


def test_an_open_server_checks_no_user_identity(port: int) -> None:
    identity = UserIdentityNegotiation()
    identity.user_identity_type, identity.primary_field, identity.secondary_field = 2, b"alice", b"secret"

    association = _answer(port, "CT1", ext_neg=[identity])

    assert association.send_c_echo().Status == 0
    association.release()


def test_another_application_context_is_rejected(port: int) -> None:
    from hilum.wire.dicom.upper_layer.encoding import encode_pdu
    from hilum.wire.dicom.upper_layer.pdus import PresentationContext

    request = AssociateRequest(
        "HILUM", "CT1", (PresentationContext(1, VERIFICATION, ("1.2.840.10008.1.2",)),),
        application_context_name="1.2.3.4",
    )  # fmt: skip

    assert _said(port, encode_pdu(request)) == b"\x03\0\0\0\0\4\0\1\1\2"


def test_a_context_that_is_not_supported_does_not_hinder_the_others(port: int) -> None:
    entity = AE("CT1")
    entity.add_requested_context("1.2.840.10008.5.1.1.1")
    entity.add_requested_context(VERIFICATION)

    association = entity.associate("127.0.0.1", port)

    assert [(one.abstract_syntax, one.result) for one in association.rejected_contexts] == [
        ("1.2.840.10008.5.1.1.1", 3)
    ]
    assert association.send_c_echo().Status == 0
    association.release()


def _said(port: int, octets: bytes) -> bytes:
    """Send octets and return all that comes back until the server closes."""
    import socket

    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(octets)
        said = b""
        while chunk := raw.recv(4096):
            said += chunk
        return said
