"""When to ask whom again. Pure; the first form is periodic, spread by the VM's own name."""

from dataclasses import replace
from datetime import datetime, timedelta
from zlib import crc32

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
    Skipped,
    State,
    Submitting,
    Succeeded,
    Unknown,
    Verifying,
)

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


def watch_for(op: Operation, old: Watch | None, interval: timedelta, now: datetime) -> Watch | None:
    """Plan the first look at an operation that has just reached its state; None when none is due.

    A new installation is first asked after a fraction of the interval given by the VM's name, so
    that the polls of a wave do not march in step; what may be settled by a look is looked at once.
    """
    polls, last_at = (old.polls, old.last_at) if old else (0, None)
    match op.state:
        case InProgress():
            fraction = crc32(op.target.vm_id.encode()) / 2**32
            next_at = now + interval * (0.5 + fraction / 2)
        case Verifying() if reboot_pending(op.state):
            next_at = now + REBOOT_GRACE
        case Unknown() | Verifying():
            next_at = now
        case NeedsHuman():
            next_at = now + HOURLY
        case _:
            return None
    return Watch(next_at=next_at, polls=polls, last_at=last_at)


def next_watch(
    state: State, watch: Watch, interval: timedelta, now: datetime, retry_after: timedelta | None
) -> Watch:
    """Count one read that told nothing new, and plan the next.

    It comes after the interval, later when Azure asked for that, hourly for a VM that waits for a
    person, and at the settle instant of an unknown one at the latest (a look begun then may
    conclude).
    """
    wait = HOURLY if isinstance(state, NeedsHuman) else interval
    next_at = now + max(wait, retry_after or timedelta(0))
    limit = _limit(state)
    if limit is not None and now < limit and retry_after is None:
        next_at = min(next_at, limit)
    return replace(watch, next_at=next_at, polls=watch.polls + 1, last_at=now)


def _limit(state: State) -> datetime | None:
    """Return when an operation must be looked at, whatever its pace: a look then may conclude."""
    match state:
        case Unknown(settle_at=limit) | InProgress(deadline=limit) | Verifying(deadline=limit):
            return limit
        case _:
            return None


def attention_at(state: State, watch: Watch | None, tracking: Tracking) -> datetime | None:
    """Return when an operation in this state next wants something done, or None when nothing falls
    due by itself."""
    match state:
        case Queued(not_before):
            return not_before
        case Preparing(since):
            return since
        case Submitting(intent_at=intent_at):
            return intent_at + tracking.send_within + tracking.request_timeout
        case NeedsHuman(since=since, activity=activity):
            return None if activity is None else (watch.next_at if watch else since + HOURLY)
        case Unknown(since=since) | InProgress(since=since) | Verifying(since=since):
            return watch.next_at if watch else since
        case Succeeded() | Failed() | Skipped() | Cancelled():
            return None
