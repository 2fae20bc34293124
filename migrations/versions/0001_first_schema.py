"""The first schema: runs, the one POST, the audit log, people and daemons, schedules, retention."""

from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KINDS: dict[str, sa.types.TypeEngine[Any]] = {
    "": sa.Text(),
    "time": sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql"),
    "number": sa.Integer(),
    "flag": sa.Boolean(),
    "bytes": sa.LargeBinary(),
}


def upgrade() -> None:
    """Create every table, parents first."""
    _runs()
    _operations()
    _attempts()
    _what_attempts_brought()
    _log()
    _people_and_daemons()
    _schedules_and_retention()


def _table(name: str, columns: str, key: str, *foreign: sa.ForeignKeyConstraint) -> None:
    """Create a table. A column is `name` (a text) or `name:kind`, and may be null with a `?`."""
    parted = [column.rstrip("?").partition(":") for column in columns.split()]
    null = [column.endswith("?") for column in columns.split()]
    op.create_table(
        name,
        *(
            sa.Column(column, KINDS[kind], nullable=optional)
            for (column, _, kind), optional in zip(parted, null, strict=True)
        ),
        *foreign,
        sa.PrimaryKeyConstraint(*key.split(), name=f"pk_{name}"),
    )


def _points(table: str, columns: str, parent: str, theirs: str) -> sa.ForeignKeyConstraint:
    own = columns.split()
    their = [f"{parent}.{column}" for column in theirs.split()]
    return sa.ForeignKeyConstraint(own, their, name=f"fk_{table}_{own[0]}")


def _unique_where(name: str, table: str, columns: str, where: str) -> None:
    only = sa.text(where)
    op.create_index(
        name, table, columns.split(), unique=True, sqlite_where=only, postgresql_where=only
    )


def _runs() -> None:
    _table(
        "run",
        "id plan spec status reason version:number config_hash opened_by parent?"
        " opened_at:time deadline_at:time closed_at:time?",
        "id",
    )
    op.create_index("ix_run_opened_at", "run", ["opened_at"])
    _unique_where("uq_run_plan_open", "run", "plan", "closed_at IS NULL AND parent IS NULL")
    _table(
        "wave",
        "run_id position:number name spec vms:number status reason allowed:number?"
        " max_parallel:number? opened_at:time? baking_until:time? closed_at:time? excused:flag",
        "run_id position",
        _points("wave", "run_id", "run", "id"),
    )


def _operations() -> None:
    _table(
        "operation",
        "run_id vm_id wave:number vm_name subscription_id resource_group region os state"
        " attempt:number version:number started_at:time? forgiven:flag"
        " since:time? not_before:time? wait? busy_since:time? reason_code? reason?"
        " attempt_id? intent_at:time? baseline_id? settle_at:time? conflict? activity_id?"
        " deadline_at:time? tracked:flag? locked_until:time? outcome? failure_class?"
        " finished_at:time?"
        " result_status? installed:number? failed:number? pending:number? excluded:number?"
        " not_selected:number? reboot_status? window_exceeded:flag? error_code? error_message?",
        "run_id vm_id",
        _points("operation", "run_id wave", "wave", "run_id position"),
    )
    op.create_index("ix_operation_vm_id", "operation", ["vm_id"])
    left = sa.text("state IN ('needs_human', 'verifying')")
    op.create_index(
        "ix_operation_run_id_left",
        "operation",
        ["run_id"],
        sqlite_where=left,
        postgresql_where=left,
    )
    held = "state IN ('submitting', 'unknown', 'in_progress')"
    _unique_where("uq_operation_vm_id_held", "operation", "vm_id", held)
    _table(
        "watch",
        "run_id vm_id next_at:time polls:number last_at:time? by_view:flag",
        "run_id vm_id",
        _points("watch", "run_id vm_id", "operation", "run_id vm_id"),
    )


def _attempts() -> None:
    _table(
        "attempt",
        "id run_id vm_id number:number intent_at:time baseline_id? holder epoch:number"
        " sent_at:time? ended_at:time? ended_as? http_status:number? activity_id?"
        " verdict? superseded_verdict?",
        "id",
        _points("attempt", "run_id vm_id", "operation", "run_id vm_id"),
    )
    op.create_index(
        "ix_attempt_run_id_vm_id", "attempt", ["run_id", "vm_id", "number", "intent_at"]
    )
    op.create_index("ix_attempt_activity_id", "attempt", ["activity_id"])
    taken = "ended_as IS NULL OR ended_as IN ('accepted', 'unknown')"
    _unique_where("uq_attempt_number_taken", "attempt", "run_id vm_id number", taken)


def _what_attempts_brought() -> None:
    _table(
        "receipt",
        "attempt_id at:time status_url location_url activity_id?",
        "attempt_id",
        _points("receipt", "attempt_id", "attempt", "id"),
    )
    op.create_index("ix_receipt_activity_id", "receipt", ["activity_id"])
    _table(
        "permission",
        "run_id vm_id attempt:number kind actor why at:time",
        "run_id vm_id attempt",
        _points("permission", "run_id vm_id", "operation", "run_id vm_id"),
    )
    _table(
        "result",
        "attempt_id at:time activity_id status raw:bytes",
        "attempt_id at",
        _points("result", "attempt_id", "attempt", "id"),
    )
    _table(
        "patch",
        "run_id vm_id patch_id name version kb_id classifications state",
        "run_id vm_id patch_id",
        _points("patch", "run_id vm_id", "operation", "run_id vm_id"),
    )


def _log() -> None:
    _table(
        "event",
        "run_id seq:number at:time vm_id? event actor why detail hash",
        "run_id seq",
    )
    op.create_index("ix_event_at", "event", ["at"])
    _table("event_head", "run_id seq:number hash", "run_id")


def _people_and_daemons() -> None:
    _table(
        "act",
        "id run_id kind actor because at:time vms wave? code? resolution?",
        "id",
        _points("act", "run_id", "run", "id"),
    )
    op.create_index("ix_act_run_id", "act", ["run_id"])
    _table(
        "act_done",
        "act_id at:time result",
        "act_id",
        _points("act_done", "act_id", "act", "id"),
    )
    _table(
        "lease",
        "run_id holder epoch:number expires_at:time",
        "run_id",
        _points("lease", "run_id", "run", "id"),
    )
    _table("brake", "scope halted:flag at:time? actor? because?", "scope")
    op.execute("INSERT INTO brake (scope, halted) VALUES ('fleet', FALSE)")
    _table(
        "incarnation",
        "incarnation place confirmed:number seq:number safe_since:time? safe_code? safe_reason?",
        "incarnation",
    )
    op.execute(
        sa.text(
            "INSERT INTO incarnation (incarnation, place, confirmed, seq) VALUES (:name, '', 0, 0)"
        ).bindparams(name=str(uuid4()))
    )


def _schedules_and_retention() -> None:
    _table("schedule", "plan rule first_seen:time next_fire:time?", "plan")
    _table("fire", "plan local at:time result reason run_id?", "plan local")
    op.create_index("ix_fire_plan_at", "fire", ["plan", "at"])
    _table(
        "pruned",
        "run_id plan opened_at:time closed_at:time events:number hash at:time actor",
        "run_id",
    )
