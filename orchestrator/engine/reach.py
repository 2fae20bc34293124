"""Whether Azure is there at all: noted from every answer, for the plan to read (design 4)."""

from datetime import datetime

from orchestrator.domain.answer import (
    InDoubt,
    LookAnswer,
    NotSent,
    PollAnswer,
    SubmitAnswer,
    Unreadable,
)
from orchestrator.domain.view import RunView


def note_reach(
    view: RunView, answer: SubmitAnswer | PollAnswer | LookAnswer, now: datetime
) -> None:
    """Remember since when nothing has answered; any answer with an HTTP status ends that.

    One request in vain is no silence: how long it lasted is only known at the next one in vain.
    """
    if not _silent(answer):
        view.unreachable_since = None
    else:
        view.unreachable_since = view.unreachable_since or now
        view.silence = now - view.unreachable_since


def _silent(answer: SubmitAnswer | PollAnswer | LookAnswer) -> bool:
    match answer:
        case NotSent(abandoned=abandoned):
            return not abandoned
        case InDoubt(http_status=status) | Unreadable(http_status=status):
            return status is None
        case _:
            return False
