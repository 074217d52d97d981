"""Summaries of series, and chores."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "series_summaries",
        sa.Column("series_instance_uid", WORDS, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("digest", WORDS, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("series_instance_uid", name=op.f("pk_series_summaries")),
    )
    op.create_index(op.f("ix_series_summaries_digest"), "series_summaries", ["digest"], unique=False)
    op.create_table(
        "chores",
        sa.Column("kind", WORDS, nullable=False),
        sa.Column("reference", WORDS, nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "reference", name=op.f("pk_chores")),
    )
    op.create_index(op.f("ix_chores_due"), "chores", ["due"], unique=False)
