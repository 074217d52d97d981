"""Messages: applied once, or not at all."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from hilum.core.exchange.model import Envelope, MergePatients, PlaceOrders, RegisterPatient
from hilum.core.kernel.errors import NotFound
from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders.model import OrderAction, OrderMessage, OrderRequest


def envelope(raw: bytes = b"MSH|1", control_id: str = "C1") -> Envelope:
    return Envelope(control_id, "ADT^A04", raw, hashlib.sha256(raw).hexdigest())


def receive(house: Any, raw: bytes = b"MSH|1", number: str = "12^^^HOSP", control_id: str = "C1") -> bool:
    """Receive a registration; tell whether it was a repetition."""
    command = RegisterPatient(house.says(number))
    repeated: bool = house.hub.receive_message(house.operator, envelope(raw, control_id), command).repeated
    return repeated


def test_a_message_and_its_bytes_are_kept_in_one_commit(house: Any) -> None:
    receive(house)

    (kept,) = house.hub.messages(house.operator)

    assert (kept.answer, kept.envelope.raw) == ("AA", b"MSH|1")
    assert house.hub.message(house.operator, kept.key) == kept
    assert len(house.records()) == 1


def test_a_message_repeated_within_a_day_is_applied_once(house: Any) -> None:
    receive(house)
    house.later(timedelta(hours=23))
    before = house.rows()

    assert receive(house)
    assert house.rows() == before


def test_a_message_repeated_after_a_day_is_applied_again(house: Any) -> None:
    receive(house)

    house.later(timedelta(hours=25))

    assert not receive(house)


def test_the_same_control_id_with_other_content_is_applied(house: Any) -> None:
    receive(house)

    repeated = receive(house, b"MSH|2", "13^^^HOSP")

    assert not repeated
    assert len(house.records()) == 2


def test_a_refused_message_leaves_nothing_of_itself(house: Any) -> None:
    cancel = OrderRequest(OrderAction.CANCEL, placer_order_number=Identifier("none"))
    command = PlaceOrders(OrderMessage(house.says("12^^^HOSP"), (cancel,)))
    before = house.rows()

    with pytest.raises(NotFound):
        house.hub.receive_message(house.operator, envelope(), command)

    assert house.rows() == before


def test_a_rejected_message_is_kept_and_may_be_sent_again(house: Any) -> None:
    house.hub.note_rejected_message(house.operator, envelope(), "AE", "no such order")

    assert not receive(house)
    assert [one.answer for one in house.hub.messages(house.operator)] == ["AA", "AE"]


def test_every_pair_of_a_merge_message_is_merged(house: Any) -> None:
    pairs = tuple((house.says(f"{n}^^^A"), house.says(f"{n}0^^^A")) for n in (1, 2))

    house.hub.receive_message(house.operator, envelope(), MergePatients(pairs))

    assert [house.root("10^^^A"), house.root("20^^^A")] == ["1^^^A", "2^^^A"]
