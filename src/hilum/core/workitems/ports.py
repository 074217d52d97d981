"""What a store must do for workitems."""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from hilum.core.archive.ports import ArchiveTransaction
from hilum.core.workitems.model import (
    Attributes,
    Channel,
    EventType,
    Report,
    Subscriber,
    Workitem,
    WorkitemChange,
    WorkitemQuery,
)


class WorkitemShelf(Protocol):
    """Workitems, their history, subscriptions and reports."""

    def workitem(self, sop_instance_uid: str) -> Workitem | None:
        """Return one workitem; in a writing transaction it stays ours until the end."""

    def add(self, workitem: Workitem) -> bool:
        """Keep a new workitem; tell whether its UID was free."""

    def put(self, workitem: Workitem) -> None:
        """Replace a workitem, with version + 1."""

    def candidates(self, query: WorkitemQuery) -> Iterator[Workitem]:
        """Yield at least the workitems that match, by scheduled start and UID; limit and offset are not applied."""

    def add_change(self, change: WorkitemChange) -> None:
        """Append to the history."""

    def history(self, sop_instance_uid: str) -> list[WorkitemChange]:
        """Return the history, oldest first."""

    def subscriber(self, ae_title: str) -> Subscriber | None:
        """Return one subscriber; in a writing transaction it stays ours until the end."""

    def put_subscriber(self, subscriber: Subscriber) -> None:
        """Add or replace a subscriber."""

    def global_subscribers(self) -> list[Subscriber]:
        """Return who is subscribed globally, with a filter or without, by AE title."""

    def subscribe(self, ae_title: str, sop_instance_uid: str, *, deletion_lock: bool) -> None:
        """Subscribe to one workitem, or change the lock of a subscription."""

    def subscribe_if_not(self, ae_title: str, sop_instance_uid: str, *, deletion_lock: bool) -> None:
        """Subscribe to one workitem unless already subscribed."""

    def unsubscribe(self, ae_title: str, sop_instance_uid: str = "") -> None:
        """End the subscription to one workitem, or to all."""

    def subscribers_of(self, sop_instance_uid: str) -> list[tuple[str, Channel]]:
        """Return AE title and channel of those subscribed to a workitem, by AE title."""

    def all_subscribers(self) -> list[tuple[str, Channel]]:
        """Return AE title and channel of those subscribed globally or to any workitem, by AE title."""

    def add_report(
        self, ae_title: str, sop_instance_uid: str, event_type: EventType, information: Attributes
    ) -> int:
        """Append a report for a subscriber and return its number; until the end nobody else can append for it."""

    def report(self, ae_title: str, number: int) -> Report | None:
        """Return one report."""

    def reports_after(self, ae_title: str, number: int, limit: int) -> list[Report]:
        """Return reports of a subscriber with higher numbers, in order."""

    def last_report(self, ae_title: str) -> int:
        """Return the number of the newest report of a subscriber, 0 before the first."""

    def expired(self, before: datetime, limit: int) -> list[str]:
        """Return UIDs of workitems in a final state, not changed since, on which nobody has a deletion lock."""

    def remove(self, sop_instance_uid: str) -> None:
        """Remove a workitem with its history and subscriptions."""

    def remove_reports(self, before: datetime) -> None:
        """Remove reports written before a moment."""


class WorkitemsTransaction(ArchiveTransaction, Protocol):
    """A transaction that sees workitems."""

    @property
    def workitems(self) -> WorkitemShelf:
        """Workitems, subscriptions and reports."""
