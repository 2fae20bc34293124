"""What a cron expression means, read anew: the days and the minutes of the day that it names."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


def minutes_of_day(expression: str) -> list[int]:
    """Return the minutes of a day at which it fires, 0 to 1439."""
    minute, hour, *_ = expression.split()
    return sorted(h * 60 + m for h in numbers(hour, 0, 23, []) for m in numbers(minute, 0, 59, []))


def days(expression: str, first: date, last: date) -> Iterator[date]:
    """Yield the days on which it fires."""
    _, _, of_month, month, of_week = expression.split()
    months = numbers(month, 1, 12, MONTHS, base=1)
    both = not (of_month.startswith("*") or of_week.startswith("*"))
    day = first
    while day <= last:
        if day.month in months:
            by_month, by_week = in_month(of_month, day), in_week(of_week, day)
            if (by_month or by_week) if both else (by_month and by_week):
                yield day
        day += timedelta(days=1)


def in_month(field: str, day: date) -> bool:
    """Tell whether a day is one of the days of the month that a field names."""
    length = monthrange(day.year, day.month)[1]
    named: set[int] = set()
    for part in field.split(","):
        if part == "L":
            named.add(length)
        elif part == "LW":
            end = date(day.year, day.month, length)
            while end.isoweekday() > 5:
                end -= timedelta(days=1)
            named.add(end.day)
        else:
            named |= numbers(part, 1, 31, [])
    return day.day in named


def in_week(field: str, day: date) -> bool:
    """Tell whether a day is one of the weekdays that a field names; Sunday is 0 and 7."""
    today = day.isoweekday() % 7
    for part in field.split(","):
        if "#" in part:
            name, _, nth = part.partition("#")
            if today in sundays(numbers(name, 0, 7, WEEKDAYS)) and (day.day + 6) // 7 == int(nth):
                return True
        elif part.endswith("L") and part != "L" and not part.isalpha():
            in_a_week = (day + timedelta(days=7)).month
            if today in sundays(numbers(part[:-1], 0, 7, [])) and in_a_week != day.month:
                return True
        elif today in sundays(numbers(part, 0, 7, WEEKDAYS)):
            return True
    return False


def sundays(weekdays: set[int]) -> set[int]:
    """Call Sunday 0."""
    return {weekday % 7 for weekday in weekdays}


def numbers(field: str, low: int, high: int, names: list[str], base: int = 0) -> set[int]:
    """Return the numbers of a field: lists, ranges, steps, names."""
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        if span == "*":
            first, last = low, high
        else:
            one, _, other = span.partition("-")
            first = number(one, names, base)
            last = number(other, names, base) if other else first
        found |= set(range(first, last + 1, int(step or 1)))
    return found


def number(word: str, names: list[str], base: int) -> int:
    """Return the number that a word stands for."""
    return names.index(word.upper()) + base if word.upper() in names else int(word)
