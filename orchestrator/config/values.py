"""The kinds of values a key can have, as types: how each is read, and how an editor is told."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from difflib import get_close_matches
from functools import lru_cache, partial
from typing import Annotated, Any, TypeVar, cast
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    ValidationInfo,
)
from pydantic.json_schema import JsonSchemaValue

from orchestrator.config import azure_words, durations, id_file, references
from orchestrator.config.azure_words import LINUX_CLASSIFICATIONS, WINDOWS_CLASSIFICATIONS
from orchestrator.config.problems import Wrong
from orchestrator.config.references import Surroundings
from orchestrator.domain.model import VmId
from orchestrator.domain.schedule import Cron, ScheduleError, check_zone

Item = TypeVar("Item")
PydanticSchema = Any
"""What pydantic hands from one of its hooks to the next; we never look inside."""
_NAME = re.compile(r"\w(?:[\w .-]{0,62}\w)?")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, eq=False)
class Editor:
    """What the JSON schema says of a value that is written otherwise than it is kept."""

    says: JsonSchemaValue

    def __get_pydantic_json_schema__(
        self, core_schema: PydanticSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Say it."""
        return dict(self.says)


def around(info: ValidationInfo) -> Surroundings:
    """Return what the configuration may refer to: whoever validates gives it as the context."""
    return cast(Surroundings, info.context)


# -------------------------------------------------------------------------- texts


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        fix = "use up to 64 letters, digits, spaces, dots, dashes and underscores"
        raise Wrong("a name that cannot be used everywhere", fix)
    return text


def _not_empty(text: str) -> str:
    if not text.strip():
        raise Wrong("an empty text", "write something or delete it")
    return text


def _zone(name: str) -> str:
    try:
        check_zone(name)
    except ScheduleError:
        raise Wrong("not an IANA time zone", partial(_similar_zone, name[:60])) from None
    return name


def _similar_zone(name: str) -> str:
    known = sorted(available_timezones())
    cities = [zone for zone in known if zone.rpartition("/")[2].lower() == name.lower()]
    close = cities or get_close_matches(name, known, n=1, cutoff=0.75)
    return f"did you mean {close[0]}?" if close else "write an IANA name such as Europe/Berlin"


def _cron(expression: str) -> str:
    if problem := _cron_problem(expression):
        fix = 'write it like "0 22 * * TUE#2": minute, hour, day, month, weekday'
        raise Wrong(problem, fix)
    return expression


@lru_cache(maxsize=1000)  # fifty years are searched before an expression is known never to fire
def _cron_problem(expression: str) -> str:
    try:
        Cron(expression=expression)
    except ScheduleError as error:
        return str(error)
    return ""


def _clock(value: object) -> time:
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise Wrong("not a time of day", 'write it like "22:00"')
    return time(int(found[1]), int(found[2]))


Text = Annotated[str, AfterValidator(_not_empty)]
Name = Annotated[str, AfterValidator(_name)]
Zone = Annotated[str, AfterValidator(_zone)]
CronText = Annotated[str, AfterValidator(_cron)]
Guid = Annotated[str, AfterValidator(azure_words.read_guid)]
Origin = Annotated[str, AfterValidator(azure_words.read_origin)]
ClockTime = Annotated[
    time,
    BeforeValidator(_clock),
    Editor({"type": "string", "pattern": "^([01]?[0-9]|2[0-3]):[0-5][0-9]$"}),
]


# -------------------------------------------------------------------------- patches

KbText = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if type(value) is int else value),
    AfterValidator(azure_words.read_kb),
]
NameMask = Annotated[str, AfterValidator(azure_words.read_name_mask)]
PackageMask = Annotated[str, AfterValidator(azure_words.read_package_mask)]


def _classification(known: tuple[str, ...]) -> Callable[[str], str]:
    return partial(azure_words.read_classification, known=known)


WindowsClassification = Annotated[
    str,
    AfterValidator(_classification(WINDOWS_CLASSIFICATIONS)),
    Editor({"enum": list(WINDOWS_CLASSIFICATIONS)}),
]
LinuxClassification = Annotated[
    str,
    AfterValidator(_classification(LINUX_CLASSIFICATIONS)),
    Editor({"enum": list(LINUX_CLASSIFICATIONS)}),
]


def _instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise Wrong("neither a date nor a time", "write 2026-11-30 or an RFC 3339 time")
    return azure_words.read_instant(value)


Instant = Annotated[datetime, BeforeValidator(_instant), Editor({"type": "string"})]


# -------------------------------------------------------------------------- targets

VmText = Annotated[str, AfterValidator(azure_words.read_vm_id)]
GroupText = Annotated[str, AfterValidator(azure_words.read_resource_group)]


def _ids_of(value: object, info: ValidationInfo) -> list[VmId]:
    if not isinstance(value, str) or not value.strip():
        raise Wrong("not the path of a file", "write a path, relative to this configuration")
    return id_file.read(around(info).folder / value)


IdFile = Annotated[list[VmId], BeforeValidator(_ids_of), Editor({"type": "string"})]


@dataclass(frozen=True, slots=True)
class _OneOrMany:
    """A single text may stand for a list of one."""

    def __get_pydantic_json_schema__(
        self, core_schema: PydanticSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        whole = handler(core_schema)
        return {"anyOf": [whole["items"], whole]}


def _as_list(value: Any) -> Any:  # noqa: ANN401 - pydantic checks whatever it is next
    return value if value is None or isinstance(value, list | dict) else [value]


Many = Annotated[list[Item], Field(min_length=1), BeforeValidator(_as_list), _OneOrMany()]


# -------------------------------------------------------------------------- lengths and shares


def _duration(value: object, *, least: timedelta, most: timedelta | None = None) -> timedelta:
    if not isinstance(value, str):
        unit = f"write {value}s, {value}m, {value}h or so"
        fix = unit if type(value) in {int, float} else "write it like 90s, 45m, 4h or 14d"
        raise Wrong("a duration needs a unit" if fix == unit else "not a duration", fix)
    length = durations.read_duration(value)
    if length < least:
        raise Wrong("too short", f"write at least {durations.show_duration(least)}")
    if most and length > most:
        raise Wrong("too long", f"write at most {durations.show_duration(most)}")
    return length


def _whole_minutes(length: timedelta) -> timedelta:
    if length % _MINUTE:
        raise Wrong("not whole minutes", "write it like 90m")
    return length


def _moved(value: object) -> timedelta:
    if not isinstance(value, str):
        raise Wrong("not a number of days", "write it like +4d")
    moved = durations.read_moved(value)
    if abs(moved) > 60 * _DAY:
        raise Wrong("more than 60 days", "write at most 60d, either way")
    return _whole_minutes(moved)


def _whole_days(moved: timedelta) -> timedelta:
    if moved % _DAY:
        raise Wrong("not whole days", "write it like +4d, and the time of day under `at`")
    return moved


_DURATION_TEXT = Editor(
    {
        "type": "string",
        "pattern": "^([0-9.]+(d|h|ms|m|s))+$|^P[0-9WDTHMS.]+$",
        "examples": ["90s", "45m", "4h", "14d", "PT1H30M"],
    }
)
_MOVED_TEXT = Editor({"type": "string", "examples": ["+4d", "-1d", "12h"]})

Duration = Annotated[
    timedelta, BeforeValidator(partial(_duration, least=timedelta(0))), _DURATION_TEXT
]
PositiveDuration = Annotated[
    timedelta,
    BeforeValidator(partial(_duration, least=timedelta(milliseconds=1))),
    _DURATION_TEXT,
]
MaxDuration = Annotated[
    timedelta,
    BeforeValidator(partial(_duration, least=_MINUTE, most=_DAY - _MINUTE)),
    AfterValidator(_whole_minutes),
    _DURATION_TEXT,
]
Offset = Annotated[timedelta, BeforeValidator(_moved), _MOVED_TEXT]
Days = Annotated[timedelta, BeforeValidator(_moved), AfterValidator(_whole_days), _MOVED_TEXT]


def _percent(value: object) -> float:
    if isinstance(value, str):
        return durations.read_percent(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100:  # noqa: PLR2004 - percent end there
        return float(value)
    raise Wrong("not a percentage", "write it like 2 or 2%")


def _permission(percent: float) -> float:
    if percent == 0:
        raise Wrong("nothing could ever start", "write at least 1, or a percentage above 0%")
    return percent


_PERCENT_TEXT = {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,4})? ?%$"}
PercentText = Annotated[float, BeforeValidator(_percent), Editor(_PERCENT_TEXT)]
SomePercentText = Annotated[
    float, BeforeValidator(_percent), AfterValidator(_permission), Editor(_PERCENT_TEXT)
]
Percent = Annotated[
    float,
    BeforeValidator(_percent),
    Editor({"anyOf": [{"type": "number", "minimum": 0, "maximum": 100}, _PERCENT_TEXT]}),
]


def _reserve(value: object) -> float:
    if not isinstance(value, str):
        raise Wrong("not a percentage", "write it like 20%")
    if (percent := durations.read_percent(value)) == 100:  # noqa: PLR2004 - all there is
        raise Wrong("nothing could ever be sent", "leave less than 100% to others")
    return percent


Reserve = Annotated[float, BeforeValidator(_reserve), Editor(_PERCENT_TEXT)]


# -------------------------------------------------------------------------- the surroundings


def _variable(name: str, info: ValidationInfo) -> str:
    references.variable(name, around(info))
    return name


def _database(text: str, info: ValidationInfo) -> str:
    references.database_url(text, around(info))
    return text


def _listen(text: str) -> str:
    references.read_listen(text)
    return text


Variable = Annotated[str, AfterValidator(_variable)]
DatabaseText = Annotated[str, AfterValidator(_database)]
Listen = Annotated[str, AfterValidator(_listen)]
