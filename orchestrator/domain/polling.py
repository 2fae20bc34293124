"""When to ask whom again. Pure, and without chance: what is spread, is spread by the VM's own name.

It plans the reads of one operation at a time: where an end is likely it asks often, where it is not
seldom. It never asks more often than `tracking.poll`, nor than the reads of a subscription allow;
but a read that told nothing is no read, and is made again soon.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import sqrt
from typing import Final

from orchestrator.domain.durations import Curve
from orchestrator.domain.model import Tracking
from orchestrator.domain.operation import Operation
from orchestrator.domain.record import Watch
from orchestrator.domain.states import (
    Cancelled,
    Failed,
    InProgress,
    NeedsHuman,
    Preparing,
    Queued,
    Rebooting,
    RebootQueued,
    Skipped,
    State,
    Submitting,
    Succeeded,
    Unknown,
    Verifying,
)
from orchestrator.domain.streaks import AT_MOST, soon

HOURLY = timedelta(hours=1)
"""How often a VM that needs a person is still looked at (design 4)."""

REBOOT_GRACE = timedelta(minutes=5)
"""A reboot that was reported as begun may start minutes later: a Linux guest warns for three
minutes first (azure-facts 5.4). A VM that is well before that says nothing."""
POLLS_PER_SECOND = 15.0
"""What polls may take of ARM's 25 reads a second and subscription (azure-facts 4.1): the looks
before new starts need the rest, and the customer's other tools their share."""


def pace(tracking: Tracking, crowd: int) -> timedelta:
    """Return how long to wait between two polls of an operation, with so many others in flight in
    its subscription: the configured interval, or what the reads allow when there are many."""
    return max(tracking.poll, timedelta(seconds=crowd / POLLS_PER_SECOND))


def reboot_pending(state: Verifying) -> bool:
    """Tell whether the result says that a reboot was begun, and not that it is over."""
    return state.result is not None and state.result.reboot in {"Started", "Unknown"}


_FOLLOWED: Final = (Unknown, InProgress, Verifying, Rebooting, NeedsHuman)
PLANNED_FROM: Final = timedelta(seconds=10)
"""Who sets `tracking.poll` below this wants to see an end at once (a demo, a test): reads are then
periodic, and nothing is planned."""
FIRST_READ: Final = timedelta(minutes=3)
"""The first read comes no later than this: a VM that is off or has no agent fails within the first
minutes, and ten such failures should not take a quarter of an hour to halt a wave."""
LONGEST: Final = timedelta(minutes=5)
"""Nor do two reads lie further apart than this, however improbable an end: the estimate may be
wrong. Both hold unless the reads of the subscription allow less."""
EAGERNESS: Final = 0.5
"""How much alertness (`Curve`), in units of the square root of `tracking.poll`, makes a read due:
an end noticed a second earlier is worth so much of a read. Measured (`benchmarks/planner.py`)."""
LEFT: Final = 0.02
"""Where sweeps tell of ends, a VM is read by itself only when all but so many of those as old as it
would have ended."""
NET_LEAST: Final = timedelta(minutes=5)
NET_MOST: Final = timedelta(minutes=45)
"""Such reads are a safety net for what sweeps do not show: not more and not less often than
this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """What the plan of an operation's next read depends on, beside its state."""

    interval: timedelta
    """The densest: `tracking.poll`, longer where many share the reads of a subscription."""
    poll: timedelta
    phase: float = 0.0
    """Of this VM, in [0, 1): VMs that were started together are not read together."""
    overdue: timedelta = timedelta(0)
    curve: Curve | None = None
    """How long such installations last; None: nothing is planned, reads are periodic."""
    scale: float = 1.0
    """How many times longer this VM's last."""
    swept: bool = False
    """Whether sweeps of Resource Graph tell of ends in its subscription at this time."""
    hinted_at: datetime | None = None
    """When one told that this installation has ended."""
    spoiled: int = 0
    """How many reads in a row, the latest included, have told nothing."""


def is_followed(state: State) -> bool:
    """Tell whether an operation in this state is looked at: `watch_for` plans only for those."""
    return isinstance(state, _FOLLOWED)


def watch_for(op: Operation, old: Watch | None, pacing: Pacing, now: datetime) -> Watch | None:
    """Plan the first look at an operation that has just reached its state; None when none is due.

    A new installation is first read after half an interval at the earliest and `FIRST_READ` at the
    latest (where sweeps tell of ends, after nearly all would have ended); what may be settled by a
    look is looked at once.
    """
    polls, last_at = (old.polls, old.last_at) if old else (0, None)
    match op.state:
        case InProgress():
            next_at = now + _first_wait(op.state, pacing, now)
        case Verifying() if reboot_pending(op.state):
            next_at = now + REBOOT_GRACE
        case Unknown() | Verifying():
            next_at = now
        case Rebooting(since=datetime()):
            next_at = now + pacing.interval
        case NeedsHuman():
            next_at = now + HOURLY
        case _:
            return None
    return Watch(next_at=next_at, polls=polls, last_at=last_at)


def next_watch(
    state: State, watch: Watch, pacing: Pacing, now: datetime, retry_after: timedelta | None
) -> Watch:
    """Count one read that told nothing new, and plan the next.

    It comes after the interval or, of an installation, when an end is likely enough; later when
    Azure asked for that, hourly for a VM that waits for a person, and at the settle instant of an
    unknown one at the latest (a look begun then may conclude). It comes soon, and then less and
    less soon, after one that could not be read.
    """
    wait = HOURLY if isinstance(state, NeedsHuman) else pacing.interval
    if isinstance(state, InProgress):
        wait = _wait(state, pacing, now)
        if pacing.spoiled:
            wait = min(wait, max(AT_MOST, pacing.interval))
    if pacing.spoiled:
        wait = min(wait, soon(pacing.spoiled))
    next_at = now + max(wait, retry_after or timedelta(0))
    limit = _limit(state)
    if limit is not None and now < limit and retry_after is None:
        next_at = min(next_at, limit)
    return replace(watch, next_at=next_at, polls=watch.polls + 1, last_at=now)


def planned_anew(state: InProgress, watch: Watch, pacing: Pacing, now: datetime) -> Watch:
    """Plan the next read once more, since sweeps of the subscription began or ceased to tell of
    ends: later where they do (but not again and again), no later than before where they do not or
    have told of this one, or where the last read told nothing."""
    next_at = min(now + _first_wait(state, pacing, now), max(state.deadline, now))
    if not pacing.swept or pacing.hinted_at is not None or pacing.spoiled:
        next_at = min(next_at, watch.next_at)
    else:
        net = (watch.last_at or state.since) + NET_MOST
        next_at = min(next_at, max(watch.next_at, net))
    return replace(watch, next_at=next_at)


# ------------------------------------------------------------------------------ an installation


def _first_wait(state: InProgress, pacing: Pacing, now: datetime) -> timedelta:
    """Return the wait of the first read that is planned in a state of affairs: in a crowd, over a
    whole interval, so that the reads of a wave that began at once are no more than is allowed."""
    part = 0.5 + pacing.phase * (0.5 if pacing.interval <= pacing.poll else 1.0)
    if pacing.curve is None:
        return pacing.interval * part
    wait = _wait(state, pacing, now, part)
    if pacing.swept:
        return wait
    return min(wait, max(FIRST_READ * min(part, 1.0), pacing.interval * part))


def _wait(state: InProgress, pacing: Pacing, now: datetime, part: float = 1.0) -> timedelta:
    """Return how long to wait for the next read of an installation; `part` of it at first."""
    curve, least = pacing.curve, pacing.interval * part
    if curve is None:
        return least
    if pacing.hinted_at is not None:
        return _after(now - pacing.hinted_at, least)
    age, over = now - state.intent_at, now - (state.deadline - pacing.overdue)
    if over >= timedelta(0):
        return _after(over, least)
    scaled = max(age.total_seconds(), 0.0) / pacing.scale
    if pacing.swept:
        due = curve.upper(scaled, LEFT)
        wait = min(max(_span(due, pacing) - age, NET_LEAST), NET_MOST * min(part, 1.0))
    else:
        alertness = EAGERNESS * part * sqrt(pacing.poll.total_seconds() / pacing.scale)
        wait = min(_span(curve.due(scaled, alertness), pacing) - age, LONGEST)
    return _cut(max(wait, least), -over, least, pacing)


def _after(since: timedelta, least: timedelta) -> timedelta:
    """What should have ended so long ago is asked soon, and then less and less often."""
    return max(least, min(since, LONGEST))


def _cut(wait: timedelta, left: timedelta, least: timedelta, pacing: Pacing) -> timedelta:
    """Do not look past `max_duration`: whatever still runs then is cut off by the guest
    (azure-facts 1.1), so many ends lie there."""
    return min(wait, max(left + pacing.poll * pacing.phase, least))


def _span(seconds: float, pacing: Pacing) -> timedelta:
    return timedelta(seconds=seconds * pacing.scale)


def _limit(state: State) -> datetime | None:
    """Return when an operation must be looked at, whatever its pace: a look then may conclude."""
    match state:
        case Unknown(settle_at=limit) | InProgress(deadline=limit):
            return limit
        case Verifying(deadline=limit) | Rebooting(deadline=limit):
            return limit
        case _:
            return None


def attention_at(state: State, watch: Watch | None, tracking: Tracking) -> datetime | None:
    """Return when an operation in this state next wants something done, or None when nothing falls
    due by itself."""
    match state:
        case Queued(not_before) | RebootQueued(not_before=not_before):
            return not_before
        case Preparing(since):
            return since
        case Submitting(intent_at=intent_at) | Rebooting(intent_at=intent_at, since=None):
            return intent_at + tracking.send_within + tracking.request_timeout
        case NeedsHuman(since=since, activity=activity):
            return None if activity is None else (watch.next_at if watch else since + HOURLY)
        case (
            Unknown(since=since)
            | InProgress(since=since)
            | Verifying(since=since)
            | Rebooting(since=since)
        ):
            return watch.next_at if watch else since
        case Succeeded() | Failed() | Skipped() | Cancelled():
            return None
