"""When a plan fires, and what becomes of a late fire. Pure: it is told the time and opens nothing.

Rules are written on the wall clock of a zone: cron or patch Tuesday give a wall-clock time, the
offset moves it on the wall clock, and only then it is resolved to an instant. In a gap (spring)
that is the first instant that exists, in a fold (autumn) the earlier of the two. The resolved
wall-clock time without zone or fold is the fire's key (design 9).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

MOST_DAYS = 60
"""How far an offset may move a fire, either way."""
MOST_MISSED = 100
"""How many missed fires are told at once: a daemon that slept for a month does not fill the log."""

_KEY = "%Y-%m-%dT%H:%M"
_ANY_DAY = datetime(2000, 1, 1)  # noqa: DTZ001 - wall-clock time; impossible expressions are found from any day
_MINUTE = timedelta(minutes=1)
_LONGEST_CRON = 200
_NOT_OURS = ("posix/", "right/", "posixrules", "localtime", "Factory")
_FIELDS = {
    "minute": "0-59",
    "hour": "0-23",
    "day-of-month": "1-31, L (the last) or LW (the last working day)",
    "month": "1-12 or JAN-DEC",
    "day-of-week": "0-7 or SUN-SAT, TUE#2 (the second Tuesday) or 5L (the last Friday)",
}


class ScheduleError(ValueError):
    """A schedule that cannot be. The message is one sentence for the person who wrote it."""


class MissedPolicy(StrEnum):
    """What becomes of a fire that is noticed after its grace."""

    SKIP = "skip"
    RUN_LATE = "run_late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Within `grace` a late fire still opens its run; later, the policy decides."""

    policy: MissedPolicy = MissedPolicy.SKIP
    grace: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """Five cron fields, as Debian's cron reads them: if both days are given, either will do.

    Raises `ScheduleError` for what is no cron expression and for one that never fires.
    """

    expression: str

    def __post_init__(self) -> None:
        _check_cron(self.expression)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchTuesday:
    """The second Tuesday of every month, moved by whole days, at a wall-clock time.

    Raises `ScheduleError` beyond 60 days, and for a time with seconds or a zone.
    """

    at: time
    days: int = 0

    def __post_init__(self) -> None:
        if abs(self.days) > MOST_DAYS:
            message = f"{self.days:+} days from patch Tuesday is too far: at most {MOST_DAYS}"
            raise ScheduleError(message)
        if self.at != time(self.at.hour, self.at.minute):
            raise ScheduleError("a schedule fires at a whole minute of the wall clock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a plan fires: a rule, moved by `offset` on the wall clock, in an IANA time zone.

    Raises `ScheduleError` for an unknown zone and for an offset beyond 60 days or with seconds.
    """

    rule: Cron | PatchTuesday
    timezone: str = "UTC"
    offset: timedelta = timedelta(0)
    missed: Missed = field(default_factory=Missed)

    def __post_init__(self) -> None:
        check_zone(self.timezone)
        if abs(self.offset) > timedelta(days=MOST_DAYS):
            message = f"an offset may be at most {MOST_DAYS} days, either way"
            raise ScheduleError(message)
        if self.offset % _MINUTE:
            raise ScheduleError("an offset is made of whole minutes")


@dataclass(frozen=True, slots=True, order=True)
class Nominal:
    """One fire: the instant in UTC, and its key, the resolved wall clock, `2026-11-22T22:00`."""

    at: datetime
    local: str


class Decision(StrEnum):
    """What to do about a fire that is due."""

    OPEN = "open"
    MISSED = "missed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A fire that is due, what to do about it, and why, in words."""

    nominal: Nominal
    decision: Decision
    reason: str


def check_zone(name: str) -> ZoneInfo:
    """Return the IANA zone of this name. Raises `ScheduleError` when there is none."""
    message = f"{name!r} is not an IANA time zone"
    if name.startswith(_NOT_OURS):  # leap seconds, and links whose meaning depends on the machine
        raise ScheduleError(message)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ScheduleError(message) from None


def resolve(wall: datetime, zone: ZoneInfo) -> Nominal:
    """Find the first instant at or after this wall-clock time; gaps end at whole minutes."""
    while True:
        at = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if _wall(at, zone) == wall:
            return Nominal(at, wall.strftime(_KEY))
        wall += _MINUTE


def either_day(cron: Cron) -> bool:
    """Tell whether both days are given: cron fires when *either* matches, seldom what was meant."""
    fields = cron.expression.split()
    return not (fields[2].startswith("*") or fields[4].startswith("*"))


def every_minute(cron: Cron) -> bool:
    """Tell whether it fires each minute of the hours it names: `* 2 * * *` fires 60 times."""
    return cron.expression.split()[0] in {"*", "*/1"}


def fires(schedule: Schedule, after: datetime) -> Iterator[Nominal]:
    """Yield the fires later than `after`, oldest first, each key once."""
    zone = check_zone(schedule.timezone)
    start = _wall(after, zone) - schedule.offset
    last = ""
    for wall in _walls(schedule.rule, start):
        nominal = resolve(wall + schedule.offset, zone)
        if nominal.at > after and nominal.local != last:
            last = nominal.local
            yield nominal


def fires_back(schedule: Schedule, until: datetime) -> Iterator[Nominal]:
    """Yield the fires not later than `until`, newest first, each key once."""
    zone = check_zone(schedule.timezone)
    # After a clock was set back, wall-clock times later than the present one have already been.
    ahead = max(_offset(until - timedelta(days=1), zone) - _offset(until, zone), timedelta(0))
    start = _wall(until, zone) + ahead + _MINUTE - schedule.offset
    last = ""
    for wall in _walls(schedule.rule, start, back=True):
        nominal = resolve(wall + schedule.offset, zone)
        if nominal.at <= until and nominal.local != last:
            last = nominal.local
            yield nominal


def due(
    schedule: Schedule,
    *,
    first_seen: datetime,
    fired: Collection[str],
    now: datetime,
    shut: str | None = None,
) -> tuple[Due, ...]:
    """Decide every fire that is due and undecided, oldest first; write them down in this order.

    `fired` holds the keys of (at least the newest) fires already decided: nothing older than the
    newest of them is looked at again, so that an edited schedule does not bring back the past.
    Fires before `first_seen` never were. Only the newest can open a run: within its grace, or late
    by policy unless nothing could start then: `shut` says why. There is never a burst.
    """
    present = _wall(now, check_zone(schedule.timezone)).strftime(_KEY)
    decided = max((key for key in fired if key <= present), default="")
    undecided = []
    for nominal in islice(fires_back(schedule, now), MOST_MISSED):
        if nominal.at < first_seen or nominal.local <= decided:
            break
        undecided.append(nominal)
    if not undecided:
        return ()
    newest, *older = undecided
    overtaken = f"missed: the fire of {newest.local} came due before this one was noticed"
    missed = [Due(nominal=n, decision=Decision.MISSED, reason=overtaken) for n in reversed(older)]
    return (*missed, _decide(newest, schedule.missed, now, shut))


def _decide(nominal: Nominal, missed: Missed, now: datetime, shut: str | None) -> Due:
    late = now - nominal.at
    minutes = f"{late // _MINUTE} min late"
    grace = f"the grace of {missed.grace // _MINUTE} min"
    if late <= missed.grace:
        reason = "on time" if late < _MINUTE else f"{minutes}, within {grace}"
        return Due(nominal=nominal, decision=Decision.OPEN, reason=reason)
    if missed.policy is MissedPolicy.RUN_LATE and shut is not None:
        reason = f"missed: {minutes}, too late to run: {shut}"
        return Due(nominal=nominal, decision=Decision.MISSED, reason=reason)
    if missed.policy is MissedPolicy.RUN_LATE:
        return Due(nominal=nominal, decision=Decision.OPEN, reason=f"{minutes}, run late by policy")
    reason = f"missed: {minutes}, more than {grace}"
    return Due(nominal=nominal, decision=Decision.MISSED, reason=reason)


# -------------------------------------------------------------------------- the wall clock


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta(0)


def _walls(rule: Cron | PatchTuesday, start: datetime, *, back: bool = False) -> Iterator[datetime]:
    """Yield the rule's wall-clock times from about `start` on, in order."""
    match rule:
        case Cron(expression=expression):
            yield from CronSim(expression, start, reverse=back)
        case PatchTuesday(at=at, days=days):
            for first in _months(start - timedelta(days=days), back=back):
                yield datetime.combine(_second_tuesday(first) + timedelta(days=days), at)


def _months(around: datetime, *, back: bool) -> Iterator[date]:
    """Yield first days of months, beginning one month on the safe side of `around`."""
    number = around.year * 12 + around.month - 1 + (1 if back else -1)
    while date.min.year < number // 12 < date.max.year:
        yield date(number // 12, number % 12 + 1, 1)
        number += -1 if back else 1


def _second_tuesday(first: date) -> date:
    tuesday = 1
    return first + timedelta(days=(tuesday - first.weekday()) % 7 + 7)


def _check_cron(expression: str) -> None:
    fields = expression.split()
    if len(fields) != len(_FIELDS):
        names = ", ".join(_FIELDS)
        message = f"a cron expression has 5 fields ({names}), this one has {len(fields)}"
        raise ScheduleError(message)
    if len(expression) > _LONGEST_CRON:
        message = f"a cron expression has at most {_LONGEST_CRON} characters"
        raise ScheduleError(message)
    try:
        simulated = CronSim(expression, _ANY_DAY)
    except CronSimError as error:
        name = str(error).removeprefix("Bad ")
        message = f"the {name} field of this cron expression is wrong: it takes {_FIELDS[name]}"
        raise ScheduleError(message) from None
    if next(simulated, None) is None:
        raise ScheduleError("this cron expression never fires")
