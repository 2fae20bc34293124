"""The wall clock of a zone, walked minute by minute wherever it is moved.

Times are minutes since 1970: of the wall clock without a zone, and of UTC. A minute of the wall
clock that comes twice is its first pass; one that never comes is the next that does.
"""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = 60
STEP = 3 * HOUR
"""How often the clock is looked at; where it was moved since, every minute is walked."""
AROUND = 26 * HOUR
"""How far around a change every minute is walked: further than any two zones are apart."""


def minute_of(instant: datetime) -> int:
    """Count the minutes since 1970."""
    return int((instant - EPOCH).total_seconds()) // 60


class WallClock:
    """The wall clock of a zone between two instants."""

    def __init__(self, zone: ZoneInfo, first: datetime, last: datetime) -> None:
        self._zone = zone
        self.moved: dict[int, tuple[int, int]] = {}
        """Near changes: each minute of the wall clock, with the minute of UTC and of the wall
        clock at which it is due."""
        self._from: list[int] = []
        self._offsets: list[int] = []
        self._walk(minute_of(first), minute_of(last))

    def due(self, wall: int) -> tuple[int, int]:
        """Return when a minute of the wall clock is due in UTC, and what the clock shows then."""
        found = self.moved.get(wall)
        if found is not None:
            return found
        return wall - self._offsets[bisect_right(self._from, wall) - 1], wall

    def changes(self) -> int:
        """Return how often the clock is moved."""
        return len(self._from) - 1

    def _offset(self, minute: int) -> int:
        offset = (EPOCH + timedelta(minutes=minute)).astimezone(self._zone).utcoffset()
        assert offset is not None
        return offset // timedelta(minutes=1)

    def _walk(self, first: int, last: int) -> None:
        """Look at the clock now and then; where it was moved, walk the days around by minutes."""
        before = self._offset(first)
        self._from, self._offsets = [first - AROUND], [before]
        for minute in range(first, last, STEP):
            offset = self._offset(minute)
            if offset != before:
                self._walk_minutes(minute - STEP - AROUND, minute + AROUND)
                self._from.append(minute)
                self._offsets.append(offset)
                before = offset

    def _walk_minutes(self, first: int, last: int) -> None:
        newest = first + self._offset(first) - 1
        for minute in range(first, last):
            shown = minute + self._offset(minute)
            for wall in range(newest + 1, shown + 1):  # more than one: the others never come
                self.moved.setdefault(wall, (minute, shown))
            newest = max(newest, shown)
