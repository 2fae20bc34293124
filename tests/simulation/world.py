"""What all incarnations of a schedule share: time, luck, the simulated Azure, and the record of
what happened."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from orchestrator.simulator.machines import Machine
from orchestrator.simulator.moods import Mood
from orchestrator.simulator.tempers import Busy
from orchestrator.simulator.world import Azure
from tests.kit.rows import EPOCH
from tests.simulation.luck import Luck
from tests.simulation.weather import Weather

ENDPOINT: Final = "http://127.0.0.1:8471"
DELTA: Final = 5.0
"""Seconds from the commit of an intent to the last instant at which its request may leave."""


class World:
    """One schedule's world. Its own clock never jumps; those of the daemons may."""

    def __init__(self, seed: int, weather: Weather, machines: list[Machine], luck: Luck) -> None:
        self.weather = weather
        self.luck = luck
        mood = Mood(
            view_lag=timedelta(seconds=weather.view_lag),
            graph_lag=timedelta(seconds=weather.graph_lag),
            busy=weather.busy,
            history=weather.history,
        )
        self._machines = {machine.key: machine for machine in machines}
        self.azure = Azure(machines, base_url=ENDPOINT, seed=seed, mood=mood)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._away_until = 0.0
        self._trace = sha256()
        self.points = 0
        self.dies_at: Callable[[int], bool] = _nowhere
        """Tells whether an incarnation dies at the point with this number (the sweep's)."""

    def seconds(self) -> float:
        """Return the virtual seconds since the beginning."""
        if self._loop is None:  # asked once: asking costs a system call each time
            self._loop = asyncio.get_running_loop()
        return self._loop.time()

    def now(self) -> datetime:
        """Return the true instant."""
        return EPOCH + timedelta(seconds=self.seconds())

    def strikes(self, kind: str) -> bool:
        """Tell whether a fault of this kind happens now."""
        return self.luck.strikes(kind, self.weather.rate(kind))

    def shows_at_once(self, url: str) -> bool:
        """Tell whether the view of the VM in a URL shows an installation as soon as it is accepted,
        and Azure refuses a second one: what a 409 means can then be told by a look, which is what
        we assume of Azure."""
        key, _, action = url.lower().removeprefix(ENDPOINT).partition("?")[0].rpartition("/")
        if action == "restart":  # a second one is refused, and nothing is concluded from that
            return True
        temper = self._machines[key].temper
        lag = self.weather.view_lag if temper.view_lag is None else temper.view_lag.total_seconds()
        busy = temper.busy or self.weather.busy
        return not lag and not temper.blind and busy is not Busy.SUPERSEDES

    def note(self, what: str) -> None:
        """Add a line to the trace: two runs of a seed must leave the same."""
        self._trace.update(f"{self.seconds():.6f} {what}\n".encode())

    def trace(self) -> str:
        """Return the hash of everything noted."""
        return self._trace.hexdigest()

    def database_may_go(self) -> None:
        """Let the database go away for a while, if the weather has it."""
        if self.strikes("database.outage"):
            away = self.luck.between("database.outage.lasts", 1.0, 40.0)
            self._away_until = max(self._away_until, self.seconds() + away)

    def database_is_away(self) -> bool:
        """Tell whether a transaction fails before it begins."""
        return self.seconds() < self._away_until or self.strikes("database.away")

    def heal(self) -> None:
        """Let nothing go wrong from now on."""
        self.luck.silent = True
        self._away_until = 0.0


def _nowhere(_point: int) -> bool:
    return False
