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
from orchestrator.domain.model import ActivityId, AttemptId
from orchestrator.domain.record import AttemptEnd, AttemptUpdate

OUT_OF_HOURS: Final = frozenset({"window", "freeze"})
"""How the database refuses an intent that comes too late: as the plan would have."""
STALE_LOOK_S: Final = 60.0
"""How old the look may be at the intent (design 5.0)."""
_UNSENT: Final = frozenset({AttemptEnd.NOT_SENT, AttemptEnd.ABANDONED})


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
