"""Rules to be fired, each with the minutes of the wall clock that it names."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from orchestrator.domain.schedule import Cron, PatchTuesday, Schedule
from tests.oracle import cron
from tests.oracle.wall import EPOCH

EXPRESSIONS = (
    """
0 2 * * *|30 2 * * *|0 3 * * *|30 1 * * *|0 0 * * *|59 23 * * *|45 23 * * *
0 1 * * *|10 2 * * *|40 2 * * *|5 4 * * SUN
0 2 * * SUN|30 2 * * 0|30 1 * * 7|0 0 * * SAT|0 23 * * FRI|30 2 * * MON-FRI|0 4 * * TUE#2
30 2 * * SUN#1|30 1 * * SUN#5|0 2 * * SUN#2|0 0 * * FRI#4|30 2 * * 0L|30 1 * * 7L|0 3 * * 5L
0 2 L * *|30 2 L * *|0 0 L * *|0 2 LW * *|0 22 LW * *|30 2 1 * *|0 0 1 * *|0 0 1 1 *
30 2 29 2 *|0 2 31 * *|30 2 25-31 3 *|30 2 25-31 10 SUN|0 2 1,15 * *|0 2 13 * FRI
0 2 1 * MON|30 2 */5 * *|0 2 * 3,10 *|0 2 * MAR-APR SUN|0 2 * 1-12/2 *|0 2 * * 1,3,5
30 1-3 * * SUN|0,30 0-3 * * SAT,SUN|*/20 2 * * SUN|*/15 1-3 25-31 3,10 *
17 2 8-14 * 2|0 2 28-31 * *|45 2 * * 2-4|20 3 2 * *|30 0 * * SUN|0 1 * * THU
""".replace("\n", "|")
    .strip("|")
    .split("|")
)
OFFSETS = ((4, "0 2 * * TUE#2"), (19, "30 2 * * TUE#2"), (-13, "30 1 * * *"), (60, "0 0 L * *"))
TUESDAYS = ((0, time(2, 30)), (4, time(22)), (-60, time(0)), (18, time(2)), (60, time(3, 30)))
MARGIN = timedelta(days=70)
"""An offset brings in what is named before and after the time that is looked at."""


@dataclass(frozen=True)
class Rule:
    """A rule, and what it names: minutes since 1970 of the wall clock, as fires call them."""

    name: str
    rule: Cron | PatchTuesday
    offset: timedelta
    named: tuple[tuple[int, str], ...]

    def schedule(self, zone: str) -> Schedule:
        """Return it as the product knows it."""
        return Schedule(rule=self.rule, timezone=zone, offset=self.offset)


def rules(first: datetime, last: datetime) -> list[Rule]:
    """Return every rule, with what it names between two instants and a little around."""
    begin, end = (first - MARGIN).date(), (last + MARGIN).date()
    plain = [a_cron(expression, 0, begin, end) for expression in EXPRESSIONS]
    moved = [a_cron(expression, days, begin, end) for days, expression in OFFSETS]
    return [*plain, *moved, *(a_tuesday(days, at, begin, end) for days, at in TUESDAYS)]


def a_cron(expression: str, offset: int, begin: date, end: date) -> Rule:
    """Return a rule that cron names, moved by whole days and, to make it harder, 7 minutes."""
    moved = timedelta(days=offset, minutes=7 if 0 < offset < 60 else 0)
    walls = [
        minute(day) + at + moved // timedelta(minutes=1)
        for day in cron.days(expression, begin, end)
        for at in cron.minutes_of_day(expression)
    ]
    return Rule(f"{expression} {offset:+}d", Cron(expression=expression), moved, called(walls))


def a_tuesday(days: int, at: time, begin: date, end: date) -> Rule:
    """Return patch Tuesday, moved by whole days."""
    tuesdays = [
        day
        for day in (begin + timedelta(days=n) for n in range((end - begin).days))
        if day.isoweekday() == 2 and 8 <= day.day <= 14
    ]
    walls = [minute(day + timedelta(days=days)) + at.hour * 60 + at.minute for day in tuesdays]
    name = f"patch Tuesday {days:+}d {at}"
    return Rule(name, PatchTuesday(days=days, at=at), timedelta(0), called(walls))


def minute(day: date) -> int:
    """Return the first minute of a day of the wall clock."""
    return (day - EPOCH.date()).days * 24 * 60


def called(walls: list[int]) -> tuple[tuple[int, str], ...]:
    """Give each minute the name that its fire has."""
    return tuple((wall, name_of(wall)) for wall in walls)


def name_of(wall: int) -> str:
    """Write a minute of the wall clock: `2026-11-22T22:00`."""
    return (EPOCH + timedelta(minutes=wall)).strftime("%Y-%m-%dT%H:%M")
