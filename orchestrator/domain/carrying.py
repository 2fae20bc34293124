"""Grants that a plan gives by itself, each written in the transaction that records the earlier end.
Pure.

Carry-over: a VM whose installation ran out of its time, with nothing failed, goes on in a later
window. Staged reboot: a VM that is patched and needs a restart is granted that one request.
"""

from dataclasses import replace
from typing import Final

from orchestrator.domain.model import RunStatus, WaveStatus
from orchestrator.domain.operation import (
    Broke,
    Event,
    Granted,
    Operation,
    Passed,
    Staged,
    transition,
)
from orchestrator.domain.record import DAEMON, AttemptUpdate, Grant, GrantKind, Move
from orchestrator.domain.rollout import current_wave
from orchestrator.domain.states import Outcome, Verifying, Wait, Why
from orchestrator.domain.verdict import REBOOT_UNKNOWN, WINDOW_EXCEEDED
from orchestrator.domain.view import RunView
from orchestrator.domain.window import later_start

_TAKES_STARTS: Final = {RunStatus.OPEN, RunStatus.PAUSED, RunStatus.HALTED}
_TAKES_VMS: Final = {WaveStatus.OPEN, WaveStatus.HALTED}


def may_carry_over(view: RunView, op: Operation, event: Event) -> bool:
    """Tell whether it is worth to count how often this VM was carried over already: it ran out of
    time, its wave has windows, and its run goes on."""
    return (
        isinstance(event, Broke)
        and event.why.code == WINDOW_EXCEEDED
        and isinstance(op.state, Verifying)
        and bool(view.waves[op.wave].spec.hours.windows)
        and _goes_on(view, op)
    )


def carry_over(view: RunView, op: Operation, event: Event, used: int) -> Move | None:
    """Return the move that queues a VM for a later window before the deadline, in the place of its
    failure; None: there is none, or it has had its share."""
    run, now, state = view.run, event.at, op.state
    most = run.plan.carry_over
    if used >= most or not isinstance(event, Broke) or not isinstance(state, Verifying):
        return None
    if not _goes_on(view, op):  # while the grants were counted it may have come to its end
        return None
    opens = later_start(view.waves[op.wave].spec, view.freezes, now, run.deadline_at)
    if opens is None:
        return None
    text = f"{event.why.text}; it goes on {opens:%Y-%m-%d %H:%M}Z ({used + 1} of {most})"
    granted = Granted(now, Wait.CARRIED_OVER, Why("carried_over", text), opens)
    ended = AttemptUpdate(attempt=state.attempt, verdict="carried_over")
    last = Move(before=op, after=op, event=event, actor=DAEMON, attempt=ended)
    return _granting(last, granted, GrantKind.CARRY_OVER)


def staged(view: RunView, last: Move) -> Move:
    """Return the move that lets a VM wait for its restart, in the place of one that ends it as
    patched with a reboot pending; any other move as it is."""
    event, op, wave = last.event, last.before, view.waves[last.before.wave]
    if not isinstance(event, Passed) or event.outcome is not Outcome.REBOOT_PENDING:
        return last
    if event.why.code == REBOOT_UNKNOWN:
        return last
    if not isinstance(op.state, Verifying) or wave.spec.staged is None or not _goes_on(view, op):
        return last
    why = Why("reboot_staged", event.why.text)
    return _granting(last, Staged(event.at, why, event.result), GrantKind.REBOOT)


def _goes_on(view: RunView, op: Operation) -> bool:
    """Tell whether an operation's run and its wave go on: one that bakes starts nobody."""
    run, wave = view.run, current_wave(view)
    return (
        run.closed_at is None
        and run.status in _TAKES_STARTS
        and wave is not None
        and wave.position == op.wave
        and wave.status in _TAKES_VMS
    )


def _granting(last: Move, event: Granted | Staged, kind: GrantKind) -> Move:
    """Return a move with another event in its place, and the grant that goes with it."""
    op = last.before
    after = transition(op, event)
    grant = Grant(
        run_id=op.run_id,
        vm_id=op.target.vm_id,
        attempt=after.attempt,
        kind=kind,
        actor=DAEMON,
        why=event.why.text,
        at=event.at,
    )
    return replace(last, after=after, event=event, grant=grant)
