"""The queue of one destination: in order, stopped by doubt, never by a surprise."""

import threading
from typing import Any

from hilum.core.access.model import Peer
from hilum.core.kernel.errors import Busy, Invalid
from hilum.core.routing.model import Verdict
from hilum.engine.delivery import DestinationWorker, no_courier


def deliver(gate: Any, courier: Any, owner: str = "a", **others: Any) -> None:
    """Run one worker over the queue without lingering longer than its courier lives."""
    lease = gate.hub.claim("pacs", owner)
    wait = others.pop("wait", lambda _seconds: stop.set() or True)
    stop = others.pop("stop", threading.Event())
    couriers = others.pop("couriers", lambda _peer: courier)
    DestinationWorker(gate.hub, couriers, lease, wait, lambda: 0.0, stop.is_set).run()


def test_parcels_arrive_in_the_order_they_were_planned(gate: Any) -> None:
    planned, courier = gate.plan(3), gate.courier()

    deliver(gate, courier)

    assert courier.got == planned
    assert gate.states() == ["sent"] * 3
    assert courier.closed == 1


def test_a_retry_holds_the_queue_behind_it(gate: Any) -> None:
    planned, courier = gate.plan(3), gate.courier(Verdict.ACCEPTED, Verdict.RETRY)

    deliver(gate, courier)

    assert courier.got == planned[:2]
    assert gate.states() == ["sent", "waiting", "waiting"]
    assert gate.hub.destinations_due() == []


def test_an_answer_that_did_not_come_holds_the_queue(gate: Any) -> None:
    gate.plan(2)

    deliver(gate, gate.courier(Verdict.UNCERTAIN))

    assert gate.states() == ["uncertain", "waiting"]


def test_a_rejected_parcel_is_given_up_and_the_next_goes_on(gate: Any) -> None:
    planned, courier = gate.plan(2), gate.courier(Verdict.REJECTED)

    deliver(gate, courier)

    assert courier.got == planned
    assert gate.states() == ["dead", "sent"]
    assert gate.deliveries()[0].reason == "C0DE as told"


def test_a_replayed_parcel_is_sent_again(gate: Any) -> None:
    gate.plan(1)
    deliver(gate, gate.courier(Verdict.REJECTED))
    gate.hub.replay(gate.operator, [gate.deliveries()[0].key])

    deliver(gate, gate.courier())

    assert gate.states() == ["sent"]


def test_a_courier_that_breaks_is_a_receipt(gate: Any) -> None:
    gate.plan(1)

    deliver(gate, gate.courier(RuntimeError("surprise")))

    assert gate.states() == ["waiting"]
    assert "internal error" in gate.deliveries()[0].reason


def test_a_busy_courier_is_tried_again(gate: Any) -> None:
    gate.plan(1)

    deliver(gate, gate.courier(Busy("no room")))

    assert gate.states() == ["waiting"]


def test_a_parcel_that_cannot_be_said_is_given_up(gate: Any) -> None:
    gate.plan(1)

    deliver(gate, gate.courier(Invalid("no such form")))

    assert gate.states() == ["dead"]


def test_a_missing_peer_waits(gate: Any) -> None:
    gate.plan(1)
    gate.hub.remove_peer(gate.operator, "pacs")

    deliver(gate, gate.courier())

    assert gate.states() == ["waiting"]
    assert "pacs" in gate.deliveries()[0].reason


def test_a_peer_of_a_kind_that_nothing_is_delivered_to_is_given_up(gate: Any) -> None:
    gate.plan(1)

    def none_for(peer: Peer) -> Any:
        return no_courier(peer)

    deliver(gate, None, couriers=none_for)

    assert gate.states() == ["dead"]


def test_a_parcel_that_is_gone_is_given_up(gate: Any) -> None:
    gate.plan(1)
    gate.database.write(
        lambda tx: tx._opened.connection.exec_driver_sql("UPDATE deliveries SET reference = '9.9'")
    )

    deliver(gate, gate.courier())

    assert gate.states() == ["dead"]


def test_a_worker_whose_lease_was_taken_settles_nothing(gate: Any) -> None:
    gate.plan(2)

    class Overtaken(type(gate.courier())):  # type: ignore[misc]
        """While it sends, another owner takes the expired lease."""

        def send(self, parcel: Any) -> Any:
            gate.database.write(
                lambda tx: tx._opened.connection.exec_driver_sql(
                    "UPDATE leases SET fence = fence + 1, owner = 'b'"
                )
            )
            return super().send(parcel)

    courier = Overtaken()
    deliver(gate, courier)

    assert len(courier.got) == 1
    assert gate.states() == ["waiting", "waiting"]


def test_a_connection_that_cannot_be_closed_does_not_keep_the_lease(gate: Any) -> None:
    gate.plan(1)

    class Stuck(type(gate.courier())):  # type: ignore[misc]
        def close(self) -> None:
            raise RuntimeError

    deliver(gate, Stuck())

    assert gate.hub.claim("pacs", "another") is not None
