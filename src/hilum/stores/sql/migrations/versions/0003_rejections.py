"""How instances stand, and rejections."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Every instance that is kept is in use."""
    op.add_column("instances", sa.Column("standing", WORDS, nullable=False, server_default=""))
    op.create_index(
        "ix_instances_rejected",
        "instances",
        ["series_key"],
        sqlite_where=sa.text("standing <> ''"),
        postgresql_where=sa.text("standing <> ''"),
    )
    op.create_table(
        "rejections",
        sa.Column("key", KEY, nullable=False),
        sa.Column("study_instance_uid", WORDS, nullable=False),
        sa.Column("note_uid", WORDS, nullable=False),
        sa.Column("reason", WORDS, nullable=False),
        sa.Column("detail", WORDS, nullable=False),
        sa.Column("caller", WORDS, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("restored", sa.BigInteger(), nullable=True),
        sa.Column("restored_by", WORDS, nullable=False),
        sa.Column("restore_detail", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rejections")),
    )
    op.create_index(op.f("ix_rejections_study_instance_uid"), "rejections", ["study_instance_uid"])
    expiring = sa.text("restored IS NULL AND expires IS NOT NULL")
    op.create_index(
        "ix_rejections_expiring",
        "rejections",
        ["expires"],
        sqlite_where=expiring,
        postgresql_where=expiring,
    )
    op.create_table(
        "rejected_instances",
        sa.Column("rejection_key", KEY, nullable=False),
        sa.Column("sop_instance_uid", WORDS, nullable=False),
        sa.ForeignKeyConstraint(
            ["rejection_key"], ["rejections.key"], name=op.f("fk_rejected_instances_rejection_key")
        ),
        sa.PrimaryKeyConstraint("rejection_key", "sop_instance_uid", name=op.f("pk_rejected_instances")),
    )
    op.create_index(
        op.f("ix_rejected_instances_sop_instance_uid"), "rejected_instances", ["sop_instance_uid"]
    )
