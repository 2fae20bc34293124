"""Intents: the rows that say "we are about to send", and what may stand in their way.

Whatever forbids a start is read in the intent's own transaction (design 5.2): the lease, the run
and its wave, the fleet-wide brake, whether the database is believed, the wave's hours and the
freezes, the group that is held back, who holds the VM, whether the attempt is allowed, and what
limits and strict budgets bear. What is refused has written nothing.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, exists, select, true
from sqlalchemy.exc import IntegrityError

from orchestrator.domain.bounds import Bounds
from orchestrator.domain.model import Quarantine, RunId, VmId
from orchestrator.domain.operation import Intended, Operation
from orchestrator.domain.ready import Line
from orchestrator.domain.record import Change, Lease, Move
from orchestrator.domain.states import Rebooting
from orchestrator.domain.traits import is_held
from orchestrator.domain.window import beyond
from orchestrator.ports import Refused, Saved, Stale
from orchestrator.store import (
    attempts,
    brakes,
    decisions,
    documents,
    events,
    freezes,
    incarnation,
    leases,
    operations,
    schema,
    slots,
)
from orchestrator.store.lines import move_line
from orchestrator.store.unit import UndoneError

_run, _wave, _hours = schema.run, schema.wave, schema.hours
_DOORS: Final = (
    select(
        _run.c.status.label("run"),
        _run.c.quarantine,
        _wave.c.status.label("wave"),
        _wave.c.name,
        *brakes.COLUMNS,
        *incarnation.COLUMNS,
        *(
            select(column)
            .where(_hours.c.run_id == _run.c.id, _hours.c.wave == _wave.c.position)
            .scalar_subquery()
            .label(name)
            for column, name in ((_hours.c.document, "hours"), (_hours.c.restarts, "restarts"))
        ),
        exists().where(schema.emergency.c.run_id == _run.c.id).label("emergency"),
    )
    .join(_wave, _wave.c.run_id == _run.c.id)
    .join(schema.brake, true())
    .join(schema.incarnation, true())
    .where(_run.c.id == bindparam("the_run"), _wave.c.position == bindparam("the_position"))
    .with_for_update(read=True)
)


def intend(
    connection: Connection, given: Sequence[tuple[Lease, Move, Bounds]]
) -> list[Saved | Refused | Stale]:
    """Write intents, in their order. Raises `TypeError` for a move that is none."""
    slots.lock(connection, [bounds for _, _, bounds in given])
    answers: list[Saved | Refused | Stale] = []
    for lease, alike in groupby(given, key=itemgetter(0)):
        answers += _intend(connection, lease, [(move, bounds) for _, move, bounds in alike])
    return answers


def _intend(
    connection: Connection, lease: Lease, bounded: Sequence[tuple[Move, Bounds]]
) -> Sequence[Saved | Refused | Stale]:
    moves = [move for move, _ in bounded]
    events_of = [_event_of(lease, move) for move in moves]
    if not leases.held(connection, lease):
        return [decisions.lost(lease)] * len(moves)
    door = _Door.read(connection, lease.run_id, moves)
    now = max(event.at for event in events_of)
    ledger = slots.Ledger.read(connection, lease.run_id, [bounds for _, bounds in bounded], now)
    answers: list[Saved | Refused | Stale] = []
    written: list[tuple[Move, Intended]] = []
    for (move, bounds), event in zip(bounded, events_of, strict=True):
        answer = door.answer(connection, move, event) or ledger.refusal(bounds)
        if answer is None:
            written.append((move, event))
            operations.move_on(door.versions, [move])
            ledger.add(move.before.wave, bounds)
        answers.append(answer or Saved())
    _write(connection, lease, written)
    return answers


def _event_of(lease: Lease, move: Move) -> Intended:
    if not isinstance(move.event, Intended):
        raise TypeError(f"{type(move.event).__name__} is no intent")
    decisions.must_be_of(lease.run_id, Change(moves=(move,)))
    return move.event


# ---------------------------------------------------------------------------- what may not be


@dataclass(frozen=True, slots=True)
class _Door:
    """What stands in the way of a run's intents, read and locked for all of them together."""

    closed: Mapping[Line, Refused | None]
    group: Quarantine | None
    versions: dict[VmId, int]
    holders: Mapping[VmId, RunId]
    taken: Container[tuple[VmId, int]]

    @classmethod
    def read(cls, connection: Connection, run_id: RunId, moves: Sequence[Move]) -> "_Door":
        lines = sorted({_line(move) for move in moves})
        rows = {line: _locked(connection, run_id, line.wave) for line in lines}
        return cls(
            closed={line: _closed(connection, row, line, moves) for line, row in rows.items()},
            group=documents.quarantine_from(rows[lines[0]].quarantine),
            versions=operations.versions(connection, run_id, moves),
            holders=operations.holders(connection, run_id, moves),
            taken=attempts.taken(connection, run_id, [move.before for move in moves]),
        )

    def answer(
        self, connection: Connection, move: Move, event: Intended
    ) -> Saved | Refused | Stale | None:
        """Answer an intent that is not to be written; None: it is."""
        op = move.before
        if (stale := operations.stale(self.versions, [move])) is not None:
            # Repeated because the answer to its COMMIT was lost: it is there already.
            return Saved() if attempts.is_there(connection, event.attempt) else stale
        return (
            self.closed[_line(move)]
            or self._held_back(op)
            or self._busy(op)
            or self._no_attempt_left(connection, op)
        )

    def _held_back(self, op: Operation) -> Refused | None:
        if self.group is None or not is_held(self.group, op):
            return None
        return Refused("quarantined", self.group.reason)

    def _busy(self, op: Operation) -> Refused | None:
        other = self.holders.get(op.target.vm_id)
        if other is None:
            return None
        return Refused("busy", f"{op.target.name} is held by the run {other}")

    def _no_attempt_left(self, connection: Connection, op: Operation) -> Refused | None:
        if (op.target.vm_id, op.attempt) in self.taken:
            reason = f"Azure may have taken attempt {op.attempt} of {op.target.name}"
            return Refused("no_attempt_left", reason)
        if not attempts.is_granted(connection, op):
            reason = f"nobody granted attempt {op.attempt} of {op.target.name}"
            return Refused("no_attempt_left", reason)
        return None


def _line(move: Move) -> Line:
    return Line(move.before.wave, restarts=isinstance(move.after.state, Rebooting))


def _locked(connection: Connection, run_id: RunId, wave: int) -> Row[*tuple[Any, ...]]:
    """Lock the run, the wave and the brake against a halt, and read how they stand."""
    return connection.execute(_DOORS, {"the_run": run_id, "the_position": wave}).one()


def _closed(
    connection: Connection, row: Row[*tuple[Any, ...]], line: Line, moves: Sequence[Move]
) -> Refused | None:
    """See that the run, the wave and the brake let VMs start, that the database may be believed,
    and that the wave's hours and the freezes let start now."""
    if (safe_mode := incarnation.from_row(row)) is not None:
        return Refused("safe_mode", safe_mode.text)
    if (brake := brakes.from_row(row)) is not None:
        return Refused("halted_all", brake.text)
    if row.run != "open":
        return Refused("run_not_open", f"the run is {row.run}")
    if row.wave != "open":
        return Refused("wave_not_open", f"the wave {row.name} is {row.wave}")
    times = [move.event.at for move in moves if _line(move) == line]
    document = row.restarts if line.restarts else row.hours
    return _out_of_hours(connection, document, times, emergency=row.emergency)


def _out_of_hours(
    connection: Connection, document: str | None, times: Sequence[datetime], *, emergency: bool
) -> Refused | None:
    """See that the intents of a wave, all of one moment, come in its window, with room for what a
    VM may need, and in no freeze. The freezes are read after the brake's row was locked: nobody
    has replaced them since."""
    first, last = min(times), max(times)
    if not emergency and (held := freezes.between(connection, first, last)) is not None:
        return Refused("freeze", f"the freeze {held.name} lasts until {held.ends:%Y-%m-%d %H:%M}Z")
    if document is None:
        return None
    hours, needs = documents.hours_from(document)
    why = beyond(hours, needs, first) or beyond(hours, needs, last)
    return None if why is None else Refused(why.code, why.text)


# ------------------------------------------------------------------------------- what is written


def _write(connection: Connection, lease: Lease, written: Sequence[tuple[Move, Intended]]) -> None:
    attempts.insert(connection, lease, [(move.before, event) for move, event in written])
    moves = [move for move, _ in written]
    _take(connection, moves)
    events.append(connection, lease.run_id, [move_line(move) for move in moves])


def _take(connection: Connection, moves: Sequence[Move]) -> None:
    """Move the operations to `submitting` or `rebooting`: that takes their VMs over all runs and
    daemons.

    Two daemons on PostgreSQL may both have seen a VM free a moment ago: the index lets one of them
    commit, and the other is told `busy` as if it had looked a moment later. Its transaction is
    lost; the writer then repeats the neighbours one by one. No savepoint: all others would pay for
    it.
    """
    try:
        operations.swap(connection, moves)
    except IntegrityError as error:
        if schema.ONE_HOLDER not in str(error.orig):
            raise
        name = moves[0].before.target.name  # who is alone was told so; the others are repeated
        raise UndoneError(Refused("busy", f"{name} was taken by another run just now")) from error
