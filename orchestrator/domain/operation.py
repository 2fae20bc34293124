"""The life of an operation: every event, and every legal transition between its states."""

from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.domain.model import ActivityId, AttemptId, RunId, Target
from orchestrator.domain.result import Result
from orchestrator.domain.states import (
    Cancelled,
    Conflict,
    Failed,
    FailureClass,
    InProgress,
    NeedsHuman,
    Outcome,
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
    Wait,
    Why,
)


@dataclass(frozen=True, slots=True)
class Began:
    """The operation took its slot."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Deferred:
    """Nothing was started; try again not before `not_before`. Costs no attempt."""

    at: datetime
    wait: Wait
    why: Why
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Intended:
    """We are about to send exactly one request."""

    at: datetime
    attempt: AttemptId
    baseline: ActivityId | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """Azure has the work: by its 202, or found by a look and adopted."""

    at: datetime
    activity: ActivityId | None
    deadline: datetime
    tracked: bool


@dataclass(frozen=True, slots=True)
class Doubted:
    """The request may have been taken."""

    at: datetime
    settle_at: datetime
    why: Why
    expected: ActivityId | None = None
    conflict: Conflict | None = None


@dataclass(frozen=True, slots=True)
class Reported:
    """Azure reported an end, with a result we could read or without one."""

    at: datetime
    deadline: datetime
    activity: ActivityId | None
    result: Result | None


@dataclass(frozen=True, slots=True)
class Staged:
    """Patched; the restart that is left waits for its own phase. It is granted with this."""

    at: datetime
    why: Why
    result: Result | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """Judged good."""

    at: datetime
    outcome: Outcome
    why: Why
    result: Result | None = None


@dataclass(frozen=True, slots=True)
class Broke:
    """Judged bad: refused, failed, or not well afterwards."""

    at: datetime
    failure: FailureClass
    why: Why
    result: Result | None = None


@dataclass(frozen=True, slots=True)
class Escalated:
    """Put before a person."""

    at: datetime
    locked_until: datetime
    why: Why


@dataclass(frozen=True, slots=True)
class Dropped:
    """Will not be started."""

    at: datetime
    why: Why


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Will not be started, because a person cancelled the run."""

    at: datetime
    why: Why


@dataclass(frozen=True, slots=True)
class Granted:
    """One more intent is allowed: a person's `retry` or `resolve --as not-started`, or a
    carry-over."""

    at: datetime
    wait: Wait
    why: Why
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Forgiven:
    """A person resumed the run and accepted this failure, or its group was quarantined: it no
    longer counts against any budget."""

    at: datetime
    why: Why


Event = (
    Began
    | Deferred
    | Intended
    | Accepted
    | Doubted
    | Reported
    | Staged
    | Passed
    | Broke
    | Escalated
    | Dropped
    | Withdrawn
    | Granted
    | Forgiven
)


class IllegalTransitionError(Exception):
    """A programming error: this event cannot happen in this state."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{type(event).__name__} in {type(state).__name__}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One target inside a run: the only thing with a life of its own.

    `attempt` is 1 + the grants used; `patched_at` is when it was patched and began to wait for its
    restart in a phase of its own, and `reboot_at` when the intent of that restart was written;
    `forgiven` is set by a `resume` or a quarantine that accepted this failure; `rank` is its place
    in the order of starts of its wave; `version` is the compare-and-set of its row.
    """

    run_id: RunId
    wave: int
    target: Target
    state: State
    attempt: int = 1
    started_at: datetime | None = None
    patched_at: datetime | None = None
    reboot_at: datetime | None = None
    forgiven: bool = False
    rank: int = 0
    version: int = 0


def transition(op: Operation, event: Event) -> Operation:
    """Return the operation after the event.

    Raises `IllegalTransitionError` for a pair that design 4 does not list.
    """
    state = _next(op.state, event)
    granted = isinstance(event, Granted | Staged)
    first_intent = isinstance(event, Intended) and op.started_at is None
    return replace(
        op,
        state=state,
        attempt=op.attempt + granted,
        started_at=event.at if first_intent else op.started_at,
        patched_at=_patched_at(op, event),
        reboot_at=_reboot_at(op, event),
        forgiven=(op.forgiven or isinstance(event, Forgiven)) and not granted,
        version=op.version + 1,
    )


def _patched_at(op: Operation, event: Event) -> datetime | None:
    """It stays when the restart is put off, and when that goes wrong."""
    if isinstance(event, Staged):
        return event.at
    return None if isinstance(event, Granted) else op.patched_at


def _reboot_at(op: Operation, event: Event) -> datetime | None:
    """Whoever is granted another installation begins anew."""
    if isinstance(op.state, RebootQueued) and isinstance(event, Intended):
        return event.at
    return None if isinstance(event, Granted) else op.reboot_at


def _next(state: State, event: Event) -> State:
    """Send each event to the states it may happen in; a pair nobody takes is illegal."""
    after = _after(state, event)
    if after is None:
        raise IllegalTransitionError(state, event)
    return after


def _after(state: State, event: Event) -> State | None:
    match event:
        case Began() | Intended() | Deferred() | Dropped() | Withdrawn():
            return _before_sending(state, event) or _before_reboot(state, event)
        case Accepted() | Doubted() | Reported() | Escalated():
            return _after_sending(state, event) or _after_reboot(state, event)
        case Staged() | Passed() | Broke() | Granted() | Forgiven():
            return _ending(state, event)


def _before_sending(
    state: State, event: Began | Intended | Deferred | Dropped | Withdrawn
) -> State | None:
    match state, event:
        case Queued(), Began(at):
            return Preparing(at, state.busy_since)
        case Preparing(), Intended(at, attempt, baseline):
            return Submitting(attempt, at, baseline, state.busy_since)
        case Preparing() | Submitting() | Unknown(conflict=Conflict()), Deferred(
            at, wait, why, not_before
        ):
            return Queued(not_before, wait, why, _busy_since(state, wait, at))
        case Queued() | Preparing() | NeedsHuman() | Unknown(conflict=Conflict()), Dropped(at, why):
            return Skipped(at, why)
        case Queued() | Preparing(), Withdrawn(at, why):
            return Cancelled(at, why)
        case _:
            return None


def _before_reboot(
    state: State, event: Began | Intended | Deferred | Dropped | Withdrawn
) -> State | None:
    """A VM that will not be restarted any more is patched all the same."""
    match state, event:
        case RebootQueued(), Intended(at, attempt):
            return Rebooting(attempt, at, state.activity, state.result)
        case RebootQueued() | Rebooting(since=None), Deferred(at, wait, why, not_before):
            busy = _busy_since(state, wait, at)
            return RebootQueued(at, state.activity, state.result, not_before, wait, why, busy)
        case RebootQueued(), Dropped(at, why) | Withdrawn(at, why):
            return Succeeded(at, Outcome.REBOOT_PENDING, why, state.activity, state.result)
        case _:
            return None


def _after_sending(state: State, event: Accepted | Doubted | Reported | Escalated) -> State | None:
    match state, event:
        case Submitting() | Unknown(), Accepted(at, activity, deadline, tracked):
            return InProgress(state.attempt, state.intent_at, activity, at, deadline, tracked)
        case Submitting(attempt, intent_at, baseline), Doubted():
            expected, conflict = event.expected, event.conflict
            return Unknown(
                attempt,
                intent_at,
                baseline,
                event.at,
                event.settle_at,
                event.why,
                expected,
                conflict,
                state.busy_since,
            )
        case Unknown() | InProgress() | NeedsHuman(), Reported(at, deadline, activity, result):
            return Verifying(state.attempt, activity, at, deadline, result)
        case Unknown(), Escalated(at, until, why):
            return NeedsHuman(state.attempt, state.expected, at, until, why)
        case InProgress() | Verifying(), Escalated(at, until, why):
            return NeedsHuman(state.attempt, state.activity, at, until, why)
        case _:
            return None


def _after_reboot(state: State, event: Accepted | Doubted | Reported | Escalated) -> State | None:
    """Of a restart of unknown fate no installation's id is kept: its end would be taken for the
    restart's."""
    match state, event:
        case Rebooting(since=None), Accepted(at, _, deadline, _):
            return replace(state, since=at, deadline=deadline)
        case Rebooting(), Escalated(at, until, why):
            return NeedsHuman(state.attempt, None, at, until, why)
        case _:
            return None


def _ending(state: State, event: Staged | Passed | Broke | Granted | Forgiven) -> State | None:
    match state, event:
        case Verifying(), Staged(at, why, result):
            return RebootQueued(at, state.activity, result, why=why)
        case Preparing(), Passed(at, outcome, why, result):
            return Succeeded(at, outcome, why, None, result)
        case (
            Verifying() | RebootQueued() | Rebooting() | NeedsHuman() | Failed(),
            Passed(at, outcome, why, result),
        ):
            return Succeeded(at, outcome, why, state.activity, result)
        case Preparing() | Submitting() | Unknown(conflict=Conflict()), Broke(
            at, failure, why, result
        ):
            return Failed(at, failure, why, None, result)
        case Verifying() | Rebooting() | NeedsHuman() | Succeeded(), Broke(
            at, failure, why, result
        ):
            return Failed(at, failure, why, state.activity, result)
        case Failed() | Verifying() | NeedsHuman(), Granted(at, wait, why, not_before):
            return Queued(not_before, wait, why)
        case Failed() | NeedsHuman() | Succeeded(), Forgiven():
            return state
        case _:
            return None


def _busy_since(state: State, wait: Wait, at: datetime) -> datetime | None:
    """A VM keeps the instant at which it was first found busy until it was started: a wait of
    another kind in between does not begin the count anew."""
    known = Preparing | Submitting | Unknown | RebootQueued
    earlier = state.busy_since if isinstance(state, known) else None
    return earlier or (at if wait is Wait.BUSY else None)
