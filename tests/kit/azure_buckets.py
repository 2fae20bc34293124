"""Azure's buckets as the simulator keeps them: what a model of them is judged by."""

from datetime import datetime, timedelta

from orchestrator.domain.model import Target
from orchestrator.domain.pools import Call
from orchestrator.simulator.buckets import Bucket, Named, charge
from orchestrator.simulator.limits import Limit, Limits
from tests.kit.rows import EPOCH

_LIMITS = Limits()
_PATCHES, _OPERATIONS, _VIEWS = _LIMITS.patching, _LIMITS.operations, _LIMITS.cheap_reads
_ARM = {Call.SUBMIT: _LIMITS.arm_writes, Call.POLL: _LIMITS.arm_reads, Call.LOOK: _LIMITS.arm_reads}
_COMPUTE = {Call.SUBMIT: _PATCHES, Call.POLL: _OPERATIONS, Call.LOOK: _VIEWS}


class AzureBuckets:
    """What Azure would say to each request. `phase`: how long ago its steps of refill began."""

    def __init__(self, phase: timedelta = timedelta(0)) -> None:
        self._began = EPOCH - phase
        self._buckets: dict[tuple[object, ...], Bucket] = {}

    def refuses(self, call: Call, target: Target, now: datetime) -> bool:
        """Charge every bucket of a request, or tell that one is empty."""
        return charge(self._named(call, target), self._micros(now)) is not None

    def left(self, call: Call, target: Target, now: datetime) -> int:
        """Return what its subscription and region have left of a class, as a header does."""
        bucket = self._named(call, target)[-1 if call is Call.TRACE else 1].bucket
        bucket.wait(self._micros(now))
        return bucket.tokens

    def _named(self, call: Call, target: Target) -> list[Named]:
        if call is Call.TRACE:
            return [self._one(_LIMITS.graph, "graph")]
        place = (target.subscription_id, target.region)
        policy = _COMPUTE[call]
        assert policy.resource is not None
        return [
            self._one(_ARM[call], "arm", str(_ARM[call]), target.subscription_id),
            self._one(policy.subscription, policy.name, *place),
            self._one(policy.resource, policy.name, target.vm_id),
        ]

    def _one(self, limit: Limit, *key: object) -> Named:
        bucket = self._buckets.setdefault(key, Bucket(limit, self._micros(self._began)))
        return Named(str(key), bucket, limit.capacity)

    @staticmethod
    def _micros(at: datetime) -> int:
        return (at - EPOCH) // timedelta(microseconds=1)
