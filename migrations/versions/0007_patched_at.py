"""When a VM that waits for its restart was patched."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TIME = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add the column. Of VMs that wait at this moment it is not known."""
    op.add_column("operation", sa.Column("patched_at", TIME))
