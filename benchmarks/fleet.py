"""The fleet of the load tests, and the plan that patches it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from orchestrator.domain.model import (
    AttemptId,
    PlanSpec,
    Selection,
    Share,
    Target,
    Tolerance,
    Tracking,
    VmId,
    WaveSpec,
)

REGION: Final = "westeurope"
MAX_DURATION: Final = timedelta(minutes=90)


@dataclass(frozen=True, slots=True)
class Member:
    """One VM of the fleet, by its number."""

    number: int
    subscription: str

    @property
    def vm_id(self) -> VmId:
        """The resource id in lower case."""
        group = f"/subscriptions/{self.subscription}/resourcegroups/rg-bench"
        return VmId(f"{group}/providers/microsoft.compute/virtualmachines/{self.name}")

    @property
    def name(self) -> str:
        """The VM's name, which the fake server reads its number from."""
        return f"vm-{self.number:06d}"

    @property
    def target(self) -> Target:
        """The VM as a target of a run."""
        return Target(
            vm_id=self.vm_id,
            name=self.name,
            subscription_id=self.subscription,
            resource_group="rg-bench",
            region=REGION,
            os="Linux",
        )

    @property
    def attempt(self) -> AttemptId:
        """The id of its one attempt."""
        return AttemptId(f"00000000-0000-4000-8000-{self.number:012d}")


def fleet(vms: int, subscriptions: int = 1) -> Sequence[Member]:
    """Return so many VMs, dealt out to so many subscriptions."""
    names = [f"00000000-0000-4000-8000-{n:012x}" for n in range(1, subscriptions + 1)]
    return [Member(number, names[number % subscriptions]) for number in range(vms)]


def plan(poll: timedelta, max_unknown: int = 3) -> PlanSpec:
    """Return a plan of one wave that takes everything at once, and tolerates whatever comes."""
    everything = Share(percent=100)
    wave = WaveSpec(
        name="all",
        select=Selection(subscriptions=("any",)),
        max_parallel=everything,
        allow_failures=Tolerance(percent=100),
        max_duration=MAX_DURATION,
    )
    return PlanSpec(
        name="bench",
        waves=(wave,),
        tracking=Tracking(poll=poll, max_unknown=max_unknown),
        min_interval=timedelta(0),
    )


def spread(number: int) -> float:
    """Return a fraction of the interval that is this VM's: evenly spread, in no order (golden
    ratio), the same for everybody who is measured."""
    return (number * 0.6180339887498949) % 1.0
