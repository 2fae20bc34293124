"""The Clock port, turned by hand."""

from datetime import datetime, timedelta

from tests.kit.rows import EPOCH


class HandClock:
    """Shows the time it was given. Sleeping turns it on; nothing waits."""

    def __init__(self, now: datetime = EPOCH) -> None:
        self._now = now
        self._steady = timedelta(0)

    def now(self) -> datetime:
        """Return the instant it was turned to."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds since the epoch of the tests."""
        return (self._now - EPOCH + self._steady).total_seconds()

    async def sleep(self, seconds: float) -> None:
        """Turn the clock on by that much, at once."""
        self._now += timedelta(seconds=seconds)

    def turn_to(self, instant: datetime) -> None:
        """Turn the clock on to an instant that has not been yet."""
        self._now = max(self._now, instant)

    def set_back(self, by: timedelta) -> None:
        """Set the wall clock back, as an administrator or NTP does."""
        self._now -= by
        self._steady += by
