"""Approvals, gates, ramps, reminders, and the acts `approve`, `skip` and `set`."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add the columns. What was there waits for nothing and has no gates."""
    op.add_column("run", sa.Column("reminded_at", TIME))
    for name in ("approval", "ramp", "approved_by", "gates"):
        op.add_column("wave", sa.Column(name, sa.Text()))
    for name in ("asked_at", "approved_at"):
        op.add_column("wave", sa.Column(name, TIME))
    op.add_column("act", sa.Column("max_parallel", sa.Text()))
