"""Azure's token buckets, in whole microseconds: an exact wait is exactly long enough.

A bucket (azure-facts 4) regains its tokens in steps (ARM each second, Compute each minute). After a
refusal the gate is closed until the Retry-After has passed, even if tokens arrive sooner: a request
in between is refused with a new value. For a bucket of one resource the new value starts anew (the
caller that does not wait, waits longer); for a shared one it is what is left, so that callers who
do obey are never starved by one who does not. [our reading]
"""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.simulator.limits import Limit

_SECOND = 1_000_000


class Bucket:
    """One token bucket. Times are whole microseconds; `speed` shortens the steps of its refill."""

    __slots__ = ("_anchor", "_gate", "_limit", "_renews", "_step", "tokens")

    def __init__(self, limit: Limit, now: int, *, speed: float = 1.0, renews: bool = False) -> None:
        self._limit = limit
        self._step = max(1, int(limit.every * _SECOND / speed))
        self._anchor = now
        self._gate = now
        self._renews = renews
        self.tokens = limit.capacity

    def wait(self, now: int) -> int:
        """Return 0 if a token can be had, else the whole seconds (at least 1) to wait."""
        self._settle(now)
        if self.tokens and now >= self._gate:
            return 0
        refilled = now if self.tokens else self._anchor + self._step
        return max(1, -(-(max(self._gate, refilled) - now) // _SECOND))

    def renewed_in(self, now: int) -> int:
        """Return the whole seconds until the next tokens come."""
        self._settle(now)
        return -(-(self._anchor + self._step - now) // _SECOND)

    def take(self) -> None:
        """Use one token; ask `wait` first."""
        self.tokens -= 1

    def refuse(self, now: int) -> int:
        """Close the gate for the wait, and return that wait: the Retry-After."""
        seconds = self.wait(now)
        if self._renews or now >= self._gate:
            self._gate = now + seconds * _SECOND
        return seconds

    def _settle(self, now: int) -> None:
        steps = (now - self._anchor) // self._step
        if steps > 0:
            self.tokens = min(self._limit.capacity, self.tokens + steps * self._limit.refill)
            self._anchor += steps * self._step


@dataclass(frozen=True, slots=True)
class Named:
    """A bucket under the name that its header or 429 uses."""

    name: str
    bucket: Bucket
    capacity: int


@dataclass(frozen=True, slots=True)
class Refused:
    """No token: which bucket, and the Retry-After in seconds."""

    name: str
    capacity: int
    retry_after: int


def charge(buckets: Sequence[Named], now: int) -> Refused | None:
    """Take one token from each bucket, or from none of them and say which one refused."""
    waits = [(named.bucket.wait(now), named) for named in buckets]
    longest, slowest = max(waits, key=lambda pair: pair[0])
    if longest:
        return Refused(slowest.name, slowest.capacity, slowest.bucket.refuse(now))
    for named in buckets:
        named.bucket.take()
    return None
