"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:  # noqa: PLR0915  # one statement a table or index
    """Make every table."""
    op.create_table(
        "audit_entries",
        sa.Column("sequence", KEY, nullable=False),
        sa.Column("action", WORDS, nullable=False),
        sa.Column("outcome", WORDS, nullable=False),
        sa.Column("caller", WORDS, nullable=False),
        sa.Column("caller_kind", WORDS, nullable=False),
        sa.Column("address", WORDS, nullable=False),
        sa.Column("entity", WORDS, nullable=False),
        sa.Column("trace", WORDS, nullable=False),
        sa.Column("detail", WORDS, nullable=False),
        sa.Column("occurred", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_entries")),
    )
    op.create_index(
        op.f("ix_audit_entries_entity_sequence"), "audit_entries", ["entity", "sequence"], unique=False
    )
    op.create_table(
        "commitments",
        sa.Column("transaction_uid", WORDS, nullable=False),
        sa.Column("peer", WORDS, nullable=False),
        sa.Column("ae_title", WORDS, nullable=False),
        sa.Column("committed", sa.JSON(), nullable=False),
        sa.Column("failed", sa.JSON(), nullable=False),
        sa.Column("state", WORDS, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("transaction_uid", name=op.f("pk_commitments")),
    )
    op.create_index(
        "ix_commitments_requested",
        "commitments",
        ["created"],
        unique=False,
        sqlite_where=sa.text("state = 'requested'"),
        postgresql_where=sa.text("state = 'requested'"),
    )
    op.create_table(
        "deliveries",
        sa.Column("key", KEY, nullable=False),
        sa.Column("destination", WORDS, nullable=False),
        sa.Column("kind", WORDS, nullable=False),
        sa.Column("reference", WORDS, nullable=False),
        sa.Column("state", WORDS, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt", sa.BigInteger(), nullable=False),
        sa.Column("rule", WORDS, nullable=False),
        sa.Column("trace", WORDS, nullable=False),
        sa.Column("reason", WORDS, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("settled", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "reference", "destination", "kind", name=op.f("uq_deliveries_reference_destination_kind")
        ),
    )
    op.create_index(
        op.f("ix_deliveries_destination_state_key"),
        "deliveries",
        ["destination", "state", "key"],
        unique=False,
    )
    op.create_index(
        "ix_deliveries_head",
        "deliveries",
        ["destination", "key"],
        unique=False,
        sqlite_where=sa.text("state IN ('waiting', 'uncertain')"),
        postgresql_where=sa.text("state IN ('waiting', 'uncertain')"),
    )
    op.create_table(
        "events",
        sa.Column("sequence", KEY, nullable=False),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("trace", WORDS, nullable=False),
        sa.Column("occurred", sa.BigInteger(), nullable=False),
        sa.Column("settled", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_events")),
    )
    op.create_index(
        "ix_events_waiting",
        "events",
        ["sequence"],
        unique=False,
        sqlite_where=sa.text("settled IS NULL"),
        postgresql_where=sa.text("settled IS NULL"),
    )
    op.create_table(
        "inbound_messages",
        sa.Column("key", KEY, nullable=False),
        sa.Column("peer", WORDS, nullable=False),
        sa.Column("control_id", WORDS, nullable=False),
        sa.Column("message_type", WORDS, nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("digest", WORDS, nullable=False),
        sa.Column("sending_application", WORDS, nullable=False),
        sa.Column("sending_facility", WORDS, nullable=False),
        sa.Column("answer", WORDS, nullable=False),
        sa.Column("reason", WORDS, nullable=False),
        sa.Column("trace", WORDS, nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_inbound_messages")),
    )
    op.create_index(
        op.f("ix_inbound_messages_control_id_peer"), "inbound_messages", ["control_id", "peer"], unique=False
    )
    op.create_table(
        "leases",
        sa.Column("destination", WORDS, nullable=False),
        sa.Column("owner", WORDS, nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("destination", name=op.f("pk_leases")),
    )
    op.create_table(
        "login_links",
        sa.Column("digest", WORDS, nullable=False),
        sa.Column("user_name", WORDS, nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_login_links")),
    )
    op.create_table(
        "patient_records",
        sa.Column("key", KEY, nullable=False),
        sa.Column("public_id", WORDS, nullable=False),
        sa.Column("value", WORDS, nullable=False),
        sa.Column("issuer", WORDS, nullable=False),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("birth_date", WORDS, nullable=False),
        sa.Column("sex", WORDS, nullable=False),
        sa.Column("address", WORDS, nullable=False),
        sa.Column("telephone", WORDS, nullable=False),
        sa.Column("name_folded", WORDS, nullable=False),
        sa.Column("name_words", WORDS, nullable=False),
        sa.Column("family_words", WORDS, nullable=False),
        sa.Column("given_words", WORDS, nullable=False),
        sa.Column("survivor_key", KEY, nullable=True),
        sa.Column("root_key", KEY, nullable=False),
        sa.Column("authoritative", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["survivor_key"], ["patient_records.key"], name=op.f("fk_patient_records_survivor_key")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_patient_records")),
        sa.UniqueConstraint("public_id", name=op.f("uq_patient_records_public_id")),
        sa.UniqueConstraint("value", "issuer", name=op.f("uq_patient_records_value_issuer")),
    )
    op.create_index(op.f("ix_patient_records_birth_date"), "patient_records", ["birth_date"], unique=False)
    op.create_index(op.f("ix_patient_records_name_folded"), "patient_records", ["name_folded"], unique=False)
    op.create_index(op.f("ix_patient_records_root_key"), "patient_records", ["root_key"], unique=False)
    op.create_index(
        op.f("ix_patient_records_survivor_key"), "patient_records", ["survivor_key"], unique=False
    )
    op.create_index(
        op.f("ix_patient_records_updated_key"), "patient_records", ["updated", "key"], unique=False
    )
    op.create_table(
        "peers",
        sa.Column("name", WORDS, nullable=False),
        sa.Column("kind", WORDS, nullable=False),
        sa.Column("host", WORDS, nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("ae_title", WORDS, nullable=False),
        sa.Column("url", WORDS, nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("default_issuer", WORDS, nullable=False),
        sa.Column("check_host", sa.Boolean(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_peers")),
    )
    op.create_index(op.f("ix_peers_ae_title"), "peers", ["ae_title"], unique=False)
    op.create_table(
        "performed_procedure_steps",
        sa.Column("sop_instance_uid", WORDS, nullable=False),
        sa.Column("status", WORDS, nullable=False),
        sa.Column("performed_procedure_step_id", WORDS, nullable=False),
        sa.Column("performed_station_ae_title", WORDS, nullable=False),
        sa.Column("modality", WORDS, nullable=False),
        sa.Column("start_date", WORDS, nullable=False),
        sa.Column("start_time", WORDS, nullable=False),
        sa.Column("end_date", WORDS, nullable=False),
        sa.Column("end_time", WORDS, nullable=False),
        sa.Column("study_instance_uids", sa.Text(), nullable=False),
        sa.Column("accession_numbers", sa.Text(), nullable=False),
        sa.Column("scheduled_procedure_step_ids", sa.Text(), nullable=False),
        sa.Column("series_instance_uids", sa.Text(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("order_keys", sa.JSON(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=True),
        sa.Column("updated", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("sop_instance_uid", name=op.f("pk_performed_procedure_steps")),
    )
    op.create_table(
        "rules",
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("event", WORDS, nullable=False),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("tags", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_rules")),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", WORDS, nullable=False),
        sa.Column("user_name", WORDS, nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("csrf", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sessions")),
    )
    op.create_table(
        "stored_conflicts",
        sa.Column("key", KEY, nullable=False),
        sa.Column("kind", WORDS, nullable=False),
        sa.Column("study_instance_uid", WORDS, nullable=False),
        sa.Column("series_instance_uid", WORDS, nullable=False),
        sa.Column("sop_instance_uid", WORDS, nullable=False),
        sa.Column("digest", WORDS, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("source", WORDS, nullable=False),
        sa.Column("detail", WORDS, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("resolved", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_stored_conflicts")),
        sa.UniqueConstraint(
            "sop_instance_uid",
            "kind",
            "digest",
            name=op.f("uq_stored_conflicts_sop_instance_uid_kind_digest"),
        ),
    )
    op.create_index(op.f("ix_stored_conflicts_digest"), "stored_conflicts", ["digest"], unique=False)
    op.create_index(
        "ix_stored_conflicts_open",
        "stored_conflicts",
        ["key"],
        unique=False,
        sqlite_where=sa.text("resolved IS NULL"),
        postgresql_where=sa.text("resolved IS NULL"),
    )
    op.create_index(
        op.f("ix_stored_conflicts_study_instance_uid"),
        "stored_conflicts",
        ["study_instance_uid"],
        unique=False,
    )
    op.create_table(
        "tokens",
        sa.Column("digest", WORDS, nullable=False),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_tokens")),
    )
    op.create_table(
        "users",
        sa.Column("name", WORDS, nullable=False),
        sa.Column("password_hash", WORDS, nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_users")),
    )
    op.create_table(
        "attempts",
        sa.Column("key", KEY, nullable=False),
        sa.Column("delivery_key", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("verdict", WORDS, nullable=False),
        sa.Column("code", WORDS, nullable=False),
        sa.Column("text", WORDS, nullable=False),
        sa.ForeignKeyConstraint(["delivery_key"], ["deliveries.key"], name=op.f("fk_attempts_delivery_key")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_attempts")),
    )
    op.create_index(op.f("ix_attempts_delivery_key"), "attempts", ["delivery_key"], unique=False)
    op.create_table(
        "orders",
        sa.Column("key", KEY, nullable=False),
        sa.Column("public_id", WORDS, nullable=False),
        sa.Column("patient_record_key", KEY, nullable=False),
        sa.Column("placer_order_number", WORDS, nullable=True),
        sa.Column("placer_order_number_issuer", WORDS, nullable=True),
        sa.Column("filler_order_number", WORDS, nullable=True),
        sa.Column("filler_order_number_issuer", WORDS, nullable=True),
        sa.Column("accession_number", WORDS, nullable=True),
        sa.Column("accession_number_issuer", WORDS, nullable=True),
        sa.Column("study_instance_uid", WORDS, nullable=False),
        sa.Column("requested_procedure_id", WORDS, nullable=False),
        sa.Column("procedure", sa.Text(), nullable=False),
        sa.Column("priority", WORDS, nullable=False),
        sa.Column("status", WORDS, nullable=False),
        sa.Column("requesting_physician", WORDS, nullable=False),
        sa.Column("referring_physician", WORDS, nullable=False),
        sa.Column("reason", WORDS, nullable=False),
        sa.Column("admission_id", WORDS, nullable=False),
        sa.Column("patient_class", WORDS, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_record_key"], ["patient_records.key"], name=op.f("fk_orders_patient_record_key")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_orders")),
        sa.UniqueConstraint("public_id", name=op.f("uq_orders_public_id")),
    )
    op.create_index(op.f("ix_orders_accession_number"), "orders", ["accession_number"], unique=False)
    op.create_index(op.f("ix_orders_created"), "orders", ["created"], unique=False)
    op.create_index(op.f("ix_orders_patient_record_key"), "orders", ["patient_record_key"], unique=False)
    op.create_index(op.f("ix_orders_updated_key"), "orders", ["updated", "key"], unique=False)
    op.create_index(
        "uq_orders_filler_order_number",
        "orders",
        ["filler_order_number", "filler_order_number_issuer"],
        unique=True,
        sqlite_where=sa.text("filler_order_number <> ''"),
        postgresql_where=sa.text("filler_order_number <> ''"),
    )
    op.create_index(
        "uq_orders_placer_order_number",
        "orders",
        ["placer_order_number", "placer_order_number_issuer"],
        unique=True,
        sqlite_where=sa.text("placer_order_number <> ''"),
        postgresql_where=sa.text("placer_order_number <> ''"),
    )
    op.create_index(
        "uq_orders_study_instance_uid",
        "orders",
        ["study_instance_uid"],
        unique=True,
        sqlite_where=sa.text("study_instance_uid <> ''"),
        postgresql_where=sa.text("study_instance_uid <> ''"),
    )
    op.create_table(
        "performed_studies",
        sa.Column("study_instance_uid", WORDS, nullable=False),
        sa.Column("sop_instance_uid", WORDS, nullable=False),
        sa.ForeignKeyConstraint(
            ["sop_instance_uid"],
            ["performed_procedure_steps.sop_instance_uid"],
            name=op.f("fk_performed_studies_sop_instance_uid"),
        ),
        sa.PrimaryKeyConstraint("study_instance_uid", "sop_instance_uid", name=op.f("pk_performed_studies")),
    )
    op.create_table(
        "reports",
        sa.Column("key", KEY, nullable=False),
        sa.Column("public_id", WORDS, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("newest", sa.Boolean(), nullable=False),
        sa.Column("value", WORDS, nullable=False),
        sa.Column("issuer", WORDS, nullable=False),
        sa.Column("patient_record_key", KEY, nullable=False),
        sa.Column("order_key", KEY, nullable=True),
        sa.Column("placer_order_number", WORDS, nullable=True),
        sa.Column("placer_order_number_issuer", WORDS, nullable=True),
        sa.Column("filler_order_number", WORDS, nullable=True),
        sa.Column("filler_order_number_issuer", WORDS, nullable=True),
        sa.Column("accession_number", WORDS, nullable=True),
        sa.Column("accession_number_issuer", WORDS, nullable=True),
        sa.Column("study_instance_uid", WORDS, nullable=False),
        sa.Column("status", WORDS, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("effective", WORDS, nullable=False),
        sa.Column("issued", WORDS, nullable=False),
        sa.Column("interpreter", WORDS, nullable=False),
        sa.Column("text", WORDS, nullable=False),
        sa.Column("conclusion", WORDS, nullable=False),
        sa.Column("observations", sa.JSON(), nullable=False),
        sa.Column("source", WORDS, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["order_key"], ["orders.key"], name=op.f("fk_reports_order_key")),
        sa.ForeignKeyConstraint(
            ["patient_record_key"], ["patient_records.key"], name=op.f("fk_reports_patient_record_key")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_reports")),
        sa.UniqueConstraint("public_id", "version", name=op.f("uq_reports_public_id_version")),
        sa.UniqueConstraint("value", "issuer", "version", name=op.f("uq_reports_value_issuer_version")),
    )
    op.create_index(op.f("ix_reports_accession_number"), "reports", ["accession_number"], unique=False)
    op.create_index(op.f("ix_reports_filler_order_number"), "reports", ["filler_order_number"], unique=False)
    op.create_index(
        "ix_reports_newest",
        "reports",
        ["created", "key"],
        unique=False,
        sqlite_where=sa.text("newest"),
        postgresql_where=sa.text("newest"),
    )
    op.create_index(op.f("ix_reports_order_key"), "reports", ["order_key"], unique=False)
    op.create_index(op.f("ix_reports_patient_record_key"), "reports", ["patient_record_key"], unique=False)
    op.create_index(op.f("ix_reports_placer_order_number"), "reports", ["placer_order_number"], unique=False)
    op.create_index(op.f("ix_reports_study_instance_uid"), "reports", ["study_instance_uid"], unique=False)
    op.create_table(
        "scheduled_procedure_steps",
        sa.Column("key", KEY, nullable=False),
        sa.Column("order_key", KEY, nullable=False),
        sa.Column("scheduled_procedure_step_id", WORDS, nullable=False),
        sa.Column("modality", WORDS, nullable=False),
        sa.Column("station_ae_title", WORDS, nullable=False),
        sa.Column("station_name", WORDS, nullable=False),
        sa.Column("location", WORDS, nullable=False),
        sa.Column("start_date", WORDS, nullable=False),
        sa.Column("start_time", WORDS, nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("performing_physician", WORDS, nullable=False),
        sa.Column("performing_physician_folded", WORDS, nullable=False),
        sa.Column("status", WORDS, nullable=False),
        sa.ForeignKeyConstraint(
            ["order_key"], ["orders.key"], name=op.f("fk_scheduled_procedure_steps_order_key")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_scheduled_procedure_steps")),
    )
    op.create_index(
        op.f("ix_scheduled_procedure_steps_modality_start_date"),
        "scheduled_procedure_steps",
        ["modality", "start_date"],
        unique=False,
    )
    op.create_index(
        op.f("ix_scheduled_procedure_steps_order_key"),
        "scheduled_procedure_steps",
        ["order_key"],
        unique=False,
    )
    op.create_index(
        op.f("ix_scheduled_procedure_steps_start_date_start_time_key"),
        "scheduled_procedure_steps",
        ["start_date", "start_time", "key"],
        unique=False,
    )
    op.create_index(
        op.f("ix_scheduled_procedure_steps_station_ae_title_start_date"),
        "scheduled_procedure_steps",
        ["station_ae_title", "start_date"],
        unique=False,
    )
    op.create_table(
        "studies",
        sa.Column("key", KEY, nullable=False),
        sa.Column("study_instance_uid", WORDS, nullable=False),
        sa.Column("patient_record_key", KEY, nullable=False),
        sa.Column("received_patient_id", WORDS, nullable=False),
        sa.Column("accession_number", WORDS, nullable=False),
        sa.Column("issuer_of_accession_number", WORDS, nullable=False),
        sa.Column("study_date", WORDS, nullable=False),
        sa.Column("study_time", WORDS, nullable=False),
        sa.Column("study_id", WORDS, nullable=False),
        sa.Column("study_description", WORDS, nullable=False),
        sa.Column("referring_physician_name", WORDS, nullable=False),
        sa.Column("referring_physician_name_folded", WORDS, nullable=False),
        sa.Column("referring_physician_name_words", WORDS, nullable=False),
        sa.Column("modalities", sa.Text(), nullable=False),
        sa.Column("number_of_series", sa.Integer(), nullable=False),
        sa.Column("number_of_instances", sa.Integer(), nullable=False),
        sa.Column("timezone_offset_from_utc", WORDS, nullable=False),
        sa.Column("order_key", KEY, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["order_key"], ["orders.key"], name=op.f("fk_studies_order_key")),
        sa.ForeignKeyConstraint(
            ["patient_record_key"], ["patient_records.key"], name=op.f("fk_studies_patient_record_key")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_studies")),
        sa.UniqueConstraint("study_instance_uid", name=op.f("uq_studies_study_instance_uid")),
    )
    op.create_index(op.f("ix_studies_accession_number"), "studies", ["accession_number"], unique=False)
    op.create_index(op.f("ix_studies_patient_record_key"), "studies", ["patient_record_key"], unique=False)
    op.create_index(
        op.f("ix_studies_study_date_study_time_key"),
        "studies",
        ["study_date", "study_time", "key"],
        unique=False,
    )
    op.create_index(op.f("ix_studies_updated"), "studies", ["updated"], unique=False)
    op.create_table(
        "report_attachments",
        sa.Column("report_key", KEY, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("media_type", WORDS, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["report_key"], ["reports.key"], name=op.f("fk_report_attachments_report_key")
        ),
        sa.PrimaryKeyConstraint("report_key", "place", name=op.f("pk_report_attachments")),
    )
    op.create_table(
        "series",
        sa.Column("key", KEY, nullable=False),
        sa.Column("series_instance_uid", WORDS, nullable=False),
        sa.Column("study_key", KEY, nullable=False),
        sa.Column("modality", WORDS, nullable=False),
        sa.Column("series_number", WORDS, nullable=False),
        sa.Column("series_date", WORDS, nullable=False),
        sa.Column("series_time", WORDS, nullable=False),
        sa.Column("series_description", WORDS, nullable=False),
        sa.Column("series_order", sa.BigInteger(), nullable=False),
        sa.Column("body_part_examined", WORDS, nullable=False),
        sa.Column("laterality", WORDS, nullable=False),
        sa.Column("protocol_name", WORDS, nullable=False),
        sa.Column("station_name", WORDS, nullable=False),
        sa.Column("manufacturer", WORDS, nullable=False),
        sa.Column("institution_name", WORDS, nullable=False),
        sa.Column("performed_procedure_step_start_date", WORDS, nullable=False),
        sa.Column("performed_procedure_step_start_time", WORDS, nullable=False),
        sa.Column("performed_procedure_step_id", WORDS, nullable=False),
        sa.Column("requested_procedure_id", WORDS, nullable=False),
        sa.Column("scheduled_procedure_step_id", WORDS, nullable=False),
        sa.Column("number_of_instances", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["study_key"], ["studies.key"], name=op.f("fk_series_study_key")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_series")),
        sa.UniqueConstraint("series_instance_uid", name=op.f("uq_series_series_instance_uid")),
    )
    op.create_index(op.f("ix_series_study_key_modality"), "series", ["study_key", "modality"], unique=False)
    op.create_table(
        "instances",
        sa.Column("key", KEY, nullable=False),
        sa.Column("sop_instance_uid", WORDS, nullable=False),
        sa.Column("series_key", KEY, nullable=False),
        sa.Column("sop_class_uid", WORDS, nullable=False),
        sa.Column("transfer_syntax_uid", WORDS, nullable=False),
        sa.Column("instance_number", WORDS, nullable=False),
        sa.Column("instance_order", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("columns", sa.BigInteger(), nullable=False),
        sa.Column("bits_allocated", sa.BigInteger(), nullable=False),
        sa.Column("number_of_frames", sa.BigInteger(), nullable=False),
        sa.Column("image_type", WORDS, nullable=False),
        sa.Column("content_date", WORDS, nullable=False),
        sa.Column("content_time", WORDS, nullable=False),
        sa.Column("specific_character_set", WORDS, nullable=False),
        sa.Column("digest", WORDS, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("source", WORDS, nullable=False),
        sa.Column("stored", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["series_key"], ["series.key"], name=op.f("fk_instances_series_key")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_instances")),
        sa.UniqueConstraint("sop_instance_uid", name=op.f("uq_instances_sop_instance_uid")),
    )
    op.create_index(op.f("ix_instances_digest"), "instances", ["digest"], unique=False)
    op.create_index(op.f("ix_instances_series_key"), "instances", ["series_key"], unique=False)
