"""What is ahead: fires, freezes and clock changes in their order, and which of them meet. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import takewhile

from orchestrator.domain.model import Freeze, PlanSpec
from orchestrator.domain.schedule import Nominal, Schedule, check_zone, fires
from orchestrator.domain.window import next_start, shut

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


class Kind(StrEnum):
    """What an entry is about."""

    FIRE = "fire"
    FREEZE = "freeze"
    CLOCKS = "clocks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happens at an instant, with the zone in which people read it."""

    at: datetime
    timezone: str
    kind: Kind
    plan: str
    """Empty: it concerns all plans."""
    text: str
    warns: bool = False
    """Whether somebody should look at it: it is not what was meant, or not when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A plan that fires."""

    spec: PlanSpec
    schedule: Schedule
    queues: bool
    """What becomes of a fire that meets an open run: it queues, or it is skipped."""


def almanac(
    plans: Sequence[Scheduled], freezes: Sequence[Freeze], begin: datetime, end: datetime
) -> tuple[Entry, ...]:
    """Return what is ahead between two instants, oldest first; freezes that hold at `begin` are in
    it."""
    zones = sorted({plan.schedule.timezone for plan in plans})
    found = [
        *_freezes(freezes, begin, end),
        *(entry for zone in zones for entry in _clock_changes(zone, begin, end)),
        *(entry for plan in plans for entry in _fires(plan, freezes, begin, end)),
    ]
    return tuple(sorted(found, key=lambda entry: entry.at))


def _freezes(freezes: Iterable[Freeze], begin: datetime, end: datetime) -> Iterator[Entry]:
    for freeze in freezes:
        if freeze.ends > begin and freeze.begins < end:
            text = f"freeze {freeze.name}: nothing starts until {freeze.ends:%Y-%m-%d %H:%M}Z"
            at = max(freeze.begins, begin)
            yield Entry(at=at, timezone="UTC", kind=Kind.FREEZE, plan="", text=text)


def _fires(
    plan: Scheduled, freezes: Sequence[Freeze], begin: datetime, end: datetime
) -> Iterator[Entry]:
    """Tell of each fire when its first VM may start, and whether the run before can have ended."""
    busy_until = begin
    for fire in takewhile(lambda each: each.at < end, fires(plan.schedule, begin)):
        meets = fire.at < busy_until
        if meets and not plan.queues:
            text = f"skipped: the run before it bakes until {busy_until:%Y-%m-%d %H:%M}Z at least"
            yield _fire(plan, fire, text, warns=True)
            continue
        start, said = _start(plan.spec, freezes, fire.at)
        if meets:
            said = f"queues: the run before it bakes until {busy_until:%Y-%m-%d %H:%M}Z at least"
        if start is not None:
            busy_until = max(start, busy_until) + _bakes(plan.spec)
        yield _fire(plan, fire, said, warns=meets or start != fire.at)


def _fire(plan: Scheduled, fire: Nominal, text: str, *, warns: bool) -> Entry:
    return Entry(
        at=fire.at,
        timezone=plan.schedule.timezone,
        kind=Kind.FIRE,
        plan=plan.spec.name,
        text=f"fires; {text}" if text else "fires",
        warns=warns,
    )


def _start(spec: PlanSpec, freezes: Sequence[Freeze], at: datetime) -> tuple[datetime | None, str]:
    """Return when the first VM of the first wave may start, and what to say about it."""
    first = spec.waves[0]
    held = shut(first, freezes, at)
    if held is None:
        return at, ""
    start = next_start(first, freezes, at, at + spec.deadline)
    if start is None:
        return None, f"no VM may start before its deadline: {held.text}"
    return start, f"the first VM may start at {start:%Y-%m-%d %H:%M}Z: {held.text}"


def _bakes(spec: PlanSpec) -> timedelta:
    """Sum up the bakes: no run is shorter."""
    return sum((wave.bake for wave in spec.waves), timedelta(0))


def _clock_changes(zone: str, begin: datetime, end: datetime) -> Iterator[Entry]:
    """Find the instants at which the clocks of a zone are put forward or back."""
    where, day = check_zone(zone), begin.astimezone(UTC)
    while day < end:
        after = min(day + _DAY, end)
        if day.astimezone(where).utcoffset() != after.astimezone(where).utcoffset():
            at = _change_between(zone, day, after)
            before, then = (at - _MINUTE).astimezone(where) + _MINUTE, at.astimezone(where)
            text = f"clocks in {zone} go from {before:%H:%M} to {then:%H:%M}"
            yield Entry(at=at, timezone=zone, kind=Kind.CLOCKS, plan="", text=text)
        day = after


def _change_between(zone: str, low: datetime, high: datetime) -> datetime:
    """Return the first minute with the later offset, between two instants whose offsets differ."""
    where = check_zone(zone)
    new, minutes = high.astimezone(where).utcoffset(), (high - low) // _MINUTE
    first, last = 0, minutes
    while first < last:
        middle = (first + last) // 2
        if (low + middle * _MINUTE).astimezone(where).utcoffset() == new:
            last = middle
        else:
            first = middle + 1
    return low + first * _MINUTE
