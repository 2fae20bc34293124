"""One incarnation of a daemon, as it lives and dies: every call it makes to the outside is a point.

A process that dies has no effect any more, although its `finally` blocks still run here: whatever
it calls after its death raises. One that is frozen (SIGSTOP, a paused VM) stands still at its next
point while time goes on for all others.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from tests.kit.rows import EPOCH
from tests.simulation.loop import pause
from tests.simulation.world import World

AROUND_A_POST: Final = 10.0
"""How much likelier a death, a freeze or a stop is between an intent and its answer: of some
1,700 points of a schedule a dozen lie there, and all that may never happen happens there."""
AROUND_A_RESTART: Final = 40.0
"""The same around the request for a restart: there are few of them."""


_PEOPLE: Final = "people0"
"""They look at clocks that are right."""


class DeadError(BaseException):
    """This incarnation is dead. Nothing it does has any effect."""


class Host:
    """A daemon's process: dead or alive, frozen or not, with clocks of its own."""

    def __init__(self, world: World, name: str, number: int, skew: float) -> None:
        self.world = world
        self.name = f"{name}{number}"
        self.dead = False
        self.skew = skew
        self.on_death: Callable[[], None] = _nothing
        self.on_stop: Callable[[], None] = _nothing
        self._thaws_at = 0.0

    async def point(self, label: str) -> None:
        """Stand at the door: here one dies, is frozen, or goes on."""
        self._live()
        world = self.world
        world.points += 1
        world.note(f"{self.name} {label}")
        if world.dies_at(world.points):
            self.die()
        self._meet_fate("fate")
        if label.startswith("restart."):
            self._meet_fate("restart.fate", AROUND_A_RESTART)
        elif label.startswith("post."):
            self._meet_fate("post.fate", AROUND_A_POST)
        while world.seconds() < self._thaws_at:
            await pause(self._thaws_at - world.seconds())
            self._live()

    def _meet_fate(self, kind: str, often: float = 1.0) -> None:
        world, weather = self.world, self.world.weather
        rates = (weather.crash * often, weather.freeze * often, weather.stop * often)
        match world.luck.fate(kind, rates):
            case 0:
                self.die()
            case 1:
                self._thaws_at = world.seconds() + world.luck.between("freeze.lasts", 2.0, 60.0)
            case 2:
                self.on_stop()
            case _:
                pass

    def die(self) -> None:
        """Die here and now."""
        self.dead = True
        self.world.note(f"{self.name} dies")
        self.on_death()
        raise DeadError(self.name)

    def _live(self) -> None:
        if self.dead:
            raise DeadError(self.name)

    # ------------------------------------------------------------------ the Clock port

    def now(self) -> datetime:
        """Return this machine's wall clock, which may be wrong."""
        seconds, jump = self.world.seconds() + self.skew, self.world.weather.set_back
        if jump is not None and self.name != _PEOPLE and self.world.seconds() >= jump[0]:
            seconds -= jump[1]
        return EPOCH + timedelta(seconds=seconds)

    def monotonic(self) -> float:
        """Return seconds on its steady clock."""
        return self.world.seconds()

    async def sleep(self, seconds: float) -> None:
        """Sleep; one that was frozen meanwhile wakes late."""
        await pause(seconds)
        self._live()
        while self.world.seconds() < self._thaws_at:
            await pause(self._thaws_at - self.world.seconds())
            self._live()


def _nothing() -> None:
    pass
