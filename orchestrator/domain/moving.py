"""Who moves to another wave when a plan changes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.domain.model import PlanSpec, VmId
from orchestrator.domain.waves import Membership

NOWHERE = ""
"""Where a VM is that no wave has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """VMs that were in one wave and are in another one now; `NOWHERE` stands for none."""

    before: str
    after: str
    vms: tuple[VmId, ...]


def places(plan: PlanSpec, membership: Membership) -> Mapping[VmId, str]:
    """Tell for each VM that the plan would patch the name of its wave."""
    return {
        member.vm_id: spec.name
        for spec, members in zip(plan.waves, membership.waves, strict=True)
        for member in members
    }


def moves(before: Mapping[VmId, str], after: Mapping[VmId, str]) -> tuple[Moved, ...]:
    """Return who is elsewhere than before, most VMs first."""
    found: dict[tuple[str, str], list[VmId]] = {}
    for vm in sorted({*before, *after}):
        way = before.get(vm, NOWHERE), after.get(vm, NOWHERE)
        if way[0] != way[1]:
            found.setdefault(way, []).append(vm)
    ordered = sorted(found.items(), key=lambda each: (-len(each[1]), each[0]))
    return tuple(Moved(before=way[0], after=way[1], vms=tuple(vms)) for way, vms in ordered)
