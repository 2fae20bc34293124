"""Part e: what it costs to plan after one event in a run of 100,000 operations: the domain alone,
without database and network."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Final

from benchmarks.figures import Finding, Part, Sizes
from benchmarks.fleet import MAX_DURATION, Member, fleet, plan, spread
from benchmarks.prepared import RUN, picture
from benchmarks.watching import quantile
from orchestrator.domain.model import ActivityId
from orchestrator.domain.operation import Operation
from orchestrator.domain.record import Watch
from orchestrator.domain.rollout import Poll
from orchestrator.domain.rollout import (
    plan as planned,
)
from orchestrator.domain.states import InProgress
from orchestrator.domain.view import RunView

MOST_MS: Final = 1.0
EVENTS: Final = 5_000
_BEGIN: Final = datetime(2026, 11, 22, 18, tzinfo=UTC)
_POLL: Final = timedelta(seconds=30)


def measure(sizes: Sizes) -> Part:
    """Measure one event after the other: an operation falls due, is planned, taken in hand,
    answered and planned again."""
    view = _view(fleet(sizes.planned))
    step = _POLL / sizes.planned
    spans: list[float] = []
    now = _BEGIN
    while len(spans) < EVENTS:
        now += step
        began = perf_counter()
        view.advance(now)
        commands = planned(view, now).commands
        for command in commands:
            if not isinstance(command, Poll):
                raise TypeError(f"only polls are due here, not {command}")
            vm = command.op.target.vm_id
            view.take(vm)
            view.watch(vm, Watch(next_at=now + _POLL, polls=2, last_at=now))
            view.give_back(vm)
        took = perf_counter() - began
        spans += [took / len(commands)] * len(commands) if commands else []
    mean = sum(spans) / len(spans)
    findings = [
        _e(f"planning per event, mean, {sizes.planned:,} operations", mean, MOST_MS),
        _e("planning per event, p99", quantile(spans, 0.99), None),
    ]
    return Part(findings, {"events": len(spans), "mean_s": mean})


def _e(figure: str, seconds: float, bar: float | None) -> Finding:
    return Finding(part="e", figure=figure, seen=seconds * 1000, bar=bar, unit="ms")


def _view(members: Sequence[Member]) -> RunView:
    operations = [_operation(vm) for vm in members]
    watches = {
        vm.vm_id: Watch(next_at=_BEGIN + _POLL * spread(vm.number), polls=1, last_at=_BEGIN)
        for vm in members
    }
    return RunView(picture(plan(_POLL), operations, watches, _BEGIN))


def _operation(vm: Member) -> Operation:
    state = InProgress(
        attempt=vm.attempt,
        intent_at=_BEGIN,
        activity=ActivityId(vm.attempt),
        since=_BEGIN,
        deadline=_BEGIN + 2 * MAX_DURATION,
        tracked=True,
    )
    return Operation(run_id=RUN, wave=1, target=vm.target, state=state, started_at=_BEGIN)
