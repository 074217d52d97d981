"""The engine: reacts to events, starts a worker per due destination, keeps leases, runs schedules."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from hilum.core import reactions
from hilum.core.archive.model import ChoreKind
from hilum.core.hub import Hub
from hilum.core.kernel.errors import HilumError
from hilum.core.routing.usecases import LEASE_LIFETIME
from hilum.engine.delivery import Couriers, DestinationWorker

Chores = Mapping[ChoreKind, Callable[[str], None]]
"""How each kind of chore is done, given its reference."""

log = structlog.get_logger()

EVENTS_AT_ONCE = 256
PAUSE = 0.5
"""Seconds between looks when nothing was heard: deliveries become due by time, not only by news."""
GATHER = 0.05
"""Seconds between the first news and the look at it."""
PAUSE_AFTER_FAILURE = 1.0
SCHEDULE_PERIOD = 5.0
SWEEP_PERIOD = 3600.0


@dataclass(slots=True)
class Engine:
    """Runs until stopped. Several engines may run, on one node or many: leases keep them apart."""

    hub: Hub
    couriers: Couriers
    wait: Callable[[float], bool]
    """Waits for a commit by anybody, at most so many seconds; tells whether there was one."""
    owner: str
    chance: Callable[[], float]
    chores: Chores = field(default_factory=dict)
    keep_workitems: timedelta = timedelta(days=30)
    stop: threading.Event = field(default_factory=threading.Event)
    workers: dict[str, tuple[threading.Thread, DestinationWorker]] = field(default_factory=dict)

    def run(self) -> None:
        """Run all loops and return after `stop` is set and the workers ended."""
        loops = [
            threading.Thread(target=self._forever, args=(one,), name=one.__name__)
            for one in (self._react, self._dispatch, self._renew, self._keep_house, self._do_chores)
        ]
        for loop in loops:
            loop.start()
        for loop in loops:
            loop.join()
        for thread, _ in list(self.workers.values()):
            thread.join()

    def _forever(self, step: Callable[[], None]) -> None:
        """Repeat a step. A failure is logged and the step tried again: the engine outlives a database that went away."""
        while not self.stop.is_set():
            try:
                step()
            except HilumError as failure:
                log.warning("engine waits", step=step.__name__, reason=str(failure))
                self.stop.wait(PAUSE_AFTER_FAILURE)
            except Exception:
                log.exception("engine step failed", step=step.__name__)
                self.stop.wait(PAUSE_AFTER_FAILURE)

    def _react(self) -> None:
        if reactions.react(self.hub, EVENTS_AT_ONCE) < EVENTS_AT_ONCE:
            self._await_news()

    def _dispatch(self) -> None:
        for destination in self.hub.destinations_due():
            running = self.workers.get(destination)
            if running is None or not running[0].is_alive():
                self._start(destination)
        self._await_news()

    def _await_news(self) -> None:
        """Wait for a commit, then let a few more come: a look for each image of a series would hold the next one up."""
        self.wait(PAUSE)
        self.stop.wait(GATHER)

    def _do_chores(self) -> None:
        """Do what is due, one chore at a time. One that fails is taken up again after a while, and holds no other up."""
        chore = self.hub.take_up_chore()
        if chore is None:
            self.stop.wait(PAUSE)
            return
        try:
            self.chores[chore.kind](chore.reference)
        except HilumError as failure:
            log.warning("chore put off", kind=chore.kind, reason=str(failure))
        else:
            self.hub.end_chore(chore)

    def _start(self, destination: str) -> None:
        lease = self.hub.claim(destination, self.owner)
        if lease is None:
            return
        worker = DestinationWorker(self.hub, self.couriers, lease, self.wait, self.chance, self.stop.is_set)
        thread = threading.Thread(target=worker.run, name=f"deliver-{destination}")
        self.workers[destination] = (thread, worker)
        thread.start()

    def _renew(self) -> None:
        """Renew the leases of running workers well before they expire: one parcel may take longer than a lease."""
        self.stop.wait(LEASE_LIFETIME.total_seconds() / 3)
        for destination, (thread, _) in list(self.workers.items()):
            if thread.is_alive():
                self.hub.claim(destination, self.owner)

    def _keep_house(self) -> None:
        """Plan overdue commitment reports often, sweep lonely blobs and ended workitems at start and then now and then."""
        self.hub.sweep()
        self._expire_workitems()
        for _ in range(int(SWEEP_PERIOD / SCHEDULE_PERIOD)):
            self.hub.plan_overdue_commitments()
            self.hub.plan_commitment_requests()
            if self.stop.wait(SCHEDULE_PERIOD):
                return

    def _expire_workitems(self) -> None:
        """Remove workitems that ended long ago, a batch at a time, so that nobody else waits for long."""
        while self.hub.expire_workitems(self.keep_workitems):
            if self.stop.is_set():
                return
