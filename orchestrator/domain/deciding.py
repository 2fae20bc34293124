"""What a decision changes: the run's and the waves' new rows, and the facts that say why. Pure."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from orchestrator.domain.decisions import (
    BakeWave,
    CloseRun,
    CloseWave,
    Decision,
    ExpireRun,
    HaltRun,
    OpenReboots,
    OpenWave,
    PauseRun,
    QuarantineGroup,
)
from orchestrator.domain.gate import GateStand, Moment
from orchestrator.domain.gating import AskApproval, TurnGates, taken_in, told
from orchestrator.domain.model import Run, RunStatus, Wave, WaveStatus
from orchestrator.domain.operation import Forgiven, transition
from orchestrator.domain.record import DAEMON, Change, Detail, Fact, Move
from orchestrator.domain.reminding import Remind
from orchestrator.domain.states import Why
from orchestrator.domain.view import RunView
from orchestrator.domain.words import counted, spanned


def write(view: RunView, decision: Decision, now: datetime) -> Change:
    """Return the change that makes a decision durable."""
    match decision:
        case OpenWave() | OpenReboots() | BakeWave() | CloseWave():
            return _write_wave(view, decision, now)
        case AskApproval(position):
            return _ask(view, view.waves[position], now)
        case TurnGates(position, turned):
            return _turn(view, view.waves[position], turned, now)
        case Remind(why):
            reminded = replace(_next(view.run), reminded_at=now)
            fact = Fact(at=now, event="run.reminded", actor=DAEMON, why=why)
            return Change(run=reminded, facts=(fact,))
        case HaltRun(position, why):
            return halt(view, position, why, DAEMON, now)
        case QuarantineGroup():
            return _hold_back(view, decision, now)
        case PauseRun(why) | ExpireRun(why):
            status = RunStatus.PAUSED if isinstance(decision, PauseRun) else RunStatus.EXPIRED
            return restate(view.run, status, why, DAEMON, now)
        case CloseRun(status, why):
            closed = replace(_next(view.run), status=status, reason=why.text, closed_at=now)
            return Change(
                run=closed, facts=(Fact(at=now, event="run.closed", actor=DAEMON, why=why),)
            )
        case _:
            assert_never(decision)


def _write_wave(
    view: RunView, decision: OpenWave | OpenReboots | BakeWave | CloseWave, now: datetime
) -> Change:
    wave = view.waves[decision.wave]
    match decision:
        case OpenReboots(_, vms, at_once, allowed):
            return _open_reboots(view, wave, vms, at_once, allowed, now)
        case OpenWave(_, allowed, parallel, ramp):
            after = replace(
                wave,
                status=WaveStatus.OPEN,
                opened_at=now,
                allowed=allowed,
                max_parallel=parallel,
                ramp=ramp,
            )
            text = (
                f"{counted(wave.vms, 'VM')}, {', '.join(map(str, ramp)) or parallel} at once, "
                f"{counted(allowed, 'failure')} allowed"
            )
            return _waved(view, after, "wave.opened", Why("opened", text), now)
        case BakeWave(_, until):
            after = replace(wave, status=WaveStatus.BAKING, baking_until=until)
            stays = f"must stay good for {spanned(wave.spec.bake)}"
            text = stays if wave.spec.bake else "waits for its gates"
            return _waved(view, after, "wave.baking", Why("baking", text), now)
        case CloseWave(_, why):
            after = replace(wave, status=WaveStatus.PASSED, reason=why.text, closed_at=now)
            return _waved(view, after, "wave.passed", why, now)


def _open_reboots(
    view: RunView, wave: Wave, vms: int, at_once: int, allowed: int | None, now: datetime
) -> Change:
    after = replace(wave, reboots_at=now, reboots_at_once=at_once, reboots_allowed=allowed)
    bears = "" if allowed is None else f", {counted(allowed, 'failure')} allowed"
    text = f"{counted(vms, 'VM')} to restart, {at_once} at once{bears}"
    detail: Detail = {"wave": wave.spec.name, "vms": vms, "at_once": at_once, "allowed": allowed}
    fact = Fact(
        at=now,
        event="reboots.opened",
        actor=DAEMON,
        why=Why("reboots", text),
        wave=wave.position,
        detail=detail,
    )
    return Change(run=_next(view.run), waves=(after,), facts=(fact,))


def _ask(view: RunView, wave: Wave, now: datetime) -> Change:
    """Whoever is to approve is told by this: the first reminder comes half an hour later."""
    group = wave.spec.approve.group if wave.spec.approve else ""
    why = Why("awaiting_approval", f"wave {wave.spec.name} waits for an approval by {group}")
    after = replace(
        wave, status=WaveStatus.AWAITING_APPROVAL, reason=f"waits for {group}", asked_at=now
    )
    detail: Detail = {"wave": wave.spec.name, "group": group}
    fact = Fact(
        at=now, event="approval.asked", actor=DAEMON, why=why, wave=wave.position, detail=detail
    )
    return Change(run=replace(_next(view.run), reminded_at=now), waves=(after,), facts=(fact,))


def _turn(view: RunView, wave: Wave, turned: tuple[GateStand, ...], now: datetime) -> Change:
    asked_at = now if wave.asked_at is None and wave.opened_at is None else wave.asked_at
    after = replace(wave, gates=taken_in(wave, turned), asked_at=asked_at)
    facts = tuple(_turned(wave, stand, now) for stand in turned)
    return Change(run=_next(view.run), waves=(after,), facts=facts)


def _turned(wave: Wave, stand: GateStand, now: datetime) -> Fact:
    gates = wave.spec.before if stand.moment is Moment.BEFORE else wave.spec.check
    gate = told(gates[stand.number - 1])
    text = f"gate {gate} is {'green' if stand.green else 'red'}: {stand.said}"
    why = Why("green" if stand.green else "red", text)
    detail: Detail = {"wave": wave.spec.name, "moment": stand.moment, "number": stand.number}
    return Fact(
        at=now, event="gate.turned", actor=DAEMON, why=why, wave=wave.position, detail=detail
    )


def halt(view: RunView, position: int | None, why: Why, actor: str, now: datetime) -> Change:
    """Halt the run, and the wave that broke its budget unless that wave is behind us already."""
    halted = replace(_next(view.run), status=RunStatus.HALTED, reason=why.text, reminded_at=now)
    wave = view.waves.get(position) if position is not None else None
    stopped = wave is not None and wave.status in {WaveStatus.OPEN, WaveStatus.BAKING}
    waves = (
        (replace(wave, status=WaveStatus.HALTED, reason=why.text),)
        if wave is not None and stopped
        else ()
    )
    fact = Fact(at=now, event="run.halted", actor=actor, why=why, wave=position)
    return Change(run=halted, waves=waves, facts=(fact,))


def _hold_back(view: RunView, decision: QuarantineGroup, now: datetime) -> Change:
    """Go on without a group. People hear of it as of a halt: the fact is their notice."""
    why = decision.why
    held = replace(_next(view.run), quarantine=decision.group, reminded_at=now)
    forgiven = Forgiven(now, why)
    moves = tuple(
        Move(before=op, after=transition(op, forgiven), event=forgiven, actor=DAEMON)
        for op in decision.accepted
    )
    fact = Fact(
        at=now,
        event="run.quarantined",
        actor=DAEMON,
        why=why,
        wave=decision.wave,
        detail=decision.counts,
    )
    return Change(moves=moves, run=held, facts=(fact,))


def restate(
    run: Run, status: RunStatus, why: Why, actor: str, now: datetime, waves: tuple[Wave, ...] = ()
) -> Change:
    """Give the run another status, with the fact that says why."""
    fact = Fact(at=now, event=_EVENTS[status], actor=actor, why=why)
    reminded_at = now if status is RunStatus.PAUSED else run.reminded_at
    after = replace(_next(run), status=status, reason=why.text, reminded_at=reminded_at)
    return Change(run=after, waves=waves, facts=(fact,))


_EVENTS = {
    RunStatus.OPEN: "run.resumed",
    RunStatus.PAUSED: "run.paused",
    RunStatus.HALTED: "run.halted",
    RunStatus.CANCELLED: "run.cancelled",
    RunStatus.EXPIRED: "run.expired",
    RunStatus.PASSED: "run.closed",
}


def _waved(view: RunView, wave: Wave, event: str, why: Why, now: datetime) -> Change:
    detail: Detail = {
        "wave": wave.spec.name,
        "allowed_failures": wave.allowed,
        "max_parallel": wave.max_parallel,
    }
    fact = Fact(at=now, event=event, actor=DAEMON, why=why, wave=wave.position, detail=detail)
    return Change(run=_next(view.run), waves=(wave,), facts=(fact,))


def _next(run: Run) -> Run:
    """Every change of a run or of its waves counts the run's version up: that is their
    compare-and-set."""
    return replace(run, version=run.version + 1)
