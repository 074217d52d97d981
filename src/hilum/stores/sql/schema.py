"""Every table, for SQLite and PostgreSQL alike. Columns carry the names of core's fields."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)

from hilum.stores.sql.columns import Coded, Key, Moment, Values, Words

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _words(*names: str) -> list[Column[str]]:
    return [Column(name, Words, nullable=False) for name in names]


def _moments(*names: str) -> list[Column[object]]:
    return [Column(name, Moment, nullable=False) for name in names]


def _key(name: str = "key") -> Column[int]:
    return Column(name, Key, primary_key=True)


def _refers(name: str, to: str, *, index: bool = False, nullable: bool = False) -> Column[int]:
    return Column(name, Key, ForeignKey(to), nullable=nullable, index=index)


def _unique_where(name: str, table: Table, columns: tuple[str, ...], where: str) -> Index:
    return Index(
        name,
        *(table.c[column] for column in columns),
        unique=True,
        sqlite_where=text(where),
        postgresql_where=text(where),
    )


def _where(name: str, table: Table, columns: tuple[str, ...], where: str) -> Index:
    return Index(
        name,
        *(table.c[column] for column in columns),
        sqlite_where=text(where),
        postgresql_where=text(where),
    )


# Patients

patient_records = Table(
    "patient_records",
    metadata,
    _key(),
    Column("public_id", Words, nullable=False, unique=True),
    *_words("value", "issuer"),
    Column("name", Words, nullable=False),
    Column("birth_date", Words, nullable=False, index=True),
    *_words("sex", "address", "telephone"),
    Column("name_folded", Words, nullable=False, index=True),
    *_words("name_words", "family_words", "given_words"),
    _refers("survivor_key", "patient_records.key", index=True, nullable=True),
    Column("root_key", Key, nullable=False, index=True),
    Column("authoritative", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    *_moments("created", "updated"),
    UniqueConstraint("value", "issuer"),
    Index(None, "updated", "key"),
)

# Orders

orders = Table(
    "orders",
    metadata,
    _key(),
    Column("public_id", Words, nullable=False, unique=True),
    _refers("patient_record_key", "patient_records.key", index=True),
    Column("placer_order_number", Words),
    Column("placer_order_number_issuer", Words),
    Column("filler_order_number", Words),
    Column("filler_order_number_issuer", Words),
    Column("accession_number", Words, index=True),
    Column("accession_number_issuer", Words),
    *_words("study_instance_uid", "requested_procedure_id"),
    Column("procedure", Coded, nullable=False),
    *_words(
        "priority",
        "status",
        "requesting_physician",
        "referring_physician",
        "reason",
        "admission_id",
        "patient_class",
    ),
    Column("version", Integer, nullable=False),
    *_moments("created", "updated"),
    Index(None, "updated", "key"),
    Index(None, "created"),
)
_unique_where(
    "uq_orders_placer_order_number",
    orders,
    ("placer_order_number", "placer_order_number_issuer"),
    "placer_order_number <> ''",
)
_unique_where(
    "uq_orders_filler_order_number",
    orders,
    ("filler_order_number", "filler_order_number_issuer"),
    "filler_order_number <> ''",
)
_unique_where("uq_orders_study_instance_uid", orders, ("study_instance_uid",), "study_instance_uid <> ''")

scheduled_procedure_steps = Table(
    "scheduled_procedure_steps",
    metadata,
    _key(),
    _refers("order_key", "orders.key", index=True),
    *_words("scheduled_procedure_step_id", "modality", "station_ae_title", "station_name", "location"),
    *_words("start_date", "start_time"),
    Column("protocol", Coded, nullable=False),
    *_words("performing_physician", "performing_physician_folded", "status"),
    Index(None, "start_date", "start_time", "key"),
    Index(None, "station_ae_title", "start_date"),
    Index(None, "modality", "start_date"),
)

performed_procedure_steps = Table(
    "performed_procedure_steps",
    metadata,
    Column("sop_instance_uid", Words, primary_key=True),
    *_words("status", "performed_procedure_step_id", "performed_station_ae_title", "modality"),
    *_words("start_date", "start_time", "end_date", "end_time"),
    Column("study_instance_uids", Values, nullable=False),
    Column("accession_numbers", Values, nullable=False),
    Column("scheduled_procedure_step_ids", Values, nullable=False),
    Column("series_instance_uids", Values, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("order_keys", JSON, nullable=False),
    Column("created", Moment),
    Column("updated", Moment),
)

performed_studies = Table(
    "performed_studies",
    metadata,
    Column("study_instance_uid", Words, primary_key=True),
    Column(
        "sop_instance_uid", Words, ForeignKey("performed_procedure_steps.sop_instance_uid"), primary_key=True
    ),
)

# Archive

studies = Table(
    "studies",
    metadata,
    _key(),
    Column("study_instance_uid", Words, nullable=False, unique=True),
    _refers("patient_record_key", "patient_records.key", index=True),
    Column("received_patient_id", Words, nullable=False),
    Column("accession_number", Words, nullable=False, index=True),
    *_words("issuer_of_accession_number", "study_date", "study_time", "study_id", "study_description"),
    *_words("referring_physician_name", "referring_physician_name_folded", "referring_physician_name_words"),
    Column("modalities", Values, nullable=False),
    Column("number_of_series", Integer, nullable=False),
    Column("number_of_instances", Integer, nullable=False),
    Column("timezone_offset_from_utc", Words, nullable=False),
    _refers("order_key", "orders.key", nullable=True),
    Column("version", Integer, nullable=False),
    *_moments("created", "updated"),
    Index(None, "study_date", "study_time", "key"),
    Index(None, "updated"),
)

series = Table(
    "series",
    metadata,
    _key(),
    Column("series_instance_uid", Words, nullable=False, unique=True),
    _refers("study_key", "studies.key"),
    *_words("modality", "series_number", "series_date", "series_time", "series_description"),
    Column("series_order", BigInteger, nullable=False),
    *_words("body_part_examined", "laterality", "protocol_name", "station_name", "manufacturer"),
    *_words("institution_name", "performed_procedure_step_start_date"),
    *_words("performed_procedure_step_start_time", "performed_procedure_step_id"),
    *_words("requested_procedure_id", "scheduled_procedure_step_id"),
    Column("number_of_instances", Integer, nullable=False),
    *_moments("created", "updated"),
    Index(None, "study_key", "modality"),
)

instances = Table(
    "instances",
    metadata,
    _key(),
    Column("sop_instance_uid", Words, nullable=False, unique=True),
    _refers("series_key", "series.key", index=True),
    *_words("sop_class_uid", "transfer_syntax_uid", "instance_number"),
    Column("instance_order", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("columns", BigInteger, nullable=False),
    Column("bits_allocated", BigInteger, nullable=False),
    Column("number_of_frames", BigInteger, nullable=False),
    *_words("image_type", "content_date", "content_time", "specific_character_set"),
    Column("digest", Words, nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    *_words("source"),
    *_moments("stored"),
)

stored_conflicts = Table(
    "stored_conflicts",
    metadata,
    _key(),
    *_words("kind", "study_instance_uid", "series_instance_uid", "sop_instance_uid"),
    Column("digest", Words, nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    *_words("source", "detail"),
    *_moments("created"),
    Column("resolved", Moment),
    UniqueConstraint("sop_instance_uid", "kind", "digest"),
    Index(None, "study_instance_uid"),
)
_where("ix_stored_conflicts_open", stored_conflicts, ("key",), "resolved IS NULL")

commitments = Table(
    "commitments",
    metadata,
    Column("transaction_uid", Words, primary_key=True),
    *_words("peer", "ae_title"),
    Column("committed", JSON, nullable=False),
    Column("failed", JSON, nullable=False),
    *_words("state"),
    *_moments("created"),
)

_where("ix_commitments_requested", commitments, ("created",), "state = 'requested'")

# Reports

reports = Table(
    "reports",
    metadata,
    _key(),
    Column("public_id", Words, nullable=False),
    Column("version", Integer, nullable=False),
    Column("newest", Boolean, nullable=False),
    *_words("value", "issuer"),
    _refers("patient_record_key", "patient_records.key", index=True),
    _refers("order_key", "orders.key", index=True, nullable=True),
    Column("placer_order_number", Words, index=True),
    Column("placer_order_number_issuer", Words),
    Column("filler_order_number", Words, index=True),
    Column("filler_order_number_issuer", Words),
    Column("accession_number", Words, index=True),
    Column("accession_number_issuer", Words),
    Column("study_instance_uid", Words, nullable=False, index=True),
    *_words("status"),
    Column("code", Coded, nullable=False),
    *_words("effective", "issued", "interpreter", "text", "conclusion"),
    Column("observations", JSON, nullable=False),
    *_words("source"),
    *_moments("created"),
    UniqueConstraint("value", "issuer", "version"),
    UniqueConstraint("public_id", "version"),
)
_where("ix_reports_newest", reports, ("created", "key"), "newest")

report_attachments = Table(
    "report_attachments",
    metadata,
    Column("report_key", Key, ForeignKey("reports.key"), primary_key=True),
    Column("place", Integer, primary_key=True),
    *_words("media_type"),
    Column("content", LargeBinary, nullable=False),
)

# Routing

rules = Table(
    "rules",
    metadata,
    Column("place", Integer, primary_key=True, autoincrement=False),
    *_words("name", "event"),
    Column("to", Values, nullable=False),
    Column("source", Values, nullable=False),
    Column("modality", Values, nullable=False),
    Column("status", Values, nullable=False),
    Column("tags", JSON(none_as_null=True)),
)

deliveries = Table(
    "deliveries",
    metadata,
    _key(),
    *_words("destination", "kind", "reference", "state"),
    Column("attempts", Integer, nullable=False),
    *_moments("next_attempt"),
    *_words("rule", "trace", "reason"),
    *_moments("created"),
    Column("settled", Moment),
    UniqueConstraint("reference", "destination", "kind"),
    Index(None, "destination", "state", "key"),
)
_where("ix_deliveries_head", deliveries, ("destination", "key"), "state IN ('waiting', 'uncertain')")

attempts = Table(
    "attempts",
    metadata,
    Column("key", Key, primary_key=True),
    _refers("delivery_key", "deliveries.key", index=True),
    Column("number", Integer, nullable=False),
    *_moments("started", "ended"),
    *_words("verdict", "code", "text"),
)

leases = Table(
    "leases",
    metadata,
    Column("destination", Words, primary_key=True),
    *_words("owner"),
    Column("fence", BigInteger, nullable=False),
    *_moments("expires"),
)

# Messages

inbound_messages = Table(
    "inbound_messages",
    metadata,
    _key(),
    *_words("peer", "control_id", "message_type"),
    Column("raw", LargeBinary, nullable=False),
    *_words("digest", "sending_application", "sending_facility", "answer", "reason", "trace"),
    *_moments("received"),
    Index(None, "control_id", "peer"),
)

# Access

peers = Table(
    "peers",
    metadata,
    Column("name", Words, primary_key=True),
    *_words("kind", "host"),
    Column("port", Integer, nullable=False),
    Column("ae_title", Words, nullable=False, index=True),
    *_words("url"),
    Column("roles", Values, nullable=False),
    *_words("default_issuer"),
    Column("check_host", Boolean, nullable=False),
    Column("last_seen", Moment),
)

users = Table(
    "users",
    metadata,
    Column("name", Words, primary_key=True),
    *_words("password_hash"),
    Column("roles", Values, nullable=False),
    *_moments("created"),
    Column("disabled", Boolean, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("digest", Words, primary_key=True),
    *_words("name"),
    Column("scopes", Values, nullable=False),
    *_moments("created"),
    Column("expires", Moment),
    Column("revoked", Boolean, nullable=False),
)

login_links = Table(
    "login_links",
    metadata,
    Column("digest", Words, primary_key=True),
    *_words("user_name"),
    *_moments("expires"),
    Column("used", Boolean, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", Words, primary_key=True),
    *_words("user_name"),
    *_moments("expires"),
    *_words("csrf"),
)

# Audit and events

audit_entries = Table(
    "audit_entries",
    metadata,
    _key("sequence"),
    *_words("action", "outcome", "caller", "caller_kind", "address", "entity", "trace", "detail"),
    *_moments("occurred"),
    Index(None, "entity", "sequence"),
)

events = Table(
    "events",
    metadata,
    _key("sequence"),
    *_words("name"),
    Column("body", JSON, nullable=False),
    *_words("trace"),
    *_moments("occurred"),
    Column("settled", Moment),
)
_where("ix_events_waiting", events, ("sequence",), "settled IS NULL")
