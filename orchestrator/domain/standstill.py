"""What an open run waits for when none of its VMs is in flight and nothing moves by itself soon.
Pure; it decides nothing: whoever follows the run may leave then."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from orchestrator.domain.gate import Moment
from orchestrator.domain.gating import described, listed
from orchestrator.domain.model import RunStatus, Wave, WaveStatus
from orchestrator.domain.operation import Operation
from orchestrator.domain.rollout import current_wave
from orchestrator.domain.states import Queued, RebootQueued
from orchestrator.domain.view import RunView
from orchestrator.domain.waits import Hold, holds
from orchestrator.domain.words import command

SOON: Final = timedelta(minutes=1)
"""What is tried again within this time, or a gate that is green for so much longer, is no reason to
leave: with a start behind it, it is the run going on."""
_PASSING: Final = frozenset(
    {"turn", "max_unknown", "strict_budget", "max_parallel", "reboot_phase", "quarantined"}
)
"""What holds a VM only until the daemon's next step, while nothing of the run is in flight: one VM
is tried where requests are of unknown fate, a held back one is dropped, a broken budget halts."""


def standstill(view: RunView, now: datetime) -> Hold | None:
    """Return what an open run waits for, with what ends that; None: it is under way."""
    wave = current_wave(view)
    flying = any(tally.in_flight for tally in view.tallies())
    if view.run.status is not RunStatus.OPEN or wave is None or flying:
        return None
    match wave.status:
        case WaveStatus.PENDING:
            return _gates(wave, Moment.BEFORE, now)
        case WaveStatus.AWAITING_APPROVAL:
            return _approval(view, wave)
        case WaveStatus.OPEN:
            return _starts(view, wave, now)
        case WaveStatus.BAKING if wave.baking_until is not None and wave.baking_until > now:
            at = f"{wave.baking_until:%Y-%m-%d %H:%M}Z"
            text = f"wave {wave.spec.name} bakes until {at}"
            return Hold(code="wave_baking", text=text, ends=f"at {at}, by itself")
        case WaveStatus.BAKING:
            return _gates(wave, Moment.CHECK, now)
        case _:
            return None


def _approval(view: RunView, wave: Wave) -> Hold:
    group = f" by {wave.spec.approve.group}" if wave.spec.approve is not None else ""
    return Hold(
        code="wave_awaiting_approval",
        text=f"wave {wave.spec.name} waits for an approval{group}",
        ends=command("approve", view.run.id, "--wave", wave.spec.name),
    )


def _gates(wave: Wave, moment: Moment, now: datetime) -> Hold | None:
    """Say that a wave's gates do not hold, as they were written down; those that nobody has read
    yet are read at once."""
    unmet = False
    for key, gate in listed(wave, moment):
        stand = next((each for each in wave.gates if (each.moment, each.number) == key[1:]), None)
        if stand is None:
            return None
        unmet = unmet or not stand.green or stand.since + gate.held_for > now + SOON
    if not unmet:
        return None
    return Hold(
        code="gate",
        text=f"wave {wave.spec.name} waits for its gates: {next(described(wave, moment))}",
        ends="by itself, when they have been green for their time",
    )


def _starts(view: RunView, wave: Wave, now: datetime) -> Hold | None:
    """Say what keeps every VM of an open wave from being started or restarted, what holds most of
    them first."""
    found: Counter[Hold] = Counter()
    for op in view.queued():
        if op.wave != wave.position:
            continue
        hold = next(_lasting(view, op, now), None)
        if hold is not None:
            found[hold] += 1
        elif not _follows(view, op):
            return None
    return next((hold for hold, _ in found.most_common(1)), None)


def _lasting(view: RunView, op: Operation, now: datetime) -> Iterator[Hold]:
    """Yield what holds a VM for longer: now, or when it is tried again soon."""
    state = op.state
    again = state.not_before if isinstance(state, Queued | RebootQueued) else None
    at = again if again is not None and now < again <= now + SOON else now
    return (hold for hold in holds(view, op, at) if hold.code not in _PASSING)


def _follows(view: RunView, op: Operation) -> bool:
    """Tell whether a VM waits for others of its wave: to be restarted, until all are patched."""
    return isinstance(op.state, RebootQueued) and view.tally(op.wave).queued > 0
