"""The transaction that core's use-cases are given: every shelf on one connection."""

import uuid
from datetime import UTC, datetime
from functools import cached_property

from sqlalchemy import Connection

from hilum.core.audit.model import AuditEntry
from hilum.stores.sql.access import SqlAccess
from hilum.stores.sql.archive import SqlArchive
from hilum.stores.sql.audit import SqlAudit
from hilum.stores.sql.background import SqlBackground
from hilum.stores.sql.events import SqlEvents
from hilum.stores.sql.exchange import SqlMessages
from hilum.stores.sql.lifecycle import SqlLifecycle
from hilum.stores.sql.opened import Opened
from hilum.stores.sql.orders import SqlOrders
from hilum.stores.sql.patients import SqlPatients
from hilum.stores.sql.reports import SqlReports
from hilum.stores.sql.routing import SqlRouting
from hilum.stores.sql.workitems import SqlWorkitems


class SqlTransaction:
    """Core's `ExchangeTransaction`; shelves are made when they are first touched."""

    def __init__(self, connection: Connection, *, reading: bool = False) -> None:
        """Take the moment; it stays the same to the end of the transaction."""
        self._opened = Opened(connection, datetime.now(UTC).astimezone(), reading)

    @property
    def now(self) -> datetime:
        """The moment of this transaction: aware, in the time zone of the server."""
        return self._opened.now

    @property
    def noted(self) -> list[AuditEntry]:
        """What the trail is to keep of a transaction that only looked."""
        return self._opened.noted

    @property
    def brings_work(self) -> bool:
        """Whether events or deliveries were written."""
        return self._opened.brings_work

    def fresh_uid(self) -> str:
        """Return a new UID below 2.25 (PS3.5 B.2)."""
        return f"2.25.{uuid.uuid4().int}"

    def fresh_key(self) -> str:
        """Return 32 random hexadecimal digits."""
        return uuid.uuid4().hex

    @cached_property
    def events(self) -> SqlEvents:
        """The outbox."""
        return SqlEvents(self._opened)

    @cached_property
    def audit(self) -> SqlAudit:
        """The audit trail."""
        return SqlAudit(self._opened)

    @cached_property
    def access(self) -> SqlAccess:
        """Peers, users, tokens, sessions."""
        return SqlAccess(self._opened)

    @cached_property
    def patients(self) -> SqlPatients:
        """The patient index."""
        return SqlPatients(self._opened)

    @cached_property
    def orders(self) -> SqlOrders:
        """Orders and steps."""
        return SqlOrders(self._opened)

    @cached_property
    def archive(self) -> SqlArchive:
        """Studies, series and instances."""
        return SqlArchive(self._opened)

    @cached_property
    def lifecycle(self) -> SqlLifecycle:
        """Rejections, and how instances stand."""
        return SqlLifecycle(self._opened)

    @cached_property
    def background(self) -> SqlBackground:
        """Summaries and chores."""
        return SqlBackground(self._opened)

    @cached_property
    def reports(self) -> SqlReports:
        """Reports."""
        return SqlReports(self._opened)

    @cached_property
    def workitems(self) -> SqlWorkitems:
        """Workitems, subscriptions and reports."""
        return SqlWorkitems(self._opened)

    @cached_property
    def routing(self) -> SqlRouting:
        """Rules and deliveries."""
        return SqlRouting(self._opened)

    @cached_property
    def messages(self) -> SqlMessages:
        """Messages as they came."""
        return SqlMessages(self._opened)
