"""Azure's limits as figures (azure-facts 4.1, 4.2). The arithmetic is in `buckets.py`."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limit:
    """A token bucket: `capacity` tokens at most, `refill` more after each `every` seconds."""

    capacity: int
    refill: int
    every: int = 60

    def __post_init__(self) -> None:
        """Refuse a bucket that could never be used again."""
        if min(self.capacity, self.refill, self.every) < 1:
            raise ValueError("a bucket holds, regains and waits for at least one")


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy of Compute, by its name on the wire: per subscription and region, and resource."""

    name: str
    subscription: Limit
    resource: Limit | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Everything that can refuse a request with 429; the defaults are Azure's.

    `arm_*` hold per principal and subscription, and `principals` times that for all principals
    together; `graph` per principal, for queries of Resource Graph (azure-facts 7). The names
    LowCostGet… and HighCostGet… are formed like the recorded ones [inferred].
    """

    arm_reads: Limit = Limit(250, 25, every=1)
    arm_writes: Limit = Limit(200, 10, every=1)
    principals: int = 15
    patching: Policy = field(
        default=Policy("VMGuestPatchOperation", subscription=Limit(600, 200), resource=Limit(6, 2))
    )
    updating: Policy = field(
        default=Policy("UpdateVM", subscription=Limit(1_500, 500), resource=Limit(12, 4))
    )
    operations: Policy = field(
        default=Policy("GetOperation", subscription=Limit(15_000, 5_000), resource=Limit(45, 15))
    )
    cheap_reads: Policy = field(
        default=Policy("LowCostGet", subscription=Limit(24_000, 8_000), resource=Limit(36, 12))
    )
    costly_reads: Policy = field(default=Policy("HighCostGet", subscription=Limit(900, 300)))
    graph: Limit = Limit(15, 15, every=5)


SMALL = Limits(
    arm_reads=Limit(40, 8, every=1),
    arm_writes=Limit(10, 2, every=1),
    patching=Policy("VMGuestPatchOperation", subscription=Limit(12, 12), resource=Limit(2, 1)),
    updating=Policy("UpdateVM", subscription=Limit(30, 12), resource=Limit(4, 2)),
    operations=Policy("GetOperation", subscription=Limit(600, 300), resource=Limit(6, 4)),
    cheap_reads=Policy("LowCostGet", subscription=Limit(200, 100), resource=Limit(6, 4)),
    costly_reads=Policy("HighCostGet", subscription=Limit(20, 10)),
    graph=Limit(3, 3, every=5),
)
"""A tenth and less of Azure's, so that a fleet of a hundred feels it."""
