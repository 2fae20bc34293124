"""A simulated Azure and a client of it, on one clock: in memory or over real sockets."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from orchestrator.domain.answer import (
    Seen,
    Taken,
)
from orchestrator.domain.model import LinuxPatches, Patches, WindowsPatches, vm_id
from orchestrator.ports import Arm
from orchestrator.simulator.machines import Machine
from orchestrator.simulator.tempers import Temper
from orchestrator.simulator.world import Azure
from tests.contract.arm.bench import SUBSCRIPTION, Clock, Memory, an_order

SECURITY = ("Critical", "Security")
PATCHES = Patches(
    windows=WindowsPatches(classifications=SECURITY), linux=LinuxPatches(classifications=SECURITY)
)
GROUP = f"/subscriptions/{SUBSCRIPTION.upper()}/resourceGroups/RG-Web"
SOON = timedelta(seconds=0.2)
PATIENCE = timedelta(seconds=30)
ENDED = 3 * 3600.0


def a_machine(name="VM-1", os="Linux", **members):
    path = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/{name}"
    return Machine(path, os, **members)


def behaving(**temper):
    return a_machine(temper=Temper(**temper))


@dataclass
class Stage:
    """A simulated Azure and a client of it, on one clock."""

    azure: Azure
    clock: Clock
    arm: Arm
    observer: Memory
    machines: tuple[Machine, ...]

    async def install(self, machine=None, **members):
        asked = machine or self.machines[0]
        wanted = {"patches": PATCHES, "send_by": self.clock.monotonic() + 5} | members
        return await self.arm.install(an_order(asked.os, vm_id=vm_id(asked.vm_id), **wanted))

    async def taken(self, machine=None):
        answer = await self.install(machine)
        assert isinstance(answer, Taken)
        return answer

    async def look(self):
        return await self.arm.look(vm_id(self.machines[0].vm_id))

    async def seen(self):
        answer = await self.look()
        assert isinstance(answer, Seen)
        return answer

    def ledger(self) -> Any:
        return self.azure.ledger(self.clock.now())

    def installations(self):
        return self.ledger()["installations"]

    def posts(self):
        return sum(self.ledger()["posts"].values())
