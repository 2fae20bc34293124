"""How long a plan will take, before it begins: each VM as long as its kind has lasted, so many at
once, and no start outside its windows or before Azure allows it. Pure; it promises nothing.

It is a guess that knows no failure, no throttling by other tools and no busy VM. Where reboots are
staged each VM is foreseen to need one: nobody knows that before the patches are in.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from math import ceil
from typing import Final

from orchestrator.domain import halting
from orchestrator.domain.durations import Durations
from orchestrator.domain.model import Freeze, PlanSpec, Target, WaveSpec
from orchestrator.domain.pools import AZURE, Pool
from orchestrator.domain.waves import Membership
from orchestrator.domain.window import needed, next_start, of_restarts, open_until

_HALF: Final = 0.5
_ONE_IN_TEN: Final = 0.1
_MINUTE: Final = timedelta(minutes=1)
_RESTART_S: Final = 300.0
_LONG_RESTART_S: Final = 900.0
"""What Azure's own agent leaves room for (azure-facts 1: `REBOOT_BUFFER_IN_MINUTES`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveForecast:
    """One wave as it will begin: its shares as counts, and how long it may take, its waits for a
    window and its phase of reboots counted and its bake not."""

    spec: WaveSpec
    vms: int
    max_parallel: int
    allowed: int
    begins: datetime
    """When its first VM may start."""
    ends: datetime
    """When its last VM has ended, with each installation as long as half of its kind, and been
    restarted where reboots are staged."""
    usual: timedelta
    careful: timedelta
    """With each installation as long as only one in ten of its kind."""
    left: int
    """How many VMs find no window before the run's deadline, with long installations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A whole run, wave after wave, with the bakes between them and no wait for a person. The two
    spans are from its opening to its end."""

    waves: tuple[WaveForecast, ...]
    opens_at: datetime
    usual: timedelta
    careful: timedelta
    """With long installations."""
    deadline: timedelta

    @property
    def left(self) -> int:
        """How many VMs find no window before the deadline."""
        return sum(wave.left for wave in self.waves)

    @property
    def fits(self) -> bool:
        """Whether the run ends before its deadline, even with long installations."""
        return self.careful <= self.deadline and not self.left


def forecast(
    plan: PlanSpec,
    membership: Membership,
    durations: Durations,
    *,
    opens_at: datetime,
    freezes: Sequence[Freeze] = (),
) -> Forecast:
    """Foresee a run that opens at an instant with these members."""
    until = opens_at + plan.deadline
    usual = careful = opens_at
    waves = []
    for spec, members in zip(plan.waves, membership.waves, strict=True):
        hours = _Hours(spec, freezes, until)
        known = _wave(spec, members, durations, hours, (usual, careful))
        waves.append(known)
        usual, careful = usual + known.usual + spec.bake, careful + known.careful + spec.bake
    return Forecast(
        waves=tuple(waves),
        opens_at=opens_at,
        usual=usual - opens_at,
        careful=careful - opens_at,
        deadline=plan.deadline,
    )


def _wave(
    spec: WaveSpec,
    members: Sequence[Target],
    durations: Durations,
    hours: "_Hours",
    turns: tuple[datetime, datetime],
) -> WaveForecast:
    """Foresee a wave whose turn comes at these two instants: usually, and after long waves."""
    parallel, failures = halting.default_shares(len(members))
    at_once = halting.permitted(spec.max_parallel or parallel, len(members))
    usual, _ = _ends(members, at_once, hours, turns[0], _lengths(spec, members, durations, _HALF))
    long = _lengths(spec, members, durations, _ONE_IN_TEN)
    careful, left = _ends(members, at_once, hours, turns[1], long)
    if spec.staged is not None:
        most = spec.staged.max_parallel
        restarted = at_once if most is None else halting.permitted(most, len(members))
        restarts = partial(_ends, members, restarted, hours.of_restarts())
        usual, _ = restarts(usual, [_RESTART_S] * len(members))
        careful, unstarted = restarts(careful, [_LONG_RESTART_S] * len(members))
        left = max(left, unstarted)
    return WaveForecast(
        spec=spec,
        vms=len(members),
        max_parallel=at_once,
        allowed=halting.allowed_for(spec.allow_failures, failures, len(members)),
        begins=hours.first(turns[0]) or turns[0],
        ends=usual,
        usual=usual - turns[0],
        careful=careful - turns[1],
        left=left,
    )


class _Hours:
    """When VMs of a wave may start, by its windows and by the bucket that Azure takes it from.
    Thousands ask, mostly about one window: what was found for the last of them is remembered."""

    def __init__(
        self,
        spec: WaveSpec,
        freezes: Sequence[Freeze],
        until: datetime,
        pool: Pool = Pool.PATCHES,
    ) -> None:
        self._spec = spec
        self._freezes = freezes
        self._until = until
        self._bucket = AZURE.shared[pool]
        self._open: tuple[datetime, datetime] | None = None

    def of_restarts(self) -> "_Hours":
        """Return when VMs of the same wave may be restarted, in a phase of their own."""
        return _Hours(of_restarts(self._spec), self._freezes, self._until, Pool.UPDATES)

    def taken_after(self, number: int) -> float:
        """Return the seconds before which Azure does not take the n-th of a subscription and
        region: a bucket that is refilled each minute (azure-facts 4.2)."""
        beyond = number - self._bucket.capacity
        return ceil(beyond / self._bucket.refill) * self._bucket.every if beyond > 0 else 0.0

    def first(self, at: datetime) -> datetime | None:
        """Return the first instant from then on at which a VM may start; None: no more before the
        deadline."""
        if self._open is not None and self._open[0] <= at < self._open[1]:
            return at
        found = next_start(self._spec, self._freezes, at, self._until)
        if found is not None:
            self._open = found, self._shuts(found)
        return found

    def _shuts(self, at: datetime) -> datetime:
        """Return until when VMs may start, without a gap, from an instant at which one may."""
        ends = [freeze.begins for freeze in self._freezes if freeze.begins > at]
        closes = open_until(self._spec.hours, at)
        if closes is not None:
            ends.append(closes - needed(self._spec))
        return min([*ends, self._until])


def _lengths(
    spec: WaveSpec, members: Sequence[Target], durations: Durations, left: float
) -> list[float]:
    """Return how many seconds each VM takes; its own past counts, and `max_duration` bounds it."""
    longest = spec.max_duration.total_seconds()
    groups = [(member.os, spec.reboot) for member in members]
    return [
        min(
            longest,
            durations.curve(group).upper(0.0, left) * durations.scale(member.vm_id, group),
        )
        for member, group in zip(members, groups, strict=True)
    ]


def _ends(
    members: Sequence[Target],
    at_once: int,
    hours: _Hours,
    begins: datetime,
    lengths: Sequence[float],
) -> tuple[datetime, int]:
    """Let the VMs start (or be restarted) in their order, each as soon as a slot is free, its
    window is open and Azure takes it. Return when the last has ended, and how many find no window
    any more."""
    started: Counter[tuple[str, str]] = Counter()
    ends: list[datetime] = []
    for number, (member, length) in enumerate(zip(members, lengths, strict=True)):
        place = (member.subscription_id, member.region)
        started[place] += 1
        free = ends[0] if len(ends) >= at_once else begins
        taken = begins + timedelta(seconds=hours.taken_after(started[place]))
        at = hours.first(max(free, taken))
        if at is None:
            return _whole(begins, ends), len(members) - number
        if len(ends) >= at_once:
            heappop(ends)
        heappush(ends, at + timedelta(seconds=length))
    return _whole(begins, ends), 0


def _whole(begins: datetime, ends: Sequence[datetime]) -> datetime:
    """Return the last end, in whole minutes from the beginning."""
    return begins + ceil((max(ends, default=begins) - begins) / _MINUTE) * _MINUTE
