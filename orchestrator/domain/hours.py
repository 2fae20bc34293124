"""The hours of a run: what its windows and the freezes above it let start or restart now, and when
the next VM may be. Pure; it decides nothing.

A wave has hours for its installations (`wave.spec`) and for its restarts (`of_restarts` of it).
"""

from collections.abc import Iterator
from datetime import datetime

from orchestrator.domain.model import Wave, WaveSpec
from orchestrator.domain.operation import Deferred, Operation
from orchestrator.domain.states import RebootQueued, Wait, Why
from orchestrator.domain.submitting import AGAIN
from orchestrator.domain.view import RunView
from orchestrator.domain.window import next_start, of_restarts, shut


def shut_for(view: RunView, spec: WaveSpec, now: datetime) -> Why | None:
    """Tell what keeps the VMs of a wave from being started at this instant; None: nothing."""
    return shut(spec, view.freezes, now)


def next_for(view: RunView, spec: WaveSpec, now: datetime) -> datetime | None:
    """Return the first instant from now on, before the deadline, at which a VM of a wave may
    start."""
    return next_start(spec, view.freezes, now, view.run.deadline_at)


def opens_at(view: RunView, wave: Wave, now: datetime) -> Iterator[datetime | None]:
    """Yield when a wave that has VMs to start, or to restart, and may do so with none now, may with
    the next; None: not before the deadline."""
    tally = view.tally(wave.position)
    if tally.queued and shut_for(view, wave.spec, now) is not None:
        yield next_for(view, wave.spec, now)
    if tally.waiting_for_reboot:
        restarts = of_restarts(wave.spec)
        if shut_for(view, restarts, now) is not None:
            yield next_for(view, restarts, now)


def out_of_hours(view: RunView, op: Operation, now: datetime) -> Deferred | None:
    """Return until when a VM that was taken up must wait, where its window has closed meanwhile or
    a freeze has begun; None: its request may be sent."""
    why = shut_for(view, _spec_of(view, op), now)
    return None if why is None else wait_for_hours(view, op, why, now)


def wait_for_hours(view: RunView, op: Operation, why: Why, now: datetime) -> Deferred:
    """Let a VM wait for the next instant at which it may start; without one, for the deadline.

    The database may know of a freeze that this view does not know yet: then it is asked again
    after a minute, and not at once.
    """
    opens = next_for(view, _spec_of(view, op), now)
    if opens is not None and opens <= now:
        opens = now + AGAIN
    return Deferred(now, Wait.WINDOW, why, opens)


def _spec_of(view: RunView, op: Operation) -> WaveSpec:
    """Return an operation's wave as its next request sees it."""
    spec = view.waves[op.wave].spec
    return of_restarts(spec) if isinstance(op.state, RebootQueued) else spec
