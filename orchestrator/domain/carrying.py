"""Carry-over: a VM whose installation ran out of its time, with nothing failed, goes on in a later
window. It is one more grant, written in the transaction that records the earlier end. Pure."""

from typing import Final

from orchestrator.domain.model import RunStatus
from orchestrator.domain.operation import Broke, Event, Granted, Operation, transition
from orchestrator.domain.record import DAEMON, AttemptUpdate, Grant, GrantKind, Move
from orchestrator.domain.rollout import current_wave
from orchestrator.domain.states import Verifying, Wait, Why
from orchestrator.domain.verdict import WINDOW_EXCEEDED
from orchestrator.domain.view import RunView
from orchestrator.domain.window import later_start

_TAKES_STARTS: Final = {RunStatus.OPEN, RunStatus.PAUSED, RunStatus.HALTED}


def may_carry_over(view: RunView, op: Operation, event: Event) -> bool:
    """Tell whether it is worth to count how often this VM was carried over already: it ran out of
    time, its wave has windows, and its run goes on."""
    wave = current_wave(view)
    return (
        isinstance(event, Broke)
        and event.why.code == WINDOW_EXCEEDED
        and isinstance(op.state, Verifying)
        and bool(view.waves[op.wave].spec.hours.windows)
        and view.run.closed_at is None
        and view.run.status in _TAKES_STARTS
        and wave is not None
        and wave.position == op.wave
    )


def carry_over(view: RunView, op: Operation, event: Event, used: int) -> Move | None:
    """Return the move that queues a VM for a later window before the deadline, in the place of its
    failure; None: there is none, or it has had its share."""
    run, now, state = view.run, event.at, op.state
    most = run.plan.carry_over
    if used >= most or not isinstance(event, Broke) or not isinstance(state, Verifying):
        return None
    opens = later_start(view.waves[op.wave].spec, view.freezes, now, run.deadline_at)
    if opens is None:
        return None
    text = f"{event.why.text}; it goes on {opens:%Y-%m-%d %H:%M}Z ({used + 1} of {most})"
    granted = Granted(now, Wait.CARRIED_OVER, Why("carried_over", text), opens)
    after = transition(op, granted)
    grant = Grant(
        run_id=op.run_id,
        vm_id=op.target.vm_id,
        attempt=after.attempt,
        kind=GrantKind.CARRY_OVER,
        actor=DAEMON,
        why=text,
        at=now,
    )
    ended = AttemptUpdate(attempt=state.attempt, verdict="carried_over")
    return Move(before=op, after=after, event=granted, actor=DAEMON, attempt=ended, grant=grant)
