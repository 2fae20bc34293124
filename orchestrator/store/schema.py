"""The tables, and nothing else: Alembic's target. The public face of the database is its views.

Times are `Moment`, text is `PlainText`, a JSON document is text. Which rows may change, and how,
is held by the triggers of `guards.py`.
"""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    text,
)

from orchestrator.store.column_types import Moment, PlainText

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, PlainText, nullable=null)


def _time(name: str, *, null: bool = False) -> Column[object]:
    return Column(name, Moment, nullable=null)


def _number(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, Integer, nullable=null)


def _flag(name: str, *, null: bool = False) -> Column[bool]:
    return Column(name, Boolean, nullable=null)


def _run() -> Column[str]:
    return Column("run_id", PlainText, ForeignKey("run.id"), nullable=False)


def _of_operation() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["run_id", "vm_id"], ["operation.run_id", "operation.vm_id"])


def _only(index: Index, where: str) -> Index:
    """Make an index partial, in the same words on both databases."""
    index.dialect_options["sqlite"]["where"] = text(where)
    index.dialect_options["postgresql"]["where"] = text(where)
    return index


# ------------------------------------------------------------------ a run and what it is made of

run = Table(
    "run",
    metadata,
    Column("id", PlainText, primary_key=True),
    _text("plan"),
    _text("spec"),  # the resolved plan, a JSON document
    _text("status"),
    _text("reason"),
    _number("version"),
    _text("config_hash"),
    _text("opened_by"),
    _text("parent", null=True),
    _time("opened_at"),
    _time("deadline_at"),
    _time("closed_at", null=True),
    _only(Index("uq_run_plan_open", "plan", unique=True), "closed_at IS NULL AND parent IS NULL"),
    Index("ix_run_opened_at", "opened_at"),
)

wave = Table(
    "wave",
    metadata,
    _run(),
    _number("position"),
    _text("name"),
    _text("spec"),  # the wave as configured, a JSON document
    _number("vms"),
    _text("status"),
    _text("reason"),
    _number("allowed", null=True),
    _number("max_parallel", null=True),
    _time("opened_at", null=True),
    _time("baking_until", null=True),
    _time("closed_at", null=True),
    _flag("excused"),
    PrimaryKeyConstraint("run_id", "position"),
)

operation = Table(
    "operation",
    metadata,
    _text("run_id"),
    _text("vm_id"),
    _number("wave"),
    _text("vm_name"),
    _text("subscription_id"),
    _text("resource_group"),
    _text("region"),
    _text("os"),
    _text("state"),
    _number("attempt"),
    _number("version"),
    _time("started_at", null=True),
    _flag("forgiven"),
    # What a state knows: each column is null in the states that do not know it.
    _time("since", null=True),
    _time("not_before", null=True),
    _text("wait", null=True),
    _time("busy_since", null=True),
    _text("reason_code", null=True),
    _text("reason", null=True),
    _text("attempt_id", null=True),
    _time("intent_at", null=True),
    _text("baseline_id", null=True),
    _time("settle_at", null=True),
    _text("conflict", null=True),
    _text("activity_id", null=True),
    _time("deadline_at", null=True),
    _flag("tracked", null=True),
    _time("locked_until", null=True),
    _text("outcome", null=True),
    _text("failure_class", null=True),
    _time("finished_at", null=True),
    # The summary of the result, where the state has one.
    _text("result_status", null=True),
    _number("installed", null=True),
    _number("failed", null=True),
    _number("pending", null=True),
    _number("excluded", null=True),
    _number("not_selected", null=True),
    _text("reboot_status", null=True),
    _flag("window_exceeded", null=True),
    _text("error_code", null=True),
    _text("error_message", null=True),
    PrimaryKeyConstraint("run_id", "vm_id"),
    ForeignKeyConstraint(["run_id", "wave"], ["wave.run_id", "wave.position"]),
    Index("ix_operation_vm_id", "vm_id"),
    # One installation per VM, over all runs and daemons. A `verifying` operation blocks by query
    # only: it may come back from `needs_human` after its lock ran out and another run began.
    _only(
        Index("uq_operation_vm_id_held", "vm_id", unique=True),
        "state IN ('submitting', 'unknown', 'in_progress')",
    ),
)

watch = Table(
    "watch",
    metadata,
    _text("run_id"),
    _text("vm_id"),
    _time("next_at"),
    _number("polls"),
    _time("last_at", null=True),
    _flag("by_view"),
    PrimaryKeyConstraint("run_id", "vm_id"),
    _of_operation(),
)

# ---------------------------------------------------------------------------- the one POST

attempt = Table(
    "attempt",
    metadata,
    Column("id", PlainText, primary_key=True),  # the `x-ms-client-request-id`
    _text("run_id"),
    _text("vm_id"),
    _number("number"),
    _time("intent_at"),
    _text("baseline_id", null=True),
    _text("holder"),
    _number("epoch"),
    _time("sent_at", null=True),
    _time("ended_at", null=True),
    _text("ended_as", null=True),
    _number("http_status", null=True),
    _text("activity_id", null=True),
    _text("verdict", null=True),
    _text("superseded_verdict", null=True),
    _of_operation(),
    Index("ix_attempt_run_id_vm_id", "run_id", "vm_id", "number", "intent_at"),
    Index("ix_attempt_activity_id", "activity_id"),
    # At most one intent of each number that Azure may have taken.
    _only(
        Index("uq_attempt_number_taken", "run_id", "vm_id", "number", unique=True),
        "ended_as IS NULL OR ended_as IN ('accepted', 'unknown')",
    ),
)

receipt = Table(
    "receipt",
    metadata,
    Column("attempt_id", PlainText, ForeignKey("attempt.id"), primary_key=True),
    _time("at"),
    _text("status_url"),  # signed, about 3.4 KB: a secret, in no view and no log
    _text("location_url"),
    _text("activity_id", null=True),
    Index("ix_receipt_activity_id", "activity_id"),
)

permission = Table(  # a grant; that word belongs to SQL
    "permission",
    metadata,
    _text("run_id"),
    _text("vm_id"),
    _number("attempt"),
    _text("kind"),
    _text("actor"),
    _text("why"),
    _time("at"),
    PrimaryKeyConstraint("run_id", "vm_id", "attempt"),
    _of_operation(),
)

result = Table(
    "result",
    metadata,
    Column("attempt_id", PlainText, ForeignKey("attempt.id"), nullable=False),
    _time("at"),
    _text("activity_id"),
    _text("status"),
    Column("raw", LargeBinary, nullable=False),  # Azure's own JSON, zlib
    PrimaryKeyConstraint("attempt_id", "at"),
)

patch = Table(
    "patch",
    metadata,
    _text("run_id"),
    _text("vm_id"),
    _text("patch_id"),
    _text("name"),
    _text("version"),
    _text("kb_id"),
    _text("classifications"),
    _text("state"),
    PrimaryKeyConstraint("run_id", "vm_id", "patch_id"),
    _of_operation(),
)

# ------------------------------------------------------------------------------- the audit log

event = Table(
    "event",
    metadata,
    _text("run_id"),  # empty: the system's own chain
    _number("seq"),
    _time("at"),
    _text("vm_id", null=True),
    _text("event"),
    _text("actor"),
    _text("why"),
    _text("detail"),
    _text("hash"),
    PrimaryKeyConstraint("run_id", "seq"),
    Index("ix_event_at", "at"),
)

event_head = Table(
    "event_head",
    metadata,
    Column("run_id", PlainText, primary_key=True),
    _number("seq"),
    _text("hash"),
)

# ------------------------------------------------------------------------- people and daemons

act = Table(
    "act",
    metadata,
    Column("id", PlainText, primary_key=True),
    _run(),
    _text("kind"),
    _text("actor"),
    _text("because"),
    _time("at"),
    _text("vms"),  # a JSON list
    _text("wave", null=True),
    _text("code", null=True),
    _text("resolution", null=True),
    Index("ix_act_run_id", "run_id"),
)

act_done = Table(
    "act_done",
    metadata,
    Column("act_id", PlainText, ForeignKey("act.id"), primary_key=True),
    _time("at"),
    _text("result"),
)

lease = Table(
    "lease",
    metadata,
    Column("run_id", PlainText, ForeignKey("run.id"), primary_key=True),
    _text("holder"),  # empty: given back
    _number("epoch"),
    _time("expires_at"),  # by the database's clock
)

# --------------------------------------------------------------------------------- schedules

schedule = Table(
    "schedule",
    metadata,
    Column("plan", PlainText, primary_key=True),
    _text("rule"),
    _time("first_seen"),
    _time("next_fire", null=True),
)

fire = Table(
    "fire",
    metadata,
    _text("plan"),
    _text("local"),
    _time("at"),
    _text("result"),
    _text("reason"),
    _text("run_id", null=True),
    PrimaryKeyConstraint("plan", "local"),
    Index("ix_fire_plan_at", "plan", "at"),
)

# --------------------------------------------------------------------------------- retention

pruned = Table(  # what was here: written before a run's rows may be deleted, and kept
    "pruned",
    metadata,
    Column("run_id", PlainText, primary_key=True),
    _text("plan"),
    _time("opened_at"),
    _time("closed_at"),
    _number("events"),
    _text("hash"),  # the head of its chain, for whoever kept a copy of the log
    _time("at"),
    _text("actor"),
)
