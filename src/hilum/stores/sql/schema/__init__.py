"""Every table, for SQLite and PostgreSQL alike. Columns carry the names of core's fields."""

from hilum.stores.sql.schema.access import login_links, peers, sessions, tokens, users
from hilum.stores.sql.schema.archive import (
    commitments,
    instance_versions,
    instances,
    rejected_instances,
    rejections,
    series,
    stored_conflicts,
    studies,
    tombstones,
)
from hilum.stores.sql.schema.background import chores, series_summaries
from hilum.stores.sql.schema.base import metadata
from hilum.stores.sql.schema.events import audit_entries, events
from hilum.stores.sql.schema.exchange import inbound_messages
from hilum.stores.sql.schema.orders import (
    orders,
    performed_messages,
    performed_procedure_steps,
    performed_studies,
    scheduled_procedure_steps,
)
from hilum.stores.sql.schema.patients import patient_records
from hilum.stores.sql.schema.reports import report_attachments, reports
from hilum.stores.sql.schema.routing import asked_commitments, attempts, deliveries, leases, rules
from hilum.stores.sql.schema.workitems import (
    workitem_changes,
    workitem_reports,
    workitem_subscribers,
    workitem_subscriptions,
    workitems,
)

__all__ = [
    "asked_commitments",
    "attempts",
    "audit_entries",
    "chores",
    "commitments",
    "deliveries",
    "events",
    "inbound_messages",
    "instance_versions",
    "instances",
    "leases",
    "login_links",
    "metadata",
    "orders",
    "patient_records",
    "peers",
    "performed_messages",
    "performed_procedure_steps",
    "performed_studies",
    "rejected_instances",
    "rejections",
    "report_attachments",
    "reports",
    "rules",
    "scheduled_procedure_steps",
    "series",
    "series_summaries",
    "sessions",
    "stored_conflicts",
    "studies",
    "tokens",
    "tombstones",
    "users",
    "workitem_changes",
    "workitem_reports",
    "workitem_subscribers",
    "workitem_subscriptions",
    "workitems",
]
