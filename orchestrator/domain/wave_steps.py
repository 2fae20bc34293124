"""How a wave gets from its door to its end: what lets it open, settle, bake and close. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from orchestrator.domain import gating, halting, ramping, rebooting
from orchestrator.domain.decisions import BakeWave, CloseWave, Decision, HaltRun, OpenWave, PauseRun
from orchestrator.domain.gating import Clear, Refused, Standing, Unanswered, Waits
from orchestrator.domain.model import Wave, WaveStatus
from orchestrator.domain.states import Why
from orchestrator.domain.tally import Tally
from orchestrator.domain.view import RunView
from orchestrator.domain.words import spanned


def steer(view: RunView, wave: Wave, now: datetime, *, may_open: bool) -> Iterator[Decision]:
    """Yield what is to be decided about the current wave, at most one thing."""
    if wave.status is WaveStatus.OPEN and view.settled(wave.position):
        yield _settle(view, wave, now)
    elif wave.status is WaveStatus.OPEN:
        yield from rebooting.begins(view, wave)
    elif wave.status is WaveStatus.BAKING:
        yield from _end_bake(view, wave, now)
    elif may_open and has_its_turn(view, wave):
        standing = gating.at_the_door(wave, view.gates, now)
        held_up = _held_up(wave, standing)
        if not isinstance(held_up, Waits):
            yield held_up or _open(view, wave)


def has_its_turn(view: RunView, wave: Wave) -> bool:
    """Tell whether a wave stands at its door and nothing before it is under way: VMs of a wave that
    was skipped may still be."""
    waits = wave.status in {WaveStatus.PENDING, WaveStatus.AWAITING_APPROVAL}
    return waits and all(view.settled(each) for each in view.waves if each < wave.position)


def _held_up(wave: Wave, standing: Standing) -> Decision | Waits | None:
    """Return what follows from how a wave's approval and gates stand; None: nothing is in the
    way."""
    match standing:
        case Refused(why):
            return HaltRun(wave.position, why)
        case Unanswered(why):
            return PauseRun(why)
        case Clear():
            return None
        case _:
            return standing


def _end_bake(view: RunView, wave: Wave, now: datetime) -> Iterator[Decision]:
    """A wave passes when its bake is over, its VMs were seen well, and its gates hold."""
    held_up = _held_up(wave, gating.at_the_end(wave, view.gates, now))
    if held_up is not None:
        if not isinstance(held_up, Waits):
            yield held_up
        return
    overdue = view.run.plan.tracking.overdue
    settled = view.settled(wave.position)
    over = wave.baking_until is not None and wave.baking_until <= now and settled
    if over and view.vigil.over(wave, overdue, now):
        baked = f"stayed good for its bake of {spanned(wave.spec.bake)}"
        text = baked if wave.spec.bake else _summary(view.tally(wave.position))
        yield _hollow(view, wave) or CloseWave(wave.position, Why("passed", text))


def _open(view: RunView, wave: Wave) -> OpenWave:
    """Fix the wave's shares: N is its targets without the skips known by now (design 7)."""
    vms = wave.vms - view.tally(wave.position).unstarted
    parallel, failures = halting.default_shares(vms)
    allowed = halting.allowed_for(wave.spec.allow_failures, failures, vms)
    if wave.max_parallel is not None:  # a person has set it
        return OpenWave(wave.position, allowed, wave.max_parallel)
    ramp = ramping.steps(wave.spec.ramp, vms)
    at_last = halting.permitted(wave.spec.max_parallel or parallel, vms)
    return OpenWave(wave.position, allowed, max([at_last, *ramp[-1:]]), ramp)


def _settle(view: RunView, wave: Wave, now: datetime) -> Decision:
    """Every VM of the wave is settled and the budget holds: halt, bake or close."""
    hollow = _hollow(view, wave)
    if hollow is not None:
        return hollow
    if wave.spec.bake > timedelta(0) or wave.spec.check:
        return BakeWave(wave.position, now + wave.spec.bake)
    return CloseWave(wave.position, Why("passed", _summary(view.tally(wave.position))))


def _hollow(view: RunView, wave: Wave) -> HaltRun | None:
    """Return the halt of a wave that proves nothing, although its budget holds."""
    tally, name = view.tally(wave.position), wave.spec.name
    if wave.spec.allow_empty or wave.excused:
        return None
    if tally.unstarted == wave.vms:
        return HaltRun(wave.position, Why("empty_wave", f"no VM of wave {name} was started"))
    if tally.good == 0:
        return HaltRun(wave.position, Why("none_good", f"no VM of wave {name} ended well"))
    return None


def _summary(tally: Tally) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(tally.labels.items()) if count)
