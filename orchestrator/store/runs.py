"""Runs: opened with all their rows, named, and read as one picture."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, bindparam, exists, or_, select

from orchestrator.domain.model import AttemptId, Run, RunId, VmId, Wave
from orchestrator.domain.operation import Operation
from orchestrator.domain.record import Act, Fact, Fire, Receipt, Snapshot, Watch
from orchestrator.domain.window import of_restarts
from orchestrator.ports import DamagedError, Refused, Saved
from orchestrator.store import (
    acts,
    brakes,
    documents,
    events,
    incarnation,
    leases,
    notices,
    rows,
    schedules,
    schema,
    statements,
)
from orchestrator.store.lines import opening_lines
from orchestrator.store.operation_rows import columns_of, operation_from_row, operation_to_row

_run, _wave, _operation = schema.run, schema.wave, schema.operation
_watch, _receipt = schema.watch, schema.receipt

_AT_A_TIME: Final = 500
_ASKED: Final = exists().where(schema.act.c.run_id == _run.c.id, ~acts.is_answered)
_OPEN: Final = (
    select(_run.c.id)
    .where(or_(_run.c.closed_at.is_(None), _ASKED))
    .order_by(_run.c.opened_at, _run.c.id)
)
_WAITING: Final = ("queued", "reboot_queued")
_STATES: Final = (
    select(_operation.c.state).where(_operation.c.run_id == bindparam("run_id")).distinct()
)


@dataclass(frozen=True, slots=True)
class Opened:
    """All rows of a new run, and what it asks of other runs."""

    run: Run
    waves: Sequence[Wave]
    operations: Sequence[Operation]
    facts: Sequence[Fact]
    fire: Fire | None
    asks: Sequence[Act]


def open_run(connection: Connection, new: Opened) -> Saved | Refused:
    """Insert a run with its waves, operations, log, fire and acts on others."""
    run, waves, operations, fire = new.run, new.waves, new.operations, new.fire
    answer = _known(connection, run) or _in_the_way(connection, run, fire)
    if answer is not None:
        return answer
    connection.execute(_run.insert(), rows.run_to_row(run))
    if run.approved_by is not None:
        connection.execute(schema.emergency.insert(), rows.emergency_to_row(run))
    if waves:
        connection.execute(_wave.insert(), [rows.wave_to_row(run.id, wave) for wave in waves])
        _insert_hours(connection, run.id, waves)
    if operations:
        connection.execute(_operation.insert(), [operation_to_row(op) for op in operations])
        statements.count_anew(connection, _operation, len(operations))
    if fire is not None:
        schedules.fire(connection, fire)
    events.append(connection, run.id, opening_lines(run, waves, operations, new.facts))
    for act in new.asks:
        acts.ask(connection, act)
    notices.tell(connection, run.id)
    return Saved()


def _insert_hours(connection: Connection, run_id: RunId, waves: Sequence[Wave]) -> None:
    """Write the windows of waves beside their specification, which may be large: each intent reads
    them."""
    windowed = [
        {
            "run_id": run_id,
            "wave": wave.position,
            "document": documents.hours_text(wave.spec),
            "restarts": documents.hours_text(of_restarts(wave.spec)),
        }
        for wave in waves
        if wave.spec.hours.windows or of_restarts(wave.spec).hours.windows
    ]
    if windowed:
        connection.execute(schema.hours.insert(), windowed)


def open_run_of(connection: Connection, plan: str) -> RunId | None:
    """Name the plan's open run; a retry's run, which has a parent, is none."""
    open_ones = (_run.c.plan == plan, _run.c.closed_at.is_(None), _run.c.parent.is_(None))
    found = connection.execute(select(_run.c.id).where(*open_ones)).scalars().first()
    return None if found is None else RunId(found)


def open_runs(connection: Connection) -> Sequence[RunId]:
    """Name the runs that are not closed, and closed ones with an act that waits, oldest first."""
    return [RunId(run_id) for run_id in connection.execute(_OPEN).scalars()]


def free_runs(connection: Connection, holder: str) -> Sequence[RunId]:
    """Name those of `open_runs` whose lease this holder may take, or has."""
    found = connection.execute(_free(connection.dialect.name), {"the_holder": holder})
    return [RunId(run_id) for run_id in found.scalars()]


@cache
def _free(dialect: str) -> Select[str]:
    lease = schema.lease
    found = _OPEN.outerjoin_from(_run, lease, lease.c.run_id == _run.c.id)
    return found.where(or_(lease.c.run_id.is_(None), leases.is_free(dialect)))


def queued_elsewhere(connection: Connection, vms: Sequence[VmId]) -> Mapping[VmId, RunId]:
    """Tell which of these VMs wait in an open run, for their start or their restart; of several
    runs the oldest is named."""
    query = (
        select(_operation.c.vm_id, _operation.c.run_id)
        .join(_run, _run.c.id == _operation.c.run_id)
        .where(_run.c.closed_at.is_(None), _operation.c.state.in_(_WAITING))
        .order_by(_run.c.opened_at.desc(), _run.c.id.desc())
    )
    return {
        VmId(row.vm_id): RunId(row.run_id)
        for batch in statements.batches(vms)
        for row in connection.execute(query.where(_operation.c.vm_id.in_(batch)))
    }


def load(connection: Connection, run_id: RunId) -> Snapshot:
    """Read a run as its rows say it is. Raises `LookupError` when there is none, `DamagedError`
    when its rows say nothing that could be."""
    there = exists().where(_run.c.id == run_id)
    if not connection.execute(select(there)).scalar_one():
        raise LookupError(f"there is no run {run_id}")
    try:
        return _loaded(connection, run_id)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        what = (str(error).splitlines() or [""])[0][:200]
        raise DamagedError(
            f"The rows of the run {run_id} are damaged ({type(error).__name__}: {what});"
            " `orchestrator db check` says more."
        ) from error


def _loaded(connection: Connection, run_id: RunId) -> Snapshot:
    approver = select(schema.emergency.c.approved_by).where(schema.emergency.c.run_id == _run.c.id)
    columns = select(_run, approver.scalar_subquery().label("approved_by"))
    row = connection.execute(columns.where(_run.c.id == run_id)).mappings().one()
    waves = select(_wave).where(_wave.c.run_id == run_id).order_by(_wave.c.position)
    operations, watches = _operations(connection, run_id)
    return Snapshot(
        run=rows.run_from_row(row),
        waves=tuple(rows.wave_from_row(wave) for wave in _read(connection, waves)),
        operations=tuple(operations),
        watches=watches,
        receipts=_receipts(connection, run_id),
    )


def _known(connection: Connection, run: Run) -> Saved | Refused | None:
    """A run that is already there as given was opened by this very call, whose first answer was
    lost on its way."""
    query = select(_run.c.opened_at, _run.c.opened_by).where(_run.c.id == run.id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    if (row.opened_at, row.opened_by) == (run.opened_at, run.opened_by):
        return Saved()
    return Refused("already_open", f"there is another run with the id {run.id}")


def _in_the_way(connection: Connection, run: Run, fire: Fire | None) -> Refused | None:
    """A retry's run stands beside the run it came from, and in nobody's way (design 3)."""
    if (safe_mode := incarnation.safe_mode(connection)) is not None:
        return Refused("safe_mode", safe_mode.text)
    if (brake := brakes.seen(connection)) is not None:
        return Refused("halted_all", brake.text)
    plan = run.plan.name
    other = open_run_of(connection, plan)
    if other is not None and run.parent is None:
        return Refused("already_open", f"the plan {plan} has an open run, {other}")
    if fire is not None and schedules.is_taken(connection, fire):
        return Refused("already_fired", f"the plan {plan} has already fired for {fire.local}")
    return None


def _operations(
    connection: Connection, run_id: RunId
) -> tuple[list[Operation], Mapping[VmId, Watch]]:
    """Read the operations, wave by wave in the order of their VMs' ids, and how they are polled.

    This is what a restart waits for: of each state only the columns that it knows are read, both
    tables at once, so that a VM's id is in memory once.
    """
    found: list[Operation] = []
    watches: dict[VmId, Watch] = {}
    mine = {"run_id": run_id}
    for state in connection.execute(_STATES, mine).scalars().all():
        for row in _stream(connection, _of_state(state), mine):
            op = operation_from_row(row)
            found.append(op)
            if row["next_at"] is not None:
                watches[op.target.vm_id] = rows.watch_from_row(row)
    found.sort(key=attrgetter("target.vm_id"))
    found.sort(key=attrgetter("wave"))
    return found, watches


@cache
def _of_state(state: str) -> Select[Any]:
    columns = [_operation.c[name] for name in columns_of(state)]
    polled = [_watch.c[name] for name in rows.WATCH]
    query = select(*columns, *polled).select_from(_operation.outerjoin(_watch))
    mine = (_operation.c.run_id == bindparam("run_id"), _operation.c.state == state)
    return query.where(*mine).order_by(_operation.c.vm_id)


def _receipts(connection: Connection, run_id: RunId) -> Mapping[AttemptId, Receipt]:
    query = (
        select(_receipt)
        .join(_operation, _operation.c.attempt_id == _receipt.c.attempt_id)
        .where(_operation.c.run_id == run_id, _operation.c.state == "submitting")
    )
    found = (rows.receipt_from_row(row) for row in _read(connection, query))
    return {receipt.attempt: receipt for receipt in found}


def _stream(
    connection: Connection, query: Select[Any], values: Mapping[str, Any]
) -> Iterator[RowMapping]:
    """Read rows a few at a time: all rows of a large run at once take more room than the run."""
    found = connection.execute(query, values, execution_options={"yield_per": _AT_A_TIME})
    yield from found.mappings()


def _read(connection: Connection, query: Select[Any]) -> Sequence[RowMapping]:
    return connection.execute(query).mappings().all()
