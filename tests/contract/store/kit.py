"""The vocabulary of the store's tests: a run, its VMs, their moves. It asserts nothing."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

from orchestrator.domain.answer import Tracker
from orchestrator.domain.model import (
    ActivityId,
    AttemptId,
    PlanSpec,
    Run,
    RunId,
    RunStatus,
    Selection,
    Target,
    VmId,
    Wave,
    WaveSpec,
    WaveStatus,
)
from orchestrator.domain.operation import (
    Accepted,
    Began,
    Event,
    Intended,
    Operation,
    Reported,
    transition,
)
from orchestrator.domain.record import Change, Fact, Lease, Move, Receipt
from orchestrator.domain.result import Result
from orchestrator.domain.states import Queued, Why
from orchestrator.ports import Saved
from orchestrator.store.sql import SqlStore

NOW = datetime(2026, 11, 22, 18, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
TTL = timedelta(seconds=15)
WHY = Why("because", "It was asked for.")
URL = "https://management.azure.com/subscriptions/s/operations/1?s=SIGNATURE-"

_numbers = count(1)


def a_vm(name: str) -> VmId:
    return VmId(f"/subscriptions/s1/resourcegroups/rg/providers/vm/{name}")


def a_target(name: str) -> Target:
    return Target(
        vm_id=a_vm(name),
        name=name,
        subscription_id="s1",
        resource_group="rg",
        region="westeurope",
        os="Linux",
    )


def a_wave(position: int = 0, vms: int = 1, name: str | None = None) -> Wave:
    spec = WaveSpec(name=name or f"wave-{position}", select=Selection(resource_groups=("rg",)))
    status = WaveStatus.OPEN if position == 0 else WaveStatus.PENDING
    return Wave(position=position, spec=spec, vms=vms, status=status)


def a_run(run_id: str = "run-1", plan: str = "monthly", waves: int = 1, **fields) -> Run:
    spec = PlanSpec(name=plan, waves=tuple(a_wave(n).spec for n in range(waves)))
    return Run(
        id=RunId(run_id),
        plan=spec,
        **{
            "status": RunStatus.OPEN,
            "opened_at": NOW,
            "deadline_at": NOW + timedelta(days=14),
            "config_hash": "c0ffee",
            "opened_by": "ada",
            **fields,
        },
    )


def an_operation(run_id: str, name: str, wave: int = 0, **fields) -> Operation:
    return Operation(
        **{
            "run_id": RunId(run_id),
            "wave": wave,
            "target": a_target(name),
            "state": Queued(),
            **fields,
        }
    )


def a_fact(event: str = "run.halted", **fields) -> Fact:
    return Fact(**{"at": NOW, "event": event, "actor": "ada", "why": WHY, **fields})


def a_move(op: Operation, event: Event, **fields) -> Move:
    return Move(before=op, after=transition(op, event), event=event, actor="daemon-a", **fields)


def a_name() -> str:
    """Return a name that no other test has."""
    return f"name-{next(_numbers)}"


def an_attempt() -> AttemptId:
    return AttemptId(f"00000000-0000-4000-8000-{next(_numbers):012}")


def an_intent(op: Operation, at: datetime = NOW, attempt: AttemptId | None = None) -> Move:
    """Return the move from preparing to submitting."""
    return a_move(op, Intended(at, attempt or an_attempt(), ActivityId("old")))


def a_receipt(attempt: AttemptId, size: int = 3400) -> Receipt:
    tracker = Tracker(status_url=URL + "x" * size, location_url=URL + "y" * size)
    return Receipt(attempt=attempt, at=NOW, tracker=tracker, activity=ActivityId("act-1"))


async def opened(
    store: SqlStore, *names: str, run_id: str = "run-1", plan: str = "monthly", **fields
) -> tuple[Lease, list[Operation]]:
    """Open a run of one open wave with these VMs, queued, and claim its lease."""
    run = a_run(run_id, plan, **fields)
    ops = [an_operation(run_id, name) for name in names]
    assert await store.open_run(run, [a_wave(vms=len(ops))], ops, [], None) == Saved()
    lease = await store.claim(run.id, "daemon-a", TTL)
    assert lease is not None
    return lease, ops


async def moved(store: SqlStore, lease: Lease, op: Operation, *events: Event) -> Operation:
    """Record events one by one, the intent as an intent; return the operation after them."""
    for event in events:
        move = a_move(op, event)
        if isinstance(event, Intended):
            answer = await store.intend(lease, move)
        else:
            answer = await store.record(lease, Change(moves=(move,)))
        assert answer == Saved(), answer
        op = move.after
    return op


def to_submitting(attempt: AttemptId | None = None) -> Sequence[Event]:
    return (Began(NOW), Intended(NOW, attempt or an_attempt(), None))


def to_in_progress(attempt: AttemptId | None = None) -> Sequence[Event]:
    return (*to_submitting(attempt), Accepted(NOW, ActivityId("act-1"), LATER, tracked=True))


def to_verifying(attempt: AttemptId | None = None) -> Sequence[Event]:
    return (*to_in_progress(attempt), Reported(NOW, LATER, ActivityId("act-1"), a_result()))


def a_result(**fields) -> Result:
    return Result(**{"status": "Succeeded", "installed": 3, "failed": 0, "pending": 0, **fields})


def grown(run: Run, **fields) -> Run:
    return replace(run, **{"version": run.version + 1, **fields})
