"""How many intents a second become durable: `python -m benchmarks.intents [DATABASE_URL]`.

Each of 100 callers begins VMs one after the other: a move to `preparing`, then the intent, as the
engine does it. Without a URL it measures a SQLite file with `synchronous=FULL` in a temporary
folder. Three rounds; the median counts.
"""

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from time import perf_counter
from uuid import uuid4

from orchestrator.clock import WallClock
from orchestrator.domain.deciding import write
from orchestrator.domain.inventory import Machine
from orchestrator.domain.model import AttemptId, PlanSpec, RunId, Selection, VmId, WaveSpec
from orchestrator.domain.operation import Began, Event, Intended, Operation, transition
from orchestrator.domain.record import Change, Lease, Move
from orchestrator.domain.rollout import plan
from orchestrator.domain.view import RunView
from orchestrator.domain.waves import Origin, open_run, resolve
from orchestrator.ports import Saved
from orchestrator.store.opening import open_store
from orchestrator.store.sql import SqlStore

VMS, CALLERS, ROUNDS = 2_000, 100, 3
_SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
_numbers = count(1)


async def main(url: str) -> None:
    """Measure three rounds and print a line for each."""
    clock, rates = WallClock(), []
    async with open_store(url, clock=clock) as store:
        for round_number in range(1, ROUNDS + 1):
            lease, view = await _opened(store)
            began = perf_counter()
            await _begin_all(store, lease, list(view.ops.values()))
            rates.append(VMS / (perf_counter() - began))
            print(f"round {round_number}: {rates[-1]:,.0f} intents/s")
    where = url.partition(":")[0]
    print(f"{where}: median {statistics.median(rates):,.0f} durable intents/s, {CALLERS} callers")


async def _opened(store: SqlStore) -> tuple[Lease, RunView]:
    """Open a run of so many VMs with its wave open."""
    number, now = next(_numbers), WallClock().now()
    wave = WaveSpec(name="w", select=Selection(subscriptions=(_SUBSCRIPTION,)))
    spec = PlanSpec(name=f"bench-{number}-{uuid4()}", waves=(wave,))
    origin = Origin(run_id=RunId(spec.name), config_hash="bench", opened_by="bench", now=now)
    rows = open_run(origin, spec, resolve(spec, _fleet(number)), {})
    await store.open_run(rows.run, rows.waves, rows.operations, (), None)
    lease = await store.claim(origin.run_id, "bench", timedelta(minutes=10))
    if lease is None:
        raise SystemExit("somebody else drives the run of this benchmark")
    view = RunView(await store.load(origin.run_id))
    (decision,) = plan(view, now).decisions
    await store.record(lease, write(view, decision, now))
    return lease, view


def _fleet(number: int) -> Sequence[Machine]:
    group = f"/subscriptions/{_SUBSCRIPTION}/resourcegroups/bench-{number}-{uuid4()}"
    return [
        Machine(
            vm_id=VmId(f"{group}/providers/microsoft.compute/virtualmachines/vm-{n:05d}"),
            name=f"vm-{n:05d}",
            subscription_id=_SUBSCRIPTION,
            resource_group=f"bench-{number}",
            region="westeurope",
            os="Linux",
        )
        for n in range(VMS)
    ]


async def _begin_all(store: SqlStore, lease: Lease, operations: list[Operation]) -> None:
    async def caller() -> None:
        while operations:
            await _begin(store, lease, operations.pop())

    async with asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(caller())


async def _begin(store: SqlStore, lease: Lease, op: Operation) -> None:
    now = WallClock().now()
    begun = _move(op, Began(now))
    intent = _move(begun.after, Intended(now, AttemptId(str(uuid4())), None))
    await store.record(lease, Change(moves=(begun,)))
    outcome = await store.intend(lease, intent)
    if not isinstance(outcome, Saved):
        message = f"an intent was refused: {outcome}"
        raise SystemExit(message)


def _move(op: Operation, event: Event) -> Move:
    return Move(before=op, after=transition(op, event), event=event, actor="bench")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(main(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(main(f"sqlite:///{folder}/bench.db"))
