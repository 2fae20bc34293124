"""The wall clock. The only module that reads the time or sleeps."""

import asyncio
import time
from datetime import UTC, datetime


class WallClock:
    """The Clock port, for production."""

    def now(self) -> datetime:
        """Return the wall clock, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on a clock that never jumps."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""
        await asyncio.sleep(seconds)
