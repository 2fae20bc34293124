"""Calendars as freezes: an .ics file's events, a country's public holidays. Only reads.

A file is checked once, when the configuration is loaded, and bounded there: whatever a calendar
may repeat, it is asked for a limited time only. The libraries are loaded where a calendar is named.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from orchestrator.config.file_text import read_text
from orchestrator.config.problems import Wrong
from orchestrator.domain.model import Freeze
from orchestrator.domain.schedule import check_zone, resolve

Event = Any
"""One of icalendar's components: mappings whose values may be anything that a file holds."""
MOST_BYTES: Final = 1 << 20
MOST_EVENTS: Final = 1_000
MOST_REPEATING: Final = 50
MOST_FREEZES: Final = 1_000
"""How many freezes one calendar may give within the time that it is asked for."""
_EARLIEST: Final = 1970
_MOST_DAYS: Final = 400
_SOME_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
_BROKEN: Final = (ValueError, IndexError, KeyError, TypeError, AttributeError, ArithmeticError)
_NAME: Final = 100
_OFTEN: Final = {"SECONDLY", "MINUTELY", "HOURLY"}
_BY_CLOCK: Final = {"BYHOUR", "BYMINUTE", "BYSECOND", "BYYEARDAY", "BYWEEKNO", "BYEASTER"}
_MEND: Final = "keep the freezes in a small calendar of their own"


def read(path: Path) -> str:
    """Return the text of an .ics file that can be used. Raises `Wrong`."""
    text = read_text(path, MOST_BYTES, _MEND)
    try:
        _check(path, text)
    except Wrong:
        raise
    except _BROKEN as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:_NAME]
        raise Wrong(f"{path} is no calendar: {said}", "export it anew as iCalendar") from None
    return text


def events(text: str, zone: str, begin: datetime, end: datetime) -> Sequence[Freeze]:
    """Return the events of a checked calendar between two instants, as freezes. Days, and times
    without a zone, are those of `zone`."""
    from icalendar import Calendar  # noqa: PLC0415 - slow, and seldom of use
    from recurring_ical_events import of  # noqa: PLC0415 - slow, and seldom of use

    calendar = Calendar.from_ical(text)
    for event in _events(calendar):
        _end_with(event, end)
    where = check_zone(zone)
    found = of(calendar).between(begin - timedelta(days=1), end)
    alive = [each for each in found if str(each.get("STATUS", "")).upper() != "CANCELLED"]
    if len(alive) > MOST_FREEZES:  # to leave some out would let VMs start in them
        raise Wrong(f"the calendar has {len(alive)} events until {end:%Y-%m-%d}", _MEND)
    freezes = (_freeze(each, where) for each in alive)
    return [each for each in freezes if each.begins < each.ends]


def must_have_holidays(place: str) -> None:
    """Raise `Wrong` where the holidays of a country, or of a part of it, are not known here."""
    _holidays(place, 2026)


def holidays_of(place: str, zone: str, begin: datetime, end: datetime) -> Sequence[Freeze]:
    """Return the public holidays of a place between two instants, as freezes of a whole day."""
    where = check_zone(zone)
    return [
        Freeze(name=name[:_NAME], begins=_at(day, where), ends=_at(day + timedelta(days=1), where))
        for year in range(begin.year - 1, end.year + 1)
        for day, name in _holidays(place, year)
        if begin.date() - timedelta(days=2) <= day <= end.date()
    ]


@lru_cache(maxsize=64)
def _holidays(place: str, year: int) -> tuple[tuple[date, str], ...]:
    country, _, part = place.partition("-")
    try:
        import holidays  # noqa: PLC0415 - an extra
    except ImportError:
        fix = "install fleet-patch-orchestrator[calendars]"
        raise Wrong("the holidays of countries are not installed", fix) from None
    try:
        found = holidays.country_holidays(country, subdiv=part or None, years=year)
    except NotImplementedError:
        raise Wrong(f"the holidays of {place} are not known", "write it like DE or DE-BY") from None
    return tuple(sorted(found.items()))


# -------------------------------------------------------------------------- what is refused


def _events(calendar: Any) -> list[Event]:  # noqa: ANN401 - icalendar's
    return list(calendar.walk("VEVENT"))


def _check(path: Path, text: str) -> None:
    """Refuse what nobody means by a freeze, and what would take for ever to be asked."""
    from icalendar import Calendar  # noqa: PLC0415 - slow, and seldom of use

    found = _events(Calendar.from_ical(text))
    if not found:
        raise Wrong(f"{path} has no event", "export a calendar with the days of the freeze")
    if len(found) > MOST_EVENTS:
        raise Wrong(f"{path} has {len(found)} events, more than {MOST_EVENTS}", _MEND)
    repeating = [event for event in found if "RRULE" in event]
    if len(repeating) > MOST_REPEATING:
        raise Wrong(f"{path} has {len(repeating)} repeating events", _MEND)
    for event in found:
        _check_event(path, event)
    events(text, "UTC", _SOME_DAY, _SOME_DAY + timedelta(days=1))  # what is broken shows when asked


def _check_event(path: Path, event: Event) -> None:
    title = str(event.get("SUMMARY", "without a title"))[:_NAME]
    starts = getattr(event.get("DTSTART"), "dt", None)
    if not isinstance(starts, date) or starts.year < _EARLIEST:
        raise Wrong(f"{path}: the event {title} has no start", "give it one")
    ends = getattr(event.get("DTEND"), "dt", None)
    if ends is not None and type(ends) is type(starts) and ends < starts:
        raise Wrong(f"{path}: the event {title} ends before it begins", "mend it")
    for rule in _rules(event):
        often = {str(each).upper() for each in rule.get("FREQ", [])}
        if often & _OFTEN or _BY_CLOCK & set(rule):
            message = f"{path}: the event {title} repeats more often than daily"
            raise Wrong(message, "repeat a freeze by days, weeks, months or years")
        if "DAILY" in often and _repeats(rule, starts) > _MOST_DAYS:
            message = f"{path}: the event {title} repeats every day, for more than a year"
            raise Wrong(message, "write a `window` instead, or let it end (COUNT or UNTIL)")
        if "BYMONTHDAY" in rule and not often <= {"MONTHLY", "YEARLY"}:
            message = f"{path}: the event {title} repeats by days of the month"
            raise Wrong(message, "let it repeat monthly or yearly")


def _repeats(rule: Any, starts: date) -> int:  # noqa: ANN401 - icalendar's mapping of lists
    """Return how often a rule of days repeats at most; endless ones for ever."""
    if "COUNT" in rule:
        return int(rule["COUNT"][0])
    if "UNTIL" not in rule:
        return _MOST_DAYS + 1
    until: date = rule["UNTIL"][0]
    return (until.toordinal() - starts.toordinal()) + 1


def _rules(event: Event) -> Iterator[Any]:
    given = event.get("RRULE")
    yield from given if isinstance(given, list) else [given] if given is not None else []


def _end_with(event: Event, end: datetime) -> None:
    """Let an endless rule end with the time that is asked for: one that never matches would be
    searched for ever."""
    starts = event["DTSTART"].dt
    for rule in _rules(event):
        if "COUNT" in rule or "UNTIL" in rule:
            continue
        aware = isinstance(starts, datetime) and starts.tzinfo is not None
        until: date = end.astimezone(UTC) + timedelta(days=2)
        if not isinstance(starts, datetime):
            until = end.date() + timedelta(days=2)
        elif not aware:
            until = end.replace(tzinfo=None) + timedelta(days=2)
        rule["UNTIL"] = [until]


# -------------------------------------------------------------------------- times


def _freeze(event: Event, zone: ZoneInfo) -> Freeze:
    name = str(event.get("SUMMARY", "") or "a calendar's event")[:_NAME]
    return Freeze(
        name=name, begins=_at(event["DTSTART"].dt, zone), ends=_at(event["DTEND"].dt, zone)
    )


def _at(written: date, zone: ZoneInfo) -> datetime:
    """Return the instant of a day's beginning, or of a time with or without a zone."""
    if not isinstance(written, datetime):
        return resolve(datetime.combine(written, time()), zone).at
    if written.tzinfo is None:
        return resolve(written, zone).at
    return written.astimezone(UTC)
