"""Looking on while the product works: an Observer that counts moves, and the lag of the loop."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import nan
from time import monotonic

from orchestrator.domain.model import RunId
from orchestrator.domain.record import Fact, Move
from orchestrator.domain.states import STATE_NAMES


@dataclass(slots=True)
class Watcher:
    """An Observer that waits until so many operations have reached a state (`ended`: any end)."""

    awaited: int
    state: str
    over: asyncio.Event = field(default_factory=asyncio.Event)
    reached: Counter[str] = field(default_factory=Counter)
    lateness: list[float] = field(default_factory=list)
    """Seconds between the planned instant of a poll and its hand-out."""
    troubles: list[str] = field(default_factory=list)

    def moved(self, move: Move) -> None:
        """Count an operation in its new state."""
        self.reached[STATE_NAMES[type(move.after.state)]] += 1
        if self.reached[self.state] >= self.awaited:
            self.over.set()

    def noted(self, run_id: RunId, fact: Fact) -> None:
        """Facts are of no interest."""

    def asked(self, kind: str, code: str, seconds: float) -> None:
        """The server counts."""

    def late(self, seconds: float) -> None:
        """Remember how late a poll was."""
        self.lateness.append(seconds)

    def troubled(self, where: str, reason: str) -> None:
        """Remember what went wrong: a benchmark in trouble measures nothing."""
        self.troubles.append(f"{where}: {reason}")

    def crashed(self, where: str, error: Exception) -> None:
        """Likewise."""
        self.troubles.append(f"{where}: {error!r}")


class LagMeter:
    """Measures how long the loop keeps a timer waiting that wants to ring each 10 ms."""

    EVERY_S = 0.01

    def __init__(self) -> None:
        self.lags: list[float] = []

    async def measure(self) -> None:
        """Measure until cancelled."""
        while True:
            before = monotonic()
            await asyncio.sleep(self.EVERY_S)
            self.lags.append(monotonic() - before - self.EVERY_S)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of the values lies; NaN of none."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else nan
