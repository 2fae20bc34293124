"""What is known of a VM before it is started, by which VMs are alike: its image, system, region.
Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from orchestrator.domain.model import Quarantine, Trait
from orchestrator.domain.operation import Operation

TRAITS: Final[Mapping[Trait, Callable[[Operation], str]]] = {
    Trait.IMAGE: lambda op: op.target.image,
    Trait.SYSTEM: lambda op: op.target.os,
    Trait.REGION: lambda op: op.target.region,
}
"""By kind, the narrowest first. Empty: unknown."""


def traits_of(op: Operation) -> Iterator[tuple[Trait, str]]:
    """Yield each trait of a VM as its kind and its value; empty values too."""
    return ((kind, trait(op)) for kind, trait in TRAITS.items())


def is_held(group: Quarantine | None, op: Operation) -> bool:
    """Tell whether a VM belongs to the group that its run holds back."""
    return group is not None and TRAITS[group.kind](op) == group.value
