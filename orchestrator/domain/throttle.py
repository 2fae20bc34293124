"""Azure's token buckets, as we believe them to stand. Pure: `now` is an argument, and nothing
waits here.

The figures are azure-facts 4.1 (ARM front door), 4.2 (Compute resource provider) and 7 (Resource
Graph, which counts for the credential as a whole). A request must find a token in every bucket that
its class draws from. A 429 empties the model until its `Retry-After` has passed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from orchestrator.domain.model import Target

_SHARE = 0.8
"""What we use of each bucket of a subscription; the rest is left to the customer's other tools
(design 8)."""
_OWN = 1.0
"""Buckets of one VM serve nobody else but us."""


class Call(StrEnum):
    """A class of request with buckets of its own."""

    SUBMIT = "submit"
    POLL = "poll"
    LOOK = "look"
    TRACE = "trace"


@dataclass(frozen=True, slots=True)
class Rate:
    """A bucket's size in requests, its refill in requests per second, and the share of both that
    we use."""

    capacity: float
    per_second: float
    share: float = _SHARE


_ARM_WRITES = Rate(200, 10)
_ARM_READS = Rate(250, 25)
_PATCH_PER_REGION = Rate(600, 200 / 60)
_PATCH_PER_VM = Rate(6, 2 / 60, _OWN)
_OPERATION_PER_REGION = Rate(15_000, 5_000 / 60)
_VIEW_PER_REGION = Rate(24_000, 8_000 / 60)
_VIEW_PER_VM = Rate(36, 12 / 60, _OWN)
_QUERIES = Rate(7.5, 1.5)
"""Resource Graph counts 15 queries in windows of 5 s: a full bucket and its refill of 5 s are just
that."""

_Key = tuple[str, ...]


@dataclass(slots=True)
class _Bucket:
    rate: Rate
    tokens: float
    at: datetime
    closed_until: datetime | None = None

    def wait(self, now: datetime) -> float:
        """Seconds until a token is there; 0 when one is."""
        self._refill(now)
        missing = max(0.0, 1 - self.tokens) / (self.rate.per_second * self.rate.share)
        closed = (self.closed_until - now).total_seconds() if self.closed_until else 0.0
        return max(missing, closed, 0.0)

    def _refill(self, now: datetime) -> None:
        seconds = max(0.0, (now - self.at).total_seconds())
        full = max(1.0, self.rate.capacity * self.rate.share)
        self.tokens = min(full, self.tokens + seconds * self.rate.per_second * self.rate.share)
        self.at = max(self.at, now)


class Throttle:
    """All buckets of one credential. Mutable, with no clock of its own; shared by every run of a
    daemon."""

    def __init__(self) -> None:
        self._buckets: dict[_Key, _Bucket] = {}
        self._credentials_until: datetime | None = None

    def take(self, calls: Sequence[Call], target: Target, now: datetime) -> datetime | None:
        """Take one token of every bucket that these calls draw from, all or nothing.

        Returns None when they may be sent now; otherwise the instant to ask again.
        """
        draws = [draw for call in calls for draw in _draws(call, target)]
        buckets = [self._bucket(key, rate, now) for key, rate in draws]
        wait = max((bucket.wait(now) for bucket in buckets), default=0.0)
        if Call.SUBMIT in calls and self._credentials_until is not None:
            wait = max(wait, (self._credentials_until - now).total_seconds())
        if wait > 0:
            return now + timedelta(seconds=max(wait, 0.001))
        for bucket in buckets:
            bucket.tokens -= 1
        return None

    def refused(self, call: Call, target: Target, retry_after: timedelta, now: datetime) -> None:
        """Learn from a 429: nothing of this class for this subscription and region before
        `retry_after` has passed.

        A 429 on one VM's own bucket looks the same to us, so a submit's refusal closes that VM's
        bucket, and the region's only when the VM's bucket should have had a token.
        """
        until = now + retry_after
        own = self._buckets.get(_vm_key(call, target))
        if own is not None and own.tokens < 1:
            own.closed_until = until
            return
        for key, rate in _draws(call, target):
            if key[0] != "vm":
                self._bucket(key, rate, now).closed_until = until

    def unauthenticated(self, until: datetime) -> None:
        """Hold all submits: a 401 is the credential's fault and never a VM's (design 5.4)."""
        self._credentials_until = until

    def _bucket(self, key: _Key, rate: Rate, now: datetime) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = _Bucket(rate, max(1.0, rate.capacity * rate.share), now)
            self._buckets[key] = bucket
        return bucket

    def tokens(self, now: datetime) -> Iterable[tuple[str, float]]:
        """Yield (bucket name, tokens left) of the shared buckets, for the metrics."""
        for key, bucket in self._buckets.items():
            if key[0] != "vm":
                bucket.wait(now)
                yield "/".join(key), bucket.tokens


def _vm_key(call: Call, target: Target) -> _Key:
    return ("vm", call, target.vm_id)


def _draws(call: Call, target: Target) -> list[tuple[_Key, Rate]]:
    """Name the buckets of one call: ARM's per subscription, Compute's per subscription and region,
    and per VM."""
    subscription = target.subscription_id
    place = (subscription, target.region)
    match call:
        case Call.SUBMIT:
            return [
                (("arm writes", subscription), _ARM_WRITES),
                (("patch operations", *place), _PATCH_PER_REGION),
                (_vm_key(call, target), _PATCH_PER_VM),
            ]
        case Call.POLL:
            return [
                (("arm reads", subscription), _ARM_READS),
                (("get operation", *place), _OPERATION_PER_REGION),
            ]
        case Call.LOOK:
            return [
                (("arm reads", subscription), _ARM_READS),
                (("low cost get", *place), _VIEW_PER_REGION),
                (_vm_key(call, target), _VIEW_PER_VM),
            ]
        case Call.TRACE:
            return [(("resource graph",), _QUERIES)]
