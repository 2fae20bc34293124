"""One schedule: two daemons, a database, an Azure, people; a seed in, a report out."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any, Final
from uuid import UUID

from orchestrator.arm.client import ArmClient
from orchestrator.arm.clouds import custom
from orchestrator.arm.token import FixedToken
from orchestrator.domain.model import Freeze
from orchestrator.domain.throttle import Throttle
from orchestrator.engine.conductor import Conductor
from orchestrator.engine.doors import Doors
from orchestrator.store.sql import SqlStore
from orchestrator.store.writer import ReadsBeside, Writer
from tests.kit.gates import HandGates
from tests.kit.rows import EPOCH
from tests.simulation import verdict
from tests.simulation.database import Calm, DatabaseDoor, Memory
from tests.simulation.host import DeadError, Host
from tests.simulation.loop import DeadlockError, LivelockError, SimLoop, pause
from tests.simulation.luck import Fault, Luck
from tests.simulation.network import Wires
from tests.simulation.people import PATIENCE, People
from tests.simulation.weather import Weather, drawn, fleet
from tests.simulation.witness import Ears, Witness
from tests.simulation.world import ENDPOINT, World

LONGEST: Final = PATIENCE + 2_400.0
"""Virtual seconds after the heal point in which everything must have come to its end (INV-9)."""
_DEATHS: Final = (DeadError, asyncio.CancelledError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of one schedule."""

    seed: int
    breaches: tuple[str, ...]
    trace: str
    faults: tuple[Fault, ...]
    points: int
    seconds: float
    counts: Counter[str] = field(default_factory=Counter)


class Schedule:
    """Everything of one schedule while it runs."""

    def __init__(self, world: World, witness: Witness) -> None:
        self.world = world
        self.witness = witness
        self.memory = Memory(world, witness)
        witness.raw = self.memory.raw
        self._numbers = count(1)
        self._incarnations = count(1)
        self._stopping = False
        self._lives: set[asyncio.Task[None]] = set()
        self._conductors: dict[str, Conductor] = {}

    async def play(self) -> None:
        """Let everything happen."""
        await self._freeze()
        for name, skew in zip("ab", self.world.weather.skews, strict=True):
            self._start(name, skew)
        people = People(self.world, SqlStore(Calm(self.memory)), self.memory.see, self.witness)
        try:
            async with asyncio.timeout(self.world.weather.heal_at + LONGEST):
                await people.live()
        except TimeoutError:
            self.witness.breach("INV-9", "a run did not come to its end")
        await self._end()

    async def _freeze(self) -> None:
        """Write the freeze of this schedule down, as a daemon does that starts."""
        if (span := self.world.weather.freeze_from) is None:
            return
        begins, ends = (EPOCH + timedelta(seconds=second) for second in span)
        freeze = Freeze(name="a freeze", begins=begins, ends=ends)
        store = SqlStore(Calm(self.memory))
        await store.replace_freezes("a.yaml", [freeze], self.world.now(), "a daemon")

    async def _end(self) -> None:
        """Stop all daemons as SIGTERM would."""
        self._stopping = True
        for conductor in self._conductors.values():
            conductor.stop()
        alive = [life for life in self._lives if not life.done()]
        if alive:
            await asyncio.wait(alive, timeout=120.0)
        if any(not life.done() for life in alive):
            self.witness.breach("INV-19", "a daemon did not stop within two minutes")

    def _stop(self, host: Host, conductor: Conductor) -> None:
        self.witness.told_to_stop(host.name)
        conductor.stop()

    def _start(self, name: str, skew: float) -> None:
        host = Host(self.world, name, next(self._incarnations), skew)
        life = asyncio.get_running_loop().create_task(self._live(host), name=host.name)
        self._lives.add(life)
        host.on_death = lambda: _cancel(life)
        life.add_done_callback(lambda done: self._gone(host, name, skew, done))

    def _gone(self, host: Host, name: str, skew: float, life: asyncio.Task[None]) -> None:
        """Bury a daemon, and start it anew after a while."""
        self._conductors.pop(host.name, None)
        error = None if life.cancelled() else life.exception()
        if error is not None and not _only_death(error):
            self.witness.crashed(host.name, error)
        if not self._stopping:
            host.dead = True
            wait = self.world.luck.between("restart.after", 0.5, 40.0)
            asyncio.get_running_loop().call_later(wait, self._restart, name, skew)

    def _restart(self, name: str, skew: float) -> None:
        if not self._stopping:
            self._start(name, skew)

    async def _live(self, host: Host) -> None:
        door = DatabaseDoor(self.memory, host, self.world)
        writer = Writer(door, host)  # type: ignore[arg-type]  # it needs only `write` and the label
        store = SqlStore(ReadsBeside(writer, door))
        ears: Any = Ears(self.witness)
        wires = Wires(host, self.world, self.witness)
        throttle = Throttle()
        arm = ArmClient(wires, FixedToken("t"), custom(ENDPOINT), host, ears, meter=throttle)
        doors = Doors(
            store=store,
            arm=arm,
            clock=host,
            observer=ears,
            throttle=throttle,
            gates=HandGates(),
            new_id=lambda: str(UUID(int=next(self._numbers))),
            rhythm=self.world.weather.rhythm,
        )
        conductor = Conductor(doors, host.name)
        self._conductors[host.name] = conductor
        host.on_stop = lambda: self._stop(host, conductor)
        async with asyncio.TaskGroup() as group:
            group.create_task(writer.run(), name=f"{host.name} writes")
            await conductor.conduct()
            writer.close()


def _cancel(life: asyncio.Task[None]) -> None:
    life.cancel()


def _only_death(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_only_death(inner) for inner in error.exceptions)
    return isinstance(error, _DEATHS)


def play(
    seed: int,
    *,
    weather: Weather | None = None,
    only: Iterable[Fault] | None = None,
    dies_at: Callable[[int], bool] | None = None,
) -> Report:
    """Play one schedule to its end. `only` leaves out all faults it does not name, and `dies_at`
    adds one death at the point with that number."""
    weather = weather or drawn(seed)
    luck = Luck(seed, only)
    steady = _steady(weather, luck)
    world = World(seed, weather, fleet(weather, seed, steady), luck)
    world.dies_at = dies_at or world.dies_at
    witness = Witness(world)
    loop = SimLoop(Random(f"order {seed}") if weather.shuffled else None)
    loop.set_exception_handler(lambda _loop, context: _unheard(witness, context))
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_play(world, witness))
        seconds = loop.time()
    except (DeadlockError, LivelockError) as error:
        witness.breaches.append(f"INV-19: {error}")
        seconds = loop.time()
    finally:
        _clear(loop)
    return Report(
        seed=seed,
        breaches=tuple(witness.breaches),
        trace=world.trace(),
        faults=tuple(luck.fired),
        points=world.points,
        seconds=seconds,
        counts=witness.counts,
    )


def _steady(weather: Weather, luck: Luck) -> frozenset[int]:
    """Name the machines whose temper a shrinking schedule has taken away."""
    if not (weather.temper or weather.deaf):
        return frozenset()
    return frozenset(n for n in range(sum(weather.waves)) if not luck.strikes("temper", 1.0))


async def _play(world: World, witness: Witness) -> None:
    schedule = Schedule(world, witness)
    try:
        await schedule.play()
        verdict.given(world, witness, schedule.memory)
    finally:
        schedule.memory.close()


def _unheard(witness: Witness, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if error is not None and not _only_death(error):
        witness.breaches.append(f"INV-19: nobody heard of {type(error).__name__}: {error}")


def _clear(loop: SimLoop) -> None:
    """Leave nothing behind: the dead may still be on their way out."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    with suppress(DeadlockError, LivelockError):
        loop.run_until_complete(_gather(left))
    asyncio.set_event_loop(None)
    loop.close()


async def _gather(tasks: set[asyncio.Task[Any]]) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=300.0)
    await pause(0)
