"""The wall clock. The only module that reads the time or sleeps."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Final

_STEADY: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine is suspended: an intent that slept through the night is too old."""


class WallClock:
    """The Clock port, for production."""

    def now(self) -> datetime:
        """Return the wall clock, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on a clock that is never set, and counts those of a suspended machine."""
        return time.clock_gettime(_STEADY)

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""
        await asyncio.sleep(seconds)
