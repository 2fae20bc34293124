"""The hours of a run: what its windows and the freezes above it let start now, and when the next VM
may. Pure; it decides nothing."""

from datetime import datetime

from orchestrator.domain.model import Wave
from orchestrator.domain.operation import Deferred, Operation
from orchestrator.domain.states import Wait, Why
from orchestrator.domain.submitting import AGAIN
from orchestrator.domain.view import RunView
from orchestrator.domain.window import next_start, shut


def shut_for(view: RunView, wave: Wave, now: datetime) -> Why | None:
    """Tell what keeps the VMs of a wave from being started at this instant; None: nothing."""
    return shut(wave.spec, view.freezes, now)


def opens_at(view: RunView, wave: Wave, now: datetime) -> datetime | None:
    """Return when a wave that has VMs to start, and may start none now, may start the next."""
    if view.tally(wave.position).queued == 0 or shut_for(view, wave, now) is None:
        return None
    return next_for(view, wave, now)


def next_for(view: RunView, wave: Wave, now: datetime) -> datetime | None:
    """Return the first instant from now on, before the deadline, at which a VM of a wave may
    start."""
    return next_start(wave.spec, view.freezes, now, view.run.deadline_at)


def out_of_hours(view: RunView, op: Operation, now: datetime) -> Deferred | None:
    """Return until when a VM that holds its slot must wait, where its window has closed meanwhile
    or a freeze has begun; None: it may be submitted."""
    why = shut_for(view, view.waves[op.wave], now)
    return None if why is None else wait_for_hours(view, op, why, now)


def wait_for_hours(view: RunView, op: Operation, why: Why, now: datetime) -> Deferred:
    """Let a VM wait for the next instant at which it may start; without one, for the deadline.

    The database may know of a freeze that this view does not know yet: then it is asked again
    after a minute, and not at once.
    """
    opens = next_for(view, view.waves[op.wave], now)
    if opens is not None and opens <= now:
        opens = now + AGAIN
    return Deferred(now, Wait.WINDOW, why, opens)
