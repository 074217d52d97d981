"""MPPS messages as they came, to be sent on."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "performed_messages",
        sa.Column("key", KEY, nullable=False),
        sa.Column("sop_instance_uid", WORDS, nullable=False),
        sa.Column("creates", sa.Boolean(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_performed_messages")),
    )
