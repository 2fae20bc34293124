"""What to do now. Level-triggered: the whole run in, decisions and commands out; nothing is
remembered here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice

from orchestrator.domain import (
    budgets,
    causes,
    gating,
    quarantining,
    ramping,
    rebooting,
    reminding,
    wave_steps,
)
from orchestrator.domain.decisions import CloseRun, Decision, ExpireRun, HaltRun, PauseRun
from orchestrator.domain.gating import ReadGate
from orchestrator.domain.hours import opens_at, shut_for
from orchestrator.domain.lanes import Errand, place_of
from orchestrator.domain.model import RunStatus, Wave, WaveStatus
from orchestrator.domain.operation import Operation
from orchestrator.domain.states import (
    InProgress,
    NeedsHuman,
    Rebooting,
    RebootQueued,
    Submitting,
    Unknown,
    Verifying,
    Why,
)
from orchestrator.domain.traits import is_held
from orchestrator.domain.view import RunView
from orchestrator.domain.vigil import VISITED_AT_ONCE, Visit
from orchestrator.domain.words import counted

UNREACHABLE_FOR = timedelta(minutes=15)
"""How long nothing of Azure may answer before the run is paused (design 4)."""

LOOKED_AT_FOR = timedelta(days=30)
"""How long a VM that needs a person is looked at after its run has ended; while it is locked in any
case."""

_LEFT_BEHIND = Why("wave_passed", "its wave had passed before it could be started again")

STARTED_AT_ONCE = 100
"""How many VMs are on their way to their request together. What is left of `send_within` at the
request includes the wait for the intent's commit: a thousand intents in one queue before a slow
database would all come too late, again and again, and nothing would ever be sent."""

# ------------------------------------------------------------- commands: what to do about
# operations


@dataclass(frozen=True, slots=True)
class Start:
    """Take a slot, look at the VM, and submit."""

    op: Operation


@dataclass(frozen=True, slots=True)
class Restart:
    """Look at a VM that is patched, and restart it."""

    op: Operation
    state: RebootQueued


@dataclass(frozen=True, slots=True)
class Recover:
    """An intent without an answer, and nobody is sending: read its receipt, or call it unknown."""

    op: Operation
    state: Submitting


@dataclass(frozen=True, slots=True)
class Await:
    """Ask how a restart goes and whether the VM is back; or, of one whose sender died, whether it
    was taken."""

    op: Operation
    state: Rebooting


@dataclass(frozen=True, slots=True)
class Look:
    """Look at the VM: is there a trace of what we may have started, or is it well again?"""

    op: Operation
    state: Unknown | Verifying | NeedsHuman


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask how the installation goes."""

    op: Operation
    state: InProgress


@dataclass(frozen=True, slots=True)
class Drop:
    """Will not be started any more: the run was cancelled or has expired, the wave is skipped, or
    the VM's group is held back."""

    op: Operation
    cancelled: bool
    why: Why


@dataclass(frozen=True, slots=True)
class Survey:
    """The database may have forgotten a start: look at a VM that it calls queued."""

    op: Operation


Command = Start | Restart | Await | Recover | Look | Poll | Drop | Survey | Visit

AT_ONCE = 500
"""How many operations are in the engine's hand for one kind of errand: a plan is short however many
thousand VMs are due, and the next one goes on where it ended."""
_BEFORE_STARTS = (Errand.RECOVER, Errand.LOOK, Errand.RESUME)
_AFTER_STARTS = (Errand.VIEW, Errand.POLL)
_FOLLOWED = (*_BEFORE_STARTS, *_AFTER_STARTS)
_WATCHED = {RunStatus.OPEN, RunStatus.PAUSED}
"""A pause stops starts; whether what was patched stays well is looked at all the same."""
SURVEYED_AT_ONCE = 20
"""How many VMs are looked at together in safe mode: nothing presses."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer: what to decide, what to do, which gates to read, and when to look again if
    nothing happens before."""

    decisions: tuple[Decision, ...]
    commands: tuple[Command, ...]
    wake_at: datetime | None
    readings: tuple[ReadGate, ...] = ()


def plan(view: RunView, now: datetime) -> Plan:
    """Decide everything that should happen to this run at this instant.

    After a decision nothing starts in the same plan: the decision is written first, then the view
    is planned anew.
    """
    followed = {errand: tuple(_follow(view, now, errand)) for errand in _FOLLOWED}
    if view.run.closed_at is not None:
        followed = {
            errand: tuple(each for each in commands if not _too_late(each.op, now))
            for errand, commands in followed.items()
        }
        return Plan((), tuple(chain(*followed.values())), _wake_at(view, now, followed))
    decisions = tuple(_decide(view, now))
    starts = () if decisions else tuple(_starts(view, now))
    commands = chain(
        *(followed[errand] for errand in _BEFORE_STARTS),
        _drops(view),
        starts,
        () if decisions else _restarts(view, now),
        *(followed[errand] for errand in _AFTER_STARTS),
        _surveys(view, now),
        _visits(view, now),
    )
    wake_at = _wake_at(view, now, followed)
    return Plan(decisions, tuple(commands), wake_at, tuple(_readings(view, now)))


# ---------------------------------------------------------------------------------------- decisions


def _decide(view: RunView, now: datetime) -> Iterator[Decision]:
    """Yield at most one decision: the next plan sees its consequences."""
    found = next(_about_run(view, now), None) or reminding.due(view, now)
    if found is not None:
        yield found


def _about_run(view: RunView, now: datetime) -> Iterator[Decision]:
    status = view.run.status
    if status in {RunStatus.CANCELLED, RunStatus.EXPIRED}:
        if all(tally.settled for tally in view.tallies()) and not view.in_hand:
            yield CloseRun(status, Why(status.value, view.run.reason))
        return
    if now >= view.run.deadline_at and not _finished(view):
        yield ExpireRun(Why("deadline", "the run's deadline came with work left"))
        return
    if status is RunStatus.HALTED:
        return
    broken = budgets.broken(view)
    if broken is not None:
        position, why = broken
        held_back = quarantining.instead_of_halt(view, broken)
        yield held_back or HaltRun(position, causes.explained(view, position, why))
        return
    since = view.unreachable_since
    if status is RunStatus.OPEN and since is not None and view.silence >= UNREACHABLE_FOR:
        text = f"nothing of Azure has answered since {since:%Y-%m-%d %H:%M:%S}Z"
        yield PauseRun(Why("azure_unreachable", text))
        return
    yield from _steer_waves(view, now)


def _finished(view: RunView) -> bool:
    return all(
        wave.status in {WaveStatus.PASSED, WaveStatus.SKIPPED} for wave in view.waves.values()
    )


def _steer_waves(view: RunView, now: datetime) -> Iterator[Decision]:
    wave = current_wave(view)
    if wave is not None:
        # The wave's VMs are counted as it opens: those of the group are skipped by then.
        may_open = takes_starts(view) and not quarantining.unskipped(view)
        yield from wave_steps.steer(view, wave, now, may_open=may_open)
    elif not view.in_hand and all(tally.settled for tally in view.tallies()):
        yield CloseRun(RunStatus.PASSED, Why("passed", "every wave passed"))


def current_wave(view: RunView) -> Wave | None:
    """Return the first wave that is not behind us."""
    behind = {WaveStatus.PASSED, WaveStatus.SKIPPED}
    return next((wave for wave in view.waves.values() if wave.status not in behind), None)


# ----------------------------------------------------------------------------------------- commands


def _follow(view: RunView, now: datetime, errand: Errand) -> Iterator[Command]:
    """Yield what is due of the work that was begun; it goes on whatever the run's status is."""
    room = max(0, AT_ONCE - view.hands(errand))
    return map(_command, islice(view.due(errand, now), room))


def _command(op: Operation) -> Command:
    match op.state:
        case Submitting():
            return Recover(op, op.state)
        case Rebooting():
            return Await(op, op.state)
        case Unknown() | Verifying() | NeedsHuman():
            return Look(op, op.state)
        case InProgress():
            return Poll(op, op.state)
        case _:
            return Start(op)  # begun by a process that died before it sent anything


def _too_late(op: Operation, now: datetime) -> bool:
    """Tell whether a VM that still needs a person, long after its run has ended, is let be."""
    state = op.state
    return isinstance(state, NeedsHuman) and now >= max(
        state.locked_until, state.since + LOOKED_AT_FOR
    )


def _drops(view: RunView) -> Iterator[Drop]:
    cancelled = view.run.status is RunStatus.CANCELLED
    if cancelled or view.run.status is RunStatus.EXPIRED:
        word = "cancelled" if cancelled else "deadline"
        for op in islice(view.queued(), AT_ONCE):
            yield Drop(op, cancelled, Why(word, view.run.reason or "the run's deadline came first"))
        return
    yield from _held_back(view)
    behind = {
        position: _LEFT_BEHIND if wave.status is WaveStatus.PASSED else Why("by_skip", wave.reason)
        for position, wave in view.waves.items()
        if wave.status in {WaveStatus.PASSED, WaveStatus.SKIPPED}
        and (view.tally(position).queued or view.tally(position).waiting_for_reboot)
    }
    if behind:
        left = (op for op in view.queued() if op.wave in behind)
        for op in islice(left, AT_ONCE):
            yield Drop(op, cancelled=False, why=behind[op.wave])


def _held_back(view: RunView) -> Iterator[Drop]:
    """Yield the VMs of the quarantined group that have not begun, whatever their wave."""
    group = view.run.quarantine
    if group is None or not quarantining.unskipped(view):
        return
    left = (op for op in view.queued() if is_held(group, op))
    for op in islice(left, AT_ONCE):
        yield Drop(op, cancelled=False, why=Why("quarantined", group.reason))


def takes_starts(view: RunView) -> bool:
    """Tell whether anything may start in this run: it is open, no brake holds the fleet, and the
    database is believed."""
    return view.run.status is RunStatus.OPEN and view.brake is None and view.safe_mode is None


def _surveys(view: RunView, now: datetime) -> Iterator[Survey]:
    if view.safe_mode is None or view.run.status in {RunStatus.CANCELLED, RunStatus.EXPIRED}:
        return
    room = SURVEYED_AT_ONCE - len(view.in_hand)
    for op in islice(view.unsurveyed(now), max(room, 0)):
        yield Survey(op)


def _visits(view: RunView, now: datetime) -> Iterator[Visit]:
    """Yield the looks at VMs of a wave that bakes."""
    if view.run.status not in _WATCHED:
        return
    room = max(0, VISITED_AT_ONCE - len(view.in_hand))
    left = (view.ops[vm] for vm in view.vigil.left(now) if vm not in view.in_hand)
    yield from (Visit(op) for op in islice(left, room))


def _readings(view: RunView, now: datetime) -> Iterator[ReadGate]:
    """Yield the gates to be read now: those of the current wave, at its door or at its end."""
    wave = current_wave(view)
    if view.run.status not in _WATCHED or wave is None:
        return
    if wave.status is WaveStatus.BAKING or (
        takes_starts(view) and wave_steps.has_its_turn(view, wave)
    ):
        yield from gating.due(wave, view.gates, now)


def _starts(view: RunView, now: datetime) -> Iterator[Start]:
    """Yield what may begin. In a place whose breaker has tripped that is one VM, to find out."""
    wave = current_wave(view)
    if not takes_starts(view) or wave is None or wave.status is not WaveStatus.OPEN:
        return
    if shut_for(view, wave.spec, now) is not None:
        return
    at_once = ramping.at_once(wave, view.tally(wave.position).patched)
    slots = min(at_once - view.busy(wave.position), _hands(view, wave))
    borne = budgets.room(view, wave)
    if borne is not None:
        slots = min(slots, borne)
    if slots <= 0:
        return
    doubted = view.doubts.places(view.run.plan.tracking.max_unknown)
    probes = [op for op in view.probes(wave.position, now, doubted) if _may_probe(view, op)]
    first = probes[:1]  # one by one: the next plan sees which slots it has taken
    ready = view.ready(wave.position, slots - len(first), now, doubted, beside=first)
    group = view.run.quarantine
    yield from (Start(op) for op in chain(first, ready) if not is_held(group, op))


def _restarts(view: RunView, now: datetime) -> Iterator[Restart]:
    """Yield what may be restarted, where a wave stages its reboots."""
    wave = current_wave(view)
    if not takes_starts(view) or wave is None or wave.status is not WaveStatus.OPEN:
        return
    for op in rebooting.starts(view, wave, now):
        if isinstance(op.state, RebootQueued) and not is_held(view.run.quarantine, op):
            yield Restart(op, op.state)


def _hands(view: RunView, wave: Wave) -> int:
    """Return how many more VMs may be on their way to their request at this moment."""
    followed = view.tally(wave.position).labels
    sent = followed["in_progress"] + followed["unknown"] + followed["verifying"]
    sent += followed["rebooting"]
    return STARTED_AT_ONCE - (view.busy(wave.position) - sent)


def hindrance(view: RunView, op: Operation) -> str | None:
    """Say why a VM that holds its slot may not be submitted after all, or None: what has happened
    since it was begun counts too, although no decision about it may be written yet."""
    group = view.run.quarantine
    if group is not None and is_held(group, op):
        return group.reason
    broken = budgets.broken(view, foreseen=True)
    if broken is not None:
        return broken[1].text
    overdrawn = budgets.overdrawn(view, op)
    if overdrawn is not None:
        return overdrawn
    place, most = place_of(op), view.run.plan.tracking.max_unknown
    unknown = view.doubts.unknown(place)
    if unknown >= most or (unknown > 0 and view.doubts.number(place) >= most):
        return f"{counted(unknown, 'VM')} of {op.target.region or 'its region'} may have been taken"
    return None


def _may_probe(view: RunView, op: Operation) -> bool:
    """With the breaker tripped: one VM at a time, and only when none is unknown any more (design
    5.6)."""
    place = place_of(op)
    few = view.doubts.unknown(place) < view.run.plan.tracking.max_unknown
    return few and not view.trying(place)


def _wake_at(
    view: RunView, now: datetime, followed: Mapping[Errand, Sequence[Command]]
) -> datetime | None:
    if any(view.hands(errand) + len(found) >= AT_ONCE for errand, found in followed.items()):
        return now  # more may be due than one plan takes
    times = [view.next_due(now), view.survey.next_at(now)]
    wave = current_wave(view)
    if wave is not None and view.run.status in {RunStatus.OPEN, RunStatus.PAUSED, RunStatus.HALTED}:
        times.append(view.run.deadline_at)
    if wave is not None and wave.status is WaveStatus.OPEN and takes_starts(view):
        times += opens_at(view, wave, now)
    if wave is not None and view.run.status in _WATCHED:
        times += [wave.baking_until, view.vigil.next_at(view.waves.values(), now)]
        times += gating.wakes(wave, view.gates)
    if wave is not None and wave.status is WaveStatus.BAKING and wave.baking_until is not None:
        times.append(wave.baking_until + view.run.plan.tracking.overdue)
    times.append(reminding.next_at(view))
    return min((time for time in times if time is not None and time > now), default=None)
