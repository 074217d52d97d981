"""Workitems, their history, subscriptions and reports."""

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, Table

from hilum.stores.sql.columns import Words
from hilum.stores.sql.schema.base import key, metadata, moments, where, words

workitems = Table(
    "workitems",
    metadata,
    Column("sop_instance_uid", Words, primary_key=True),
    *words("state", "transaction_uid", "scheduled_start", "patient_id", "study_instance_uid"),
    *words("worklist_label"),
    Column("attributes", JSON, nullable=False),
    Column("version", Integer, nullable=False),
    *moments("created", "updated"),
    Index(None, "state", "scheduled_start", "sop_instance_uid"),
    Index(None, "scheduled_start", "sop_instance_uid"),
    Index(None, "patient_id"),
    Index(None, "study_instance_uid"),
)

workitem_changes = Table(
    "workitem_changes",
    metadata,
    key(),
    Column("sop_instance_uid", Words, ForeignKey("workitems.sop_instance_uid"), nullable=False, index=True),
    *words("state", "caller", "detail"),
    *moments("occurred"),
)

workitem_subscribers = Table(
    "workitem_subscribers",
    metadata,
    Column("ae_title", Words, primary_key=True),
    *words("channel"),
    Column("globally", Boolean, nullable=False),
    Column("deletion_lock", Boolean, nullable=False),
    Column("keys", JSON, nullable=False),
    Column("reports", Integer, nullable=False),
)
where("ix_workitem_subscribers_globally", workitem_subscribers, ("ae_title",), "globally")

workitem_subscriptions = Table(
    "workitem_subscriptions",
    metadata,
    Column("ae_title", Words, ForeignKey("workitem_subscribers.ae_title"), primary_key=True),
    Column("sop_instance_uid", Words, ForeignKey("workitems.sop_instance_uid"), primary_key=True, index=True),
    Column("deletion_lock", Boolean, nullable=False),
)

workitem_reports = Table(
    "workitem_reports",
    metadata,
    Column("ae_title", Words, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    *words("sop_instance_uid"),
    Column("event_type", Integer, nullable=False),
    Column("information", JSON, nullable=False),
    *moments("created"),
    Index(None, "created"),
)
