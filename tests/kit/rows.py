"""Short ways to say a plan, a run and its operations."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.domain.gate import GateKind, GateSpec
from orchestrator.domain.model import (
    PlanSpec,
    Run,
    RunId,
    RunStatus,
    Selection,
    Share,
    Target,
    Tolerance,
    VmId,
    Wave,
    WaveSpec,
    WaveStatus,
)
from orchestrator.domain.operation import Operation
from orchestrator.domain.record import Change, Snapshot
from orchestrator.domain.states import Queued, State
from orchestrator.domain.view import RunView

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
RUN = RunId("monthly-1")
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"


def a_vm(number: int, subscription: str = SUBSCRIPTION) -> VmId:
    """Return the id of one VM."""
    group = f"/subscriptions/{subscription}/resourcegroups/rg"
    return VmId(f"{group}/providers/microsoft.compute/virtualmachines/vm-{number:04d}")


def a_target(number: int, region: str = "westeurope") -> Target:
    """Return one VM as a target."""
    return Target(
        vm_id=a_vm(number),
        name=f"vm-{number:04d}",
        subscription_id=SUBSCRIPTION,
        resource_group="rg",
        region=region,
        os="Linux",
    )


def a_wave(name: str = "canary", **given: Any) -> WaveSpec:
    """Return a wave; parallel and failures are counts."""
    spec = WaveSpec(name=name, select=Selection(ids=(a_vm(0),)))
    if "parallel" in given:
        spec = replace(spec, max_parallel=Share(count=given.pop("parallel")))
    if "failures" in given:
        spec = replace(spec, allow_failures=Tolerance(count=given.pop("failures")))
    return replace(spec, **given)


def a_gate(name: str = "health", **given: Any) -> GateSpec:
    """Return a gate that asks a URL."""
    return GateSpec(**{"kind": GateKind.HTTP, "url": f"https://{name}.example/", **given})


def a_snapshot(*waves: tuple[WaveSpec, int], **plan: Any) -> Snapshot:
    """Return the rows of a fresh run: each wave with its number of VMs."""
    spec = replace(PlanSpec(name="monthly", waves=tuple(wave for wave, _ in waves)), **plan)
    run = Run(
        id=RUN,
        plan=spec,
        status=RunStatus.OPEN,
        opened_at=EPOCH,
        deadline_at=EPOCH + spec.deadline,
        config_hash="0" * 8,
        opened_by="test",
    )
    rows, operations, number = [], [], 0
    for position, (wave, vms) in enumerate(waves, start=1):
        rows.append(Wave(position=position, spec=wave, vms=vms))
        operations += [an_operation(number + n, wave=position) for n in range(vms)]
        number += vms
    return Snapshot(
        run=run, waves=tuple(rows), operations=tuple(operations), watches={}, receipts={}
    )


def an_operation(number: int = 0, state: State | None = None, **given: Any) -> Operation:
    """Return one operation of the run, queued unless told otherwise."""
    return replace(
        Operation(run_id=RUN, wave=1, target=a_target(number), state=state or Queued()), **given
    )


def with_states(snapshot: Snapshot, states: Sequence[State]) -> Snapshot:
    """Return the snapshot with its first operations in these states, and wave 1 open."""
    moved = tuple(
        replace(op, state=state) for op, state in zip(snapshot.operations, states, strict=False)
    )
    return replace(snapshot, operations=(*moved, *snapshot.operations[len(moved) :]))


def opened(view: RunView, wave: int = 1, allowed: int = 0, parallel: int = 100) -> RunView:
    """Open a wave of a view by hand."""
    view.waves[wave] = replace(
        view.waves[wave],
        status=WaveStatus.OPEN,
        allowed=allowed,
        max_parallel=parallel,
        opened_at=EPOCH,
    )
    return view


def show(view: RunView, change: Change) -> None:
    """Apply a change to a view, as the book does after it was stored."""
    for move in change.moves:
        view.put(move.after)
    for wave in change.waves:
        view.waves[wave.position] = wave
    if change.run is not None:
        view.run = change.run


def minutes(number: float) -> timedelta:
    """Say a span in minutes."""
    return timedelta(minutes=number)
