"""What a run's driver writes: changes and intents, each all of it or nothing.

Both look first and write then, so that what answers `Stale` or `Refused` has written nothing and
leaves its neighbours in the same transaction alone. Rows are locked in one order: lease, run,
wave, brake and incarnation, operations, log.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, select, true, update
from sqlalchemy.exc import IntegrityError

from orchestrator.domain.model import Run, RunId, Wave
from orchestrator.domain.operation import Intended, Operation
from orchestrator.domain.record import Change, Lease, Move
from orchestrator.ports import Refused, Saved, Stale
from orchestrator.store import (
    acts,
    attempts,
    brakes,
    events,
    incarnation,
    leases,
    operations,
    rows,
    schema,
)
from orchestrator.store.chain import Line
from orchestrator.store.lines import change_lines, move_line, run_changes, wave_changes
from orchestrator.store.unit import UndoneError

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
_DOORS: Final = (
    select(
        _run.c.status.label("run"),
        _wave.c.status.label("wave"),
        _wave.c.name,
        *brakes.COLUMNS,
        *incarnation.COLUMNS,
    )
    .join(_wave, _wave.c.run_id == _run.c.id)
    .join(schema.brake, true())
    .join(schema.incarnation, true())
    .where(_run.c.id == bindparam("the_run"), _wave.c.position == bindparam("the_position"))
    .with_for_update(read=True)
)


def record(connection: Connection, lease: Lease, change: Change) -> Saved | Stale:
    """Write one change of a run's driver."""
    _must_be_of(lease.run_id, change)
    if not leases.held(connection, lease):
        return _lost(lease)
    before = _lock_run(connection, change.run)
    if change.run is not None and before is None:
        return Stale(f"the run {lease.run_id} has moved on")
    befores = _lock_waves(connection, lease.run_id, change.waves)
    if (stale := operations.stale(connection, lease.run_id, change.moves)) is not None:
        return stale
    _write_run(connection, change.run)
    _write_waves(connection, lease.run_id, change.waves)
    _write_moves(connection, change.moves)
    changes = {**run_changes(before, change.run), **wave_changes(befores, change.waves)}
    lines = [*change_lines(change, changes), *_answers(connection, change)]
    events.append(connection, lease.run_id, lines)
    return Saved()


def intend(connection: Connection, lease: Lease, move: Move) -> Saved | Refused | Stale:
    """Write an intent. Raises `TypeError` for a move that is none."""
    event, op = move.event, move.before
    if not isinstance(event, Intended):
        raise TypeError(f"{type(event).__name__} is no intent")
    _must_be_of(lease.run_id, Change(moves=(move,)))
    if not leases.held(connection, lease):
        return _lost(lease)
    closed = _closed(connection, op)
    if (stale := operations.stale(connection, lease.run_id, [move])) is not None:
        # Repeated because the answer to its COMMIT was lost: it is there already.
        return Saved() if attempts.is_there(connection, event.attempt) else stale
    refused = closed or _busy(connection, op, event.at) or _no_attempt_left(connection, op)
    if refused is not None:
        return refused
    attempts.insert(connection, lease, op, event)
    _take(connection, move)
    events.append(connection, lease.run_id, [move_line(move)])
    return Saved()


# ---------------------------------------------------------------------------- what may not be


def _must_be_of(run_id: RunId, change: Change) -> None:
    runs = {move.before.run_id for move in change.moves}
    runs |= {move.after.run_id for move in change.moves}
    runs |= {run_id} if change.run is None else {change.run.id}
    if not runs <= {run_id}:
        raise ValueError(f"a change of the run {run_id} moves rows of {sorted(runs)}")


def _lost(lease: Lease) -> Stale:
    return Stale(f"the lease of the run {lease.run_id} is not {lease.holder}'s any more")


def _closed(connection: Connection, op: Operation) -> Refused | None:
    """Lock the run, the wave and the brake against a halt, and see that all let VMs start, and
    that the database may be believed."""
    row = connection.execute(_DOORS, {"the_run": op.run_id, "the_position": op.wave}).one()
    if (safe_mode := incarnation.from_row(row)) is not None:
        return Refused("safe_mode", safe_mode.text)
    if (brake := brakes.from_row(row)) is not None:
        return Refused("halted_all", brake.text)
    if row.run != "open":
        return Refused("run_not_open", f"the run is {row.run}")
    if row.wave != "open":
        return Refused("wave_not_open", f"the wave {row.name} is {row.wave}")
    return None


def _busy(connection: Connection, op: Operation, at: datetime) -> Refused | None:
    other = operations.holder_of(connection, op, at)
    if other is None:
        return None
    return Refused("busy", f"{op.target.name} is held by the run {other}")


def _no_attempt_left(connection: Connection, op: Operation) -> Refused | None:
    if attempts.is_taken(connection, op):
        reason = f"Azure may have taken attempt {op.attempt} of {op.target.name}"
        return Refused("no_attempt_left", reason)
    if not attempts.is_granted(connection, op):
        reason = f"nobody granted attempt {op.attempt} of {op.target.name}"
        return Refused("no_attempt_left", reason)
    return None


# ------------------------------------------------------------------------------- what is written


def _take(connection: Connection, move: Move) -> None:
    """Move the operation to `submitting`, which takes its VM over all runs and daemons.

    Two daemons on PostgreSQL may both have seen the VM free a moment ago: the index lets one of
    them commit, and the other is told `busy` as if it had looked a moment later. Its transaction
    is lost; the writer then repeats the neighbours. No savepoint: all others would pay for it.
    """
    try:
        operations.swap(connection, [move])
    except IntegrityError as error:
        if schema.ONE_HOLDER not in str(error.orig):
            raise
        name = move.before.target.name
        raise UndoneError(Refused("busy", f"{name} was taken by another run just now")) from error


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
    for move in moves:
        if move.attempt is not None:
            attempts.learn(connection, move.attempt)
        if move.grant is not None:
            attempts.grant(connection, move.grant)
        if move.report is not None:
            attempts.keep(connection, move, move.report)


def _before(run: Run) -> dict[str, Any]:
    """Name the row that a run was before its version grew by one."""
    return {"the_run": run.id, "before": run.version - 1}


def _answers(connection: Connection, change: Change) -> list[Line]:
    found = [acts.answer(connection, done) for done in change.acts]
    return [line for lines in found for line in lines]
