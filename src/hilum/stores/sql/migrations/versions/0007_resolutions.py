"""What was decided about conflicts, and studies that were moved to another patient."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Nothing was decided or moved yet."""
    op.add_column("studies", sa.Column("reassigned", sa.Boolean(), nullable=False, server_default=sa.false()))
    for name in ("resolution", "resolved_by", "resolution_detail"):
        op.add_column("stored_conflicts", sa.Column(name, WORDS, nullable=False, server_default=""))
    op.add_column("stored_conflicts", sa.Column("before", sa.JSON(none_as_null=True), nullable=True))
