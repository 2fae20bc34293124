"""What happened, as lines of the audit log. Pure.

A line's `detail` holds what the caller gave, the `code` of its reason, the `wave`, and under
`changed` the columns that changed with it, by table: `run`, `waves` (by position), `operation`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.domain.model import Run, Wave
from orchestrator.domain.operation import Operation
from orchestrator.domain.record import DAEMON, Change, Fact, Move
from orchestrator.domain.states import STATE_NAMES, Why
from orchestrator.store.chain import Line, detail_text
from orchestrator.store.column_types import plain
from orchestrator.store.operation_rows import moving_parts, operation_to_row
from orchestrator.store.rows import (
    Row,
    run_moving_parts,
    run_to_row,
    wave_moving_parts,
    wave_to_row,
)

Changes = Mapping[str, Any]
NOT_FOLDED = ("spec",)
"""Configured documents: large, and the same from a run's first line to its last."""


def move_line(move: Move) -> Line:
    """Write one operation's change of state."""
    why = getattr(move.event, "why", None)
    return Line(
        at=move.event.at,
        event=f"operation.{type(move.event).__name__.lower()}",
        actor=move.actor,
        why=why.text if isinstance(why, Why) else "",
        vm_id=move.after.target.vm_id,
        detail=detail_text(
            {
                **_code(why),
                "from": STATE_NAMES[type(move.before.state)],
                "to": STATE_NAMES[type(move.after.state)],
                "changed": {"operation": _moved(move.before, move.after)},
            }
        ),
    )


def _moved(before: Operation, after: Operation) -> dict[str, Any]:
    """Return the columns that a move changed, as the database holds them."""
    old, new = moving_parts(before), moving_parts(after)
    gone = {name: None for name, value in old.items() if value is not None and name not in new}
    return gone | {
        name: plain(value) if isinstance(value, str) else value
        for name, value in new.items()
        if old.get(name) != value
    }


def change_lines(change: Change, changes: Changes) -> list[Line]:
    """Write the moves and facts of one change; the first fact brings what changed of the run and
    its waves. A change of theirs without a fact gets a line of its own.

    Raises `ValueError` where nothing says when they changed.
    """
    facts = list(change.facts)
    if changes and not facts:
        facts.append(_unsaid(change, changes))
    brought = [_fact_line(fact, {} if n else changes) for n, fact in enumerate(facts)]
    return [*(move_line(move) for move in change.moves), *brought]


def opening_lines(
    run: Run, waves: Iterable[Wave], operations: Iterable[Operation], facts: Sequence[Fact]
) -> list[Line]:
    """Write how a run began: its facts (the first brings the rows of run and waves), and one line
    for each VM that was selected."""
    begun = Fact(at=run.opened_at, event="run.opened", actor=run.opened_by, why=Why("", ""))
    first, *rest = facts or [begun]
    changes = {
        "run": _folded(changed(None, run_to_row(run))),
        "waves": {
            str(wave.position): _folded(changed(None, wave_to_row(run.id, wave))) for wave in waves
        },
    }
    lines = [_fact_line(first, changes), *(_fact_line(fact, {}) for fact in rest)]
    return [*lines, *(_selected_line(run, op) for op in operations)]


def run_changes(before: Row | None, after: Run | None) -> Changes:
    """Return what changed of a run's row, under its table's name."""
    if before is None or after is None:
        return {}
    return {"run": changed(before, run_moving_parts(after))}


def wave_changes(befores: Mapping[int, Row], after: Sequence[Wave]) -> Changes:
    """Return what changed of the rows of waves, by position, under their table's name."""
    found = {
        str(wave.position): changed(befores[wave.position], wave_moving_parts(wave))
        for wave in after
    }
    return {"waves": found} if any(found.values()) else {}


def changed(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that a row changed, as the database holds them; of a new row those that
    are not null."""
    old = before or dict.fromkeys(after)
    held = {
        name: plain(value) if isinstance(value, str) else value for name, value in after.items()
    }
    return {name: value for name, value in held.items() if old[name] != value}


def _fact_line(fact: Fact, changes: Changes) -> Line:
    wave = {} if fact.wave is None else {"wave": fact.wave}
    change = {"changed": changes} if changes else {}
    return Line(
        at=fact.at,
        event=fact.event,
        actor=fact.actor,
        why=fact.why.text,
        vm_id=fact.vm_id,
        detail=detail_text({**fact.detail, **_code(fact.why), **wave, **change}),
    )


def _unsaid(change: Change, changes: Changes) -> Fact:
    times = [move.event.at for move in change.moves] + [done.at for done in change.acts]
    if not times:
        raise ValueError("a change of a run or a wave comes with the fact that says why")
    by = change.acts[0].by if change.acts else DAEMON
    event = "wave.changed" if "waves" in changes else "run.changed"
    return Fact(at=times[0], event=event, actor=by, why=Why("", ""))


def _selected_line(run: Run, op: Operation) -> Line:
    why = getattr(op.state, "why", None)
    return Line(
        at=run.opened_at,
        event="operation.selected",
        actor=run.opened_by,
        why=why.text if isinstance(why, Why) else "",
        vm_id=op.target.vm_id,
        detail=detail_text(
            {
                **_code(why),
                "to": STATE_NAMES[type(op.state)],
                "changed": {"operation": changed(None, operation_to_row(op))},
            }
        ),
    )


def _code(why: object) -> dict[str, str]:
    return {"code": why.code} if isinstance(why, Why) and why.code else {}


def _folded(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in columns.items() if name not in NOT_FOLDED}
