"""Storage commitment as requester: when it is asked for, and who may report."""

from datetime import timedelta
from typing import Any

import pytest

from hilum.core.access.model import Peer, PeerKind
from hilum.core.kernel.caller import Caller, CallerKind, Permission
from hilum.core.kernel.errors import NotFound
from hilum.core.routing.committing import PATIENCE
from hilum.core.routing.model import (
    Attempted,
    CommitmentReport,
    CommitmentRequestParcel,
    Delivery,
    DeliveryQuery,
    ParcelKind,
    Receipt,
    Verdict,
)
from hilum.core.routing.rules import MOST_ATTEMPTS


@pytest.fixture
def uid(house: Any) -> str:
    """An image that the peer took, and to which it has to commit."""
    house.hub.put_peer(house.operator, Peer("pacs", PeerKind.DICOM, "127.0.0.1", 104, "PACS"))
    header = house.store_image()
    house.hub.send(house.operator, "pacs", ParcelKind.INSTANCE, header.sop_instance_uid)
    _settle(house, Verdict.STORED)
    return str(header.sop_instance_uid)


def _settle(house: Any, verdict: Verdict) -> None:
    lease = house.hub.claim("pacs", "test")
    [head] = house.hub.batch(lease, 1)
    now = house.database.read(lambda tx: tx.now)
    house.hub.settle(lease, Attempted(head, Receipt(verdict, "0000", "said"), now, now), 0.0)


def _asked(house: Any) -> list[Delivery]:
    query = DeliveryQuery(kind=ParcelKind.COMMITMENT_REQUEST)
    return list(house.hub.deliveries(house.operator, query))


def _image(house: Any) -> Delivery:
    [found] = house.hub.deliveries(house.operator, DeliveryQuery(kind=ParcelKind.INSTANCE))
    return found


def _report(asked: Delivery, *committed: str) -> CommitmentReport:
    return CommitmentReport(asked.reference, frozenset(committed), {})


def test_a_request_names_what_was_stored_once(house: Any, uid: str) -> None:
    house.hub.plan_commitment_requests()
    house.hub.plan_commitment_requests()

    [asked] = _asked(house)
    parcel = house.hub.parcel(asked)
    assert isinstance(parcel, CommitmentRequestParcel)
    assert [one.sop_instance_uid for one in parcel.references] == [uid]


def test_without_a_report_in_time_it_is_asked_for_again_and_at_last_given_up(house: Any, uid: str) -> None:
    house.hub.plan_commitment_requests()
    first = _asked(house)[0]
    house.later(PATIENCE + timedelta(minutes=1))
    house.hub.plan_commitment_requests()

    assert len(_asked(house)) == 2
    with pytest.raises(NotFound):
        house.hub.take_commitment_report(house.operator, _report(first, uid))
    for _ in range(MOST_ATTEMPTS):
        house.later(PATIENCE + timedelta(minutes=1))
        house.hub.plan_commitment_requests()
    assert (_image(house).state, _image(house).reason) == ("dead", "no report of the storage commitment came")


def test_only_the_peer_that_was_asked_may_report(house: Any, uid: str) -> None:
    house.hub.plan_commitment_requests()
    [asked] = _asked(house)
    permissions = frozenset({Permission.ARCHIVE_COMMIT})

    with pytest.raises(NotFound):
        house.hub.take_commitment_report(
            Caller(CallerKind.PEER, "other", permissions, peer="other"), _report(asked, uid)
        )
    house.hub.take_commitment_report(
        Caller(CallerKind.PEER, "pacs", permissions, peer="pacs"), _report(asked, uid)
    )

    assert _image(house).state == "committed"
    assert _image(house).settled is not None


@pytest.mark.usefixtures("uid")
def test_what_a_report_does_not_name_is_asked_for_again(house: Any) -> None:
    house.hub.plan_commitment_requests()
    house.hub.take_commitment_report(house.operator, _report(_asked(house)[0], "1.2.3"))

    assert _image(house).state == "stored"
    house.hub.plan_commitment_requests()
    assert _image(house).state == "asked"
