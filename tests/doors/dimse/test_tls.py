"""Associations by TLS (PS3.15 B.12): DCMTK and pynetdicom call, and we call pynetdicom."""

import hashlib
import os
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from pydicom.data import get_testdata_file
from pynetdicom import AE, build_context
from pynetdicom.sop_class import Verification

from hilum.core.access import policy
from hilum.core.access.model import Peer, PeerKind
from hilum.core.kernel.peer_options import PeerOptions
from hilum.core.routing.model import Verdict
from hilum.couriers import dimse as courier
from hilum.transport.tls import Entrance, Identity, ServerTls

OPERATOR = policy.local_operator("test")
CT = Peer("CT1", PeerKind.DICOM, "127.0.0.1", 104, "CT1", roles=("modality",))


@pytest.fixture(scope="module")
def identity(authority: Any) -> Identity:
    """Ours."""
    return Identity(*authority.issue("hilum", host="127.0.0.1"), authority.certificate)


@pytest.fixture(scope="module")
def ct_files(authority: Any) -> Any:
    """Certificate and key of the modality."""
    return authority.issue("ct1.hospital")


def _context(authority: Any, files: Any = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.certificate)
    if files:
        context.load_cert_chain(*files)
    return context


def _echoes(port: int, context: ssl.SSLContext | None, calling: str = "CT1") -> bool:
    association = AE(calling).associate(
        "127.0.0.1",
        port,
        contexts=[build_context(Verification)],
        ae_title="HILUM",
        tls_args=(context, "127.0.0.1") if context else None,
    )
    if not association.is_established:
        return False
    status = association.send_c_echo().Status
    association.release()
    return bool(status == 0)


@pytest.mark.needs("dcmtk")
def test_dcmtk_echoes_and_stores_by_mutual_tls(
    run: Any, serve: Any, record: Any, identity: Identity, ct_files: Any, authority: Any
) -> None:
    port = serve(record.hub, Entrance.SECURE, tls=ServerTls(identity))
    secure = ["+tls", ct_files[1], ct_files[0], "+cf", authority.certificate, "-rc"]

    said = run("echoscu", "-v", *secure, "127.0.0.1", port).stdout
    run("storescu", "-R", *secure, "127.0.0.1", port, get_testdata_file("CT_small.dcm"))

    assert "Received Echo Response (Success)" in said
    assert record.counts() == (1, 1, 1)


@pytest.mark.needs("dcmtk")
def test_dcmtk_of_another_authority_is_turned_away_and_noted(
    run: Any, serve: Any, record: Any, identity: Identity, authority: Any, other_authority: Any
) -> None:
    port = serve(record.hub, Entrance.SECURE, tls=ServerTls(identity))
    certificate, key = other_authority.issue("stranger")

    run("echoscu", "+tls", key, certificate, "+cf", authority.certificate, "127.0.0.1", port, check=False)

    deadline = time.monotonic() + 10  # the client hears first, the trail is written then
    while not (trail := record.hub.audit(OPERATOR, 1)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert trail[0].action == "access.refused.tls"


@pytest.mark.needs("dcmtk")
@pytest.mark.parametrize("secure", [True, False])
def test_one_port_hears_plain_and_secure_associations(
    run: Any, serve: Any, hub: Any, identity: Identity, ct_files: Any, authority: Any, *, secure: bool
) -> None:
    port = serve(hub, Entrance.EITHER, tls=ServerTls(identity))
    how = ["+tls", ct_files[1], ct_files[0], "+cf", authority.certificate] if secure else []

    assert "Success" in run("echoscu", "-v", *how, "127.0.0.1", port).stdout


def test_a_secure_port_hears_nothing_plain(serve: Any, hub: Any, identity: Identity) -> None:
    assert not _echoes(serve(hub, Entrance.SECURE, tls=ServerTls(identity)), None)


@pytest.mark.parametrize(("wanted", "let_in"), [("required", False), ("optional", True), ("none", True)])
def test_a_caller_without_certificate_is_let_in_where_none_is_required(
    serve: Any, hub: Any, identity: Identity, authority: Any, wanted: str, *, let_in: bool
) -> None:
    tls = ServerTls(replace(identity, client_certificates=wanted))

    assert _echoes(serve(hub, Entrance.SECURE, tls=tls), _context(authority)) is let_in


def test_a_tls_older_than_1_2_is_turned_away(
    serve: Any, hub: Any, identity: Identity, authority: Any
) -> None:
    port = serve(hub, Entrance.SECURE, tls=ServerTls(replace(identity, client_certificates="none")))
    old = _context(authority)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1

    assert not _echoes(port, old)


def test_a_peer_is_bound_to_its_certificate(
    serve: Any, record: Any, identity: Identity, authority: Any, ct_files: Any
) -> None:
    record.hub.open_to_all = False
    port = serve(record.hub, Entrance.EITHER, tls=ServerTls(identity))
    right, wrong = _context(authority, ct_files), _context(authority, authority.issue("mr1.hospital"))
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(ct_files[0].read_text())).hexdigest()

    for bound in ("CT1.hospital", fingerprint, fingerprint.upper()):
        record.hub.put_peer(OPERATOR, replace(CT, options=PeerOptions(tls=True, certificate=bound)))
        assert [_echoes(port, one) for one in (right, wrong, None)] == [True, False, False]


def test_certificates_are_read_anew_without_restart(
    serve: Any, hub: Any, authority: Any, other_authority: Any
) -> None:
    files = authority.issue("renewed", host="127.0.0.1", days=1)
    tls = ServerTls(Identity(*files, authority.certificate, "none"))
    port = serve(hub, Entrance.SECURE, tls=tls)
    assert _echoes(port, _context(authority))

    for new, old in zip(other_authority.issue("renewed", host="127.0.0.1"), files, strict=True):
        os.replace(new, old)  # noqa: PTH105  # as a renewal does it
    after_renewal = _echoes(port, _context(other_authority))
    files[0].write_text("broken")
    after_damage = _echoes(port, _context(other_authority))

    assert after_renewal
    assert after_damage


# We call


@contextmanager
def _pynetdicom(files: Any, authority: Any = None) -> Iterator[int]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    if authority:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.certificate)
    entity = AE("PACS2")
    entity.add_supported_context(Verification)
    server = entity.start_server(("127.0.0.1", 0), block=False, ssl_context=context)
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def _called(port: int, identity: Identity, **options: Any) -> Any:
    peer = Peer("pacs2", PeerKind.DICOM, "127.0.0.1", port, "PACS2", options=PeerOptions(tls=True, **options))
    return courier.echo(peer, "HILUM", identity)


def test_we_call_by_mutual_tls(identity: Identity, authority: Any) -> None:
    with _pynetdicom(authority.issue("pacs2", host="127.0.0.1"), authority) as port:
        assert _called(port, identity).verdict is Verdict.ACCEPTED


def test_a_peer_of_another_name_is_called_only_when_it_is_bound_to_its_certificate(
    identity: Identity, authority: Any
) -> None:
    with _pynetdicom(authority.issue("pacs3", host="pacs3.hospital")) as port:
        by_host, by_name = _called(port, identity), _called(port, identity, certificate="pacs3.hospital")
        other = _called(port, identity, certificate="pacs4.hospital")

    assert by_host.verdict is Verdict.RETRY
    assert "names another" in by_host.text
    assert by_name.verdict is Verdict.ACCEPTED
    assert "another certificate than the one it is bound to" in other.text


@pytest.mark.parametrize(
    ("issue", "words"), [({"days": -1}, "has expired"), ({}, "tls.authorities")], ids=["expired", "unknown"]
)
def test_what_is_wrong_with_a_certificate_is_said_with_what_to_do(
    identity: Identity, authority: Any, other_authority: Any, issue: dict[str, Any], words: str
) -> None:
    by = authority if issue else other_authority
    with _pynetdicom(by.issue("pacs9", host="127.0.0.1", **issue)) as port:
        receipt = _called(port, identity)

    assert (receipt.verdict, receipt.code) == (Verdict.RETRY, "tls")
    assert words in receipt.text


def test_a_peer_that_speaks_no_tls_is_named_so(identity: Identity, port: int) -> None:
    assert "TLS" in _called(port, identity).text
