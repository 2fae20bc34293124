"""What every answer of Azure's says about Azure itself: whether it is there at all, and how much
more it lets us ask. Noted for the plan to read (design 4, 8)."""

from datetime import datetime

from orchestrator.domain.answer import (
    InDoubt,
    LookAnswer,
    NotSent,
    PollAnswer,
    SubmitAnswer,
    Throttled,
    Unauthenticated,
    Unreadable,
)
from orchestrator.domain.model import Target
from orchestrator.domain.streaks import AnswerT
from orchestrator.domain.submitting import CREDENTIALS_AGAIN
from orchestrator.domain.throttle import Call, Throttle
from orchestrator.domain.view import RunView

Answer = SubmitAnswer | PollAnswer | LookAnswer


def learn(
    view: RunView, throttle: Throttle, call: Call, target: Target, answer: Answer, now: datetime
) -> None:
    """Tell the run and the throttle what an answer says about Azure."""
    note_reach(view, answer, now)
    match answer:
        case Throttled(retry_after=retry_after):
            throttle.refused(call, target, retry_after, now)
        case Unauthenticated():
            throttle.unauthenticated(now + CREDENTIALS_AGAIN)
        case _:
            pass


def believed(
    view: RunView, throttle: Throttle, call: Call, target: Target, answer: AnswerT, now: datetime
) -> AnswerT:
    """Note what the answer to a read says about Azure, and return what it says about the VM."""
    learn(view, throttle, call, target, answer, now)
    return view.outlook.streaks.heard(target.vm_id, answer, now)


def note_reach(view: RunView, answer: Answer, now: datetime) -> None:
    """Remember since when nothing has answered; any answer with an HTTP status ends that.

    One request in vain is no silence: how long it lasted is only known at the next one in vain.
    """
    if not _silent(answer):
        view.unreachable_since = None
    else:
        view.unreachable_since = view.unreachable_since or now
        view.silence = now - view.unreachable_since


def _silent(answer: Answer) -> bool:
    match answer:
        case NotSent(abandoned=abandoned):
            return not abandoned
        case InDoubt(http_status=status) | Unreadable(http_status=status):
            return status is None
        case _:
            return False
