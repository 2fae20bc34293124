"""What the database itself refuses, whoever asks: triggers, in the same words on both databases.

They are the last guard, not the first: every statement of ours looks before it writes, and a
trigger that fires is a bug found. An upgrade creates them anew (SQLite drops a table's triggers
when it rebuilds the table), so they always are what this file says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import Connection

from orchestrator.store.schema import operation

MOVES: Final = frozenset(
    {
        ("queued", "preparing"),
        ("queued", "skipped"),
        ("queued", "cancelled"),
        ("preparing", "queued"),
        ("preparing", "submitting"),
        ("preparing", "succeeded"),
        ("preparing", "failed"),
        ("preparing", "skipped"),
        ("preparing", "cancelled"),
        ("submitting", "queued"),
        ("submitting", "unknown"),
        ("submitting", "in_progress"),
        ("submitting", "failed"),
        ("unknown", "queued"),
        ("unknown", "in_progress"),
        ("unknown", "verifying"),
        ("unknown", "needs_human"),
        ("unknown", "failed"),
        ("unknown", "skipped"),
        ("in_progress", "verifying"),
        ("in_progress", "needs_human"),
        ("verifying", "queued"),
        ("verifying", "reboot_queued"),
        ("verifying", "needs_human"),
        ("verifying", "succeeded"),
        ("verifying", "failed"),
        ("reboot_queued", "rebooting"),
        ("reboot_queued", "succeeded"),
        ("rebooting", "reboot_queued"),
        ("rebooting", "needs_human"),
        ("rebooting", "succeeded"),
        ("rebooting", "failed"),
        ("needs_human", "queued"),
        ("needs_human", "verifying"),
        ("needs_human", "succeeded"),
        ("needs_human", "failed"),
        ("needs_human", "skipped"),
        ("failed", "queued"),
        ("failed", "succeeded"),
        ("succeeded", "failed"),
        # Forgiven: the state stays, and all it knows with it.
        ("needs_human", "needs_human"),
        ("failed", "failed"),
        ("succeeded", "succeeded"),
        # Deferred once more; and its restart was taken.
        ("reboot_queued", "reboot_queued"),
        ("rebooting", "rebooting"),
    }
)
"""The state graph of design 4, as (from, to). A test holds it to what `transition` permits."""

_KEPT: Final = [c.name for c in operation.columns if c.name not in {"forgiven", "version"}]
_GRAPH: Final = " OR ".join(
    f"(OLD.state = '{before}' AND ("
    + " OR ".join(f"NEW.state = '{after}'" for start, after in sorted(MOVES) if start == before)
    + "))"
    for before in sorted({start for start, _ in MOVES})
)
"""Spelt out: SQLite makes a table of a list in a trigger, each time that fires."""
_TARGET: Final = ("run_id", "vm_id", "wave")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One trigger: refuse the statement when `condition` holds (`{is_not}`: differs, nulls too)."""

    name: str
    table: str
    on: Literal["INSERT", "UPDATE", "DELETE"]
    condition: str
    message: str


def _differ(*columns: str) -> str:
    return " OR ".join(f"NEW.{name} {{is_not}} OLD.{name}" for name in columns)


_OPERATIONS: Final = (
    Guard(
        name="operation_moves",
        table="operation",
        on="UPDATE",
        condition=f"NOT ({_GRAPH})",
        message="an operation may not go from its state to that one",
    ),
    Guard(
        name="operation_stays",
        table="operation",
        on="UPDATE",
        condition=f"NEW.state = OLD.state AND NOT (OLD.state = 'reboot_queued'"
        " OR (OLD.state = 'rebooting' AND OLD.since IS NULL))"
        f" AND ({_differ(*_KEPT)})",
        message="an operation that stays in its state may only be forgiven",
    ),
    Guard(
        name="operation_versions",
        table="operation",
        on="UPDATE",
        condition=f"NEW.version <> OLD.version + 1 OR {_differ(*_TARGET)}",
        message="an operation grows by one version at a time and keeps its target",
    ),
    Guard(
        name="operation_intends",
        table="operation",
        on="UPDATE",
        condition="(NEW.state = 'submitting'"
        " OR (NEW.state = 'rebooting' AND OLD.state <> 'rebooting'))"
        " AND NOT EXISTS (SELECT 1 FROM attempt a"
        " WHERE a.id = NEW.attempt_id AND a.run_id = NEW.run_id AND a.vm_id = NEW.vm_id"
        " AND a.number = NEW.attempt AND a.ended_as IS NULL)",
        message="an operation may not submit or restart without the row of its attempt",
    ),
)
_ATTEMPTS: Final = (
    Guard(
        name="attempt_needs_open_run",
        table="attempt",
        on="INSERT",
        condition="NOT EXISTS (SELECT 1 FROM operation o JOIN run r ON r.id = o.run_id"
        " JOIN wave w ON w.run_id = o.run_id AND w.position = o.wave"
        " WHERE o.run_id = NEW.run_id AND o.vm_id = NEW.vm_id"
        " AND r.status = 'open' AND r.closed_at IS NULL AND w.status = 'open')",
        message="no attempt begins unless its run and its wave are open",
    ),
    Guard(
        name="attempt_needs_no_brake",
        table="attempt",
        on="INSERT",
        condition="EXISTS (SELECT 1 FROM brake b WHERE b.halted)",
        message="no attempt begins while everything is halted",
    ),
    Guard(
        name="attempt_needs_trust",
        table="attempt",
        on="INSERT",
        condition="EXISTS (SELECT 1 FROM incarnation i WHERE i.safe_since IS NOT NULL)",
        message="no attempt begins while the database is in safe mode",
    ),
    Guard(
        name="attempt_needs_grant",
        table="attempt",
        on="INSERT",
        condition="NEW.number > 1 AND NOT EXISTS (SELECT 1 FROM permission p"
        " WHERE p.run_id = NEW.run_id AND p.vm_id = NEW.vm_id AND p.attempt = NEW.number)",
        message="an attempt after the first needs its grant",
    ),
    Guard(
        name="attempt_keeps",
        table="attempt",
        on="UPDATE",
        condition=_differ("id", "run_id", "vm_id", "number", "intent_at", "baseline_id")
        + " OR (OLD.ended_as {is_not} NEW.ended_as"
        " AND OLD.ended_as IN ('accepted', 'refused', 'not_sent', 'abandoned'))",
        message="an attempt keeps what it was, and its end once that is known",
    ),
)
_RUNS: Final = (
    Guard(
        name="run_versions",
        table="run",
        on="UPDATE",
        condition=f"NEW.version <> OLD.version + 1 OR {_differ('id', 'plan', 'spec')}",
        message="a run grows by one version at a time and keeps its plan",
    ),
    Guard(
        name="wave_passes_settled",
        table="wave",
        on="UPDATE",
        condition="NEW.status = 'passed' AND OLD.status <> 'passed' AND EXISTS (SELECT 1"
        " FROM operation o WHERE o.run_id = NEW.run_id AND o.wave = NEW.position"
        " AND o.state IN"
        " ('queued', 'preparing', 'submitting', 'unknown', 'in_progress', 'verifying',"
        " 'reboot_queued', 'rebooting'))",
        message="a wave passes only when each of its VMs has ended or needs a person",
    ),
    Guard(
        name="wave_opens_approved",
        table="wave",
        on="UPDATE",
        condition="NEW.status IN ('open', 'baking', 'passed') AND NEW.approval IS NOT NULL"
        " AND NEW.approved_at IS NULL",
        message="a wave that needs an approval opens only with one",
    ),
    Guard(
        name="wave_keeps_its_approval",
        table="wave",
        on="UPDATE",
        condition=f"{_differ('approval')} OR (OLD.approved_at IS NOT NULL AND"
        f" ({_differ('approved_at', 'approved_by')}))",
        message="a wave keeps who must approve it, and who has",
    ),
    Guard(
        name="run_stays_closed",
        table="run",
        on="UPDATE",
        condition=f"OLD.closed_at IS NOT NULL AND ({_differ('closed_at', 'status')})",
        message="a closed run stays closed",
    ),
    Guard(
        name="pruned_was_closed",
        table="pruned",
        on="INSERT",
        condition="NOT EXISTS (SELECT 1 FROM run r"
        " WHERE r.id = NEW.run_id AND r.closed_at IS NOT NULL)",
        message="only a closed run may be pruned",
    ),
)

_ATTEMPT_S_RUN: Final = "(SELECT a.run_id FROM attempt a WHERE a.id = OLD.attempt_id)"
_INSERT_ONLY: Final = (
    "event", "receipt", "permission", "result", "act", "act_done", "fire", "pruned",
    "emergency", "hours",
)  # fmt: skip
_RUN_OF: Final = {
    "run": "OLD.id",
    "wave": "OLD.run_id",
    "operation": "OLD.run_id",
    "attempt": "OLD.run_id",
    "receipt": _ATTEMPT_S_RUN,
    "permission": "OLD.run_id",
    "result": _ATTEMPT_S_RUN,
    "event": "OLD.run_id",
    "act": "OLD.run_id",
    "emergency": "OLD.run_id",
    "hours": "OLD.run_id",
    "act_done": "(SELECT b.run_id FROM act b WHERE b.id = OLD.act_id)",
}
"""Where a row says to which run it belongs: it goes only after that run's row in `pruned` came,
and before what it hangs on."""


def guards() -> Iterator[Guard]:
    """Yield every guard."""
    yield from (*_OPERATIONS, *_ATTEMPTS, *_RUNS)
    for table in _INSERT_ONLY:
        message = f"a row of {table} is written once"
        yield Guard(
            name=f"{table}_is_fixed", table=table, on="UPDATE", condition="1 = 1", message=message
        )
    for table, run_id in _RUN_OF.items():
        gone = f"NOT EXISTS (SELECT 1 FROM pruned q WHERE q.run_id = {run_id})"  # noqa: S608 - a constant above
        message = f"a row of {table} goes only when its run is pruned"
        yield Guard(
            name=f"{table}_is_kept", table=table, on="DELETE", condition=gone, message=message
        )
    for table in ("fire", "pruned", "brake", "incarnation"):
        yield Guard(
            name=f"{table}_is_kept",
            table=table,
            on="DELETE",
            condition="1 = 1",
            message=f"a row of {table} is kept",
        )


def create(connection: Connection) -> None:
    """Create every guard anew."""
    spell = _on_postgresql if connection.dialect.name == "postgresql" else on_sqlite
    for guard in guards():
        for statement in spell(guard):
            connection.exec_driver_sql(statement)


def on_sqlite(guard: Guard) -> tuple[str, str]:
    """Return the statements that drop a guard and create it."""
    condition = guard.condition.format(is_not="IS NOT")
    made = (
        f"CREATE TRIGGER {guard.name} BEFORE {guard.on} ON {guard.table} WHEN {condition}\n"
        f"BEGIN SELECT RAISE(ABORT, '{guard.message}'); END"
    )
    return f"DROP TRIGGER IF EXISTS {guard.name}", made


def _on_postgresql(guard: Guard) -> Iterator[str]:
    condition = guard.condition.format(is_not="IS DISTINCT FROM")
    row = "OLD" if guard.on == "DELETE" else "NEW"
    yield (
        f"CREATE OR REPLACE FUNCTION {guard.name}() RETURNS trigger LANGUAGE plpgsql AS $guard$\n"
        f"BEGIN\n  IF {condition} THEN\n"
        f"    RAISE EXCEPTION '{guard.message}' USING ERRCODE = 'integrity_constraint_violation';\n"
        f"  END IF;\n  RETURN {row};\nEND $guard$"
    )
    yield f"DROP TRIGGER IF EXISTS {guard.name} ON {guard.table}"
    yield (
        f"CREATE TRIGGER {guard.name} BEFORE {guard.on} ON {guard.table}"
        f" FOR EACH ROW EXECUTE FUNCTION {guard.name}()"
    )
