"""Why queued VMs wait, in the order in which the plan asks (`rollout`). Pure; it decides
nothing."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from orchestrator.domain.model import RunStatus, Wave, WaveStatus
from orchestrator.domain.operation import Operation
from orchestrator.domain.rollout import current_wave
from orchestrator.domain.states import Queued
from orchestrator.domain.view import RunView, place_of
from orchestrator.domain.words import counted


def waits(view: RunView, now: datetime) -> Mapping[str, int]:
    """Return each reason why queued VMs of a run wait, as a sentence, with how many it holds."""
    for_all = _run_s(view)
    found: Counter[str] = Counter()
    for op in view.ops.values():
        if isinstance(op.state, Queued):
            found[for_all or _wave_s(view, op) or _its_own(view, op, op.state, now)] += 1
    return found


def _run_s(view: RunView) -> str | None:
    """Say what holds the whole run."""
    for hold in (view.safe_mode, view.brake):
        if hold is not None:
            return hold.text
    if view.run.status is not RunStatus.OPEN:
        reason = f": {view.run.reason}" if view.run.reason else ""
        return f"the run is {view.run.status}{reason}"
    return None


def _wave_s(view: RunView, op: Operation) -> str | None:
    """Say what holds the operation's wave."""
    current, wave = current_wave(view), view.waves[op.wave]
    if current is not None and current.position < wave.position:
        return f"wave {wave.spec.name} comes after wave {current.spec.name}{_until(current)}"
    if wave.status is not WaveStatus.OPEN:
        reason = f": {wave.reason}" if wave.reason else ""
        return f"wave {wave.spec.name} is {wave.status}{reason}"
    return None


def _until(wave: Wave) -> str:
    baking = wave.status is WaveStatus.BAKING and wave.baking_until is not None
    return f", which bakes until {wave.baking_until:%Y-%m-%d %H:%M}Z" if baking else ""


def _its_own(view: RunView, op: Operation, state: Queued, now: datetime) -> str:
    """Say what holds this VM, in a wave that is open."""
    if state.not_before is not None and state.not_before > now:
        why = f": {state.why.text}" if state.why is not None else ""
        return f"not before {state.not_before:%Y-%m-%d %H:%M:%S}Z{why}"
    subscription, region = place = place_of(op)
    doubtful = view.doubtful(place)
    if doubtful >= view.run.plan.tracking.max_unknown:
        where = f"{subscription}, {region or 'no region'}"
        what = counted(doubtful, "request")
        return f"{what} of unknown fate in {where}: one VM at a time is tried there"
    wave = view.waves[op.wave]
    if view.busy(op.wave) >= (wave.max_parallel or 1):
        return f"{wave.max_parallel or 1} at once in wave {wave.spec.name}, and so many are busy"
    return "it is their turn: the daemon that drives the run starts them as fast as Azure allows"
