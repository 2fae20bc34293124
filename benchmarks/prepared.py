"""Databases in which a run is already under way: written in bulk, as no run would write them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Table, bindparam, update

from benchmarks import fake_arm
from benchmarks.fleet import MAX_DURATION, Member, spread
from orchestrator.domain.answer import Tracker
from orchestrator.domain.model import (
    ActivityId,
    PlanSpec,
    Run,
    RunId,
    RunStatus,
    Target,
    VmId,
    Wave,
    WaveStatus,
)
from orchestrator.domain.operation import Operation
from orchestrator.domain.record import Receipt, Snapshot, Watch
from orchestrator.domain.states import InProgress, Queued
from orchestrator.store import migrate, rows, runs, schema
from orchestrator.store.address import parse
from orchestrator.store.database import Database
from orchestrator.store.unit import Unit

RUN: Final = RunId("bench-1")
_BATCH: Final = 5_000


async def prepare_running(
    url: str, members: Sequence[Member], spec: PlanSpec, start: datetime, takes: "Takes"
) -> None:
    """Write a run whose installations are all in progress since `start`, each first polled at an
    instant of its own within one interval from there."""
    deadline = start + MAX_DURATION + spec.tracking.overdue
    operations = [
        _running(vm, ActivityId(takes.of(vm).activity), start, deadline) for vm in members
    ]
    database = Database(parse(url))
    try:
        await migrate.upgrade(database)
        await database.write(opened(spec, operations, start))
        for batch in _batches(members):
            await database.write(lambda c, batch=batch: _fill(c, batch, spec, start, takes))  # type: ignore[misc]  # a default binds the batch
    finally:
        await database.close()


async def prepare_queued(
    url: str, members: Sequence[Member], spec: PlanSpec, now: datetime
) -> None:
    """Write a run whose wave is open and whose VMs all wait to be started."""
    database = Database(parse(url))
    operations = [queued(vm.target) for vm in members]
    try:
        await migrate.upgrade(database)
        await database.write(opened(spec, operations, now))
    finally:
        await database.close()


@dataclass(frozen=True, slots=True)
class Takes:
    """How long each operation takes on a fake server."""

    origin: str
    seconds: float

    def of(self, vm: Member) -> "fake_arm.Operation":
        """Return a VM's operation."""
        return fake_arm.operation_urls(self.origin, vm, self.seconds)


async def respread(url: str, members: Sequence[Member], spec: PlanSpec, start: datetime) -> None:
    """Plan the first polls of a prepared run anew: within one interval from `start`."""
    keyed = update(schema.watch).where(
        schema.watch.c.run_id == RUN, schema.watch.c.vm_id == bindparam("vm")
    )
    poll = spec.tracking.poll
    values = [{"vm": vm.vm_id, "next_at": start + poll * spread(vm.number)} for vm in members]
    database = Database(parse(url))
    try:
        await database.write(lambda c: c.execute(keyed, values))
    finally:
        await database.close()


def opened(spec: PlanSpec, operations: Sequence[Operation], at: datetime) -> Unit[object]:
    """Return the transaction that writes an open run with its one wave open."""
    shown = picture(spec, operations, {}, at)
    new = runs.Opened(shown.run, shown.waves, operations, (), None, ())
    return lambda c: runs.open_run(c, new)


def picture(
    spec: PlanSpec,
    operations: Sequence[Operation],
    watches: Mapping[VmId, Watch],
    at: datetime,
) -> Snapshot:
    """Return the picture of an open run with its one wave open."""
    run = Run(
        id=RUN,
        plan=spec,
        status=RunStatus.OPEN,
        opened_at=at,
        deadline_at=at + spec.deadline,
        config_hash="bench",
        opened_by="bench",
    )
    wave = Wave(
        position=1,
        spec=spec.waves[0],
        vms=len(operations),
        status=WaveStatus.OPEN,
        allowed=len(operations),
        max_parallel=len(operations),
        opened_at=at,
    )
    return Snapshot(
        run=run, waves=(wave,), operations=tuple(operations), watches=watches, receipts={}
    )


def queued(target: Target) -> Operation:
    """Return an operation that waits to be started."""
    return Operation(run_id=RUN, wave=1, target=target, state=Queued())


def _running(vm: Member, activity: ActivityId, start: datetime, deadline: datetime) -> Operation:
    state = InProgress(vm.attempt, start, activity, start, deadline, tracked=True)
    return replace(queued(vm.target), state=state, started_at=start)


def _fill(
    connection: Connection,
    members: Sequence[Member],
    spec: PlanSpec,
    start: datetime,
    takes: Takes,
) -> None:
    """Write what stands beside each operation: its attempt, its receipt, its polling state."""
    found = [(vm, takes.of(vm)) for vm in members]
    _insert(connection, schema.attempt, (_attempt(vm, start, op.activity) for vm, op in found))
    receipts = (
        Receipt(
            attempt=vm.attempt,
            at=start,
            tracker=Tracker(status_url=op.status_url, location_url=op.location_url),
            activity=ActivityId(op.activity),
        )
        for vm, op in found
    )
    _insert(connection, schema.receipt, (rows.receipt_to_row(each) for each in receipts))
    _insert(connection, schema.watch, (_watch(vm, spec, start) for vm in members))


def _attempt(vm: Member, start: datetime, activity: str) -> dict[str, object]:
    return {
        "id": vm.attempt,
        "run_id": RUN,
        "vm_id": vm.vm_id,
        "number": 1,
        "intent_at": start,
        "holder": "bench",
        "epoch": 0,
        "sent_at": start,
        "ended_at": start,
        "ended_as": "accepted",
        "http_status": 202,
        "activity_id": activity,
    }


def _watch(vm: Member, spec: PlanSpec, start: datetime) -> dict[str, object]:
    watch = Watch(next_at=start + spec.tracking.poll * spread(vm.number), polls=1, last_at=start)
    return {"run_id": RUN, "vm_id": vm.vm_id, **rows.watch_to_row(watch)}


def _insert(connection: Connection, table: Table, values: Iterable[dict[str, object]]) -> None:
    connection.execute(table.insert(), list(values))


def _batches(members: Sequence[Member]) -> Iterator[Sequence[Member]]:
    for first in range(0, len(members), _BATCH):
        yield members[first : first + _BATCH]
