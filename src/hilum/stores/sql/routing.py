"""Rules, deliveries, attempts."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from itertools import takewhile
from typing import Any

from sqlalchemy import bindparam, delete, func, select, update

from hilum.core.routing.model import (
    AskedCommitment,
    Attempt,
    Delivery,
    DeliveryQuery,
    DeliveryState,
    Lease,
    ParcelKind,
    Queue,
    Rule,
    Verdict,
)
from hilum.stores.sql import asking, leasing
from hilum.stores.sql.opened import Opened
from hilum.stores.sql.schema import attempts, deliveries, rules

_RULES = select(*(rules.c[field.name] for field in fields(Rule))).order_by(rules.c.place)
_FORGET_RULES = delete(rules)
_ADD_RULE = rules.insert().inline()

_PENDING = deliveries.c.state.in_([DeliveryState.WAITING.value, DeliveryState.UNCERTAIN.value])
_ENDED = (DeliveryState.SENT, DeliveryState.DEAD)
_DELIVERIES = select(*(deliveries.c[field.name] for field in fields(Delivery)))
_DELIVERY = _DELIVERIES.where(deliveries.c.key == bindparam("at"))
_SAME = select(deliveries.c.key).where(
    deliveries.c.reference == bindparam("reference"),
    deliveries.c.destination == bindparam("destination"),
    deliveries.c.kind == bindparam("kind"),
)
_ADD = deliveries.insert().inline()
_HEAD = (
    _DELIVERIES.where(deliveries.c.destination == bindparam("at"), _PENDING)
    .order_by(deliveries.c.key)
    .limit(bindparam("most"))
)
_STORED = (
    _DELIVERIES.where(
        deliveries.c.destination == bindparam("at"), deliveries.c.state == DeliveryState.STORED.value
    )
    .order_by(deliveries.c.key)
    .limit(bindparam("most"))
)
_NEXT_HEAD = (
    select(deliveries.c.destination, deliveries.c.next_attempt)
    .where(deliveries.c.destination > bindparam("after"), _PENDING)
    .order_by(deliveries.c.destination, deliveries.c.key)
    .limit(1)
)
_SETTLE = (
    update(deliveries)
    .where(deliveries.c.key == bindparam("at"))
    .values(
        state=bindparam("to"),
        attempts=deliveries.c.attempts + 1,
        next_attempt=func.coalesce(
            bindparam("next", type_=deliveries.c.next_attempt.type), deliveries.c.next_attempt
        ),
        reason=bindparam("why"),
        settled=bindparam("ended"),
    )
)
_PUT_BACK = (
    update(deliveries)
    .where(
        deliveries.c.key == bindparam("at"),
        deliveries.c.state.in_([state.value for state in _ENDED]),
    )
    .values(state=DeliveryState.WAITING.value, attempts=0, next_attempt=bindparam("now"), settled=None)
)
_ATTEMPTS = (
    select(*(attempts.c[field.name] for field in fields(Attempt)))
    .where(attempts.c.delivery_key == bindparam("at"))
    .order_by(attempts.c.key)
)
_ADD_ATTEMPT = attempts.insert().inline()
_COUNTS = select(deliveries.c.destination, deliveries.c.state, func.count()).group_by(
    deliveries.c.destination, deliveries.c.state
)
_OLDEST_WAITING = (
    select(deliveries.c.created, deliveries.c.reason)
    .where(deliveries.c.destination == bindparam("at"), _PENDING)
    .order_by(deliveries.c.key)
    .limit(1)
)
_NEWEST_DEAD = (
    select(deliveries.c.reason)
    .where(deliveries.c.destination == bindparam("at"), deliveries.c.state == DeliveryState.DEAD.value)
    .order_by(deliveries.c.key.desc())
    .limit(1)
)


class SqlRouting:
    """Core's `RoutingShelf`."""

    def __init__(self, opened: Opened) -> None:
        """Work inside one transaction."""
        self._opened = opened

    def rules(self) -> list[Rule]:
        """Return the rules in force, in their order."""
        return [Rule(*row) for row in self._opened.connection.execute(_RULES)]

    def put_rules(self, rules: list[Rule]) -> None:
        """Replace the rules."""
        self._opened.connection.execute(_FORGET_RULES)
        rows = [
            {field.name: getattr(rule, field.name) for field in fields(Rule)}
            | {"place": place, "tags": None if rule.tags is None else dict(rule.tags)}
            for place, rule in enumerate(rules)
        ]
        if rows:
            self._opened.connection.execute(_ADD_RULE, rows)

    def add(self, destination: str, kind: ParcelKind, reference: str, rule: str, trace: str) -> bool:
        """Plan a delivery; the same parcel to the same destination is planned once. Tell whether it is new."""
        connection, now = self._opened.connection, self._opened.now
        same = {"destination": destination, "kind": kind.value, "reference": reference}
        if connection.execute(_SAME, same).first() is not None:
            return False
        state = {"state": DeliveryState.WAITING.value, "attempts": 0, "next_attempt": now, "reason": ""}
        connection.execute(
            _ADD, same | state | {"rule": rule, "trace": trace, "created": now, "settled": None}
        )
        self._opened.brings_work = True
        return True

    def delivery(self, key: int) -> Delivery | None:
        """Return one delivery."""
        row = self._opened.connection.execute(_DELIVERY, {"at": key}).first()
        return _delivery(row) if row else None

    def find(self, query: DeliveryQuery) -> list[Delivery]:
        """Return deliveries, newest first."""
        chosen = _DELIVERIES.order_by(deliveries.c.key.desc()).limit(query.limit)
        if query.destination:
            chosen = chosen.where(deliveries.c.destination == query.destination)
        if query.states:
            chosen = chosen.where(deliveries.c.state.in_([state.value for state in query.states]))
        if query.kind is not None:
            chosen = chosen.where(deliveries.c.kind == query.kind.value)
        if query.reference:
            chosen = chosen.where(deliveries.c.reference == query.reference)
        if query.before_key is not None:
            chosen = chosen.where(deliveries.c.key < query.before_key)
        return [_delivery(row) for row in self._opened.connection.execute(chosen)]

    def attempts(self, key: int) -> list[Attempt]:
        """Return the attempts of a delivery in their order."""
        return [_attempt(row) for row in self._opened.connection.execute(_ATTEMPTS, {"at": key})]

    def queues(self) -> list[Queue]:
        """Return how every destination with deliveries stands."""
        counts: dict[str, dict[str, int]] = {}
        for destination, state, number in self._opened.connection.execute(_COUNTS):
            counts.setdefault(destination, {})[state] = number
        return [self._queue(destination, counts[destination]) for destination in sorted(counts)]

    def destinations_due(self, now: datetime) -> list[str]:
        """Return destinations whose oldest waiting delivery is due.

        One index seek a destination: a long queue costs no more than a short one.
        """
        due, after = [], ""
        while head := self._opened.connection.execute(_NEXT_HEAD, {"after": after}).first():
            after, next_attempt = head
            if next_attempt <= now:
                due.append(after)
        return due

    def head(self, destination: str, now: datetime, limit: int) -> list[Delivery]:
        """Return the first waiting deliveries in order; none when the first is not due yet."""
        rows = self._opened.connection.execute(_HEAD, {"at": destination, "most": limit})
        return list(takewhile(lambda delivery: delivery.next_attempt <= now, map(_delivery, rows)))

    def settle(self, key: int, state: DeliveryState, next_attempt: datetime | None, reason: str) -> None:
        """Set the state after an attempt, with attempts + 1."""
        ended = self._opened.now if state in _ENDED else None
        change = {"at": key, "to": state.value, "next": next_attempt, "why": reason, "ended": ended}
        self._opened.connection.execute(_SETTLE, change)

    def add_attempt(self, attempt: Attempt) -> None:
        """Keep one attempt."""
        row = {field.name: getattr(attempt, field.name) for field in fields(Attempt)}
        self._opened.connection.execute(_ADD_ATTEMPT, row | {"verdict": attempt.verdict.value})

    def destinations_stored(self) -> list[str]:
        """Return destinations with deliveries whose storage commitment is to be asked for."""
        return asking.destinations(self._opened.connection)

    def stored(self, destination: str, limit: int) -> list[Delivery]:
        """Return the first deliveries of a destination whose storage commitment is to be asked for."""
        rows = self._opened.connection.execute(_STORED, {"at": destination, "most": limit})
        return [_delivery(row) for row in rows]

    def of_keys(self, keys: tuple[int, ...]) -> list[Delivery]:
        """Return deliveries by key."""
        return [found for key in keys if (found := self.delivery(key)) is not None]

    def move(
        self, key: int, state: DeliveryState, reason: str, *, attempts: int, next_attempt: datetime
    ) -> None:
        """Set how a delivery stands, and after how many attempts, without an attempt."""
        connection, now = self._opened.connection, self._opened.now
        asking.move(connection, key, state, reason, attempts, next_attempt, now)
        self._opened.brings_work = True

    def put_asked(self, asked: AskedCommitment) -> None:
        """Keep a storage commitment that we ask for."""
        asking.keep(self._opened.connection, asked)

    def asked(self, transaction_uid: str) -> AskedCommitment | None:
        """Return a storage commitment that we asked for and that is not over."""
        return asking.read(self._opened.connection, transaction_uid)

    def asked_before(self, moment: datetime) -> list[AskedCommitment]:
        """Return those that were planned before a moment and are not over."""
        return asking.before(self._opened.connection, moment)

    def forget_asked(self, transaction_uid: str) -> None:
        """End a storage commitment that we asked for."""
        asking.forget(self._opened.connection, transaction_uid)

    def put_back(self, key: int) -> None:
        """Make a dead or sent delivery wait again, due now, attempts 0, at its old place in the queue."""
        self._opened.connection.execute(_PUT_BACK, {"at": key, "now": self._opened.now})
        self._opened.brings_work = True

    def lease(self, destination: str, owner: str, now: datetime, expires: datetime) -> Lease | None:
        """Take or renew the lease unless somebody else holds it; a new owner gets the next fence."""
        return leasing.take(self._opened.connection, Lease(destination, owner, 1, expires), now)

    def holds(self, lease: Lease, now: datetime) -> bool:
        """Tell, locking the lease for this transaction, whether it is still the newest and not expired."""
        return leasing.holds(self._opened.connection, lease, now)

    def release(self, lease: Lease) -> None:
        """Give the lease up if it is still ours."""
        leasing.release(self._opened.connection, lease, self._opened.now)

    def _queue(self, destination: str, counts: dict[str, int]) -> Queue:
        connection = self._opened.connection
        waiting = connection.execute(_OLDEST_WAITING, {"at": destination}).first()
        dead = connection.execute(_NEWEST_DEAD, {"at": destination}).first()
        return Queue(
            destination=destination,
            waiting=counts.get("waiting", 0) + counts.get("uncertain", 0),
            dead=counts.get("dead", 0),
            sent=counts.get("sent", 0) + counts.get("committed", 0),
            oldest_waiting=waiting[0] if waiting else None,
            last_reason=(waiting[1] if waiting else "") or (dead[0] if dead else ""),
        )


def _delivery(row: Sequence[Any]) -> Delivery:
    key, destination, kind, reference, state, *others = row
    return Delivery(key, destination, ParcelKind(kind), reference, DeliveryState(state), *others)


def _attempt(row: Sequence[Any]) -> Attempt:
    *front, verdict, code, text = row
    return Attempt(*[*front, Verdict(verdict), code, text])
