"""How far Resource Graph trails behind Azure, as its answers show it. Pure.

Nobody says how far (azure-facts 7: typically seconds to minutes). It matters twice: a sweep must
look back further than that, and where single reads are sooner, nobody should wait for it.
"""

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from orchestrator.domain.answer import Hint
from orchestrator.domain.model import ActivityId

REMEMBERED: Final = 200
"""The latest so many tell how it is now."""
USUALLY: Final = 0.9
_ZERO: Final = timedelta(0)


class Asked(NamedTuple):
    """A sweep that was answered: when it was asked, and about what was changed since when."""

    at: datetime
    since: datetime


class Lag:
    """Learns from installations that are shown for the first time: as running, or as ended."""

    def __init__(self, most: timedelta) -> None:
        """`most`: nothing counts as later than this; what is shown so late was overlooked."""
        self._most = most
        self._seen: dict[tuple[ActivityId, bool], datetime] = {}
        self._late: deque[timedelta] = deque(maxlen=REMEMBERED)

    def learn(
        self, hints: Iterable[Hint], before: Asked | None, now: datetime, skew: timedelta
    ) -> None:
        """Take in an answer to a question asked now; `before` is the one that was answered before
        it, None: there was none, and for how long this was to be seen is not known.

        What the question before had asked about, and was not told, is later than the time between;
        of all else the time since it was changed counts.
        """
        for hint in hints:
            if hint.changed_at is None or (hint.activity, hint.ended) in self._seen:
                continue
            changed_at = hint.changed_at - skew
            self._seen[hint.activity, hint.ended] = changed_at
            if before is not None:
                covered = before.since <= changed_at
                late = (before.at if covered else now) - changed_at
                self._late.append(min(max(late, _ZERO), self._most))

    def forget(self, until: datetime) -> None:
        """Forget what was changed before then: no question will show it again."""
        if any(at < until for at in self._seen.values()):
            self._seen = {one: at for one, at in self._seen.items() if at >= until}

    @property
    def longest(self) -> timedelta:
        """How late the latest of those that are remembered was shown."""
        return max(self._late, default=_ZERO)

    @property
    def usual(self) -> timedelta:
        """Nine of ten were shown no later than this."""
        return sorted(self._late)[int(USUALLY * (len(self._late) - 1))] if self._late else _ZERO
