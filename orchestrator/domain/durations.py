"""How long installations last, as far as we can tell: a survival estimate that learns. Pure.

It never says when one ends: only where an end is likely, and how long nearly all have lasted. A
group is an operating system with a reboot setting; a VM's own past stretches its group's curve.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import erf, exp, log, sqrt
from typing import Final

from orchestrator.domain.model import Reboot, VmId

Group = tuple[str, Reboot]
"""Operating system, as the inventory spells it, and reboot setting."""

PAST: Final = 10_000
"""How many past installations a run learns from: more would tell little more, and cost its start
more than a tenth of a second."""
_SHORTEST: Final = 20.0
_RATIO: Final = 1.1
_EDGES: Final = (0.0, *(_SHORTEST * _RATIO**n for n in range(89)))
"""Seconds: each bucket ends 10 % later than the one before, from 20 s up to a day."""
_BUCKETS: Final = len(_EDGES) - 1

_MEDIAN: Final = 12 * 60.0
_SPREAD: Final = log(2.0)
_PRIOR: Final = 10.0
"""What is believed before anything was seen, and how many installations that is worth: two thirds
last between 6 and 24 minutes, nearly all between 3 and 50. The figures are ours. The few recorded
ones fit in: 2-5 min with up to 3 patches, 20 min 38 s with 32 and a reboot (azure-facts 2.1)."""
_BEYOND: Final = 1e-4
"""The share that lasts longer than any bucket: what has lasted a day may last another."""
_STALE: Final = 1.05
"""A curve is drawn anew when this many times as many installations were seen: 200 times on the way
to 10,000, so that learning costs O(1) and asking O(log buckets)."""
_SLOT: Final = 30.0
"""Seconds: the beginnings of those that run are counted in slots of this width."""
_OWN_MOST: Final = 4.0
"""A VM's own past makes its curve at most so many times longer or shorter than its group's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasted:
    """One past installation, from its acceptance to the read that saw its end."""

    vm_id: VmId
    os: str
    reboot: Reboot
    lasted: timedelta


@dataclass(frozen=True, slots=True)
class Curve:
    """The estimate of one group at one moment. Ages and answers are seconds since the
    acceptance."""

    hazards: tuple[float, ...]
    """The integral of the rate of ends (1/s) up to each edge: minus the logarithm of the share
    that lasts longer."""
    alertness: tuple[float, ...]
    """The integral of the square root of that rate up to each edge.

    Reads that come every T seconds cost 1/T reads a second, and an end is noticed T/2 late on
    average: with a rate of ends r the sum of both costs is least where T is proportional to
    1/sqrt(r). So the next read is due when this has grown by a fixed amount.
    """

    def survives(self, age: float) -> float:
        """Return the share of installations that last longer than this."""
        return exp(-_at(self.hazards, age))

    def upper(self, age: float, left: float) -> float:
        """Return the age at which only this share is left of those that have lasted until `age`."""
        return _reached(self.hazards, _at(self.hazards, age) - log(left))

    def due(self, age: float, alertness: float) -> float:
        """Return the age at which the alertness has grown by so much since `age`."""
        return _reached(self.alertness, _at(self.alertness, age) + alertness)


def _at(integral: Sequence[float], age: float) -> float:
    """Read an integral at an age: straight between two edges, and as steep as the last bucket
    behind them."""
    n = min(bisect_right(_EDGES, age) - 1, _BUCKETS - 1) if age > 0 else 0
    begin, end = _EDGES[n], _EDGES[n + 1]
    return integral[n] + (integral[n + 1] - integral[n]) * (max(age, 0.0) - begin) / (end - begin)


def _reached(integral: Sequence[float], value: float) -> float:
    """Return the age at which an integral has this value: the inverse of `_at`, up to the last
    edge."""
    if value >= integral[-1]:
        return _EDGES[-1]
    n = max(bisect_right(integral, value) - 1, 0)
    begin, end = _EDGES[n], _EDGES[n + 1]
    rise = integral[n + 1] - integral[n]
    return begin + (end - begin) * (value - integral[n]) / rise if rise > 0 else end


def _believed() -> tuple[float, ...]:
    """Return the prior: a log-normal curve, the share in each bucket."""

    def below(seconds: float) -> float:
        return 0.5 + erf(log(seconds / _MEDIAN) / _SPREAD / sqrt(2)) / 2 if seconds > 0 else 0.0

    return tuple(below(end) - below(begin) for begin, end in pairwise(_EDGES))


_BELIEVED: Final = _believed()


def curve_of(
    ended: Sequence[float], running: Sequence[float], believed: Sequence[float] = _BELIEVED
) -> Curve:
    """Draw the curve of what ended and of what still runs in each bucket, on top of what is
    believed.

    The share of those that reached a bucket which ended in it is the estimate of Kaplan and Meier:
    without those that still run, a night's first ends would make all look short.
    """
    reached = sum(ended) + sum(running) + _PRIOR * sum(believed)
    hazards, alertness = [0.0], [0.0]
    for number, begin, end in zip(range(_BUCKETS), _EDGES[:-1], _EDGES[1:], strict=True):
        ends = ended[number] + _PRIOR * believed[number]
        at_risk = max(reached - running[number] / 2, ends) + _PRIOR * _BEYOND
        rise = -log(1 - ends / at_risk)
        hazards.append(hazards[-1] + rise)
        alertness.append(alertness[-1] + sqrt(rise * (end - begin)))
        reached -= ends + running[number]
    return Curve(tuple(hazards), tuple(alertness))


def _bucket(seconds: float) -> int:
    return min(max(bisect_right(_EDGES, seconds) - 1, 0), _BUCKETS - 1)


@dataclass(slots=True)
class _Counted:
    """How many installations ended in each bucket, when those that run began, and the curve as it
    was last drawn."""

    ended: list[float] = field(default_factory=lambda: [0.0] * _BUCKETS)
    begun: Counter[int] = field(default_factory=Counter)
    seen: int = 0
    curve: Curve | None = None
    drawn_at: float = 0.0

    def learn(self, seconds: float) -> None:
        """Count one end; its neighbours get a quarter each, for a handful is no histogram."""
        n = _bucket(seconds)
        self.seen += 1
        self.ended[n] += 0.5
        self.ended[max(n - 1, 0)] += 0.25
        self.ended[min(n + 1, _BUCKETS - 1)] += 0.25

    def running(self, now: datetime) -> list[float]:
        """Return how many of those that run have come to each bucket."""
        found = [0.0] * _BUCKETS
        for slot, number in self.begun.items():
            found[_bucket(now.timestamp() - slot * _SLOT)] += number
        return found


class Durations:
    """What is known of all groups. Mutable; the same history in the same order gives the same
    estimate."""

    def __init__(self) -> None:
        self._all = _Counted()
        self._groups: dict[Group, _Counted] = {}
        self._own: dict[VmId, tuple[int, float]] = {}
        self._now = datetime.min.replace(tzinfo=UTC)

    def remember(self, past: Iterable[Lasted], vms: Container[VmId]) -> None:
        """Take in earlier runs, and for these VMs their own past too."""
        for each in past:
            seconds = each.lasted.total_seconds()
            self._learn((each.os, each.reboot), seconds)
            if each.vm_id not in vms:
                continue
            number, logs = self._own.get(each.vm_id, (0, 0.0))
            self._own[each.vm_id] = (number + 1, logs + log(max(seconds, _SHORTEST)))

    def begin(self, group: Group, at: datetime) -> None:
        """Take in an installation that began then and runs."""
        self._now, slot = max(self._now, at), _slot(at)
        for counted in (self._counted(group), self._all):
            counted.begun[slot] += 1

    def oldest(self) -> datetime | None:
        """Return when the oldest that runs began, or a little before; None: none runs."""
        slot = min(self._all.begun, default=None)
        return None if slot is None else datetime.fromtimestamp(slot * _SLOT, UTC)

    def end(self, group: Group, began: datetime, at: datetime, *, told: bool) -> None:
        """Take in that it runs no more; not `told`: nobody said that it has ended."""
        self._now, slot = max(self._now, at), _slot(began)
        for counted in (self._counted(group), self._all):
            counted.begun[slot] -= 1
            if counted.begun[slot] <= 0:
                del counted.begun[slot]
        if told:
            self._learn(group, (at - began).total_seconds())

    def curve(self, group: Group) -> Curve:
        """Return a group's estimate: on top of what all groups together showed."""
        counted = self._counted(group)
        known = 1.0 + counted.seen + self._all.seen
        if counted.curve is None or known > counted.drawn_at * _STALE:
            all_of_them = curve_of(self._all.ended, self._all.running(self._now))
            left = [exp(-hazard) for hazard in all_of_them.hazards]
            believed = [begin - end for begin, end in pairwise(left)]
            counted.curve = curve_of(counted.ended, counted.running(self._now), believed)
            counted.drawn_at = known
        return counted.curve

    def scale(self, vm: VmId, group: Group) -> float:
        """Return how many times longer than its group's a VM's installations last, by its own past:
        one earlier length counts half, two count two thirds, and so on."""
        own = self._own.get(vm)
        if own is None:
            return 1.0
        number, logs = own
        usual = log(max(self.curve(group).upper(0.0, 0.5), _SHORTEST))
        stretched = exp((logs / number - usual) * number / (number + 1))
        return min(max(stretched, 1 / _OWN_MOST), _OWN_MOST)

    def _counted(self, group: Group) -> _Counted:
        found = self._groups.get(group)
        if found is None:
            found = self._groups[group] = _Counted()
        return found

    def _learn(self, group: Group, seconds: float) -> None:
        self._counted(group).learn(seconds)
        self._all.learn(seconds)


def _slot(at: datetime) -> int:
    return int(at.timestamp() // _SLOT)
