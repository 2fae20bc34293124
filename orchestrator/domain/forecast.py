"""How long a plan will take, before it begins: each VM as long as its kind has lasted, so many at
once, and no start before Azure allows it. Pure; it promises nothing.

It is a guess that knows no failure, no throttling by other tools and no busy VM.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from heapq import heappop, heappush
from math import ceil
from typing import Final

from orchestrator.domain import halting
from orchestrator.domain.durations import Durations
from orchestrator.domain.model import PlanSpec, Target, WaveSpec
from orchestrator.domain.pools import AZURE, Pool
from orchestrator.domain.waves import Membership

_HALF: Final = 0.5
_ONE_IN_TEN: Final = 0.1
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveForecast:
    """One wave as it will begin: its shares as counts, and how long it may take, its bake not
    counted."""

    spec: WaveSpec
    vms: int
    max_parallel: int
    allowed: int
    usual: timedelta
    """With each installation as long as half of its kind."""
    careful: timedelta
    """With each installation as long as only one in ten of its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A whole run, wave after wave, with the bakes between them and no wait for a person."""

    waves: tuple[WaveForecast, ...]
    deadline: timedelta

    @property
    def usual(self) -> timedelta:
        """How long it takes from its opening to its end."""
        return self._whole([wave.usual for wave in self.waves])

    @property
    def careful(self) -> timedelta:
        """The same with long installations."""
        return self._whole([wave.careful for wave in self.waves])

    def _whole(self, lengths: Sequence[timedelta]) -> timedelta:
        bakes = (wave.spec.bake for wave in self.waves)
        return sum((*lengths, *bakes), timedelta(0))

    @property
    def fits(self) -> bool:
        """Whether the run ends before its deadline, even with long installations."""
        return self.careful <= self.deadline


def forecast(plan: PlanSpec, membership: Membership, durations: Durations) -> Forecast:
    """Foresee a run that opens with these members."""
    waves = tuple(
        _wave(spec, members, durations)
        for spec, members in zip(plan.waves, membership.waves, strict=True)
    )
    return Forecast(waves=waves, deadline=plan.deadline)


def _wave(spec: WaveSpec, members: Sequence[Target], durations: Durations) -> WaveForecast:
    parallel, failures = halting.default_shares(len(members))
    at_once = halting.permitted(spec.max_parallel or parallel, len(members))
    return WaveForecast(
        spec=spec,
        vms=len(members),
        max_parallel=at_once,
        allowed=halting.allowed_for(spec.allow_failures, failures, len(members)),
        usual=_lasts(members, at_once, _lengths(spec, members, durations, _HALF)),
        careful=_lasts(members, at_once, _lengths(spec, members, durations, _ONE_IN_TEN)),
    )


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


def _lasts(members: Sequence[Target], at_once: int, lengths: Sequence[float]) -> timedelta:
    """Let the VMs start in their order, each as soon as a slot is free and Azure takes it."""
    started: Counter[tuple[str, str]] = Counter()
    ends: list[float] = []
    for member, length in zip(members, lengths, strict=True):
        place = (member.subscription_id, member.region)
        started[place] += 1
        free = heappop(ends) if len(ends) >= at_once else 0.0
        heappush(ends, max(free, _taken_after(started[place])) + length)
    minutes = ceil(max(ends, default=0.0) / _MINUTE.total_seconds())
    return minutes * _MINUTE


def _taken_after(number: int) -> float:
    """Return the seconds before which Azure does not take the n-th installation of a subscription
    and region: a bucket that is refilled each minute (azure-facts 4.2)."""
    bucket = AZURE.shared[Pool.PATCHES]
    beyond = number - bucket.capacity
    return ceil(beyond / bucket.refill) * bucket.every if beyond > 0 else 0.0
