"""The engine: it sleeps when idle, stops at once, and shares destinations with others."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hilum.core.archive.model import Chore, ChoreKind
from hilum.core.kernel.errors import Busy
from hilum.core.routing.model import Rule
from hilum.core.routing.rules import INSTANCE_STORED
from hilum.core.workitems.model import Cancellation, WorkitemQuery
from hilum.engine.engine import Chores, Engine
from hilum.stores.sql import Database


def until(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()


class Running:
    """An engine on a connection of its own."""

    def __init__(self, gate: Any, owner: str, courier: Any, chores: Chores | None = None) -> None:
        self.database = Database(gate.url)
        hub = gate.another_hub(self.database)
        wait = self.database.wait_for_change
        self.engine = Engine(hub, lambda _peer: courier, wait, owner, lambda: 0.0, chores or {})
        self.thread = threading.Thread(target=self.engine.run)
        self.thread.start()

    def end(self) -> None:
        self.engine.stop.set()
        self.thread.join(20)
        assert not self.thread.is_alive()
        self.database.close()


def test_a_stored_image_is_routed_and_delivered(gate: Any) -> None:
    gate.hub.put_rules(gate.operator, [Rule("all", INSTANCE_STORED, ("pacs",))])
    courier = gate.courier()
    running = Running(gate, "a", courier)

    planned = gate.plan(3)
    delivered = until(lambda: gate.states() == ["sent"] * 3)
    running.end()

    assert delivered
    assert courier.got == planned


def test_an_idle_engine_hardly_writes(gate: Any) -> None:
    works: list[int] = []
    database = gate.database

    class Counted:
        def write(self, work: Any) -> Any:
            works.append(1)
            return database.write(work)

        def read(self, work: Any) -> Any:
            return database.read(work)

    hub = gate.another_hub(Counted())
    engine = Engine(hub, lambda _peer: gate.courier(), database.wait_for_change, "a", lambda: 0.0)
    thread = threading.Thread(target=engine.run)
    thread.start()
    time.sleep(1.5)
    engine.stop.set()
    thread.join(20)

    assert not thread.is_alive()
    assert len(works) < 100


def test_two_engines_never_share_a_destination(gate: Any) -> None:
    first, second = gate.courier(), gate.courier()
    both = [Running(gate, "a", first), Running(gate, "b", second)]

    planned = gate.plan(8)
    delivered = until(lambda: gate.states() == ["sent"] * 8)
    for running in both:
        running.end()

    assert delivered
    assert sorted(first.got + second.got) == planned


def test_another_engine_takes_over_when_the_first_died(gate: Any) -> None:
    gate.plan(1)
    assert gate.hub.claim("pacs", "died") is not None
    courier = gate.courier()
    running = Running(gate, "b", courier)

    delivered = until(lambda: gate.states() == ["sent"], seconds=15)
    running.end()

    assert delivered


def test_chores_are_done_when_due_and_one_that_fails_holds_no_other_up(gate: Any) -> None:
    def do(reference: str) -> None:
        done.append(reference)
        if reference == "1":
            raise Busy("not now")

    done: list[str] = []
    for number in (1, 2, 3):
        due = Chore(ChoreKind.SUMMARISE, str(number), datetime.now(UTC) - timedelta(seconds=9 - number))
        gate.database.write(lambda tx, one=due: tx.background.put_chore(one))
    running = Running(gate, "a", gate.courier(), {ChoreKind.SUMMARISE: do})

    all_done = until(lambda: len(done) == 3)
    ended = until(lambda: left(gate.database) == ["1"])
    running.end()

    assert all_done
    assert ended
    assert done == ["1", "2", "3"]


def left(database: Database) -> list[str]:
    """Return the first chore that is left, whenever it is due."""
    late = datetime.now(UTC) + timedelta(days=1)
    due = database.read(lambda tx: tx.background.due_chore(late))
    return [due.reference] if due else []


def test_workitems_that_ended_go_after_their_time(gate: Any) -> None:
    step = {
        tag: {"vr": vr, "Value": [value]}
        for tag, vr, value in (
            ("00741000", "CS", "SCHEDULED"), ("00741200", "CS", "LOW"), ("00741204", "LO", "Segment"),
            ("00404041", "CS", "READY"), ("00404005", "DT", "20260101"),
        )
    }  # fmt: skip
    for uid in ("1.2.1", "1.2.2"):
        gate.hub.create_workitem(gate.operator, uid, step)
    gate.hub.request_workitem_cancel(gate.operator, "1.2.1", Cancellation("RIS", {}))
    engine = Engine(
        gate.hub, lambda _peer: gate.courier(), gate.database.wait_for_change, "a", lambda: 0.0,
        keep_workitems=timedelta(0),
    )  # fmt: skip

    thread = threading.Thread(target=engine.run)
    thread.start()
    left = lambda: [one.sop_instance_uid for one in gate.hub.find_workitems(gate.operator, WorkitemQuery())]  # noqa: E731
    gone = until(lambda: left() == ["1.2.2"])
    engine.stop.set()
    thread.join(20)

    assert gone
