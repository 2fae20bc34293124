"""What the inventory lists, and which of it a selection means. Pure; listing is
`arm/inventory.py`'s work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.domain.model import Selection, Target, VmId


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One VM as a list answer describes it. `os` is `Windows`, `Linux` or empty; tags keep Azure's
    spelling."""

    vm_id: VmId
    name: str
    subscription_id: str
    resource_group: str
    region: str
    os: str
    zone: str = ""
    availability_set: str = ""
    image: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


def target(machine: Machine) -> Target:
    """Keep of a machine what a run needs to know about it."""
    return Target(
        vm_id=machine.vm_id,
        name=machine.name,
        subscription_id=machine.subscription_id,
        resource_group=machine.resource_group,
        region=machine.region,
        os=machine.os,
        zone=machine.zone,
        availability_set=machine.availability_set,
        image=machine.image,
        tags=tuple(sorted(machine.tags.items())),
    )


def matches(selection: Selection, machine: Machine) -> bool:
    """Tell whether a selection means this machine: every kind given must match; nothing given
    matches nothing."""
    kinds = [
        (selection.ids, machine.vm_id in selection.ids),
        (selection.subscriptions, machine.subscription_id in selection.subscriptions),
        (selection.resource_groups, machine.resource_group in selection.resource_groups),
        (selection.tags, _tagged(selection.tags, machine.tags)),
    ]
    given = [held for wanted, held in kinds if wanted]
    return bool(given) and all(given)


def covers(wide: Selection, narrow: Selection) -> bool:
    """Tell whether `wide` means every machine that `narrow` means, whatever the fleet is: each kind
    that it gives is given there, with no other values."""
    kinds = [
        (wide.ids, narrow.ids),
        (wide.subscriptions, narrow.subscriptions),
        (wide.resource_groups, narrow.resource_groups),
    ]
    held = [bool(values) and set(values) <= set(wanted) for wanted, values in kinds if wanted]
    held += [_among(values, narrow.tags, name) for name, values in wide.tags]
    return bool(held) and all(held)


def _among(wanted: Sequence[str], tags: Sequence[tuple[str, tuple[str, ...]]], name: str) -> bool:
    """Tell whether a tag is asked for with wanted values only."""
    given = [values for other, values in tags if other.lower() == name.lower()]
    accepted = {value.lower() for value in wanted}
    return any({value.lower() for value in values} <= accepted for values in given)


def _tagged(wanted: Sequence[tuple[str, tuple[str, ...]]], tags: Mapping[str, str]) -> bool:
    """Compare tags without case, as Azure compares tag names (azure-facts 7 uses `=~`)."""
    folded = {name.lower(): value.lower() for name, value in tags.items()}
    return all(
        folded.get(name.lower()) in {value.lower() for value in values} for name, values in wanted
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One list call: a subscription, or one resource group of it."""

    subscription: str
    resource_group: str | None = None


def scopes(selections: Sequence[Selection], subscriptions: Sequence[str]) -> tuple[Scope, ...]:
    """Return the list calls that these selections need, given the subscriptions the configuration
    names at all.

    Ids bring their own subscription and resource group; resource groups are listed one by one;
    tags and subscriptions need the whole subscription. A whole subscription makes its resource
    groups superfluous.
    """
    wanted: set[Scope] = set()
    for selection in selections:
        wanted |= _scopes_of(selection, subscriptions)
    whole = {scope.subscription for scope in wanted if scope.resource_group is None}
    kept = (s for s in wanted if s.resource_group is None or s.subscription not in whole)
    return tuple(sorted(kept, key=lambda scope: (scope.subscription, scope.resource_group or "")))


def _scopes_of(selection: Selection, subscriptions: Sequence[str]) -> set[Scope]:
    if selection.ids:
        return {_scope_of(vm) for vm in selection.ids}
    named = selection.subscriptions or tuple(subscriptions)
    if selection.resource_groups:
        return {
            Scope(subscription=s, resource_group=group)
            for s in named
            for group in selection.resource_groups
        }
    return {Scope(subscription=s) for s in named}


def _scope_of(vm: VmId) -> Scope:
    parts = vm.split("/")
    return Scope(subscription=parts[2], resource_group=parts[4])
