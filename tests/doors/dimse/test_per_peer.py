"""What one peer's options change, seen by pynetdicom; each change is in force on the next association."""

from typing import Any

from pynetdicom import AE, build_context

from hilum.core.kernel.peer_options import PeerOptions

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT, IMPLICIT, JPEG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.70"


def _associated(port: int, *contexts: Any) -> Any:
    return AE("CT1").associate("127.0.0.1", port, contexts=list(contexts), ae_title="HILUM")


def _accepted(port: int, *contexts: Any) -> list[tuple[str, str]]:
    association = _associated(port, *contexts)
    accepted = [(one.abstract_syntax, one.transfer_syntax[0]) for one in association.accepted_contexts]
    association.release()
    return accepted


def test_transfer_syntaxes_are_chosen_in_the_order_configured_for_the_peer(record: Any, serve: Any) -> None:
    port = serve(record.hub)
    wanted = build_context(CT, [IMPLICIT, EXPLICIT, JPEG])

    record.put_peer("CT1", 104)
    before = _accepted(port, wanted)
    record.put_peer("CT1", 104, options=PeerOptions(transfer_syntaxes=(JPEG, EXPLICIT)))
    after = _accepted(port, wanted, build_context(VERIFICATION, [IMPLICIT]))

    assert before == [(CT, IMPLICIT)]
    assert after == [(CT, JPEG), (VERIFICATION, IMPLICIT)]


def test_only_the_sop_classes_of_the_peer_are_agreed_on(record: Any, serve: Any) -> None:
    record.put_peer("CT1", 104, options=PeerOptions(sop_classes=(CT, VERIFICATION)))

    accepted = _accepted(serve(record.hub), *(build_context(one, EXPLICIT) for one in (CT, MR, VERIFICATION)))

    assert [sop_class for sop_class, _ in accepted] == [CT, VERIFICATION]


def test_a_shorter_pdu_is_announced_to_a_peer_that_is_configured_so(record: Any, serve: Any) -> None:
    port = serve(record.hub)
    announced = []

    for longest in (0, 16_384, 2**30):
        record.put_peer("CT1", 104, options=PeerOptions(maximum_pdu_length=longest))
        association = _associated(port, build_context(VERIFICATION))
        announced.append(association.acceptor.maximum_length)
        association.release()

    assert announced == [131_072, 16_384, 131_072]


def test_a_peer_beyond_its_associations_is_put_off_while_others_are_let_in(record: Any, serve: Any) -> None:
    record.put_peer("CT1", 104, options=PeerOptions(maximum_associations=1))
    port = serve(record.hub)
    first = _associated(port, build_context(VERIFICATION))

    second = _associated(port, build_context(VERIFICATION))
    other = AE("MR1").associate("127.0.0.1", port, contexts=[build_context(VERIFICATION)])

    said = second.acceptor.primitive
    assert (said.result, said.result_source, said.diagnostic) == (2, 3, 2)
    assert other.is_established
    first.release()
    other.release()


def test_a_peer_is_known_by_the_name_of_its_host(record: Any, serve: Any) -> None:
    from hilum.core.access import policy
    from hilum.core.access.model import Peer, PeerKind

    record.hub.open_to_all = False
    named = Peer("CT1", PeerKind.DICOM, "localhost", 104, "CT1", roles=("modality",))
    record.hub.put_peer(policy.local_operator("test"), named)

    assert _accepted(serve(record.hub), build_context(VERIFICATION, [IMPLICIT])) == [(VERIFICATION, IMPLICIT)]
