"""Orders, their scheduled steps, and the steps that modalities performed."""

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, Table

from hilum.stores.sql.columns import Coded, Moment, Values, Words
from hilum.stores.sql.schema.base import key, metadata, moments, refers, unique_where, words

orders = Table(
    "orders",
    metadata,
    key(),
    Column("public_id", Words, nullable=False, unique=True),
    refers("patient_record_key", "patient_records.key", index=True),
    Column("placer_order_number", Words),
    Column("placer_order_number_issuer", Words),
    Column("filler_order_number", Words),
    Column("filler_order_number_issuer", Words),
    Column("accession_number", Words, index=True),
    Column("accession_number_issuer", Words),
    *words("study_instance_uid", "requested_procedure_id"),
    Column("procedure", Coded, nullable=False),
    *words(
        "priority",
        "status",
        "requesting_physician",
        "referring_physician",
        "reason",
        "admission_id",
        "patient_class",
    ),
    Column("version", Integer, nullable=False),
    *moments("created", "updated"),
    Index(None, "updated", "key"),
    Index(None, "created"),
)
unique_where(
    "uq_orders_placer_order_number",
    orders,
    ("placer_order_number", "placer_order_number_issuer"),
    "placer_order_number <> ''",
)
unique_where(
    "uq_orders_filler_order_number",
    orders,
    ("filler_order_number", "filler_order_number_issuer"),
    "filler_order_number <> ''",
)
unique_where("uq_orders_study_instance_uid", orders, ("study_instance_uid",), "study_instance_uid <> ''")

scheduled_procedure_steps = Table(
    "scheduled_procedure_steps",
    metadata,
    key(),
    refers("order_key", "orders.key", index=True),
    *words("scheduled_procedure_step_id", "modality", "station_ae_title", "station_name", "location"),
    *words("start_date", "start_time"),
    Column("protocol", Coded, nullable=False),
    *words("performing_physician", "performing_physician_folded", "status"),
    Index(None, "start_date", "start_time", "key"),
    Index(None, "station_ae_title", "start_date"),
    Index(None, "modality", "start_date"),
)

performed_procedure_steps = Table(
    "performed_procedure_steps",
    metadata,
    Column("sop_instance_uid", Words, primary_key=True),
    *words("status", "performed_procedure_step_id", "performed_station_ae_title", "modality"),
    *words("start_date", "start_time", "end_date", "end_time"),
    Column("study_instance_uids", Values, nullable=False),
    Column("accession_numbers", Values, nullable=False),
    Column("scheduled_procedure_step_ids", Values, nullable=False),
    Column("series_instance_uids", Values, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("order_keys", JSON, nullable=False),
    Column("created", Moment),
    Column("updated", Moment),
)

performed_messages = Table(
    "performed_messages",
    metadata,
    key(),
    *words("sop_instance_uid"),
    Column("creates", Boolean, nullable=False),
    Column("attributes", JSON, nullable=False),
)

performed_studies = Table(
    "performed_studies",
    metadata,
    Column("study_instance_uid", Words, primary_key=True),
    Column(
        "sop_instance_uid", Words, ForeignKey("performed_procedure_steps.sop_instance_uid"), primary_key=True
    ),
)
