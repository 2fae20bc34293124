"""Windows, freezes and the cut-off: may a VM start at this instant, and when is the next one? Pure.

A window is written on the wall clock of its zone, and so are its two ends: one of four hours that
begins at 22:00 closes at 02:00, however many hours that night has. An end that a clock change
leaves out is the first instant after the gap; one that comes twice is its first pass: the rule of
schedules. Windows that overlap or touch are one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from heapq import merge
from itertools import dropwhile, takewhile
from typing import Final

from orchestrator.domain.model import Freeze, Hours, WaveSpec
from orchestrator.domain.schedule import check_zone, resolve
from orchestrator.domain.states import Why
from orchestrator.domain.words import spanned

LONGEST: Final = timedelta(days=7)
"""How long one window may be; together they may be open for ever."""
_DAY: Final = timedelta(days=1)
_LAST: Final = date(9999, 1, 1)
_AHEAD: Final = timedelta(days=3)
"""How far ahead of a start windows that touch are joined: further than any installation lasts."""
FARTHEST: Final = timedelta(days=400)
"""How far ahead a start is looked for."""

Span = tuple[datetime, datetime]
"""Two instants in UTC; the second is not part of it any more."""


def needed(spec: WaveSpec) -> timedelta:
    """Return how long before the end of a window the last VM of a wave may start: the cut-off."""
    return spec.max_duration + spec.hours.reserve


@lru_cache(maxsize=100)
def of_restarts(spec: WaveSpec) -> WaveSpec:
    """Return a wave as its restarts see it, in a phase of their own: their hours, and no
    installation to leave room for."""
    hours = spec.staged.hours if spec.staged is not None else spec.hours
    return replace(spec, hours=hours, max_duration=timedelta(0))


def shut(spec: WaveSpec, freezes: Sequence[Freeze], now: datetime) -> Why | None:
    """Tell what keeps the VMs of a wave from being started at this instant; None: nothing."""
    held = frozen(freezes, now)
    if held is not None:
        text = f"the freeze {held.name} lasts until {held.ends:%Y-%m-%d %H:%M}Z"
        return Why("freeze", text)
    return beyond(spec.hours, needed(spec), now)


def beyond(hours: Hours, needs: timedelta, now: datetime) -> Why | None:
    """Tell whether an instant is outside the windows, or too late in one for what is needed."""
    if not hours.windows:
        return None
    closes = open_until(hours, now)
    if closes is None:
        return Why("window", "the window is closed")
    if now + needs > closes:
        left = f"too soon for a VM that may need {spanned(needs)}"
        return Why("window", f"the window closes at {closes:%Y-%m-%d %H:%M}Z, {left}")
    return None


def frozen(freezes: Sequence[Freeze], now: datetime) -> Freeze | None:
    """Return the freeze that holds at this instant; of several, the one that ends last."""
    holding = [freeze for freeze in freezes if freeze.begins <= now < freeze.ends]
    return max(holding, key=lambda freeze: freeze.ends, default=None)


def open_until(hours: Hours, now: datetime) -> datetime | None:
    """Return when the window that is open at this instant closes; None: none is open.

    Windows that are always open together close further ahead than anything lasts.
    """
    closes: datetime | None = None
    for begins, ends in _around(hours, now):
        if begins > (closes or now):
            break
        if ends > (closes or now):
            closes = ends
    return closes


def next_start(
    spec: WaveSpec, freezes: Sequence[Freeze], now: datetime, until: datetime
) -> datetime | None:
    """Return the first instant from `now` on, before `until`, at which a VM of a wave may start.

    That is now, or when a window opens, or when a freeze ends. More than a year ahead nobody looks.
    """
    until = min(until, now + FARTHEST)
    thaws = sorted(freeze.ends for freeze in freezes if freeze.ends >= now)
    opens = (begins for begins, _ in _from(spec.hours, now) if begins > now)
    for at in takewhile(lambda at: at < until, merge([now], thaws, opens)):
        if shut(spec, freezes, at) is None:
            return at
    return None


def later_start(
    spec: WaveSpec, freezes: Sequence[Freeze], now: datetime, until: datetime
) -> datetime | None:
    """Return the same for a *later* window: the one that is open at `now` is left out."""
    closes = open_until(spec.hours, now)
    return next_start(spec, freezes, now if closes is None else closes, until)


def openings(hours: Hours, now: datetime) -> Iterator[Span]:
    """Yield the windows that are open at `now` or open later, each by itself; endless, and empty
    without a window."""
    return (span for span in _from(hours, now) if span[1] > now)


def _around(hours: Hours, now: datetime) -> Iterator[Span]:
    """Yield what could be open at an instant, and what could follow it without a gap."""
    spans = takewhile(lambda span: span[0] < now + _AHEAD, _from(hours, now))
    return dropwhile(lambda span: span[1] <= now, spans)


def _from(hours: Hours, now: datetime) -> Iterator[Span]:
    """Yield every window of each day, from the first that could still be open on, by opening."""
    if not hours.windows:
        return
    day = now.astimezone(check_zone(hours.timezone)).date() - LONGEST - _DAY
    while day < _LAST:
        yield from _of_day(hours, day)
        day += _DAY


@lru_cache(maxsize=4096)
def _of_day(hours: Hours, day: date) -> tuple[Span, ...]:
    """Resolve the windows that open on a day of the wall clock."""
    zone, spans = check_zone(hours.timezone), []
    for window in hours.windows:
        if window.days and day.weekday() not in window.days:
            continue
        opens = datetime.combine(day, window.start)
        begins, ends = resolve(opens, zone).at, resolve(opens + window.length, zone).at
        if begins < ends:  # else a clock change leaves nothing of it
            spans.append((begins, ends))
    return tuple(sorted(spans))
