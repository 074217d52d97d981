"""Storage commitments that we ask peers for."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_STORED = sa.text("state = 'stored'")


def upgrade() -> None:
    """Make the table, and the index of deliveries that are to be asked about."""
    op.create_table(
        "asked_commitments",
        sa.Column("transaction_uid", WORDS, nullable=False),
        sa.Column("destination", WORDS, nullable=False),
        sa.Column("delivery_keys", sa.JSON(), nullable=False),
        sa.Column("planned", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("transaction_uid", name=op.f("pk_asked_commitments")),
    )
    op.create_index(
        "ix_deliveries_stored",
        "deliveries",
        ["destination", "key"],
        unique=False,
        sqlite_where=_STORED,
        postgresql_where=_STORED,
    )
