"""When VMs may start: the hours of waves, freezes, emergencies, and schedules that wait or rest."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Create the tables; what was there stays as it is."""
    run = sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_emergency_run_id")
    op.create_table(
        "emergency",
        sa.Column("run_id", sa.Text(), nullable=False),
        _text("approved_by"),
        run,
        sa.PrimaryKeyConstraint("run_id", name="pk_emergency"),
    )
    wave = sa.ForeignKeyConstraint(
        ["run_id", "wave"], ["wave.run_id", "wave.position"], name="fk_hours_run_id"
    )
    op.create_table(
        "hours",
        _text("run_id"),
        sa.Column("wave", sa.Integer(), nullable=False),
        _text("document"),
        wave,
        sa.PrimaryKeyConstraint("run_id", "wave", name="pk_hours"),
    )
    op.create_table(
        "frozen",
        _text("source"),
        sa.Column("number", sa.Integer(), nullable=False),
        _text("name"),
        sa.Column("begins", TIME, nullable=False),
        sa.Column("ends", TIME, nullable=False),
        sa.PrimaryKeyConstraint("source", "number", name="pk_frozen"),
    )
    _schedules()


def _schedules() -> None:
    op.create_table(
        "schedule_rest",
        _text("plan"),
        sa.Column("at", TIME, nullable=False),
        sa.Column("until", TIME, nullable=True),
        _text("actor"),
        _text("because"),
        sa.PrimaryKeyConstraint("plan", name="pk_schedule_rest"),
    )
    op.create_table(
        "queued_fire",
        _text("plan"),
        _text("local"),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("plan", name="pk_queued_fire"),
    )


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)
