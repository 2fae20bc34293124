"""The tables about time: when the VMs of a wave may start, freezes, schedules that rest or queue.
They are a part of `schema.py`."""

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, PrimaryKeyConstraint, Table

from orchestrator.store.column_types import PlainText
from orchestrator.store.columns import metadata, number, text, time

emergency = Table(  # a run that an approver let override freezes
    "emergency",
    metadata,
    Column("run_id", PlainText, ForeignKey("run.id"), primary_key=True),
    text("approved_by"),
)

hours = Table(  # of the waves that have windows: a JSON document, small, read by every intent
    "hours",
    metadata,
    text("run_id"),
    number("wave"),
    text("document"),
    text("restarts", null=True),  # the same for restarts, where the wave stages them
    PrimaryKeyConstraint("run_id", "wave"),
    ForeignKeyConstraint(["run_id", "wave"], ["wave.run_id", "wave.position"]),
)

frozen = Table(  # freezes of each configuration that a daemon was started with; SQL has that word
    "frozen",
    metadata,
    text("source"),
    number("number"),
    text("name"),
    time("begins"),
    time("ends"),
    PrimaryKeyConstraint("source", "number"),
)

schedule_rest = Table(  # a schedule that a person has disabled
    "schedule_rest",
    metadata,
    Column("plan", PlainText, primary_key=True),
    time("at"),
    time("until", null=True),
    text("actor"),
    text("because"),
)

queued_fire = Table(  # a fire that waits for the plan's open run to end; one for each plan
    "queued_fire",
    metadata,
    Column("plan", PlainText, primary_key=True),
    text("local"),
    time("at"),
)
