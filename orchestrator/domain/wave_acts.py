"""What a person's act does to a wave: approve it, skip it or VMs of it, set how many run at once.
Pure. Repeating an act is harmless."""

from dataclasses import replace
from datetime import datetime

from orchestrator.domain import halting
from orchestrator.domain.choosing import chosen
from orchestrator.domain.model import Run, RunStatus, Wave, WaveStatus
from orchestrator.domain.operation import Dropped, Operation, transition
from orchestrator.domain.record import Act, ActKind, Change, Fact, Move
from orchestrator.domain.rollout import current_wave
from orchestrator.domain.states import Preparing, Queued, RebootQueued, Why
from orchestrator.domain.view import RunView
from orchestrator.domain.words import command, counted

_STEERABLE = {RunStatus.OPEN, RunStatus.PAUSED, RunStatus.HALTED}
_BEHIND = {WaveStatus.PASSED, WaveStatus.SKIPPED}


def approve(view: RunView, act: Act, now: datetime) -> tuple[Change, str]:
    """Let a wave open that waits for an approval. One that nobody was asked about yet is not
    approved beforehand: who approves must have seen the waves before it."""
    wave = _meant(view, act)
    if isinstance(wave, str):
        return Change(), wave
    name = wave.spec.name
    if wave.approved_at is not None:
        return Change(), f"nothing to do: {wave.approved_by} has approved wave {name} already"
    if wave.status is not WaveStatus.AWAITING_APPROVAL:
        return Change(), f"nothing to do: wave {name} is {wave.status} and waits for no approval"
    after = replace(
        wave,
        status=WaveStatus.PENDING,
        reason="",
        asked_at=now,
        approved_at=now,
        approved_by=act.actor,
    )
    why = Why("by_approve", act.because or f"approved by {act.actor}")
    said = f"wave {name} is approved"
    if view.run.status is not RunStatus.OPEN:
        said += f"; the run is {view.run.status}: {command('resume', view.run.id)} lets it go on"
    return _waved(view, after, "wave.approved", why, act, now), said


def adjust(view: RunView, act: Act, now: datetime) -> tuple[Change, str]:
    """Set how many VMs of a wave run at once; a ramp ends with that. Of a wave that has not opened
    yet it holds when it does."""
    wave = _meant(view, act)
    if isinstance(wave, str):
        return Change(), wave
    name = wave.spec.name
    if wave.status in _BEHIND or act.max_parallel is None:
        return Change(), f"nothing to do: wave {name} is {wave.status}"
    vms = wave.vms - view.tally(wave.position).unstarted
    number = halting.permitted(act.max_parallel, vms)
    if wave.max_parallel == number and not wave.ramp:
        return Change(), f"nothing to do: wave {name} has max_parallel {number} already"
    after = replace(wave, max_parallel=number, ramp=(), reboots_at_once=_restarts(wave, number))
    before = "" if wave.max_parallel is None else f", was {wave.max_parallel}"
    why = Why("by_set", act.because or f"set by {act.actor}")
    said = f"wave {name}: max_parallel is {number}{before}; what runs already runs on"
    if after.reboots_at_once is not None:
        said += f"; {after.reboots_at_once} at once are restarted"
    return _waved(view, after, "wave.adjusted", why, act, now), said


def _restarts(wave: Wave, number: int) -> int | None:
    """Return how many VMs are restarted at once from now on, in a phase of reboots that has begun:
    no more than are patched, and as many where the phase has no number of its own."""
    staged, at_once = wave.spec.staged, wave.reboots_at_once
    if at_once is None or staged is None:
        return at_once
    return number if staged.max_parallel is None else min(at_once, number)


def skip(view: RunView, act: Act, now: datetime) -> tuple[Change, str]:
    """Leave out VMs, or what is left of a wave. What was sent is followed to its end."""
    if act.vms or act.code is not None:
        return _skip_vms(view, act, now)
    if act.wave is None:
        return Change(), "nothing to do: name a wave or VMs"
    wave = _meant(view, act)
    if isinstance(wave, str):
        return Change(), wave
    name = wave.spec.name
    if wave.status in _BEHIND:
        return Change(), f"nothing to do: wave {name} is {wave.status}"
    why = Why("by_skip", act.because or f"skipped by {act.actor}")
    after = replace(wave, status=WaveStatus.SKIPPED, reason=why.text, closed_at=now)
    tally = view.tally(wave.position)
    running = counted(tally.in_flight, "VM is followed to its end", "VMs are followed to their end")
    said = f"wave {name} is skipped: {counted(tally.queued, 'VM')} will not start, {running}"
    if tally.waiting_for_reboot:
        said += f", {counted(tally.waiting_for_reboot, 'VM')} will not be restarted"
    return _waved(view, after, "wave.skipped", why, act, now), said


def _skip_vms(view: RunView, act: Act, now: datetime) -> tuple[Change, str]:
    if view.run.closed_at is not None or view.run.status not in _STEERABLE:
        return Change(), f"nothing to do: the run is {view.run.status}"
    meant = chosen(view, act)
    queued = [op for op in meant if isinstance(op.state, Queued | RebootQueued)]
    others = len(meant) - len(queued)
    begun = f"; {counted(others, 'VM')} of those meant had begun or ended" if others else ""
    if not queued:
        return Change(), f"nothing to do: no VM that waits for its start is meant{begun}"
    why = Why("by_skip", act.because or f"skipped by {act.actor}")
    moves = tuple(_dropped(op, why, act, now) for op in queued)
    return Change(moves=moves), f"{counted(len(moves), 'VM')} will not start{begun}"


def _dropped(op: Operation, why: Why, act: Act, now: datetime) -> Move:
    event = Dropped(now, why)
    return Move(before=op, after=transition(op, event), event=event, actor=act.actor)


def must_wait(view: RunView, act: Act) -> bool:
    """Tell whether an act is to be looked at again in a moment: a VM that it would leave out is in
    the engine's hand, on its way to its request or back from there."""
    return act.kind is ActKind.SKIP and any(
        op.target.vm_id in view.in_hand or isinstance(op.state, Preparing)
        for op in (chosen(view, act) if act.vms or act.code is not None else ())
        if isinstance(op.state, Queued | Preparing | RebootQueued)
    )


def _meant(view: RunView, act: Act) -> Wave | str:
    """Return the wave that an act names, else the current one; or say why there is none."""
    if view.run.closed_at is not None or view.run.status not in _STEERABLE:
        return f"nothing to do: the run is {view.run.status}"
    if act.wave is None:
        return current_wave(view) or "nothing to do: no wave is left"
    named = (wave for wave in view.waves.values() if wave.spec.name == act.wave)
    return next(named, f"nothing to do: the run has no wave {act.wave}")


def _waved(view: RunView, wave: Wave, event: str, why: Why, act: Act, now: datetime) -> Change:
    fact = Fact(
        at=now,
        event=event,
        actor=act.actor,
        why=why,
        wave=wave.position,
        detail={"wave": wave.spec.name, "max_parallel": wave.max_parallel},
    )
    run: Run = replace(view.run, version=view.run.version + 1)
    return Change(run=run, waves=(wave,), facts=(fact,))
