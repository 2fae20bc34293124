"""How long a plan will take, before it begins: each VM as long as its kind has lasted, so many at
once, and no start outside its windows or before Azure allows it. Pure; it promises nothing.

It is a guess that knows no failure, no throttling by other tools and no busy VM. Where reboots are
staged each VM is foreseen to need one: nobody knows that before the patches are in.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from math import ceil
from typing import Final

from orchestrator.domain import halting, limits, ramping
from orchestrator.domain.durations import Durations
from orchestrator.domain.model import Freeze, PlanSpec, Share, Target, WaveSpec
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
    unstarted: int
    """How many VMs can not be started before the run's deadline: `usual` is too small then."""
    left: int
    """The same with long installations, and of `careful`."""


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
        """How many VMs can not be started before the deadline, with long installations."""
        return sum(wave.left for wave in self.waves)

    @property
    def unstarted(self) -> int:
        """The same with installations of the usual length."""
        return sum(wave.unstarted for wave in self.waves)

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
    bounds = _Bounds(plan, membership)
    for spec, members in zip(plan.waves, membership.waves, strict=True):
        hours = _Hours(spec, freezes, until)
        known = _wave(bounds.of(spec, members), durations, hours, (usual, careful))
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
    room: "_Room", durations: Durations, hours: "_Hours", turns: tuple[datetime, datetime]
) -> WaveForecast:
    """Foresee a wave whose turn comes at these two instants: usually, and after long waves."""
    spec, members = room.spec, room.members
    ends = partial(_ends, room, hours)
    usual, unstarted = ends(turns[0], _lengths(spec, members, durations, _HALF))
    careful, left = ends(turns[1], _lengths(spec, members, durations, _ONE_IN_TEN))
    if spec.staged is not None:
        restarts = partial(_ends, room.of_restarts(spec.staged.max_parallel), hours.of_restarts())
        usual, never = restarts(usual, [_RESTART_S] * len(members))
        careful, not_restarted = restarts(careful, [_LONG_RESTART_S] * len(members))
        unstarted, left = max(unstarted, never), max(left, not_restarted)
    return WaveForecast(
        spec=spec,
        vms=len(members),
        max_parallel=room.most,
        allowed=room.allowed,
        begins=hours.first(turns[0]) or turns[0],
        ends=usual,
        usual=usual - turns[0],
        careful=careful - turns[1],
        unstarted=unstarted,
        left=left,
    )


class _Bounds:
    """What bounds how many VMs of a plan are in flight: strict budgets and limits. What other runs
    have in flight is not known beforehand."""

    def __init__(self, plan: PlanSpec, membership: Membership) -> None:
        everyone = [member for wave in membership.waves for member in wave]
        self._kinds = tuple(limit.kind for limit in limits.by_kind(plan.limits))
        self._most = {
            group: ceiling.most for group, ceiling in limits.ceilings(plan.limits, everyone).items()
        }
        own = plan.allow_failures
        strict = own is not None and own.strict and halting.numbered(own)
        self._strict = halting.allowed(own, len(everyone)) + 1 if own and strict else None

    def of(self, spec: WaveSpec, members: Sequence[Target]) -> "_Room":
        """Return how many of a wave may be in flight, with its shares as counts."""
        parallel, failures = halting.default_shares(len(members))
        allowed = halting.allowed_for(spec.allow_failures, failures, len(members))
        strict = spec.allow_failures is not None and spec.allow_failures.strict
        bounds = (allowed + 1 if strict else None, self._strict, self._most.get(limits.IN_FLIGHT))
        ceiling = min((bound for bound in bounds if bound is not None), default=len(members))
        at_once = halting.permitted(spec.max_parallel or parallel, len(members))
        return _Room(
            spec=spec,
            members=members,
            allowed=allowed,
            ramp=ramping.steps(spec.ramp, len(members)),
            at_once=at_once,
            ceiling=max(1, ceiling),
            groups=[limits.groups_of(self._kinds, member) for member in members],
            per_group=self._most,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Room:
    """How many VMs of a wave may be in flight at once, by everything that bounds them."""

    spec: WaveSpec
    members: Sequence[Target]
    allowed: int
    ramp: Sequence[int]
    at_once: int
    ceiling: int
    groups: Sequence[Sequence[str]]
    """The groups with a limit that each VM is in."""
    per_group: Mapping[str, int]

    @property
    def most(self) -> int:
        """How many at once at the end of the ramp."""
        return self.after(sum(self.ramp))

    def after(self, good: int) -> int:
        """Return how many at once when so many have ended well."""
        return min(ramping.step_at(self.ramp, good) or self.at_once, self.ceiling)

    def free_in(self, group: str, running: list[datetime]) -> datetime | None:
        """Take a slot of a group, and return when it is free; None: at once."""
        return heappop(running) if len(running) >= self.per_group[group] else None

    def of_restarts(self, most: Share | None) -> "_Room":
        """Return the same for the phase of reboots, which has no ramp."""
        own = self.at_once if most is None else halting.permitted(most, len(self.members))
        return replace(self, at_once=own, ramp=())


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
        self.until = until
        self._bucket = AZURE.shared[pool]
        self._open: tuple[datetime, datetime] | None = None

    def of_restarts(self) -> "_Hours":
        """Return when VMs of the same wave may be restarted, in a phase of their own."""
        return _Hours(of_restarts(self._spec), self._freezes, self.until, Pool.UPDATES)

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
        found = next_start(self._spec, self._freezes, at, self.until)
        if found is not None:
            self._open = found, self._shuts(found)
        return found

    def _shuts(self, at: datetime) -> datetime:
        """Return until when VMs may start, without a gap, from an instant at which one may."""
        ends = [freeze.begins for freeze in self._freezes if freeze.begins > at]
        closes = open_until(self._spec.hours, at)
        if closes is not None:
            ends.append(closes - needed(self._spec))
        return min([*ends, self.until])


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
    room: _Room, hours: _Hours, begins: datetime, lengths: Sequence[float]
) -> tuple[datetime, int]:
    """Let the VMs start (or be restarted) in their order, each as soon as a slot is free in all its
    groups, its window is open and Azure takes it. Return when the last has ended, and how many can
    not be started before the deadline, which is the end then."""
    sent: Counter[tuple[str, str]] = Counter()
    running: list[datetime] = []
    by_group: dict[str, list[datetime]] = {}
    last, free, done, left = begins, begins, 0, 0
    for member, groups, length in zip(room.members, room.groups, lengths, strict=True):
        while len(running) >= room.after(done):
            free, done = max(free, heappop(running)), done + 1
        place = (member.subscription_id, member.region)
        taken = begins + timedelta(seconds=hours.taken_after(sent[place] + 1))
        waits = [room.free_in(group, by_group.setdefault(group, [])) for group in groups]
        at = hours.first(max([free, taken, *filter(None, waits)]))
        if at is None:
            left += 1
            continue
        sent[place] += 1
        end = at + timedelta(seconds=length)
        last = max(last, end)
        heappush(running, end)
        for group in groups:
            heappush(by_group[group], end)
    if left:
        last = max(begins, hours.until)  # more than that nobody knows
    return _whole(begins, last), left


def _whole(begins: datetime, ends: datetime) -> datetime:
    """Return an end in whole minutes from the beginning."""
    return begins + ceil((ends - begins) / _MINUTE) * _MINUTE
