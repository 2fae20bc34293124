"""A whole orchestrator against a whole simulated Azure, on one hand-turned clock."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

from orchestrator.arm.client import ArmClient
from orchestrator.arm.clouds import custom
from orchestrator.arm.token import FixedToken
from orchestrator.domain.model import PlanSpec, RunId, Selection, Tracking, VmId, WaveSpec
from orchestrator.domain.operation import Operation
from orchestrator.domain.record import Act, ActKind, Fact, Move, Resolution
from orchestrator.domain.states import STATE_NAMES
from orchestrator.domain.throttle import Throttle
from orchestrator.engine.doors import Doors
from orchestrator.engine.driver import Driver
from orchestrator.ports import Arm
from orchestrator.service import Opened, Service
from orchestrator.simulator.machines import Machine
from orchestrator.simulator.moods import CALM, Mood
from orchestrator.simulator.tempers import Temper
from orchestrator.simulator.world import Azure
from orchestrator.store.opening import open_store
from orchestrator.store.sql import SqlStore
from tests.kit.clock import HandClock
from tests.kit.gates import HandGates
from tests.kit.memory import MemoryTransport

GROUP = "/subscriptions/0de30000-0000-4000-8000-000000000001/resourceGroups/rg-one"
ENDPOINT = "https://azure.simulated.example"


def a_machine(name: str, temper: Temper | None = None, **given: Any) -> Machine:
    """Return a simulated machine; its ring is the part of its name before the dash."""
    return Machine(
        vm_id=f"{GROUP}/providers/Microsoft.Compute/virtualMachines/{name}",
        os="Linux",
        tags={"ring": name.partition("-")[0]},
        temper=temper or Temper(),
        **given,
    )


def machines(ring: str, number: int, temper: Temper | None = None) -> tuple[Machine, ...]:
    """Return so many machines of a ring."""
    return tuple(a_machine(f"{ring}-{n:02d}", temper) for n in range(number))


def a_ring(name: str, **given: Any) -> WaveSpec:
    """Return a wave that selects a ring."""
    return WaveSpec(name=name, select=Selection(tags=(("ring", (name,)),)), **given)


@dataclass
class Witness:
    """The Observer port: remembers what it was told."""

    moves: list[Move] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    asks: list[tuple[str, str]] = field(default_factory=list)
    troubles: list[tuple[str, str]] = field(default_factory=list)
    crashes: list[tuple[str, Exception]] = field(default_factory=list)

    def moved(self, move: Move) -> None:
        self.moves.append(move)

    def noted(self, run_id: RunId, fact: Fact) -> None:
        self.facts.append(fact)

    def asked(self, kind: str, code: str, seconds: float) -> None:
        self.asks.append((kind, code))

    def late(self, seconds: float) -> None:
        """Lateness is of no interest on a clock turned by hand."""

    def troubled(self, where: str, reason: str) -> None:
        self.troubles.append((where, reason))

    def crashed(self, where: str, error: Exception) -> None:
        self.crashes.append((where, error))


@dataclass
class Stage:
    """Everything of one scenario."""

    clock: HandClock
    azure: Azure
    store: SqlStore
    arm: Arm
    witness: Witness
    service: Service
    doors: Doors
    gates: HandGates

    async def open(self, *waves: WaveSpec, **plan: Any) -> RunId:
        """Open a run of a plan with these waves."""
        name = plan.pop("name", "monthly")
        spec = replace(PlanSpec(name=name, waves=waves, tracking=Tracking()), **plan)
        opened = await self.service.open(spec, config_hash="0" * 8, opened_by="ann")
        assert isinstance(opened, Opened), opened
        return opened.run_id

    async def take(self, run_id: RunId, holder: str = "daemon-1") -> Driver:
        """Claim a run's lease and load it."""
        lease = await self.store.claim(run_id, holder, self.doors.rhythm.lease)
        assert lease is not None
        return Driver(self.doors, lease, await self.store.load(run_id))

    async def drive(self, run_id: RunId, steps: int = 3_000) -> Mapping[str, Any]:
        """Drive a run to its rest, turning the clock whenever there is nothing to do."""
        driver = await self.take(run_id)
        await self.go_on(driver, steps)
        await self.store.release(driver.book.lease)
        return await self.row(run_id)

    async def go_on(self, driver: Driver, steps: int = 3_000, until: Any = None) -> None:
        """Drive until the run is at rest, or until `until` holds for its view."""
        async with asyncio.TaskGroup() as group:
            for _ in range(steps):
                todo = await driver.step(group)
                await driver.settle()
                if driver.over or (until is not None and until(driver.view)):
                    return
                if todo.commands or todo.decisions or todo.readings:
                    continue
                if at_rest(driver):
                    return
                assert todo.wake_at is not None, f"stuck: {driver.view.indexes()}"
                self.clock.turn_to(todo.wake_at)
        raise AssertionError(f"never at rest: {driver.view.indexes()}")

    async def ask(self, run_id: RunId, kind: ActKind, *vms: str, **given: Any) -> None:
        """Write a person's act."""
        act = Act(
            id=self.doors.new_id(),
            run_id=run_id,
            kind=kind,
            actor="ann",
            because=given.pop("because", "a reason"),
            at=self.clock.now(),
            vms=tuple(VmId(vm) for vm in vms),
            **given,
        )
        await self.service.act(act)
        self.clock.turn_to(self.clock.now() + timedelta(seconds=2))

    async def resolve(self, run_id: RunId, found: Resolution, *vms: str) -> None:
        """Say what became of VMs that need a person."""
        await self.ask(run_id, ActKind.RESOLVE, *vms, resolution=found)

    async def row(self, run_id: RunId) -> Mapping[str, Any]:
        """Read the run's row of `v_runs`."""
        (row,) = await self.store.rows("v_runs", run_id=run_id)
        return row

    async def operations(self, run_id: RunId) -> dict[str, Mapping[str, Any]]:
        """Read the rows of `v_operations` by VM name."""
        rows = await self.store.rows("v_operations", run_id=run_id)
        return {str(row["vm_name"]).lower(): row for row in rows}

    def installed(self) -> dict[str, int]:
        """Return how often an installation was really started, by VM name: the simulator's
        truth."""
        found: dict[str, int] = {}
        ledger: Any = self.azure.ledger(self.clock.now())
        for each in ledger["installations"]:
            if each["started_by"] == "User":
                name = each["vm_id"].rsplit("/", 1)[-1]
                found[name] = found.get(name, 0) + 1
        return found

    def posts(self) -> dict[str, int]:
        """Return how many POSTs each VM received."""
        ledger: Any = self.azure.ledger(self.clock.now())
        posts = ledger["posts"]
        return {vm.rsplit("/", 1)[-1]: number for vm, number in posts.items()}


def at_rest(driver: Driver) -> bool:
    """Tell whether nothing moves any more without a person."""
    return driver.run.status in {"paused", "halted"} and all(
        tally.in_flight == 0 for tally in driver.view.tallies()
    )


def states(ops: Iterable[Operation]) -> dict[str, str]:
    """Return each operation's state by VM name."""
    return {op.target.name.lower(): STATE_NAMES[type(op.state)] for op in ops}


@asynccontextmanager
async def staged(
    url: str, fleet: Iterable[Machine], mood: Mood = CALM, seed: int = 0
) -> AsyncIterator[Stage]:
    """Set a stage: an empty database, a world of machines, a clock at the epoch of the tests."""
    clock, witness, gates = HandClock(), Witness(), HandGates()
    azure = Azure(fleet, base_url=ENDPOINT, seed=seed, mood=mood)
    transport = MemoryTransport(azure, clock)
    throttle = Throttle()
    cloud = custom(ENDPOINT)
    arm = ArmClient(transport, FixedToken("token"), cloud, clock, witness, meter=throttle)
    numbers = count(1)

    def new_id() -> str:
        return str(UUID(int=next(numbers)))

    async with open_store(url, clock=clock, durable=False) as store:
        doors = Doors(
            store=store,
            arm=arm,
            clock=clock,
            observer=witness,
            throttle=throttle,
            gates=gates,
            new_id=new_id,
        )
        service = Service(store=store, arm=arm, clock=clock, new_id=new_id)
        yield Stage(clock, azure, store, arm, witness, service, doors, gates)
