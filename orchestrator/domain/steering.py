"""What a person's act does to a run. Pure: the view and the act in, one change out. Repeating an
act is harmless."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from orchestrator.domain import wave_acts
from orchestrator.domain.choosing import chosen
from orchestrator.domain.deciding import halt, restate
from orchestrator.domain.gating import renewed
from orchestrator.domain.model import RunStatus, Wave, WaveStatus
from orchestrator.domain.operation import (
    Broke,
    Dropped,
    Event,
    Forgiven,
    Granted,
    Operation,
    Passed,
    transition,
)
from orchestrator.domain.record import (
    DAEMON,
    Act,
    ActDone,
    ActKind,
    Change,
    Grant,
    GrantKind,
    Move,
    Resolution,
)
from orchestrator.domain.rollout import current_wave
from orchestrator.domain.states import (
    Failed,
    FailureClass,
    NeedsHuman,
    Outcome,
    Queued,
    RebootQueued,
    Wait,
    Why,
)
from orchestrator.domain.tally import is_bad
from orchestrator.domain.traits import is_held
from orchestrator.domain.view import RunView
from orchestrator.domain.words import counted

_STEERABLE = {RunStatus.OPEN, RunStatus.PAUSED, RunStatus.HALTED}


def apply(view: RunView, act: Act, now: datetime, by: str = DAEMON) -> Change:
    """Return the change that an act asks for; an act that has nothing to change is done with a
    sentence that says so. `by` names the daemon that applies it."""
    change, result = _APPLIED[act.kind](view, act, now)
    return replace(change, acts=(ActDone(act_id=act.id, at=now, result=result, by=by),))


_TARGET = {
    ActKind.PAUSE: RunStatus.PAUSED,
    ActKind.HALT: RunStatus.HALTED,
    ActKind.CANCEL: RunStatus.CANCELLED,
}
_FROM = {
    ActKind.PAUSE: {RunStatus.OPEN},
    ActKind.HALT: {RunStatus.OPEN, RunStatus.PAUSED},
    ActKind.CANCEL: _STEERABLE,
}


def _stop(view: RunView, act: Act, now: datetime) -> tuple[Change, str]:
    target = _TARGET[act.kind]
    if view.run.status not in _FROM[act.kind] or view.run.closed_at is not None:
        return Change(), f"nothing to do: the run is {view.run.status}"
    why = Why(f"by_{act.kind}", act.because or f"{act.kind} asked for by {act.actor}")
    if target is RunStatus.HALTED:
        return halt(
            view, None, why, act.actor, now
        ), "halted: nothing starts any more, what runs is followed"
    return restate(
        view.run, target, why, act.actor, now
    ), f"{target}: nothing starts any more, what runs is followed"


def _resume(view: RunView, act: Act, now: datetime) -> tuple[Change, str]:
    if view.run.status not in {RunStatus.PAUSED, RunStatus.HALTED}:
        return Change(), f"nothing to do: the run is {view.run.status}"
    why = Why("by_resume", act.because or f"resumed by {act.actor}")
    waves = _let_go_on(view, now)
    halted = view.run.status is RunStatus.HALTED
    run = replace(view.run, results_from=now) if halted else view.run
    change = restate(run, RunStatus.OPEN, why, act.actor, now, waves)
    accepted = [op for op in view.ops.values() if halted and is_bad(op, view.waves[op.wave].spec)]
    moves = tuple(_move(op, Forgiven(now, why), act) for op in accepted)
    return replace(change, moves=moves), f"open again; {counted(len(moves), 'bad VM')} accepted"


def _let_go_on(view: RunView, now: datetime) -> tuple[Wave, ...]:
    """A halted wave is open again; what is waited for at a wave's door or end is waited for
    anew."""
    after = []
    for wave in view.waves.values():
        if wave.status in {WaveStatus.PASSED, WaveStatus.SKIPPED}:
            continue
        changed = renewed(wave, now)
        if wave.status is WaveStatus.HALTED:
            changed = replace(
                changed, status=WaveStatus.OPEN, reason="", excused=True, baking_until=None
            )
        if changed != wave:
            after.append(changed)
    return tuple(after)


def _retry(view: RunView, act: Act, now: datetime) -> tuple[Change, str]:
    wave = current_wave(view)
    if view.run.closed_at is not None or wave is None or view.run.status not in _STEERABLE:
        return (
            Change(),
            "nothing to do: the run takes no more starts; open a new run with these VMs",
        )
    meant = [
        op
        for op in chosen(view, act)
        if isinstance(op.state, Failed) and op.wave == wave.position and _may_start(view, op)
    ]
    if not meant:
        return Change(), f"nothing to do: no failed VM of wave {wave.spec.name} is meant"
    why = Why("retry", act.because)
    moves = tuple(_granted(op, GrantKind.RETRY, why, act, now) for op in meant)
    return _reopened(view, moves), f"{counted(len(moves), 'VM')} queued again"


def _resolve(view: RunView, act: Act, now: datetime) -> tuple[Change, str]:
    meant = [op for op in chosen(view, act) if isinstance(op.state, NeedsHuman)]
    if not meant or act.resolution is None:
        return Change(), "nothing to do: no VM that needs a person is meant"
    why = Why("resolved", act.because)
    moves = tuple(_resolved(view, op, act, why, now) for op in meant)
    again = any(isinstance(move.event, Granted) for move in moves)
    return _reopened(view, moves) if again else Change(
        moves=moves
    ), f"{counted(len(moves), 'VM')} resolved as {act.resolution}"


def _resolved(view: RunView, op: Operation, act: Act, why: Why, now: datetime) -> Move:
    match act.resolution:
        case Resolution.SUCCEEDED:
            return _move(op, Passed(now, Outcome.SUCCEEDED, why), act)
        case Resolution.NOT_STARTED if _takes_starts(view, op):
            return _granted(op, GrantKind.NOT_STARTED, why, act, now)
        case Resolution.NOT_STARTED if op.patched_at is not None:
            text = f"patched; it was not restarted: {act.because}"
            return _move(op, Passed(now, Outcome.REBOOT_PENDING, Why("not_started", text)), act)
        case Resolution.NOT_STARTED:
            return _move(op, Dropped(now, Why("not_started", act.because)), act)
        case _:
            return _move(op, Broke(now, FailureClass.UNRESOLVED, why), act)


def _may_start(view: RunView, op: Operation) -> bool:
    """A VM of the group that is held back starts in another run only."""
    return not is_held(view.run.quarantine, op)


def _takes_starts(view: RunView, op: Operation) -> bool:
    wave = current_wave(view)
    return (
        view.run.closed_at is None
        and view.run.status in _STEERABLE
        and wave is not None
        and op.wave == wave.position
        and _may_start(view, op)
    )


def _reopened(view: RunView, moves: tuple[Move, ...]) -> Change:
    """A wave that bakes has VMs to start again: it is open until they are settled."""
    wave = current_wave(view)
    if wave is None or wave.status is not WaveStatus.BAKING:
        return Change(moves=moves)
    run = replace(view.run, version=view.run.version + 1)
    return Change(
        moves=moves, run=run, waves=(replace(wave, status=WaveStatus.OPEN, baking_until=None),)
    )


def _hand_over(view: RunView, act: Act, now: datetime) -> tuple[Change, str]:
    """Give VMs that still wait, for their start or their restart, to the emergency run that asks
    for them. What is under way stays."""
    if view.run.closed_at is not None:
        return Change(), "nothing to do: the run has ended"
    meant = [
        op
        for op in chosen(view, act)
        if isinstance(op.state, Queued | RebootQueued) and op.target.vm_id not in view.in_hand
    ]
    why = Why("in_other_run", act.because)
    moves = tuple(_move(op, Dropped(now, why), act) for op in meant)
    return Change(moves=moves), f"{counted(len(moves), 'VM')} handed over"


def _granted(op: Operation, kind: GrantKind, why: Why, act: Act, now: datetime) -> Move:
    move = _move(op, Granted(now, Wait.GRANTED, why), act)
    grant = Grant(
        run_id=op.run_id,
        vm_id=op.target.vm_id,
        attempt=move.after.attempt,
        kind=kind,
        actor=act.actor,
        why=why.text,
        at=now,
    )
    return replace(move, grant=grant)


def _move(op: Operation, event: Event, act: Act) -> Move:
    return Move(before=op, after=transition(op, event), event=event, actor=act.actor)


_APPLIED: Final[Mapping[ActKind, Callable[[RunView, Act, datetime], tuple[Change, str]]]] = {
    ActKind.PAUSE: _stop,
    ActKind.HALT: _stop,
    ActKind.CANCEL: _stop,
    ActKind.RESUME: _resume,
    ActKind.RETRY: _retry,
    ActKind.RESOLVE: _resolve,
    ActKind.HAND_OVER: _hand_over,
    ActKind.APPROVE: wave_acts.approve,
    ActKind.SKIP: wave_acts.skip,
    ActKind.SET: wave_acts.adjust,
}
