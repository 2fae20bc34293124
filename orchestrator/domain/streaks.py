"""What the reads of one VM have said several times in a row: nothing that could be read, or that it
is gone. Pure; in memory only: whoever forgets it asks once more.

One answer in bad weather is no news. A read that told nothing is asked again soon; a VM is gone,
and an operation forgotten, when several reads say so that lie a little apart.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from orchestrator.domain.answer import (
    Gone,
    LookAnswer,
    PollAnswer,
    Throttled,
    Unreadable,
    Untrackable,
)
from orchestrator.domain.model import VmId

AnswerT = TypeVar("AnswerT", LookAnswer, PollAnswer)

SOON: Final = timedelta(seconds=5)
"""How long after the first answer that told nothing the same is asked again; twice as long after
each further one. A VM may be looked at every five seconds, for ever (azure-facts 4.2)."""
AT_MOST: Final = timedelta(minutes=1)
READS: Final = 3
APART: Final = timedelta(seconds=30)
"""So many reads must say 404, the last so long after the first and none between them having told
anything else: a single one may come from a copy that is behind."""
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class _Streak:
    spoiled: int = 0
    gone: int = 0
    gone_since: datetime | None = None


class Streaks:
    """Of the VMs of one run."""

    def __init__(self) -> None:
        self._of: dict[VmId, _Streak] = {}

    def heard(self, vm: VmId, answer: AnswerT, now: datetime) -> AnswerT:
        """Take in an answer, and return what may be believed of it: a 404 is unreadable until it is
        proved."""
        if isinstance(answer, Throttled):
            return answer
        streak = self._of.pop(vm, _Streak())
        if isinstance(answer, Unreadable):
            self._of[vm] = replace(streak, spoiled=streak.spoiled + 1)
            return answer
        reason = _says_404(answer)
        gone, since = streak.gone + 1, streak.gone_since or now
        if reason is None or (gone >= READS and now - since >= APART):
            return answer
        self._of[vm] = _Streak(streak.spoiled + 1, gone, since)
        return Unreadable(reason=reason, http_status=_NOT_FOUND)

    def spoiled(self, vm: VmId) -> int:
        """Return how many reads of this VM in a row, the latest included, have told nothing."""
        streak = self._of.get(vm)
        return streak.spoiled if streak is not None else 0


def _says_404(answer: LookAnswer | PollAnswer) -> str | None:
    """Return the words of a 404; None for any other answer."""
    match answer:
        case Gone(reason=reason) | Untrackable(reason=reason, http_status=404):
            return reason
        case _:
            return None


def soon(spoiled: int) -> timedelta:
    """Return how long to wait after so many reads in a row that told nothing."""
    doublings = min(max(spoiled - 1, 0), 20)
    return SOON * (1 << doublings)
