"""The tables, and nothing else: Alembic's target. The public face of the database is its views.
Those about time stand in `time_tables.py`.

Times are `Moment`, text is `PlainText`, a JSON document is text. Which rows may change, and how,
is held by the triggers of `guards.py`.
"""

from typing import Final

from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
)

from orchestrator.store.column_types import PlainText
from orchestrator.store.columns import flag, metadata, number, only, optional, text, texts, time
from orchestrator.store.time_tables import emergency, frozen, hours, queued_fire, schedule_rest

__all__ = ["emergency", "frozen", "hours", "metadata", "queued_fire", "schedule_rest"]

ONE_HOLDER: Final = "uq_operation_vm_id_held"
"""The index that lets a VM be in flight in one run only."""
LEFT: Final = "state IN ('needs_human', 'verifying')"
"""The operations that are looked at although their run has ended."""
HELD: Final = "state IN ('submitting', 'unknown', 'in_progress', 'rebooting')"
"""The operations that hold their VM: Azure has, or may have, an installation or a restart of ours
there."""
BAD: Final = "outcome IN ('failed', 'warned')"
"""The operations that may count against a budget, beside those that need a person."""


def _run() -> Column[str]:
    return Column("run_id", PlainText, ForeignKey("run.id"), nullable=False)


def _of_operation() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["run_id", "vm_id"], ["operation.run_id", "operation.vm_id"])


# ------------------------------------------------------------------ a run and what it is made of

run = Table(
    "run",
    metadata,
    Column("id", PlainText, primary_key=True),
    text("plan"),
    text("spec"),  # the resolved plan, a JSON document
    text("status"),
    text("reason"),
    number("version"),
    text("config_hash"),
    text("opened_by"),
    text("parent", null=True),
    time("opened_at"),
    time("deadline_at"),
    time("closed_at", null=True),
    *optional(time, "results_from", "reminded_at"),
    text("quarantine", null=True),  # a JSON document
    only(Index("uq_run_plan_open", "plan", unique=True), "closed_at IS NULL AND parent IS NULL"),
    Index("ix_run_opened_at", "opened_at"),
)

wave = Table(
    "wave",
    metadata,
    _run(),
    number("position"),
    text("name"),
    text("spec"),  # the wave as configured, a JSON document
    number("vms"),
    text("status"),
    text("reason"),
    number("allowed", null=True),
    number("max_parallel", null=True),
    time("opened_at", null=True),
    time("baking_until", null=True),
    time("closed_at", null=True),
    flag("excused"),
    # Later columns come last. `approval` is the group to approve; `ramp`, `gates` are JSON lists.
    *optional(text, "approval", "ramp", "approved_by", "gates"),
    *optional(time, "asked_at", "approved_at", "reboots_at"),
    *optional(number, "reboots_at_once", "reboots_allowed"),
    PrimaryKeyConstraint("run_id", "position"),
)

operation = Table(
    "operation",
    metadata,
    text("run_id"),
    text("vm_id"),
    number("wave"),
    *texts("vm_name subscription_id resource_group region os state"),
    number("attempt"),
    number("version"),
    time("started_at", null=True),
    flag("forgiven"),
    # What a state knows: each column is null in the states that do not know it.
    time("since", null=True),
    time("not_before", null=True),
    text("wait", null=True),
    time("busy_since", null=True),
    text("reason_code", null=True),
    text("reason", null=True),
    text("attempt_id", null=True),
    time("intent_at", null=True),
    text("baseline_id", null=True),
    time("settle_at", null=True),
    text("conflict", null=True),
    text("activity_id", null=True),
    time("deadline_at", null=True),
    flag("tracked", null=True),
    time("locked_until", null=True),
    text("outcome", null=True),
    text("failure_class", null=True),
    time("finished_at", null=True),
    # The summary of the result, where the state has one.
    text("result_status", null=True),
    *optional(number, "installed", "failed", "pending", "excluded", "not_selected"),
    text("reboot_status", null=True),
    flag("window_exceeded", null=True),
    text("error_code", null=True),
    text("error_message", null=True),
    # Columns of later revisions come last, as an upgrade adds them.
    *texts("zone availability_set image", old=""),
    text("tags", old="{}"),  # a JSON object
    number("rank", old="0"),
    *optional(text, "failed_patches"),
    *optional(time, "reboot_at", "patched_at"),
    PrimaryKeyConstraint("run_id", "vm_id"),
    ForeignKeyConstraint(["run_id", "wave"], ["wave.run_id", "wave.position"]),
    Index("ix_operation_vm_id", "vm_id"),
    # What an ended run may still have to do; few rows, asked for every few seconds.
    only(Index("ix_operation_run_id_left", "run_id"), LEFT),
    # One installation per VM, over all runs and daemons. A `verifying` operation blocks by query
    # only: it may come back from `needs_human` after its lock ran out and another run began.
    only(Index(ONE_HOLDER, "vm_id", unique=True), HELD),
    only(Index("ix_operation_run_id_bad", "run_id"), BAD),
)

watch = Table(
    "watch",
    metadata,
    text("run_id"),
    text("vm_id"),
    time("next_at"),
    number("polls"),
    time("last_at", null=True),
    flag("by_view"),
    PrimaryKeyConstraint("run_id", "vm_id"),
    _of_operation(),
)

# ---------------------------------------------------------------------------- the one POST

attempt = Table(
    "attempt",
    metadata,
    Column("id", PlainText, primary_key=True),  # the `x-ms-client-request-id`
    text("run_id"),
    text("vm_id"),
    number("number"),
    time("intent_at"),
    text("baseline_id", null=True),
    text("holder"),
    number("epoch"),
    time("sent_at", null=True),
    time("ended_at", null=True),
    text("ended_as", null=True),
    number("http_status", null=True),
    text("activity_id", null=True),
    text("verdict", null=True),
    text("superseded_verdict", null=True),
    _of_operation(),
    Index("ix_attempt_run_id_vm_id", "run_id", "vm_id", "number", "intent_at"),
    Index("ix_attempt_activity_id", "activity_id"),
    # At most one intent of each number that Azure may have taken.
    only(
        Index("uq_attempt_number_taken", "run_id", "vm_id", "number", unique=True),
        "ended_as IS NULL OR ended_as IN ('accepted', 'unknown')",
    ),
)

receipt = Table(
    "receipt",
    metadata,
    Column("attempt_id", PlainText, ForeignKey("attempt.id"), primary_key=True),
    time("at"),
    text("status_url"),  # signed, about 3.4 KB: a secret, in no view and no log
    text("location_url"),
    text("activity_id", null=True),
    Index("ix_receipt_activity_id", "activity_id"),
)

permission = Table(  # a grant; that word belongs to SQL
    "permission",
    metadata,
    text("run_id"),
    text("vm_id"),
    number("attempt"),
    text("kind"),
    text("actor"),
    text("why"),
    time("at"),
    PrimaryKeyConstraint("run_id", "vm_id", "attempt"),
    _of_operation(),
)

result = Table(
    "result",
    metadata,
    Column("attempt_id", PlainText, ForeignKey("attempt.id"), nullable=False),
    time("at"),
    text("activity_id"),
    text("status"),
    Column("raw", LargeBinary, nullable=False),  # Azure's own JSON, zlib
    PrimaryKeyConstraint("attempt_id", "at"),
)

patch = Table(
    "patch",
    metadata,
    text("run_id"),
    text("vm_id"),
    *texts("patch_id name version kb_id classifications state"),
    PrimaryKeyConstraint("run_id", "vm_id", "patch_id"),
    _of_operation(),
)

# ------------------------------------------------------------------------------- the audit log

event = Table(
    "event",
    metadata,
    text("run_id"),  # empty: the system's own chain
    number("seq"),
    time("at"),
    text("vm_id", null=True),
    text("event"),
    text("actor"),
    text("why"),
    text("detail"),
    text("hash"),
    PrimaryKeyConstraint("run_id", "seq"),
    Index("ix_event_at", "at"),
)

event_head = Table(
    "event_head",
    metadata,
    Column("run_id", PlainText, primary_key=True),
    number("seq"),
    text("hash"),
)

# ------------------------------------------------------------------------- people and daemons

act = Table(
    "act",
    metadata,
    Column("id", PlainText, primary_key=True),
    _run(),
    text("kind"),
    text("actor"),
    text("because"),
    time("at"),
    text("vms"),  # a JSON list
    text("wave", null=True),
    text("code", null=True),
    text("resolution", null=True),
    text("max_parallel", null=True),  # a JSON document
    Index("ix_act_run_id", "run_id"),
)

act_done = Table(
    "act_done",
    metadata,
    Column("act_id", PlainText, ForeignKey("act.id"), primary_key=True),
    time("at"),
    text("result"),
)

lease = Table(
    "lease",
    metadata,
    Column("run_id", PlainText, ForeignKey("run.id"), primary_key=True),
    text("holder"),  # empty: given back
    number("epoch"),
    time("expires_at"),  # by the database's clock
)

brake = Table(  # one row, from the first day on: every intent locks it
    "brake",
    metadata,
    Column("scope", PlainText, primary_key=True),
    flag("halted"),
    time("at", null=True),
    text("actor", null=True),
    text("because", null=True),
)

incarnation = Table(  # one row, from the first day on: which database this is, and is it believed?
    "incarnation",
    metadata,
    Column("incarnation", PlainText, primary_key=True),
    text("place"),  # where it was last found well; empty: not used yet
    number("confirmed"),
    number("seq"),  # groups of writes; on PostgreSQL its own log is the measure
    time("safe_since", null=True),
    text("safe_code", null=True),
    text("safe_reason", null=True),
)

# --------------------------------------------------------------------------------- schedules

schedule = Table(
    "schedule",
    metadata,
    Column("plan", PlainText, primary_key=True),
    text("rule"),
    time("first_seen"),
    time("next_fire", null=True),
)

fire = Table(
    "fire",
    metadata,
    text("plan"),
    text("local"),
    time("at"),
    text("result"),
    text("reason"),
    text("run_id", null=True),
    PrimaryKeyConstraint("plan", "local"),
    Index("ix_fire_plan_at", "plan", "at"),
)

# --------------------------------------------------------------------------------- retention

pruned = Table(  # what was here: written before a run's rows may be deleted, and kept
    "pruned",
    metadata,
    Column("run_id", PlainText, primary_key=True),
    text("plan"),
    time("opened_at"),
    time("closed_at"),
    number("events"),
    text("hash"),  # the head of its chain, for whoever kept a copy of the log
    time("at"),
    text("actor"),
)
