"""Cron expressions iterated once. What cronsim yields depends on no zone: to iterate it anew in
each of 600 zones would take hours and tell nothing more."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from itertools import takewhile

from cronsim import CronSim

from orchestrator.domain import schedule

FIRST = datetime(2025, 9, 1)  # noqa: DTZ001 - of the wall clock
LENGTH = timedelta(days=11 * 366)


@cache
def _all(expression: str) -> list[datetime]:
    last = FIRST + LENGTH
    return list(takewhile(lambda wall: wall < last, CronSim(expression, FIRST)))


def remembered(expression: str, start: datetime, *, reverse: bool = False) -> Iterator[datetime]:
    """Yield what cronsim yields, from memory where that reaches."""
    if reverse or not FIRST <= start < FIRST + LENGTH:
        return iter(CronSim(expression, start, reverse=reverse))
    walls = _all(expression)
    return iter(walls[bisect_right(walls, start) :])


def remember() -> None:
    """Let the product iterate each expression once in this process."""
    vars(schedule)["CronSim"] = remembered
