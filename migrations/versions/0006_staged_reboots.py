"""Staged reboots: the phase of a wave, its hours, and the restart of an operation."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TIME = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add the columns, and let a restart hold its VM as an installation does. What was there stages
    nothing."""
    op.add_column("wave", sa.Column("reboots_at", TIME))
    for name in ("reboots_at_once", "reboots_allowed"):
        op.add_column("wave", sa.Column(name, sa.Integer()))
    op.add_column("operation", sa.Column("reboot_at", TIME))
    op.add_column("hours", sa.Column("restarts", sa.Text()))
    held = sa.text("state IN ('submitting', 'unknown', 'in_progress', 'rebooting')")
    name = "uq_operation_vm_id_held"
    op.drop_index(name, "operation")
    op.create_index(
        name, "operation", ["vm_id"], unique=True, sqlite_where=held, postgresql_where=held
    )
