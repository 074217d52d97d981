"""Versions of reports."""

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Integer, LargeBinary, Table, UniqueConstraint

from hilum.stores.sql.columns import Coded, Key, Words
from hilum.stores.sql.schema.base import key, metadata, moments, refers, where, words

reports = Table(
    "reports",
    metadata,
    key(),
    Column("public_id", Words, nullable=False),
    Column("version", Integer, nullable=False),
    Column("newest", Boolean, nullable=False),
    *words("value", "issuer"),
    refers("patient_record_key", "patient_records.key", index=True),
    refers("order_key", "orders.key", index=True, nullable=True),
    Column("placer_order_number", Words, index=True),
    Column("placer_order_number_issuer", Words),
    Column("filler_order_number", Words, index=True),
    Column("filler_order_number_issuer", Words),
    Column("accession_number", Words, index=True),
    Column("accession_number_issuer", Words),
    Column("study_instance_uid", Words, nullable=False, index=True),
    *words("status"),
    Column("code", Coded, nullable=False),
    *words("effective", "issued", "interpreter", "text", "conclusion"),
    Column("observations", JSON, nullable=False),
    *words("source"),
    *moments("created"),
    UniqueConstraint("value", "issuer", "version"),
    UniqueConstraint("public_id", "version"),
)
where("ix_reports_newest", reports, ("created", "key"), "newest")

report_attachments = Table(
    "report_attachments",
    metadata,
    Column("report_key", Key, ForeignKey("reports.key"), primary_key=True),
    Column("place", Integer, primary_key=True),
    *words("media_type"),
    Column("content", LargeBinary, nullable=False),
)
