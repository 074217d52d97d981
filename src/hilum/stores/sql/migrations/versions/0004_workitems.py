"""Unified Procedure Steps: workitems, their history, subscriptions and reports."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make five tables."""
    op.create_table(
        "workitems",
        sa.Column("sop_instance_uid", WORDS, nullable=False),
        *_words("state", "transaction_uid", "scheduled_start", "patient_id", "study_instance_uid"),
        *_words("worklist_label"),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sop_instance_uid", name=op.f("pk_workitems")),
    )
    for columns in (
        ("state", "scheduled_start", "sop_instance_uid"),
        ("scheduled_start", "sop_instance_uid"),
        ("patient_id",),
        ("study_instance_uid",),
    ):
        op.create_index(op.f(f"ix_workitems_{'_'.join(columns)}"), "workitems", list(columns))
    op.create_table(
        "workitem_changes",
        sa.Column("key", KEY, nullable=False),
        *_words("sop_instance_uid", "state", "caller", "detail"),
        sa.Column("occurred", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_workitem_changes")),
        sa.ForeignKeyConstraint(
            ["sop_instance_uid"],
            ["workitems.sop_instance_uid"],
            name=op.f("fk_workitem_changes_sop_instance_uid"),
        ),
    )
    op.create_index(op.f("ix_workitem_changes_sop_instance_uid"), "workitem_changes", ["sop_instance_uid"])
    _make_subscriptions()


def _make_subscriptions() -> None:
    op.create_table(
        "workitem_subscribers",
        *_words("ae_title", "channel"),
        sa.Column("globally", sa.Boolean(), nullable=False),
        sa.Column("deletion_lock", sa.Boolean(), nullable=False),
        sa.Column("keys", sa.JSON(), nullable=False),
        sa.Column("reports", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("ae_title", name=op.f("pk_workitem_subscribers")),
    )
    op.create_index(
        "ix_workitem_subscribers_globally",
        "workitem_subscribers",
        ["ae_title"],
        sqlite_where=sa.text("globally"),
        postgresql_where=sa.text("globally"),
    )
    op.create_table(
        "workitem_subscriptions",
        *_words("ae_title", "sop_instance_uid"),
        sa.Column("deletion_lock", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("ae_title", "sop_instance_uid", name=op.f("pk_workitem_subscriptions")),
        sa.ForeignKeyConstraint(
            ["ae_title"], ["workitem_subscribers.ae_title"], name=op.f("fk_workitem_subscriptions_ae_title")
        ),
        sa.ForeignKeyConstraint(
            ["sop_instance_uid"],
            ["workitems.sop_instance_uid"],
            name=op.f("fk_workitem_subscriptions_sop_instance_uid"),
        ),
    )
    op.create_index(
        op.f("ix_workitem_subscriptions_sop_instance_uid"), "workitem_subscriptions", ["sop_instance_uid"]
    )
    op.create_table(
        "workitem_reports",
        *_words("ae_title"),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        *_words("sop_instance_uid"),
        sa.Column("event_type", sa.Integer(), nullable=False),
        sa.Column("information", sa.JSON(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ae_title", "number", name=op.f("pk_workitem_reports")),
    )
    op.create_index(op.f("ix_workitem_reports_created"), "workitem_reports", ["created"])


def _words(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, WORDS, nullable=False) for name in names]
