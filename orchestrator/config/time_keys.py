"""The keys about time: when a plan fires, when its VMs may start, and when nothing may."""

from typing import Annotated, Literal, Self

from pydantic import Field, Tag, model_validator

from orchestrator.config import time_values, values
from orchestrator.config.keys import Keys, forms
from orchestrator.config.problems import Wrong
from orchestrator.config.values import Many


class MissedKeys(Keys):
    """What becomes of a fire that is noticed late."""

    policy: Literal["skip", "run_late"] | None = None
    """skip: write it down and wait for the next; run_late: open one run at once."""
    grace: values.Duration | None = None
    """How late a fire still counts as on time."""


class ScheduleKeys(Keys):
    """When a plan fires: cron, or patch Tuesday and a time."""

    cron: values.CronText | None = None
    """Five fields; names, #, L and LW are known."""
    patch_tuesday: values.Days | None = None
    """Days after (or before) the second Tuesday of the month."""
    at: values.ClockTime | None = None
    """The time of day for patch_tuesday."""
    offset: values.Offset | None = None
    """Moves every fire on the wall clock, up to 60 days either way."""
    timezone: values.Zone | None = None
    """An IANA time zone. Default: the plan's."""

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if (self.cron is None) == (self.patch_tuesday is None):
            raise Wrong("not exactly one of cron and patch_tuesday", "keep one of them")
        if self.cron is not None and self.at is not None:
            raise Wrong("a cron expression has its own time", "delete `at`")
        if self.patch_tuesday is not None and self.at is None:
            raise Wrong("patch_tuesday without a time of day", 'add `at: "22:00"`')
        return self


class WindowKeys(Keys):
    """A span of the wall clock in which VMs may be started."""

    start: values.ClockTime
    """When it opens, in the plan's time zone."""
    length: time_values.WindowLength
    """How long it is open, on the wall clock: up to seven days."""
    days: Many[time_values.Weekday] | None = None
    """On which days it opens: mon to sun. Default: every day."""


Windows = Annotated[
    Annotated[WindowKeys, Tag("<mapping>")]
    | Annotated[list[WindowKeys], Field(min_length=1), Tag("<list>")],
    forms("a window or a list of windows", mapping=True, listed=True),
]


class FreezeKeys(Keys):
    """A time in which nothing starts: from and to, a calendar file, or a country's holidays."""

    name: values.Name | None = None
    """How people call it. Needed with from and to; a calendar's events have names."""
    from_: Annotated[time_values.LocalTime | None, Field(alias="from")] = None
    """The first day, or the first minute."""
    to: time_values.LocalTime | None = None
    """The last day, that day included; or the first minute that is free again."""
    file: time_values.CalendarFile | None = None
    """An .ics file, relative to this configuration: each of its events is a freeze."""
    holidays: time_values.HolidaysOf | None = None
    """A country, or a country and its part: DE, DE-BY. Each public holiday is a freeze."""
    timezone: values.Zone | None = None
    """The IANA time zone of days and of times without one. Default: that of `defaults`."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [self.from_ is not None or self.to is not None, self.file, self.holidays]
        if sum(bool(kind) for kind in kinds) != 1:
            fix = "write `from` and `to`, or `file`, or `holidays`"
            raise Wrong("not exactly one kind of freeze", fix)
        if not kinds[0]:
            return self
        if self.from_ is None or self.to is None or self.name is None:
            raise Wrong("a freeze needs its name, `from` and `to`", "add what is missing")
        if time_values.ends_of(self.to) <= time_values.begins_of(self.from_):
            raise Wrong("the freeze ends before it begins", "exchange `from` and `to`, or mend one")
        return self
