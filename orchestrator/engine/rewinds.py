"""Noticing that the wall clock was set back: instants at which something was to be done lie too far
ahead then."""

from datetime import timedelta
from typing import Final

from orchestrator.ports import Clock

_WORTH_IT: Final = timedelta(seconds=5)
"""Less is caught up with by itself; clocks are slewed all the time."""


class Rewinds:
    """Compares the wall clock with the one that is never set."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wall, self._steady = clock.now(), clock.monotonic()

    def since_last(self) -> timedelta | None:
        """Return by how much the wall clock was set back since this was last asked; None: by
        nothing that matters."""
        wall, steady = self._clock.now(), self._clock.monotonic()
        behind = self._wall + timedelta(seconds=steady - self._steady) - wall
        self._wall, self._steady = wall, steady
        return behind if behind > _WORTH_IT else None
