"""What every request with an effect has in common, whatever it asks for: how old the look before it
may be, and what is noted of its answer. It decides nothing."""

from datetime import datetime
from typing import Final

from orchestrator.domain.answer import (
    Conflicted,
    InDoubt,
    NotSent,
    Rejected,
    SubmitAnswer,
    Taken,
    Throttled,
    Unauthenticated,
)
from orchestrator.domain.hours import wait_for_hours
from orchestrator.domain.model import ActivityId, AttemptId
from orchestrator.domain.operation import Deferred, Event, Operation
from orchestrator.domain.record import AttemptEnd, AttemptUpdate
from orchestrator.domain.states import Preparing, RebootQueued, Wait, Why
from orchestrator.domain.submitting import AGAIN, busy, limited
from orchestrator.domain.view import RunView
from orchestrator.ports import Refused

_OUT_OF_HOURS: Final = frozenset({"window", "freeze"})
"""How the database refuses an intent that comes too late: as the plan would have."""
STALE_LOOK_S: Final = 60.0
"""How old the look may be at the intent (design 5.0)."""
UNCONFIRMED: Final = NotSent(
    reason="the database did not confirm the intent in time", abandoned=True
)
"""The answer to an intent that may be on disk and was certainly not sent."""
_UNSENT: Final = frozenset({AttemptEnd.NOT_SENT, AttemptEnd.ABANDONED})


def standstill(view: RunView) -> str:
    """Say why nothing starts in a run at all."""
    braked = view.safe_mode or view.brake
    return braked.text if braked is not None else f"the run is {view.run.status}"


def refused(view: RunView, op: Operation, answer: Refused, now: datetime) -> Event:
    """Return how long an operation waits whose intent the database refused: nothing was sent."""
    code, reason = answer.code, answer.reason
    if code == "busy":
        since = op.state.busy_since if isinstance(op.state, Preparing | RebootQueued) else None
        return busy(since, reason, now)
    if code in _OUT_OF_HOURS:
        return wait_for_hours(view, op, Why(code, reason), now)
    if code == "limit":
        return limited(reason, now)
    return Deferred(now, Wait.HELD, Why("held", reason), now + AGAIN)


def answered(
    attempt: AttemptId,
    answer: SubmitAnswer,
    end: AttemptEnd,
    sent_at: datetime | None,
    now: datetime,
    *,
    activity: ActivityId | None = None,
) -> AttemptUpdate:
    """Return what an answer says about the attempt it is to."""
    return AttemptUpdate(
        attempt=attempt,
        sent_at=None if end in _UNSENT else sent_at,
        ended_at=now,
        end=end,
        http_status=_status(answer),
        activity=activity,
    )


def _status(answer: SubmitAnswer) -> int | None:
    match answer:
        case Taken(http_status=status) | Rejected(http_status=status) | InDoubt(http_status=status):
            return status
        case Throttled():
            return 429
        case Unauthenticated():
            return 401
        case Conflicted():
            return 409
        case NotSent():
            return None
