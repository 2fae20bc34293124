"""The decisions of the submit protocol (design 5), before the intent and after the answer. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.domain.answer import (
    Conflicted,
    Gone,
    InDoubt,
    LastInstallation,
    LookAnswer,
    NotSent,
    Rejected,
    Seen,
    SubmitAnswer,
    Taken,
    Throttled,
    Unauthenticated,
    Unreadable,
)
from orchestrator.domain.model import ActivityId, PlanSpec, WaveSpec
from orchestrator.domain.operation import Accepted, Broke, Deferred, Doubted, Dropped, Event
from orchestrator.domain.record import AttemptEnd, Receipt
from orchestrator.domain.states import FailureClass, Preparing, Submitting, Wait, Why

BUSY_FOR = timedelta(hours=4)
"""How long a VM may be busy with something else before it is skipped (design 4)."""
AGAIN = timedelta(minutes=1)
"""When to try again what was refused without a time of its own."""
LIMITED_AGAIN = timedelta(seconds=10)
"""When to try again where another run has just taken the last slot of a group. By then it is known
how many it holds, and nobody asks in vain."""
CREDENTIALS_AGAIN = timedelta(seconds=60)
"""How long submits are held after a 401."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The VM may be patched; `baseline` is the installation that was its newest before ours
    (design 5.0)."""

    baseline: ActivityId | None


@dataclass(frozen=True, slots=True)
class AskWhether:
    """The VM was patched within `min_interval`: go on only if the database knows that
    installation."""

    activity: ActivityId
    otherwise: Dropped


def inspect(
    state: Preparing,
    answer: LookAnswer,
    plan: PlanSpec,
    now: datetime,
    again: timedelta = AGAIN,
) -> Ready | AskWhether | Event:
    """Decide after the one read before an intent: pre-flight, confirmation and baseline in one.

    `again` is when to look once more after a look that told nothing. `Gone` must be proved: one 404
    is none (`streaks.py`).
    """
    match answer:
        case Seen():
            return _inspect_seen(state, answer, plan, now)
        case Gone(reason=reason):
            return Dropped(now, Why("not_found", reason))
        case _:
            return unread(answer, now, again)


def unread(answer: Throttled | Unreadable, now: datetime, again: timedelta) -> Deferred:
    """Look once more after a look that told nothing."""
    match answer:
        case Throttled(retry_after=retry_after, reason=reason):
            return Deferred(now, Wait.THROTTLED, Why("throttled", reason), now + retry_after)
        case Unreadable(reason=reason, retry_after=retry_after):
            return Deferred(
                now, Wait.UNREACHABLE, Why("unreachable", reason), now + (retry_after or again)
            )


def _inspect_seen(
    state: Preparing, seen: Seen, plan: PlanSpec, now: datetime
) -> Ready | AskWhether | Event:
    if seen.power and seen.power != "running":
        return Dropped(now, Why("not_running", f"the VM is {seen.power}"))
    if seen.provisioning.lower() == "deleting":
        return Dropped(now, Why("not_found", "the VM is being deleted"))
    last = seen.last
    if last is None:
        return Ready(None)
    if last.result.status == "InProgress":
        return busy(
            state.busy_since,
            f"installation {last.activity} is in progress there, and it is not ours",
            now,
        )
    recent = last.started_at is not None and last.started_at - seen.skew > now - plan.min_interval
    if recent:
        started = f"{last.started_at:%Y-%m-%d %H:%M}Z"
        text = f"installation {last.activity} of {started} is unknown to this database"
        return AskWhether(last.activity, Dropped(now, Why("patched_recently", text)))
    return Ready(last.activity)


def busy(since: datetime | None, text: str, now: datetime) -> Deferred | Dropped:
    """Wait for a busy VM, at most four hours."""
    if since is not None and now - since >= BUSY_FOR:
        return Dropped(now, Why("busy", f"{text}; waited {now - since}"))
    return Deferred(now, Wait.BUSY, Why("busy", text), now + AGAIN)


def limited(text: str, now: datetime) -> Deferred:
    """Wait for a slot that another run has taken at the last moment."""
    return Deferred(now, Wait.LIMIT, Why("limit", text), now + LIMITED_AGAIN)


def conclude(
    state: Submitting, answer: SubmitAnswer, plan: PlanSpec, wave: WaveSpec, sent_end: datetime
) -> tuple[Event, AttemptEnd]:
    """Classify the answer to the one POST (design 5.4). `sent_end` is when the answer, or its
    absence, was seen."""
    now = sent_end
    match answer:
        case Taken(activity=activity):
            return Accepted(
                now, activity, deadline(plan, wave, now), tracked=True
            ), AttemptEnd.ACCEPTED
        case Conflicted(conflict=conflict, message=message):
            doubt = Doubted(
                now, now + plan.tracking.settle, Why("conflict", message), None, conflict
            )
            return doubt, AttemptEnd.UNKNOWN
        case InDoubt(reason=reason, activity=expected):
            doubt = Doubted(now, now + plan.tracking.settle, Why("no_answer", reason), expected)
            return doubt, AttemptEnd.UNKNOWN
        case _:
            return unsent(answer, now)


def unsent(
    answer: NotSent | Throttled | Unauthenticated | Rejected, now: datetime
) -> tuple[Event, AttemptEnd]:
    """Classify an answer that proves that nothing was started."""
    match answer:
        case NotSent(reason=reason, abandoned=abandoned):
            end = AttemptEnd.ABANDONED if abandoned else AttemptEnd.NOT_SENT
            return Deferred(now, Wait.NOT_SENT, Why("not_sent", reason), now + AGAIN), end
        case Throttled(retry_after=retry_after, reason=reason):
            return Deferred(
                now, Wait.THROTTLED, Why("throttled", reason), now + retry_after
            ), AttemptEnd.REFUSED
        case Unauthenticated(reason=reason):
            again = now + CREDENTIALS_AGAIN
            return Deferred(
                now, Wait.CREDENTIALS, Why("credentials", reason), again
            ), AttemptEnd.REFUSED
        case Rejected(code=code, message=message):
            return Broke(now, FailureClass.REJECTED, Why(code, message)), AttemptEnd.REFUSED


def recover(
    state: Submitting, receipt: Receipt | None, plan: PlanSpec, wave: WaveSpec, now: datetime
) -> Event:
    """Decide about an intent whose sender died: its receipt is an answer; without one it is
    unknown."""
    if receipt is not None:
        return Accepted(
            receipt.at, receipt.activity, deadline(plan, wave, receipt.at), tracked=True
        )
    text = "the process that sent the request died before it could write down the answer"
    return Doubted(now, now + plan.tracking.settle, Why("sender_died", text))


def deadline(plan: PlanSpec, wave: WaveSpec, accepted_at: datetime) -> datetime:
    """Return when an installation without an end is looked up and put before a person (design
    6)."""
    return accepted_at + wave.max_duration + plan.tracking.overdue


def newer(last: LastInstallation | None, baseline: ActivityId | None) -> LastInstallation | None:
    """Return the VM's newest installation if it is not the one from before our intent."""
    return None if last is None or last.activity == baseline else last
