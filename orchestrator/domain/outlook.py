"""What a run knows about when its installations will end: lengths seen, who is swept, what was
hinted. It plans nothing itself (`polling.py`) and decides nothing: all of it may be wrong or lost.
"""

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from zlib import crc32

from orchestrator.domain.durations import Durations, Lasted
from orchestrator.domain.model import ActivityId, Reboot, Tracking, VmId
from orchestrator.domain.operation import Operation
from orchestrator.domain.polling import PLANNED_FROM, Pacing, pace
from orchestrator.domain.states import InProgress, Verifying
from orchestrator.domain.streaks import Streaks


class Outlook:
    """Of one run. `reboots` are the settings of its waves, by position."""

    def __init__(self, tracking: Tracking, reboots: Mapping[int, Reboot]) -> None:
        self._tracking = tracking
        self._reboots = reboots
        self._durations = Durations()
        self.swept: set[str] = set()
        """The subscriptions in which sweeps of Resource Graph tell of ends at this time."""
        self.missed: Counter[str] = Counter()
        """How many ends in a row no sweep had told of where sweeps should, by subscription."""
        self._hints: dict[VmId, tuple[ActivityId, datetime]] = {}
        self.streaks = Streaks()
        """What the latest reads of each VM have said in a row."""

    @property
    def planned(self) -> bool:
        """Whether reads are planned at all: not where somebody wants to see each end at once."""
        return self._tracking.poll >= PLANNED_FROM

    @property
    def oldest(self) -> datetime | None:
        """When the oldest installation that is followed began, or a little before."""
        return self._durations.oldest()

    def remember(self, past: Iterable[Lasted], vms: Container[VmId]) -> None:
        """Take in how long installations lasted in earlier runs; those of these VMs by name."""
        self._durations.remember(past, vms)

    def learn(self, before: Operation | None, after: Operation) -> None:
        """Take in an operation's new row: one that runs, or has ended."""
        was, state = before.state if before else None, after.state
        if state is was or not (isinstance(was, InProgress) or isinstance(state, InProgress)):
            return
        group = (after.target.os, self._reboot(after))
        if isinstance(was, InProgress):
            hint = self._hints.pop(after.target.vm_id, None)
            self._note_miss(after.target.subscription_id, told=hint is not None)
            at = getattr(state, "since", was.since)
            told = isinstance(state, Verifying)
            self._durations.end(group, was.intent_at, at, told=told)
        if isinstance(state, InProgress):
            self._durations.begin(group, state.intent_at)

    def _note_miss(self, subscription: str, *, told: bool) -> None:
        if told or subscription not in self.swept:
            self.missed.pop(subscription, None)
        else:
            self.missed[subscription] += 1

    def hint(self, vm: VmId, activity: ActivityId, now: datetime) -> bool:
        """Note that an installation is said to have ended. False: that was known."""
        known = self._hints.get(vm)
        if known is not None and known[0] == activity:
            return False
        self._hints[vm] = (activity, now)
        return True

    def pacing(self, op: Operation, crowd: int) -> Pacing:
        """Return how an operation is to be followed, with so many in flight in its subscription."""
        interval, vm = pace(self._tracking, crowd), op.target.vm_id
        phase, spoiled = crc32(vm.encode()) / 2**32, self.streaks.spoiled(vm)
        if not self.planned:
            return Pacing(interval=interval, poll=self._tracking.poll, phase=phase, spoiled=spoiled)
        group = (op.target.os, self._reboot(op))
        hint = self._hints.get(vm)
        return Pacing(
            interval=interval,
            phase=phase,
            poll=self._tracking.poll,
            overdue=self._tracking.overdue,
            curve=self._durations.curve(group),
            scale=self._durations.scale(vm, group),
            swept=op.target.subscription_id in self.swept,
            hinted_at=hint[1] if hint else None,
            spoiled=spoiled,
        )

    def _reboot(self, op: Operation) -> Reboot:
        return self._reboots.get(op.wave, Reboot.IF_REQUIRED)
