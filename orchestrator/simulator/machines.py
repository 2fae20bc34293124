"""A machine of the simulated fleet: what it is, before anything happens to it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.simulator.tempers import Temper

OperatingSystem = Literal["Windows", "Linux"]
SYSTEMS: tuple[OperatingSystem, ...] = ("Windows", "Linux")
POWERS = ("running", "starting", "stopping", "stopped", "deallocating", "deallocated", "unknown")

ZONES = ("", "1", "2", "3")
_COLONS = 2

_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Compute/virtualMachines/[^/]+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Machine:
    """One virtual machine. Raises ValueError for an id, system or power state unknown to Azure.

    `vm_id` is the ARM resource id, spelled as Azure returns it (mixed case). `zone` is `1`, `2` or
    `3`; `availability_set` the resource id of one; `image` is `publisher:offer:sku`, by default one
    of the system's. Azure puts no VM into both a zone and a set.
    """

    vm_id: str
    os: OperatingSystem
    region: str = "westeurope"
    tags: Mapping[str, str] = field(default_factory=dict)
    power: str = "running"
    temper: Temper = field(default=Temper())
    zone: str = ""
    availability_set: str = ""
    image: str = ""

    def __post_init__(self) -> None:
        """Refuse what no VM could be."""
        if not _ID.fullmatch(self.vm_id):
            raise ValueError(f"not the resource id of a virtual machine: {self.vm_id!r}")
        if self.os not in SYSTEMS:
            raise ValueError(f"os must be Windows or Linux, not {self.os!r}")
        if self.zone and self.availability_set:
            raise ValueError("a machine is in a zone or in an availability set, not in both")
        if self.zone not in ZONES:
            raise ValueError(f"zone must be one of 1, 2, 3, or empty, not {self.zone!r}")
        if self.image and str(self.image).count(":") != _COLONS:
            raise ValueError(f"image must be publisher:offer:sku, not {self.image!r}")
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
