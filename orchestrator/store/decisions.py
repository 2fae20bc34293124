"""What a run's driver writes: changes, each all of it or nothing.

It looks first and writes then, so that what answers `Stale` has written nothing and leaves its
neighbours in the same transaction alone. Rows are locked in one order: lease, run, wave, brake and
incarnation, operations, log. Changes that only move operations share their statements.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, select, update

from orchestrator.domain.model import Run, RunId, Wave
from orchestrator.domain.record import Change, Lease, Move, Receipt
from orchestrator.ports import Saved, Stale
from orchestrator.store import acts, attempts, events, leases, operations, rows, schema
from orchestrator.store.chain import Line
from orchestrator.store.lines import change_lines, run_changes, wave_changes

_run, _wave = schema.run, schema.wave
_RUN_BEFORE: Final = (_run.c.id == bindparam("the_run"), _run.c.version == bindparam("before"))
_LOCK_RUN: Final = (
    select(*(_run.c[name] for name in rows.RUN_MOVES)).where(*_RUN_BEFORE).with_for_update()
)
_WRITE_RUN: Final = update(_run).where(*_RUN_BEFORE)
_LOCK_WAVES: Final = (
    select(_wave.c.position, *(_wave.c[name] for name in rows.WAVE_MOVES))
    .where(_wave.c.run_id == bindparam("the_run"))
    .order_by(_wave.c.position)
    .with_for_update()
)
_WRITE_WAVE: Final = update(_wave).where(
    _wave.c.run_id == bindparam("the_run"), _wave.c.position == bindparam("the_position")
)


def record(connection: Connection, given: Sequence[tuple[Lease, Change]]) -> list[Saved | Stale]:
    """Write changes of runs' drivers, in their order."""
    answers: list[Saved | Stale] = []
    for lease, changes in groupby(given, key=itemgetter(0)):
        answers += _record(connection, lease, [change for _, change in changes])
    return answers


def accept(
    connection: Connection, given: Sequence[tuple[Lease, Receipt, Change]]
) -> list[Saved | Stale]:
    """Write what 202s said, which needs no lease, and the changes that follow from it."""
    attempts.receive(connection, [receipt for _, receipt, _ in given])
    return record(connection, [(lease, change) for lease, _, change in given])


def _record(
    connection: Connection, lease: Lease, changes: Sequence[Change]
) -> Sequence[Saved | Stale]:
    for change in changes:
        must_be_of(lease.run_id, change)
    if not leases.held(connection, lease):
        return [lost(lease)] * len(changes)
    answers: list[Saved | Stale] = []
    for only_moves, alike in groupby(changes, key=_only_moves):
        if only_moves:
            answers += _move(connection, lease.run_id, list(alike))
        else:
            answers += [_change(connection, lease.run_id, change) for change in alike]
    return answers


def _only_moves(change: Change) -> bool:
    return not (change.run or change.waves or change.acts)


def _move(
    connection: Connection, run_id: RunId, changes: Sequence[Change]
) -> Sequence[Saved | Stale]:
    """Write changes that move operations and note facts: each statement once for all of them."""
    moves = [move for change in changes for move in change.moves]
    versions = operations.versions(connection, run_id, moves)
    answers: list[Saved | Stale] = []
    current: list[Change] = []
    for change in changes:
        stale = operations.stale(versions, change.moves)
        if stale is None:
            current.append(change)
            operations.move_on(versions, change.moves)
        answers.append(stale or Saved())
    _write_moves(connection, [move for change in current for move in change.moves])
    lines = [line for change in current for line in change_lines(change, {})]
    events.append(connection, run_id, lines)
    return answers


def _change(connection: Connection, run_id: RunId, change: Change) -> Saved | Stale:
    """Write a change of the run or of its waves."""
    before = _lock_run(connection, change.run)
    if change.run is not None and before is None:
        return Stale(f"the run {run_id} has moved on")
    befores = _lock_waves(connection, run_id, change.waves)
    versions = operations.versions(connection, run_id, change.moves)
    if (stale := operations.stale(versions, change.moves)) is not None:
        return stale
    _write_run(connection, change.run)
    _write_waves(connection, run_id, change.waves)
    _write_moves(connection, change.moves)
    changes = {**run_changes(before, change.run), **wave_changes(befores, change.waves)}
    lines = [*change_lines(change, changes), *_answers(connection, change)]
    events.append(connection, run_id, lines)
    return Saved()


def must_be_of(run_id: RunId, change: Change) -> None:
    """Raise `ValueError` for a change that moves rows of another run."""
    runs = {move.before.run_id for move in change.moves}
    runs |= {move.after.run_id for move in change.moves}
    runs |= {run_id} if change.run is None else {change.run.id}
    if not runs <= {run_id}:
        raise ValueError(f"a change of the run {run_id} moves rows of {sorted(runs)}")


def lost(lease: Lease) -> Stale:
    """Say that a lease is somebody else's."""
    return Stale(f"the lease of the run {lease.run_id} is not {lease.holder}'s any more")


def _lock_run(connection: Connection, run: Run | None) -> RowMapping | None:
    if run is None:
        return None
    return connection.execute(_LOCK_RUN, _before(run)).mappings().one_or_none()


def _lock_waves(
    connection: Connection, run_id: RunId, waves: Sequence[Wave]
) -> Mapping[int, RowMapping]:
    if not waves:
        return {}
    found = connection.execute(_LOCK_WAVES, {"the_run": run_id}).mappings()
    return {row["position"]: row for row in found}


def _write_run(connection: Connection, run: Run | None) -> None:
    if run is not None:
        connection.execute(_WRITE_RUN, _before(run) | rows.run_moving_parts(run))


def _write_waves(connection: Connection, run_id: RunId, waves: Sequence[Wave]) -> None:
    for wave in waves:
        key = {"the_run": run_id, "the_position": wave.position}
        connection.execute(_WRITE_WAVE, key | rows.wave_moving_parts(wave))


def _write_moves(connection: Connection, moves: Sequence[Move]) -> None:
    operations.swap(connection, moves)
    attempts.learn(connection, [move.attempt for move in moves if move.attempt is not None])
    attempts.grant(connection, [move.grant for move in moves if move.grant is not None])
    attempts.keep(connection, [move for move in moves if move.report is not None])


def _before(run: Run) -> dict[str, Any]:
    """Name the row that a run was before its version grew by one."""
    return {"the_run": run.id, "before": run.version - 1}


def _answers(connection: Connection, change: Change) -> list[Line]:
    found = [acts.answer(connection, done) for done in change.acts]
    return [line for lines in found for line in lines]
