"""Limits (design 8): which groups a VM is in, and how many of each may be in flight. Pure.

A group is a text, `zone:SUBSCRIPTION/REGION/1`: it is compared, locked in its order, and shown. A
VM without a zone, an availability set or the tag is in no such group.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from orchestrator.domain.bounds import Ceiling
from orchestrator.domain.halting import permitted
from orchestrator.domain.model import GroupLimit, Limits, Share, Target

IN_FLIGHT: Final = "in_flight"
TAG: Final = "tag:"


def _zone(target: Target) -> str:
    """Zone 1 of one subscription need not be zone 1 of another: Azure numbers them for each."""
    place = f"{target.subscription_id}/{target.region}"
    return f"{place}/{target.zone}" if target.zone else ""


_VALUES: Final[Mapping[str, Callable[[Target], str]]] = {
    "subscription": lambda target: target.subscription_id,
    "subscription_region": lambda target: f"{target.subscription_id}/{target.region}",
    "zone": _zone,
    "availability_set": lambda target: target.availability_set,
}
KINDS: Final = tuple(_VALUES)
"""The kinds of groups beside `tag:NAME`, the broadest first."""


def group_of(kind: str, target: Target) -> str | None:
    """Return the group of a kind that a VM is in. Tags are compared without case, as Azure compares
    their names."""
    if kind == IN_FLIGHT:
        return IN_FLIGHT
    if not kind.startswith(TAG):
        value = _VALUES[kind](target)
        return f"{kind}:{value}" if value else None
    name = kind.removeprefix(TAG).lower()
    value = next((value for key, value in target.tags if key.lower() == name), "")
    return f"{TAG}{name}={value.lower()}" if value else None


def groups_of(kinds: Iterable[str], target: Target) -> tuple[str, ...]:
    """Return the groups of these kinds that a VM is in, in the order of the kinds."""
    found = (group_of(kind, target) for kind in kinds)
    return tuple(group for group in found if group is not None)


def by_kind(limits: Limits) -> tuple[GroupLimit, ...]:
    """Return all limits, the broadest first: who is blocked by two waits for the broader one."""
    whole = () if limits.in_flight is None else (_in_flight(limits.in_flight),)
    order = {kind: number for number, kind in enumerate(KINDS)}
    return (*whole, *sorted(limits.per, key=lambda each: order.get(each.kind, len(order))))


def _in_flight(most: int) -> GroupLimit:
    return GroupLimit(kind=IN_FLIGHT, most=Share(count=most))


def ceilings(limits: Limits, targets: Collection[Target]) -> dict[str, Ceiling]:
    """Return the ceiling of every group that these VMs, all of a run, are in. A percentage is of
    them, rounds down and is never below one."""
    found: dict[str, Ceiling] = {}
    for limit in by_kind(limits):
        groups = (group_of(limit.kind, target) for target in targets)
        for group, vms in Counter(groups).items():
            if group is not None:
                everywhere = limit.most.percent is None
                most = permitted(limit.most, vms)
                found[group] = Ceiling(limit.kind, group, most, everywhere)
    return found


def over(ceiling: Ceiling, taken: int) -> str | None:
    """Say why one more of a group may not start beside those that have its slots; None: it may."""
    if taken < ceiling.most:
        return None
    where = "over all runs" if ceiling.everywhere else "of this run"
    return f"{ceiling.group}: {taken} in flight {where}, {ceiling.most} allowed"
