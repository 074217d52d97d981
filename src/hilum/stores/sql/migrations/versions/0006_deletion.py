"""Deletion with tombstones, and versions of what was replaced."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Nothing was deleted or replaced yet."""
    op.add_column("rejections", sa.Column("deleted", sa.BigInteger(), nullable=True))
    op.drop_index("ix_rejections_expiring", "rejections")
    expiring = sa.text("restored IS NULL AND expires IS NOT NULL AND deleted IS NULL")
    op.create_index(
        "ix_rejections_expiring",
        "rejections",
        ["expires"],
        sqlite_where=expiring,
        postgresql_where=expiring,
    )
    op.create_table(
        "tombstones",
        sa.Column("key", KEY, nullable=False),
        sa.Column("sop_instance_uid", WORDS, nullable=False),
        sa.Column("series_instance_uid", WORDS, nullable=False),
        sa.Column("study_instance_uid", WORDS, nullable=False),
        sa.Column("sop_class_uid", WORDS, nullable=False),
        sa.Column("digest", WORDS, nullable=False),
        sa.Column("reason", WORDS, nullable=False),
        sa.Column("detail", WORDS, nullable=False),
        sa.Column("caller", WORDS, nullable=False),
        sa.Column("ordered", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_tombstones")),
    )
    op.create_index(op.f("ix_tombstones_study_instance_uid"), "tombstones", ["study_instance_uid"])
    op.create_index(op.f("ix_tombstones_sop_instance_uid"), "tombstones", ["sop_instance_uid"])
    op.create_table(
        "instance_versions",
        sa.Column("key", KEY, nullable=False),
        sa.Column("sop_instance_uid", WORDS, nullable=False),
        sa.Column("digest", WORDS, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("transfer_syntax_uid", WORDS, nullable=False),
        sa.Column("source", WORDS, nullable=False),
        sa.Column("stored", sa.BigInteger(), nullable=False),
        sa.Column("replaced_by", WORDS, nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_instance_versions")),
    )
    op.create_index(op.f("ix_instance_versions_sop_instance_uid"), "instance_versions", ["sop_instance_uid"])
    op.create_index(op.f("ix_instance_versions_digest"), "instance_versions", ["digest"])
    op.create_index(op.f("ix_instance_versions_expires"), "instance_versions", ["expires"])
