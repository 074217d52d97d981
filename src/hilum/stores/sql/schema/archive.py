"""Studies, series, instances, rejections, conflicts and commitments."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    UniqueConstraint,
    false,
)

from hilum.stores.sql.columns import Key, Moment, Values, Words
from hilum.stores.sql.schema.base import key, metadata, moments, refers, where, words

_DECISION = ("resolution", "resolved_by", "resolution_detail")

studies = Table(
    "studies",
    metadata,
    key(),
    Column("study_instance_uid", Words, nullable=False, unique=True),
    refers("patient_record_key", "patient_records.key", index=True),
    Column("received_patient_id", Words, nullable=False),
    Column("accession_number", Words, nullable=False, index=True),
    *words("issuer_of_accession_number", "study_date", "study_time", "study_id", "study_description"),
    *words("referring_physician_name", "referring_physician_name_folded", "referring_physician_name_words"),
    Column("modalities", Values, nullable=False),
    Column("number_of_series", Integer, nullable=False),
    Column("number_of_instances", Integer, nullable=False),
    Column("timezone_offset_from_utc", Words, nullable=False),
    refers("order_key", "orders.key", nullable=True),
    Column("version", Integer, nullable=False),
    *moments("created", "updated"),
    Column("reassigned", Boolean, nullable=False, server_default=false()),
    Index(None, "study_date", "study_time", "key"),
    Index(None, "updated"),
    Index(None, "modalities"),
)
where("ix_studies_empty", studies, ("key",), "number_of_instances = 0")

series = Table(
    "series",
    metadata,
    key(),
    Column("series_instance_uid", Words, nullable=False, unique=True),
    refers("study_key", "studies.key"),
    *words("modality", "series_number", "series_date", "series_time", "series_description"),
    Column("series_order", BigInteger, nullable=False),
    *words("body_part_examined", "laterality", "protocol_name", "station_name", "manufacturer"),
    *words("institution_name", "performed_procedure_step_start_date"),
    *words("performed_procedure_step_start_time", "performed_procedure_step_id"),
    *words("requested_procedure_id", "scheduled_procedure_step_id"),
    Column("number_of_instances", Integer, nullable=False),
    *moments("created", "updated"),
    Index(None, "study_key", "modality"),
)

instances = Table(
    "instances",
    metadata,
    key(),
    Column("sop_instance_uid", Words, nullable=False, unique=True),
    refers("series_key", "series.key", index=True),
    *words("sop_class_uid", "transfer_syntax_uid", "instance_number"),
    Column("instance_order", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("columns", BigInteger, nullable=False),
    Column("bits_allocated", BigInteger, nullable=False),
    Column("number_of_frames", BigInteger, nullable=False),
    *words("image_type", "content_date", "content_time", "specific_character_set"),
    Column("digest", Words, nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    *words("source"),
    *moments("stored"),
    Column("standing", Words, nullable=False, server_default=""),
)
where("ix_instances_rejected", instances, ("series_key",), "standing <> ''")

rejections = Table(
    "rejections",
    metadata,
    key(),
    *words("study_instance_uid", "note_uid", "reason", "detail", "caller"),
    *moments("created"),
    Column("expires", Moment),
    Column("restored", Moment),
    *words("restored_by", "restore_detail"),
    Column("deleted", Moment),
    Index(None, "study_instance_uid"),
)
where(
    "ix_rejections_expiring",
    rejections,
    ("expires",),
    "restored IS NULL AND expires IS NOT NULL AND deleted IS NULL",
)

rejected_instances = Table(
    "rejected_instances",
    metadata,
    Column("rejection_key", Key, ForeignKey("rejections.key"), primary_key=True),
    Column("sop_instance_uid", Words, primary_key=True, index=True),
)

tombstones = Table(
    "tombstones",
    metadata,
    key(),
    *words("sop_instance_uid", "series_instance_uid", "study_instance_uid", "sop_class_uid", "digest"),
    *words("reason", "detail", "caller"),
    *moments("ordered", "deleted"),
    Index(None, "study_instance_uid"),
    Index(None, "sop_instance_uid"),
)

instance_versions = Table(
    "instance_versions",
    metadata,
    key(),
    Column("sop_instance_uid", Words, nullable=False, index=True),
    Column("digest", Words, nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    *words("transfer_syntax_uid", "source"),
    *moments("stored"),
    *words("replaced_by"),
    Column("expires", Moment, nullable=False, index=True),
)

stored_conflicts = Table(
    "stored_conflicts",
    metadata,
    key(),
    *words("kind", "study_instance_uid", "series_instance_uid", "sop_instance_uid"),
    Column("digest", Words, nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    *words("source", "detail"),
    *moments("created"),
    Column("resolved", Moment),
    *(Column(name, Words, nullable=False, server_default="") for name in _DECISION),
    Column("before", JSON(none_as_null=True)),
    UniqueConstraint("sop_instance_uid", "kind", "digest"),
    Index(None, "study_instance_uid"),
)
where("ix_stored_conflicts_open", stored_conflicts, ("key",), "resolved IS NULL")

commitments = Table(
    "commitments",
    metadata,
    Column("transaction_uid", Words, primary_key=True),
    *words("peer", "ae_title"),
    Column("committed", JSON, nullable=False),
    Column("failed", JSON, nullable=False),
    *words("state"),
    *moments("created"),
)

where("ix_commitments_requested", commitments, ("created",), "state = 'requested'")
