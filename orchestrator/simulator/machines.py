"""A machine of the simulated fleet: what it is, before anything happens to it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.simulator.tempers import Temper

OperatingSystem = Literal["Windows", "Linux"]
SYSTEMS: tuple[OperatingSystem, ...] = ("Windows", "Linux")
POWERS = ("running", "starting", "stopping", "stopped", "deallocating", "deallocated", "unknown")

_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Compute/virtualMachines/[^/]+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Machine:
    """One virtual machine. Raises ValueError for an id, system or power state unknown to Azure.

    `vm_id` is the ARM resource id, spelled as Azure returns it (mixed case).
    """

    vm_id: str
    os: OperatingSystem
    region: str = "westeurope"
    tags: Mapping[str, str] = field(default_factory=dict)
    power: str = "running"
    temper: Temper = field(default=Temper())

    def __post_init__(self) -> None:
        """Refuse what no VM could be."""
        if not _ID.fullmatch(self.vm_id):
            raise ValueError(f"not the resource id of a virtual machine: {self.vm_id!r}")
        if self.os not in SYSTEMS:
            raise ValueError(f"os must be Windows or Linux, not {self.os!r}")
        if self.power not in POWERS:
            raise ValueError(f"power must be one of {', '.join(POWERS)}, not {self.power!r}")

    @property
    def key(self) -> str:
        """The id in lower case: ids are equal whatever their case."""
        return self.vm_id.lower()

    @property
    def subscription(self) -> str:
        """The subscription's id, in lower case."""
        return self.key.split("/")[2]

    @property
    def resource_group(self) -> str:
        """The resource group, spelled as in the id."""
        return self.vm_id.split("/")[4]

    @property
    def name(self) -> str:
        """The machine's name, spelled as in the id."""
        return self.vm_id.rpartition("/")[2]
