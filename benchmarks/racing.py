"""The product in a race: the shipped engine, client and statements in virtual time, alone in its
subscription (no reserve for other tools) and with its own limits off."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Final, TypeVar
from uuid import UUID

from benchmarks.composition import sole_throttle
from benchmarks.fleet import plan
from benchmarks.prepared import opened, queued
from benchmarks.virtual import ENDPOINT, Finish, Inline, VirtualClock, Wires, seconds
from orchestrator.arm.client import ArmClient
from orchestrator.arm.clouds import custom
from orchestrator.arm.token import FixedToken
from orchestrator.domain.model import RunId, Target, VmId
from orchestrator.domain.operation import Reported
from orchestrator.domain.record import Fact, Move
from orchestrator.domain.states import Ended, NeedsHuman
from orchestrator.engine.conductor import Conductor
from orchestrator.engine.doors import Doors
from orchestrator.hooks.gates import HttpGates
from orchestrator.simulator.machines import Machine
from orchestrator.store.sql import SqlStore
from orchestrator.store.writer import ReadsBeside, Writer

T = TypeVar("T")
LONGEST_S: Final = 48 * 3600.0
"""Virtual seconds after which a race is given up."""


@dataclass
class Watcher:
    """An Observer that notes when each end was known, and waits until every VM is settled."""

    vms: int
    noticed: dict[str, float] = field(default_factory=dict)
    settled: set[VmId] = field(default_factory=set)
    people: set[VmId] = field(default_factory=set)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    crashes: list[str] = field(default_factory=list)

    def moved(self, move: Move) -> None:
        """Note an end."""
        vm = move.after.target.vm_id
        if isinstance(move.event, Reported):
            self.noticed.setdefault(vm, seconds())
        self.people.discard(vm)
        self.settled.discard(vm)
        if isinstance(move.after.state, NeedsHuman):
            self.people.add(vm)
        if isinstance(move.after.state, Ended | NeedsHuman):
            self.settled.add(vm)
        if len(self.settled) == self.vms:
            self.over.set()

    def noted(self, run_id: RunId, fact: Fact) -> None:
        """Facts are of no interest."""

    def asked(self, kind: str, code: str, seconds: float) -> None:
        """The wires count."""

    def late(self, seconds: float) -> None:
        """Lateness is of no interest where time is virtual."""

    def troubled(self, where: str, reason: str) -> None:
        """Trouble with Azure is what the moods make."""

    def crashed(self, where: str, error: Exception) -> None:
        """Remember a bug."""
        self.crashes.append(f"{where}: {error!r}")


async def raced(wires: Wires, machines: Sequence[Machine]) -> Finish:
    """Patch the machines of a simulated Azure in one wave."""
    clock, database, watcher = VirtualClock(), Inline(), Watcher(len(machines))
    spec = plan(timedelta(seconds=30), max_unknown=len(machines))
    operations = [queued(_target(machine)) for machine in machines]
    await database.write(opened(spec, operations, clock.now()))
    writer = Writer(database, clock)  # type: ignore[arg-type]  # it needs only `write` and the label
    numbers = count(1)
    throttle = sole_throttle()
    cloud = custom(ENDPOINT)
    doors = Doors(
        store=SqlStore(ReadsBeside(writer, database)),
        arm=ArmClient(wires, FixedToken("token"), cloud, clock, watcher, meter=throttle),
        clock=clock,
        observer=watcher,
        throttle=throttle,
        gates=HttpGates(),
        new_id=lambda: str(UUID(int=next(numbers))),
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.run(), name="write")
        conductor = Conductor(doors, "race")
        conducting = group.create_task(conductor.conduct(), name="conduct")
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_S):
                await watcher.over.wait()
        done_s = seconds()
        conductor.stop()
        await conducting
        writer.close()
    database.close()
    if watcher.crashes:
        raise RuntimeError(watcher.crashes[0])
    return Finish(watcher.noticed, len(machines) - len(watcher.settled - watcher.people), done_s)


def _target(machine: Machine) -> Target:
    return Target(
        vm_id=VmId(machine.key),
        name=machine.name,
        subscription_id=machine.subscription,
        resource_group=machine.resource_group.lower(),
        region=machine.region,
        os=machine.os,
    )
