"""Workitems, their history, and who is told of them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, delete, exists, func, or_, select, tuple_, update

from hilum.core.workitems import table
from hilum.core.workitems.attributes import text_at
from hilum.core.workitems.matching import moment_in
from hilum.core.workitems.model import (
    Attributes,
    Channel,
    EventType,
    Key,
    Report,
    Subscriber,
    Workitem,
    WorkitemChange,
    WorkitemQuery,
    WorkitemState,
)
from hilum.stores.sql.matching import text_condition
from hilum.stores.sql.opened import Opened
from hilum.stores.sql.putting import put
from hilum.stores.sql.schema import (
    workitem_changes,
    workitem_reports,
    workitem_subscribers,
    workitem_subscriptions,
    workitems,
)
from hilum.stores.sql.workitem_keys import kept_keys, revived_keys

_PAGE = 200
_GLOBAL_SUBSCRIPTIONS = 0x48494C57
"""Number of the advisory lock between new workitems and new global subscriptions ("HILW"): none misses the other."""

_WORKITEM = tuple(
    workitems.c[name]
    for name in (
        "sop_instance_uid",
        "state",
        "attributes",
        "version",
        "created",
        "updated",
        "transaction_uid",
    )
)
_ONE = select(*_WORKITEM).where(workitems.c.sop_instance_uid == bindparam("uid"))
_ORDER = (workitems.c.scheduled_start, workitems.c.sop_instance_uid)
_CANDIDATES = select(workitems.c.scheduled_start, *_WORKITEM).order_by(*_ORDER).limit(_PAGE)
_COLUMNS = {
    table.STATE: workitems.c.state,
    table.SCHEDULED_START: workitems.c.scheduled_start,
    table.SOP_INSTANCE_UID: workitems.c.sop_instance_uid,
    table.WORKLIST_LABEL: workitems.c.worklist_label,
    "00100020": workitems.c.patient_id,
    "0020000D": workitems.c.study_instance_uid,
}
"""Keys that a column answers; the others are matched in core, on what these leave."""
_HISTORY = (
    select(
        *(workitem_changes.c[name] for name in ("sop_instance_uid", "state", "caller", "detail", "occurred"))
    )
    .where(workitem_changes.c.sop_instance_uid == bindparam("uid"))
    .order_by(workitem_changes.c.key)
)
_SUBSCRIBER = tuple(
    workitem_subscribers.c[name] for name in ("ae_title", "channel", "globally", "deletion_lock", "keys")
)
_TOLD = select(workitem_subscribers.c.ae_title, workitem_subscribers.c.channel).order_by(
    workitem_subscribers.c.ae_title
)
_REPORT = tuple(
    workitem_reports.c[name]
    for name in ("ae_title", "number", "sop_instance_uid", "event_type", "information", "created")
)
_NEXT_NUMBER = (
    update(workitem_subscribers)
    .where(workitem_subscribers.c.ae_title == bindparam("who"))
    .values(reports=workitem_subscribers.c.reports + 1)
)
_LAST_NUMBER = select(workitem_subscribers.c.reports).where(
    workitem_subscribers.c.ae_title == bindparam("who")
)
_FINAL = (WorkitemState.COMPLETED.value, WorkitemState.CANCELED.value)


class SqlWorkitems:
    """Core's `WorkitemShelf`."""

    def __init__(self, opened: Opened) -> None:
        """Work inside one transaction."""
        self._opened = opened

    def workitem(self, sop_instance_uid: str) -> Workitem | None:
        """Return one workitem; in a writing transaction it stays ours until the end."""
        row = self._opened.connection.execute(self._mine(_ONE), {"uid": sop_instance_uid}).first()
        return _workitem(row) if row else None

    def add(self, workitem: Workitem) -> bool:
        """Keep a new workitem; tell whether its UID was free."""
        if self.workitem(workitem.sop_instance_uid) is not None:
            return False
        self._opened.connection.execute(workitems.insert().inline(), self._row(workitem))
        return True

    def put(self, workitem: Workitem) -> None:
        """Replace a workitem, with version + 1."""
        put(self._opened.connection, workitems, self._row(replace(workitem, version=workitem.version + 1)))

    def candidates(self, query: WorkitemQuery) -> Iterator[Workitem]:
        """Yield at least the workitems that match, by scheduled start and UID; limit and offset are not applied."""
        conditions = [_condition(key) for key in query.keys if key.tag in _COLUMNS and key.match is not None]
        last: tuple[str, str] | None = None
        while True:
            page = _CANDIDATES.where(*conditions)
            if last is not None:
                page = page.where(tuple_(*_ORDER) > tuple_(*last))
            rows = self._opened.connection.execute(page).all()
            for row in rows:
                yield _workitem(row[1:])
            if len(rows) < _PAGE:
                return
            last = rows[-1][0], rows[-1][1]

    def add_change(self, change: WorkitemChange) -> None:
        """Append to the history."""
        row = {
            "sop_instance_uid": change.sop_instance_uid,
            "state": change.state.value,
            "caller": change.caller,
            "detail": change.detail,
            "occurred": change.occurred,
        }
        self._opened.connection.execute(workitem_changes.insert().inline(), row)

    def history(self, sop_instance_uid: str) -> list[WorkitemChange]:
        """Return the history, oldest first."""
        rows = self._opened.connection.execute(_HISTORY, {"uid": sop_instance_uid})
        return [
            WorkitemChange(uid, WorkitemState(state), caller, detail, occurred)
            for uid, state, caller, detail, occurred in rows
        ]

    def subscriber(self, ae_title: str) -> Subscriber | None:
        """Return one subscriber; in a writing transaction it stays ours until the end."""
        chosen = select(*_SUBSCRIBER).where(workitem_subscribers.c.ae_title == ae_title)
        row = self._opened.connection.execute(self._mine(chosen)).first()
        return _subscriber(row) if row else None

    def put_subscriber(self, subscriber: Subscriber) -> None:
        """Add or replace a subscriber."""
        self._between_workitems_and_subscriptions(func.pg_advisory_xact_lock)
        connection, who = self._opened.connection, {"who": subscriber.ae_title}
        row = {
            "channel": subscriber.channel.value,
            "globally": subscriber.globally,
            "deletion_lock": subscriber.deletion_lock,
            "keys": kept_keys(subscriber.keys),
        }
        if connection.execute(_LAST_NUMBER, who).first() is None:
            added = row | {"ae_title": subscriber.ae_title, "reports": 0}
            connection.execute(workitem_subscribers.insert().inline(), added)
        else:
            at = workitem_subscribers.c.ae_title == subscriber.ae_title
            connection.execute(update(workitem_subscribers).where(at).values(row))

    def global_subscribers(self) -> list[Subscriber]:
        """Return who is subscribed globally, with a filter or without, by AE title."""
        self._between_workitems_and_subscriptions(func.pg_advisory_xact_lock_shared)
        chosen = select(*_SUBSCRIBER).where(workitem_subscribers.c.globally).order_by(_SUBSCRIBER[0])
        return [_subscriber(row) for row in self._opened.connection.execute(chosen)]

    def subscribe(self, ae_title: str, sop_instance_uid: str, *, deletion_lock: bool) -> None:
        """Subscribe to one workitem, or change the lock of a subscription."""
        row = {
            "ae_title": ae_title,
            "sop_instance_uid": sop_instance_uid,
            "deletion_lock": deletion_lock,
        }
        put(self._opened.connection, workitem_subscriptions, row)

    def subscribe_if_not(self, ae_title: str, sop_instance_uid: str, *, deletion_lock: bool) -> None:
        """Subscribe to one workitem unless already subscribed."""
        chosen = select(workitem_subscriptions.c.ae_title).where(
            workitem_subscriptions.c.ae_title == ae_title,
            workitem_subscriptions.c.sop_instance_uid == sop_instance_uid,
        )
        if self._opened.connection.execute(chosen).first() is None:
            self.subscribe(ae_title, sop_instance_uid, deletion_lock=deletion_lock)

    def unsubscribe(self, ae_title: str, sop_instance_uid: str = "") -> None:
        """End the subscription to one workitem, or to all."""
        ending = delete(workitem_subscriptions).where(workitem_subscriptions.c.ae_title == ae_title)
        if sop_instance_uid:
            ending = ending.where(workitem_subscriptions.c.sop_instance_uid == sop_instance_uid)
        self._opened.connection.execute(ending)

    def subscribers_of(self, sop_instance_uid: str) -> list[tuple[str, Channel]]:
        """Return AE title and channel of those subscribed to a workitem, by AE title."""
        chosen = _TOLD.join(
            workitem_subscriptions, workitem_subscriptions.c.ae_title == workitem_subscribers.c.ae_title
        ).where(workitem_subscriptions.c.sop_instance_uid == sop_instance_uid)
        return self._told(chosen)

    def all_subscribers(self) -> list[tuple[str, Channel]]:
        """Return AE title and channel of those subscribed globally or to any workitem, by AE title."""
        to_any = exists().where(workitem_subscriptions.c.ae_title == workitem_subscribers.c.ae_title)
        return self._told(_TOLD.where(or_(workitem_subscribers.c.globally, to_any)))

    def add_report(
        self, ae_title: str, sop_instance_uid: str, event_type: EventType, information: Attributes
    ) -> int:
        """Append a report for a subscriber and return its number; until the end nobody else can append for it.

        The row of the subscriber is locked first, so that numbers are in the order of commits.
        """
        connection, who = self._opened.connection, {"who": ae_title}
        connection.execute(_NEXT_NUMBER, who)
        number = int(connection.execute(_LAST_NUMBER, who).scalar_one())
        row = {
            "ae_title": ae_title,
            "number": number,
            "sop_instance_uid": sop_instance_uid,
            "event_type": int(event_type),
            "information": dict(information),
            "created": self._opened.now,
        }
        connection.execute(workitem_reports.insert().inline(), row)
        return number

    def report(self, ae_title: str, number: int) -> Report | None:
        """Return one report."""
        found = self.reports_after(ae_title, number - 1, 1)
        return found[0] if found and found[0].number == number else None

    def reports_after(self, ae_title: str, number: int, limit: int) -> list[Report]:
        """Return reports of a subscriber with higher numbers, in order."""
        chosen = (
            select(*_REPORT)
            .where(workitem_reports.c.ae_title == ae_title, workitem_reports.c.number > number)
            .order_by(workitem_reports.c.number)
            .limit(limit)
        )
        return [
            Report(who, at, uid, EventType(event_type), information, created)
            for who, at, uid, event_type, information, created in self._opened.connection.execute(chosen)
        ]

    def last_report(self, ae_title: str) -> int:
        """Return the number of the newest report of a subscriber, 0 before the first."""
        return self._opened.connection.execute(_LAST_NUMBER, {"who": ae_title}).scalar_one_or_none() or 0

    def expired(self, before: datetime, limit: int) -> list[str]:
        """Return UIDs of workitems in a final state, not changed since, on which nobody has a deletion lock."""
        is_locked = exists().where(
            workitem_subscriptions.c.sop_instance_uid == workitems.c.sop_instance_uid,
            workitem_subscriptions.c.deletion_lock,
        )
        chosen = (
            select(workitems.c.sop_instance_uid)
            .where(workitems.c.state.in_(_FINAL), workitems.c.updated < before, ~is_locked)
            .limit(limit)
        )
        return list(self._opened.connection.execute(chosen).scalars())

    def remove(self, sop_instance_uid: str) -> None:
        """Remove a workitem with its history and subscriptions."""
        for of in (workitem_subscriptions, workitem_changes, workitems):
            self._opened.connection.execute(delete(of).where(of.c.sop_instance_uid == sop_instance_uid))

    def remove_reports(self, before: datetime) -> None:
        """Remove reports written before a moment."""
        self._opened.connection.execute(delete(workitem_reports).where(workitem_reports.c.created < before))

    def _mine(self, chosen: Select[Any]) -> Select[Any]:
        return chosen if self._opened.reading else chosen.with_for_update()

    def _told(self, chosen: Select[Any]) -> list[tuple[str, Channel]]:
        return [(ae_title, Channel(channel)) for ae_title, channel in self._opened.connection.execute(chosen)]

    def _between_workitems_and_subscriptions(self, lock: Any) -> None:  # noqa: ANN401  # SQLAlchemy's own functions
        """Let a new workitem see every global subscription, and the other way round; SQLite has one writer anyway."""
        if self._opened.connection.dialect.name == "postgresql" and not self._opened.reading:
            self._opened.connection.execute(select(lock(_GLOBAL_SUBSCRIPTIONS)))

    def _row(self, workitem: Workitem) -> dict[str, Any]:
        attributes = workitem.attributes
        return {
            "sop_instance_uid": workitem.sop_instance_uid,
            "state": workitem.state.value,
            "transaction_uid": workitem.transaction_uid,
            "scheduled_start": moment_in(self._opened.now.tzinfo, text_at(attributes, table.SCHEDULED_START)),
            "patient_id": text_at(attributes, "00100020"),
            "study_instance_uid": text_at(attributes, "0020000D"),
            "worklist_label": text_at(attributes, table.WORKLIST_LABEL),
            "attributes": dict(attributes),
            "version": workitem.version,
            "created": workitem.created,
            "updated": workitem.updated,
        }


def _condition(key: Key) -> ColumnElement[bool]:
    if key.match is None:
        raise TypeError("a key without a match asks for nothing")
    return text_condition(_COLUMNS[key.tag], key.match)


def _workitem(row: Sequence[Any]) -> Workitem:
    uid, state, attributes, version, created, updated, transaction_uid = row
    return Workitem(uid, WorkitemState(state), attributes, version, created, updated, transaction_uid)


def _subscriber(row: Sequence[Any]) -> Subscriber:
    ae_title, channel, globally, deletion_lock, keys = row
    return Subscriber(ae_title, Channel(channel), globally, deletion_lock, revived_keys(keys))
