"""What limits and budgets need to know: zones, availability sets, images and tags of VMs, the order
of starts, which patches failed, and where `in_a_row` and `rate` begin to count."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns; an open run of before goes on, without the groups that nobody has read."""
    for name in ("zone", "availability_set", "image"):
        _fill("operation", name, sa.Text(), "")
    _fill("operation", "tags", sa.Text(), "{}")
    _fill("operation", "rank", sa.Integer(), "0")
    op.add_column("operation", sa.Column("failed_patches", sa.Text(), nullable=True))
    moment = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
    op.add_column("run", sa.Column("results_from", moment, nullable=True))
    bad = sa.text("outcome IN ('failed', 'warned')")
    op.create_index(
        "ix_operation_run_id_bad",
        "operation",
        ["run_id"],
        sqlite_where=bad,
        postgresql_where=bad,
    )


def _fill(table: str, name: str, kind: sa.types.TypeEngine[Any], value: str) -> None:
    op.add_column(table, sa.Column(name, kind, nullable=False, server_default=value))
