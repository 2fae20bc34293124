"""Virtual time for the races: the simulation's loop, its database template, and a simulated Azure
at the end of a wire with a little latency. Hours pass in seconds, and nothing waits.

No faults are made up here: what goes wrong is the simulated Azure's mood.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, TypeVar

from sqlalchemy import StaticPool, create_engine

from orchestrator.arm.exchange import Exchanged, HttpReply, Lost, Request
from orchestrator.simulator.exchange import Reply
from orchestrator.simulator.world import Azure
from orchestrator.store.address import parse
from orchestrator.store.column_types import moment_text
from orchestrator.store.unit import Unit
from tests.kit.memory import asked, heard
from tests.kit.rows import EPOCH
from tests.simulation.database import _template
from tests.simulation.loop import SimLoop, pause

T = TypeVar("T")
ENDPOINT: Final = "http://127.0.0.1:8471"
LATENCY_S: Final = (0.03, 0.12)
"""From the request to its answer, without what the mood adds."""
_COMMIT_S: Final = 0.002
_THROTTLED: Final = 429


class RaceLoop(SimLoop):
    """The simulation's loop, for longer nights: it may turn as often as it needs."""

    def select(self, timeout: float | None) -> list[Any]:
        """Jump over the time in which nothing happens."""
        self.steps = 0
        return super().select(timeout)


def play(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time."""
    loop = RaceLoop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main)
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def seconds() -> float:
    """Return the virtual seconds since the beginning."""
    return asyncio.get_running_loop().time()


class VirtualClock:
    """The Clock port of a virtual world."""

    def now(self) -> datetime:
        """Return the virtual instant."""
        return EPOCH + timedelta(seconds=seconds())

    def monotonic(self) -> float:
        """Return virtual seconds."""
        return seconds()

    async def sleep(self, seconds: float) -> None:
        """Let so much virtual time pass."""
        await pause(seconds)


@dataclass(frozen=True, slots=True)
class Finish:
    """What a client knows when it has done."""

    noticed: Mapping[str, float]
    """The virtual second at which each VM's end was known, by its id in lower case."""
    lost: int
    """VMs that it has given up: never asked for, or out of sight."""
    done_s: float


@dataclass
class Wires:
    """A `Transport` to a simulated Azure that counts what goes over it, by kind and status."""

    azure: Azure
    seed: int = 0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    throttled_at: list[float] = field(default_factory=list)
    """The virtual second of each 429."""

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - latency, not a cipher

    async def exchange(self, request: Request) -> Exchanged:
        """Carry one request."""
        latency = self._random.uniform(*LATENCY_S)
        await pause(latency / 2)
        answer = self.azure.respond(asked(request), EPOCH + timedelta(seconds=seconds()))
        delay = latency / 2 + answer.delay
        if delay >= request.timeout:
            await pause(request.timeout)
            came: Exchanged = Lost(reason="no answer came in time")
        else:
            await pause(delay)
            came = heard(answer, request.limit)
        self._count(
            request, came, refused=isinstance(answer, Reply) and answer.status == _THROTTLED
        )
        return came

    def _count(self, request: Request, came: Exchanged, *, refused: bool) -> None:
        status = str(came.status) if isinstance(came, HttpReply) else "lost"
        self.counts[kind_of(request), status] += 1
        if refused:
            self.throttled_at.append(seconds())

    def requests(self) -> Counter[str]:
        """Return how many requests there were, by kind."""
        found: Counter[str] = Counter()
        for (kind, _status), number in self.counts.items():
            found[kind] += number
        return found


def kind_of(request: Request) -> str:
    """Name what a request asks for."""
    path = request.url.partition("?")[0].lower()
    if "resourcegraph" in path:
        return "graph"
    if "/operations/" in path:
        return "poll"
    return "submit" if path.endswith("/installpatches") else "look"


class Inline:
    """SQLite in memory under the shipped statements, in this thread: a transaction takes two
    milliseconds of virtual time, so that groups form as they do on a disk."""

    address = parse("sqlite:///virtual.db")

    def __init__(self) -> None:
        raw = sqlite3.connect(":memory:", isolation_level=None)
        raw.deserialize(_template())
        raw.execute("PRAGMA foreign_keys = ON")
        raw.create_function("strftime", 3, _database_time)
        self._raw = raw
        engine = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: raw)
        self._connection = engine.connect()

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction of its own."""
        await pause(_COMMIT_S)
        return self._run(unit)

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that only reads."""
        await pause(0)
        return self._run(unit)

    def _run(self, unit: Unit[T]) -> T:
        self._raw.execute("BEGIN IMMEDIATE")
        try:
            value = unit(self._connection)
        except BaseException:
            self._raw.execute("ROLLBACK")
            raise
        self._raw.execute("COMMIT")
        return value

    def close(self) -> None:
        """Forget everything."""
        self._connection.close()


def _database_time(_form: str, _now: str, shift: str) -> str:
    at = EPOCH + timedelta(seconds=seconds() + float(shift.split(maxsplit=1)[0]))
    return moment_text(at)
