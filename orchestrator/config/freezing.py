"""The freezes of a configuration: those with dates, and those that calendars give for a while."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from orchestrator.config import calendars
from orchestrator.config.time_keys import FreezeKeys
from orchestrator.config.time_values import begins_of, ends_of
from orchestrator.domain.model import Freeze
from orchestrator.domain.schedule import check_zone, resolve

AHEAD: Final = timedelta(days=400)
"""How far ahead calendars are asked for freezes; a daemon asks anew every day."""
Given = Callable[[datetime, datetime], Sequence[Freeze]]


@dataclass(frozen=True, slots=True)
class Freezes:
    """What a configuration says about when nothing may start."""

    fixed: tuple[Freeze, ...] = ()
    calendars: tuple[Given, ...] = ()

    def from_(self, now: datetime) -> tuple[Freeze, ...]:
        """Return the freezes that have not ended, as far ahead as calendars are asked."""
        begin, end = now, now + AHEAD
        found = [each for given in self.calendars for each in given(begin, end)]
        alive = {each for each in (*self.fixed, *found) if each.ends > now}
        return tuple(sorted(alive, key=lambda each: (each.begins, each.ends, each.name)))


def resolve_freezes(keys: Sequence[FreezeKeys], zone: str) -> Freezes:
    """Tell freezes with dates from calendars."""
    return Freezes(tuple(_fixed(keys, zone)), tuple(_calendars(keys, zone)))


def _fixed(keys: Sequence[FreezeKeys], zone: str) -> Iterator[Freeze]:
    for each in keys:
        if each.from_ is not None and each.to is not None:
            where = check_zone(each.timezone or zone)
            begins, ends = begins_of(each.from_), ends_of(each.to)
            yield Freeze(
                name=each.name or "", begins=resolve(begins, where).at, ends=resolve(ends, where).at
            )


def _calendars(keys: Sequence[FreezeKeys], zone: str) -> Iterator[Given]:
    for each in keys:
        where = each.timezone or zone
        if each.file is not None:
            yield partial(calendars.events, each.file, where)
        if each.holidays is not None:
            yield partial(calendars.holidays_of, each.holidays, where)
