"""Why queued VMs wait, in the order in which the plan asks (`rollout`), and what would end it.
Pure; it decides nothing."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain import budgets, gating, ramping, rebooting
from orchestrator.domain.hours import next_for, shut_for
from orchestrator.domain.lanes import place_of
from orchestrator.domain.model import RunId, RunStatus, Wave, WaveStatus
from orchestrator.domain.operation import Operation
from orchestrator.domain.rollout import current_wave
from orchestrator.domain.states import Queued, RebootQueued, Why
from orchestrator.domain.traits import is_held
from orchestrator.domain.view import RunView
from orchestrator.domain.window import of_restarts
from orchestrator.domain.words import command, counted, moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One thing that keeps a VM from being started."""

    code: str
    """Stable, for programs."""
    text: str
    """What it is, as a sentence."""
    ends: str
    """What ends it: a command, a time, or somebody else's work."""


def waits(view: RunView, now: datetime) -> Mapping[str, int]:
    """Return the first reason why each VM of a run waits that is queued, or patched and waiting for
    its restart, with how many it holds."""
    queued = (op for op in view.ops.values() if isinstance(op.state, Queued | RebootQueued))
    return Counter(next(holds(view, op, now)).text for op in queued)


def holds(view: RunView, op: Operation, now: datetime) -> Iterator[Hold]:
    """Yield everything that keeps a queued VM from being started, or a patched one from being
    restarted, what comes first in the plan first; at least one."""
    found = False
    own = _restart_s if isinstance(op.state, RebootQueued) else _its_own
    for each in (*_run_s(view), *_group_s(view, op), *_wave_s(view, op, now), *own(view, op, now)):
        found = True
        yield each
    if not found:
        yield _TURN


_TURN = Hold(
    code="turn",
    text="it is their turn: the daemon that drives the run starts them as fast as Azure allows",
    ends="by itself, where a daemon runs",
)


def way_back(run_id: RunId) -> str:
    """Return the command that starts what a run has held back."""
    return command("retry", run_id, "--reason", "quarantined")


def goes_on(run_id: RunId) -> str:
    """Return the command that lets a paused or halted run go on."""
    return command("resume", run_id)


def _run_s(view: RunView) -> Iterator[Hold]:
    """Say what holds the whole run."""
    run, safe, brake = view.run, view.safe_mode, view.brake
    if safe is not None:
        yield Hold(code="safe_mode", text=safe.text, ends=command("db", "confirm"))
    if brake is not None:
        yield Hold(code="halted_all", text=brake.text, ends=command("resume", "--all"))
    if run.status is not RunStatus.OPEN:
        reason = f": {run.reason}" if run.reason else ""
        lasting = run.status in {RunStatus.PAUSED, RunStatus.HALTED}
        ends = goes_on(run.id) if lasting else "never: the run starts nothing more"
        yield Hold(code=f"run_{run.status}", text=f"the run is {run.status}{reason}", ends=ends)


def _group_s(view: RunView, op: Operation) -> Iterator[Hold]:
    """Say what holds the VMs of the operation's group."""
    group = view.run.quarantine
    if group is not None and is_held(group, op):
        ends = f"never in this run: {way_back(view.run.id)}"
        yield Hold(code="quarantined", text=group.reason, ends=ends)


def _wave_s(view: RunView, op: Operation, now: datetime) -> Iterator[Hold]:
    """Say what holds the operation's wave."""
    current, wave = current_wave(view), view.waves[op.wave]
    if current is not None and current.position < wave.position:
        text = f"wave {wave.spec.name} comes after wave {current.spec.name}{_until(current, now)}"
        yield Hold(code="wave_before", text=text, ends=f"when wave {current.spec.name} has passed")
    elif wave.status is not WaveStatus.OPEN:
        why = wave.reason or next(gating.described(wave), "")
        reason = f": {why}" if why else ""
        text = f"wave {wave.spec.name} is {wave.status}{reason}"
        yield Hold(code=f"wave_{wave.status}", text=text, ends=_ends_of(view, wave, now))


def _ends_of(view: RunView, wave: Wave, now: datetime) -> str:
    match wave.status:
        case WaveStatus.PENDING if wave.spec.before:
            return "when its gates have been green for their time"
        case WaveStatus.PENDING:
            return "by itself, when the daemon that drives the run opens the wave"
        case WaveStatus.AWAITING_APPROVAL:
            return command("approve", view.run.id, "--wave", wave.spec.name)
        case WaveStatus.BAKING if wave.baking_until is not None and wave.baking_until > now:
            return f"at {wave.baking_until:%Y-%m-%d %H:%M}Z: nothing of the wave starts any more"
        case WaveStatus.BAKING if wave.spec.check:
            return "when its gates have been green for their time: nothing of it starts any more"
        case WaveStatus.HALTED:
            return goes_on(view.run.id)
        case _:
            return "never: nothing of the wave starts any more"


def _until(wave: Wave, now: datetime) -> str:
    """Say what a wave still waits for of which every VM is settled."""
    if wave.status is not WaveStatus.BAKING or wave.baking_until is None:
        return ""
    if wave.baking_until > now:
        return f", which bakes until {wave.baking_until:%Y-%m-%d %H:%M}Z"
    return ", which waits for its gates" if wave.spec.check else ""


def _its_own(view: RunView, op: Operation, now: datetime) -> Iterator[Hold]:
    """Say what holds this VM, were its wave open."""
    wave = view.waves[op.wave]
    yield from _deferred(op, now)
    if (closed := shut_for(view, wave.spec, now)) is not None:
        yield _out_of_hours(closed, next_for(view, wave.spec, now))
    subscription, region = place = place_of(op)
    doubtful = view.doubts.number(place)
    if doubtful >= view.run.plan.tracking.max_unknown:
        where = f"{subscription}, {region or 'no region'}"
        what = counted(doubtful, "request")
        text = f"{what} of unknown fate in {where}: one VM at a time is tried there"
        yield Hold(
            code="max_unknown", text=text, ends="when they are found or resolved by a person"
        )
    yield from _bounds(view, op, wave)
    at_once = ramping.at_once(wave, view.tally(op.wave).patched)
    if wave.status is WaveStatus.OPEN and view.busy(op.wave) >= at_once:
        text = f"{at_once} at once in wave {wave.spec.name}, and so many are busy"
        yield Hold(code="max_parallel", text=text, ends="when one of them has ended")


def _deferred(op: Operation, now: datetime) -> Iterator[Hold]:
    """Say until when a VM is left alone after it was tried."""
    state = op.state
    if not isinstance(state, Queued | RebootQueued) or state.not_before is None:
        return
    if state.not_before > now:
        at = moment(state.not_before)
        why = f": {state.why.text}" if state.why is not None else ""
        code = state.why.code if state.why is not None else "not_before"
        yield Hold(code=code, text=f"not before {at}{why}", ends=f"at {at}, then it is tried again")


def _out_of_hours(closed: Why, opens: datetime | None) -> Hold:
    """Say that the window is closed or a freeze holds, and when that ends."""
    if opens is None:
        ends = "never: no window fits before the deadline; open a new run"
        return Hold(code=closed.code, text=closed.text, ends=ends)
    at = f"{opens:%Y-%m-%d %H:%M}Z"
    text = f"not before {at}: {closed.text}"
    return Hold(code=closed.code, text=text, ends=f"at {at}, by itself")


def _restart_s(view: RunView, op: Operation, now: datetime) -> Iterator[Hold]:
    """Say what holds the restart of a VM that is patched."""
    wave = view.waves[op.wave]
    yield from _deferred(op, now)
    if not rebooting.patched(view, wave):
        tally = view.tally(op.wave)
        left = tally.queued + tally.in_flight - tally.labels["rebooting"]
        still = counted(left, "VM is still", "VMs are still")
        text = f"reboots are a phase of their own in wave {wave.spec.name}: {still} to be patched"
        yield Hold(code="reboot_phase", text=text, ends="when the last VM of the wave is patched")
    restarts = of_restarts(wave.spec)
    if (closed := shut_for(view, restarts, now)) is not None:
        yield _out_of_hours(closed, next_for(view, restarts, now))
    yield from _bounds(view, op, wave)
    at_once = wave.reboots_at_once
    if at_once is not None and view.busy(op.wave) >= at_once:
        text = f"{at_once} at once are restarted in wave {wave.spec.name}, and so many are busy"
        yield Hold(code="max_parallel", text=text, ends="when one of them is back")


def _bounds(view: RunView, op: Operation, wave: Wave) -> Iterator[Hold]:
    """Say which strict budget or limit holds this VM."""
    if wave.status is WaveStatus.OPEN and budgets.room(view, wave) == 0:
        text = "its budget is strict: no more VMs may be in flight than may still fail"
        yield Hold(code="strict_budget", text=text, ends="when one of them has ended well")
    blocked = view.slots.blocked_by(op.target.vm_id)
    if blocked is not None:
        yield Hold(code="limit", text=f"a limit: {blocked}", ends="when one of them has ended")
