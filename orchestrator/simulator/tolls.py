"""Which buckets a request pays from: ARM's front door, then Compute (azure-facts 4.1, 4.2).

It only counts; the 429 bodies are in `errors.py`.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from orchestrator.simulator.buckets import Bucket, Named, Refused, charge
from orchestrator.simulator.exchange import Header
from orchestrator.simulator.limits import Limit, Limits, Policy

REMAINING = "x-ms-ratelimit-remaining-resource"
"""The header that tells what Compute's buckets hold."""

RESETS_AFTER = "x-ms-user-quota-resets-after"
"""The header that tells when Resource Graph takes queries again (hh:mm:ss)."""


@dataclass(frozen=True, slots=True)
class Toll:
    """What was paid: the headers that tell what remains, and the refusal if there is one."""

    headers: tuple[Header, ...]
    refused: Refused | None


class Tolls:
    """All buckets of a world, made when first used."""

    def __init__(self, limits: Limits, speed: float) -> None:
        self._limits = limits
        self._speed = speed
        self._buckets: dict[Hashable, Bucket] = {}

    def front_door(self, principal: str, subscription: str, kind: str, now: int) -> Toll:
        """Charge ARM's buckets for one request; `kind` is `reads` or `writes`."""
        limit = self._limits.arm_reads if kind == "reads" else self._limits.arm_writes
        factor = self._limits.principals
        shared = Limit(limit.capacity * factor, limit.refill * factor, every=limit.every)
        prefix = "x-ms-ratelimit-remaining-subscription-"
        buckets = (
            self._named(f"{prefix}{kind}", limit, now, (principal, subscription)),
            self._named(f"{prefix}global-{kind}", shared, now, (subscription,)),
        )
        refused = charge(buckets, now)
        return Toll(tuple((one.name, str(one.bucket.tokens)) for one in buckets), refused)

    def compute(self, policy: Policy, place: tuple[str, str], resource: str, now: int) -> Toll:
        """Charge Compute's buckets; `place`: subscription, region; `resource`: VM or operation."""
        buckets = [
            self._named(f"{policy.name}SubscriptionMaximum", policy.subscription, now, place)
        ]
        if policy.resource is not None:
            name = f"{policy.name}Resource"
            buckets.append(self._named(name, policy.resource, now, (resource,), renews=True))
        refused = charge(buckets, now)
        return Toll(_remaining(buckets), refused)

    def graph(self, principal: str, now: int) -> Toll:
        """Charge a principal's quota of Resource Graph for one query (azure-facts 7)."""
        quota = self._named("user-quota", self._limits.graph, now, principal)
        refused = charge((quota,), now)
        left, seconds = quota.bucket.tokens, quota.bucket.renewed_in(now)
        resets = f"00:{seconds // 60:02d}:{seconds % 60:02d}"
        headers = (("x-ms-user-quota-remaining", str(left)), (RESETS_AFTER, resets))
        return Toll(headers, refused)

    def _named(
        self, name: str, limit: Limit, now: int, owner: Hashable, *, renews: bool = False
    ) -> Named:
        bucket = self._buckets.get((name, owner))
        if bucket is None:
            bucket = Bucket(limit, now, speed=self._speed, renews=renews)
            self._buckets[name, owner] = bucket
        return Named(name, bucket, limit.capacity)


def _remaining(buckets: Sequence[Named]) -> tuple[Header, ...]:
    value = ",".join(f"Microsoft.Compute/{one.name};{one.bucket.tokens}" for one in buckets)
    return ((REMAINING, value),)
