"""A believable fleet, drawn from a seed.

Both systems, several subscriptions, regions, resource groups and apps, and a tag `ring` to select
waves by. The same arguments give the same fleet in the same order.
"""

from collections.abc import Mapping, Sequence

from orchestrator.simulator import draws
from orchestrator.simulator.faults import STEADY, TEMPERS
from orchestrator.simulator.machines import SYSTEMS, Machine
from orchestrator.simulator.tempers import Temper

REGIONS = ("westeurope", "northeurope")
RESOURCE_GROUPS = ("rg-Payments-Prod", "rg-Web-Prod", "rg-Data-Prod", "rg-Tools")
APPS = ("web", "api", "db", "cache", "batch")
_CANARY_SHARE = 0.05
_EARLY_SHARE = 0.2


def fleet(
    count: int,
    *,
    seed: int = 0,
    subscriptions: int = 1,
    regions: Sequence[str] = REGIONS,
    resource_groups: Sequence[str] = RESOURCE_GROUPS,
    tempers: Mapping[str, float | int] | None = None,
) -> tuple[Machine, ...]:
    """Draw `count` running machines.

    `tempers`: name in `faults.TEMPERS` -> how many machines (int) or which share of them (float).
    Tags: `ring` = canary (5 %, at least one), early (20 %) or broad; `app`; `env`. Raises
    ValueError for unknown tempers and for more of them than machines.
    """
    lot = _Lot(count, seed)
    assigned = lot.deal(_counts(count, tempers or {}))
    rings = lot.rings()
    return tuple(
        Machine(
            vm_id=_vm_id(number, seed, subscriptions, resource_groups),
            os=draws.pick(SYSTEMS, seed, "os", number),
            region=draws.pick(regions, seed, "region", number),
            tags={"ring": rings[number], "app": _app(seed, number), "env": "prod"},
            temper=assigned.get(number, STEADY),
        )
        for number in range(count)
    )


class _Lot:
    """Deals out what only some machines get: numbers in an order drawn from the seed."""

    def __init__(self, count: int, seed: int) -> None:
        self._count = count
        self._seed = seed

    def order(self, what: str) -> list[int]:
        return sorted(
            range(self._count), key=lambda number: draws.fraction(self._seed, what, number)
        )

    def deal(self, counts: Mapping[str, int]) -> dict[int, Temper]:
        numbers = iter(self.order("temper"))
        return {next(numbers): TEMPERS[name] for name, many in counts.items() for _ in range(many)}

    def rings(self) -> dict[int, str]:
        canaries = max(1, round(self._count * _CANARY_SHARE))
        early = canaries + round(self._count * _EARLY_SHARE)
        names = ["canary"] * canaries + ["early"] * (early - canaries)
        names += ["broad"] * (self._count - len(names))
        return dict(zip(self.order("ring"), names, strict=False))


def _counts(count: int, tempers: Mapping[str, float | int]) -> dict[str, int]:
    unknown = sorted(tempers.keys() - TEMPERS.keys())
    if unknown:
        raise ValueError(f"unknown temper: {', '.join(unknown)}; known: {', '.join(TEMPERS)}")
    counts = {
        name: many if isinstance(many, int) else round(many * count)
        for name, many in tempers.items()
    }
    if min(counts.values(), default=0) < 0 or sum(counts.values()) > count:
        raise ValueError(f"{sum(counts.values())} tempers for {count} machines")
    return counts


def _app(seed: int, number: int) -> str:
    return draws.pick(APPS, seed, "app", number)


def _vm_id(number: int, seed: int, subscriptions: int, groups: Sequence[str]) -> str:
    subscription = draws.guid(seed, "subscription", number % subscriptions)
    group = draws.pick(groups, seed, "group", number)
    return (
        f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/"
        f"virtualMachines/vm-{_app(seed, number)}-{number:04d}"
    )
