"""The group of VMs that a run holds back."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. What was there holds no group back."""
    op.add_column("run", sa.Column("quarantine", sa.Text()))
