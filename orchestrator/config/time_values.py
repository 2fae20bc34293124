"""The kinds of values that the keys about time can have: how each is read."""

import re
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Annotated, Final

from pydantic import BeforeValidator, ValidationInfo

from orchestrator.config import calendars, durations
from orchestrator.config.problems import Wrong
from orchestrator.config.values import Editor, around
from orchestrator.domain.window import LONGEST

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTE = timedelta(minutes=1)
_LOCAL = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2}))?")
_COUNTRY = re.compile(r"([A-Z]{2})(?:-([A-Z0-9]{1,4}))?")
_MOST_RESERVE = timedelta(hours=12)


def _length(value: object, *, least: timedelta, most: timedelta) -> timedelta:
    if not isinstance(value, str):
        raise Wrong("a duration needs a unit", "write it like 90m or 4h")
    length = durations.read_duration(value)
    if length % _MINUTE:
        raise Wrong("not whole minutes", "write it like 90m or 4h")
    if length < least:
        raise Wrong("too short: nothing could ever start", "write at least 1m")
    if length > most:
        shown = durations.show_duration(most)
        raise Wrong(f"longer than {shown}", f"write at most {shown}")
    return length


def _weekday(value: object) -> int:
    word = value.strip().lower()[:3] if isinstance(value, str) else ""
    full = isinstance(value, str) and _is_day(value.strip().lower())
    if word not in DAYS or not full:
        raise Wrong("not a day of the week", f"write {', '.join(DAYS)}")
    return DAYS.index(word)


def _is_day(word: str) -> bool:
    names = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    return word in DAYS or word in names


def _local(value: object) -> date | datetime:
    """Read a day, or a minute of the wall clock; YAML has no dates of its own here."""
    found = _LOCAL.fullmatch(value.strip()) if isinstance(value, str) else None
    how = 'write a day like 2026-11-23, or a local time like "2026-11-23 18:00"'
    if found is None:
        raise Wrong("neither a day nor a local time", how)
    try:
        day = date.fromisoformat(found[1])
        return day if found[2] is None else datetime.combine(day, time.fromisoformat(found[2]))
    except ValueError:
        raise Wrong("there is no such day or time", how) from None


def begins_of(written: date | datetime) -> datetime:
    """Return the first minute of the wall clock that a written `from` means."""
    return written if isinstance(written, datetime) else datetime.combine(written, time())


def ends_of(written: date | datetime) -> datetime:
    """Return the first minute after what a written `to` means: a day is meant to its end."""
    if isinstance(written, datetime):
        return written
    return datetime.combine(written, time()) + timedelta(days=1)


def _calendar(value: object, info: ValidationInfo) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Wrong("not the path of a file", "write a path, relative to this configuration")
    if "://" in value:
        fix = "let a job of yours download it beside this configuration, and name that file"
        raise Wrong("a calendar is read from a file, not from a URL", fix)
    return calendars.read(around(info).folder / value)


def _holidays(value: object) -> str:
    found = _COUNTRY.fullmatch(value.strip().upper()) if isinstance(value, str) else None
    if found is None:
        raise Wrong("not a country", "write it like DE or DE-BY (ISO 3166)")
    calendars.must_have_holidays(found[0])
    return found[0]


_TEXT = Editor({"type": "string"})
WindowLength = Annotated[
    timedelta,
    BeforeValidator(partial(_length, least=_MINUTE, most=LONGEST)),
    Editor({"type": "string", "examples": ["90m", "4h", "2d"]}),
]
Reserve = Annotated[
    timedelta,
    BeforeValidator(partial(_length, least=timedelta(0), most=_MOST_RESERVE)),
    Editor({"type": "string", "examples": ["15m", "0m"]}),
]
Weekday = Annotated[int, BeforeValidator(_weekday), Editor({"type": "string", "enum": list(DAYS)})]
LocalTime = Annotated[
    date | datetime,
    BeforeValidator(_local),
    Editor({"type": "string", "examples": ["2026-11-23", "2026-11-23 18:00"]}),
]
CalendarFile = Annotated[str, BeforeValidator(_calendar), _TEXT]
HolidaysOf = Annotated[str, BeforeValidator(_holidays), _TEXT]
