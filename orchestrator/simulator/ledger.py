"""The truth beside the API: what was started, what was received, the high-water marks.

Tests read it to say "at most once"; no client of Azure ever would.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from heapq import heapify, heappop, heappush

from orchestrator.simulator.exchange import Answer, HangUp, Json
from orchestrator.simulator.installations import Installation, Restart
from orchestrator.simulator.machines import Machine

_NEVER = datetime.max.replace(tzinfo=UTC)


class Gauge:
    """How many installations run at once, and how many ever did."""

    __slots__ = ("_ends", "highest")

    def __init__(self) -> None:
        self._ends: list[datetime] = []
        self.highest = 0

    def begin(self, now: datetime, ends_at: datetime | None) -> None:
        """Count one more, until its end (None: for ever)."""
        while self._ends and self._ends[0] <= now:
            heappop(self._ends)
        heappush(self._ends, ends_at or _NEVER)
        self.highest = max(self.highest, len(self._ends))

    def shorten(self, ends_at: datetime | None, now: datetime) -> None:
        """Let one that would have ended then end now."""
        self._ends[self._ends.index(ends_at or _NEVER)] = now
        heapify(self._ends)


class Ledger:
    """Counts what comes in, and reports what was done."""

    def __init__(self) -> None:
        self._posts: Counter[str] = Counter()
        self._requests: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._everywhere = Gauge()
        self._groups: defaultdict[str, defaultdict[str, Gauge]] = defaultdict(
            lambda: defaultdict(Gauge)
        )

    def posted(self, vm: str) -> None:
        """Note an installPatches POST for this VM (lower-case id), whatever becomes of it."""
        self._posts[vm] += 1

    def answered(self, kind: str, answer: Answer) -> None:
        """Note how a request of this kind was answered; `cut` where it was not."""
        status = "cut" if isinstance(answer, HangUp) else str(answer.status)
        self._requests[kind][status] += 1

    def accepted(self, installation: Installation) -> None:
        """Note that a client's installation runs from now on."""
        for gauge in self._gauges(installation):
            gauge.begin(installation.accepted_at, installation.ends_at)

    def restarted(self, restart: Restart) -> None:
        """Note that a machine restarts because a client asked for it."""
        for gauge in self._gauges(restart):
            gauge.begin(restart.accepted_at, restart.back_at)

    def superseding(self, installation: Installation, now: datetime) -> None:
        """Note that a client's installation, still running, is about to be superseded."""
        for gauge in self._gauges(installation):
            gauge.shorten(installation.ends_at, now)

    def _gauges(self, begun: Installation | Restart) -> list[Gauge]:
        groups = _groups(begun.machine)
        return [self._everywhere, *(self._groups[kind][name] for kind, name in groups)]

    def report(
        self, installations: Iterable[Installation], restarts: Iterable[Restart], now: datetime
    ) -> Json:
        """Return everything as JSON-able values."""
        begun = [one for one in installations if one.begun(now)]
        return {
            "installations": [_entry(one, now) for one in begun],
            "restarts": [_restart_entry(one) for one in restarts],
            "posts": dict(self._posts),
            "requests": {kind: dict(counts) for kind, counts in self._requests.items()},
            "high_water": {
                "in_flight": self._everywhere.highest,
                **{
                    kind: {name: gauge.highest for name, gauge in gauges.items()}
                    for kind, gauges in self._groups.items()
                },
            },
        }


def _groups(machine: Machine) -> Iterable[tuple[str, str]]:
    """Yield what a machine is one of, as (kind, name)."""
    place = f"{machine.subscription}/{machine.region}"
    yield "subscription", machine.subscription
    yield "subscription_region", place
    if machine.zone:
        yield "zone", f"{place}/{machine.zone}"
    if machine.availability_set:
        yield "availability_set", machine.availability_set.lower()
    for name, value in machine.tags.items():
        yield "tag", f"{name}={value}"


def status_word(installation: Installation, now: datetime) -> str:
    """Return the operation's status at this instant."""
    return installation.course.status if installation.ended(now) else "InProgress"


def _restart_entry(restart: Restart) -> Json:
    back_at = restart.back_at
    return {
        "vm_id": restart.machine.key,
        "operation_id": restart.id,
        "client_request_id": restart.client_request_id,
        "accepted_at": restart.accepted_at.isoformat(),
        "back_at": back_at.isoformat() if back_at else None,
        "status": restart.status,
        "answered": restart.answered,
    }


def _entry(installation: Installation, now: datetime) -> Json:
    ends_at = installation.ends_at
    ended = installation.ended(now)
    return {
        "vm_id": installation.machine.key,
        "activity_id": installation.id,
        "client_request_id": installation.client_request_id,
        "accepted_at": installation.accepted_at.isoformat(),
        "ends_at": ends_at.isoformat() if ends_at else None,
        "ended_at": ends_at.isoformat() if ends_at and ended else None,
        "status": status_word(installation, now),
        "result": installation.course.outcome.status if ended else None,
        "answered": installation.answered,
        "started_by": installation.started_by,
    }
