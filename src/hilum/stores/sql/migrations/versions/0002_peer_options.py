"""What a peer's configuration may say beyond where it is."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the options of peers; NULL says nothing."""
    op.add_column("peers", sa.Column("options", sa.JSON(), nullable=True))
