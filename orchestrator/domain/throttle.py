"""Azure's throttle, as we believe it to stand: which buckets a request draws from, and how we share
them with others. Pure: `now` is an argument, and nothing waits here.

A request must find a token in every bucket that its class draws from: ARM's front door, the Compute
resource provider, and the one VM or operation that it is about (azure-facts 4.1, 4.2). Resource
Graph counts for the credential as a whole (azure-facts 7). A 429 and Azure's headers correct what
is believed, downwards only.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from orchestrator.domain.buckets import Bucket, Limit, OwnBuckets
from orchestrator.domain.model import Target
from orchestrator.domain.pools import (
    AZURE,
    DRAWS,
    DRAWS_OF_ONE,
    WITHIN,
    Call,
    Left,
    Limits,
    Place,
    Pool,
)

__all__ = ["RESERVE", "Call", "Throttle"]

RESERVE: Final = 0.2
"""The share that is left to the customer's other tools, unless somebody says otherwise (design
8)."""

_Key = tuple[str, ...]

_ORIGIN: Final = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
_TIDY_EVERY: Final = 60.0
"""Seconds between two looks at what may be forgotten."""
_JITTER: Final = 1.0
"""Seconds by which an instant may lie before an earlier one without the clock having been set."""
_SAME: Final = 1.0
"""Whoever must wait only so many seconds less than a 429 asks for, waits for that very 429."""


@dataclass(frozen=True, slots=True)
class _Road:
    """The buckets of certain calls in one place, found once."""

    shared: tuple[Bucket, ...]
    of_one: tuple[OwnBuckets, ...]
    needs_region: bool
    """Whether the answer's URL will tell the VM only, and not where it is."""


_SENDING: Final = frozenset({Call.SUBMIT, Call.RESTART})
"""What waits while Azure does not take our token."""
_NAMING_A_VM: Final = _SENDING | {Call.LOOK}
_NO_LIMIT: Final = Limit(2e9, 1e9, 1)


class Throttle:
    """All buckets of one credential. Mutable, with no clock of its own; shared by every run of a
    daemon. Told what was heard, it is the client's `ports.Meter`."""

    def __init__(self, reserve: float = RESERVE, limits: Limits = AZURE) -> None:
        """`reserve`: the share of each bucket that is left to others, from 0 to less than 1. Raises
        `ValueError` for any other."""
        if not 0 <= reserve < 1:
            message = f"a reserve is at least 0 and less than 1, not {reserve}"
            raise ValueError(message)
        self._reserve = reserve
        self._limits = limits
        self._daemons = 1
        self._buckets: dict[_Key, Bucket] = {}
        self._of_one = {
            call: OwnBuckets(limits.of_one[pool]) for call, pool in DRAWS_OF_ONE.items()
        }
        self._roads: dict[tuple[tuple[Call, ...], str, str], _Road] = {}
        self._regions: dict[str, str] = {}
        self._older_regions: dict[str, str] = {}
        self._credential = Bucket(_NO_LIMIT, 1.0, 0.0)
        """Closed while submits wait for a token that Azure takes."""
        self._latest = self._tidied_at = float("-inf")

    # --------------------------------------------------------------------------------- asking

    def take(
        self, calls: tuple[Call, ...], target: Target, now: datetime, claimant: str = ""
    ) -> datetime | None:
        """Take one token of every bucket that these calls draw from, all or nothing.

        Returns None when they may be sent now; otherwise the instant to ask again. Where several
        claimants (runs) want more than a bucket gives, each gets its share of what comes in.
        """
        t = now.timestamp() - _ORIGIN
        if not self._latest <= t < self._tidied_at + _TIDY_EVERY:
            self._tidy(t)
        self._latest = t
        vm = target.vm_id
        road = self._roads.get((calls, target.subscription_id, target.region))
        if road is None:
            road = self._build(calls, target.subscription_id, target.region, t)
        for bucket in road.shared:
            if bucket.turns is not None or bucket.full_at - t > bucket.slack:
                return self._in_turn(road, vm, t, now, claimant)
        for own in road.of_one:
            if own.full_at.get(vm, t) - t > own.slack:
                return self._in_turn(road, vm, t, now, claimant)
        for bucket in road.shared:
            at = bucket.full_at
            bucket.full_at = (at if at > t else t) + bucket.gap  # noqa: FURB136 - a call of max() costs
        for own in road.of_one:
            own.take(vm, t)
        if road.needs_region:
            self._regions[vm] = target.region
        return None

    def give_back(self, call: Call, target: Target, taken_at: datetime, now: datetime) -> None:
        """Put the tokens of a call back that was not made after all. Azure's word since then, where
        it was less than we believed, stands: it knew of no such call."""
        t = self._seconds(now)
        since = taken_at.timestamp() - _ORIGIN
        road = self._road((call,), target.subscription_id, target.region, t)
        for bucket in road.shared:
            bucket.give_back(since)
        for own in road.of_one:
            own.give_back(target.vm_id)

    def _in_turn(
        self, road: _Road, vm: str, t: float, now: datetime, claimant: str
    ) -> datetime | None:
        """Take, where somebody is or must be held back."""
        wait = self._shared_wait(road, t, claimant)
        for own in road.of_one:
            wait = max(wait, own.wait(vm, t))
        if wait > 0:
            return now + timedelta(seconds=max(wait, 0.001))
        for bucket in road.shared:
            bucket.take(t, claimant)
        for own in road.of_one:
            own.take(vm, t)
        return None

    @staticmethod
    def _shared_wait(road: _Road, t: float, claimant: str) -> float:
        wait = 0.0
        for bucket in road.shared:
            wait = max(wait, bucket.wait(t, claimant))
        return wait

    def blocked(
        self, call: Call, target: Target, now: datetime, claimant: str = ""
    ) -> datetime | None:
        """Return until when nothing of this class may be sent for any VM of the target's place;
        None: something may."""
        t = self._seconds(now)
        road = self._road((call,), target.subscription_id, target.region, t)
        wait = self._shared_wait(road, t, claimant)
        return now + timedelta(seconds=max(wait, 0.001)) if wait > 0 else None

    # ------------------------------------------------------------------------------- learning

    def refused(self, call: Call, target: Target, retry_after: timedelta, now: datetime) -> None:
        """Learn from a 429: nothing of this class for this subscription and region before
        `retry_after` has passed.

        Where the answer's headers have said already whose bucket is empty (`heard`), no other is
        closed. Else a 429 on one VM's own bucket looks the same to us: it is that VM's when we
        believe that bucket to be empty, and the region's otherwise.
        """
        t = self._seconds(now)
        until = t + retry_after.total_seconds()
        road = self._road((call,), target.subscription_id, target.region, t)
        for own in road.of_one:
            if own.wait(target.vm_id, t) > 0:
                own.close(target.vm_id, until)
                return
        shared = [bucket for bucket in road.shared if bucket is not self._credential]
        known = until - _SAME
        if any(bucket.full_at - bucket.slack >= known for bucket in shared):
            return
        for bucket in shared:
            bucket.close(until)

    def unauthenticated(self, until: datetime) -> None:
        """Hold all submits: a 401 is the credential's fault and never a VM's (design 5.4)."""
        self._credential.close(until.timestamp() - _ORIGIN)

    def heard(self, call: Call, place: Place, left: Left, now: datetime) -> None:
        """Learn from an answer's headers that less is left than we believed: other tools draw from
        the same buckets, and so did we before a restart. Never that more is.

        Counts of a region whose buckets are not known here are passed over.
        """
        t = self._seconds(now)
        empty_for = left.empty_for.total_seconds() if left.empty_for else 0.0
        if call is Call.LIST:  # nobody asks before a list: it is counted when it is answered
            for bucket in self._road((call,), place.subscription, "", t).shared:
                bucket.take(t, "")
        region = place.region or self._region_of(place.vm_id)
        for pool, count in left.shared:
            bucket_there = self._buckets.get(_key(pool, place.subscription, region))
            if bucket_there is not None:
                bucket_there.lower(count, self._reserve, t)
                if count == 0:
                    bucket_there.close(t + empty_for)
        own = self._of_one.get(call)
        if own is not None and place.vm_id:
            for _, count in left.of_one:  # of a 429's wait `refused` tells
                own.lower(place.vm_id, count, t)

    def divide(self, daemons: int, now: datetime) -> None:
        """Share the buckets with so many daemons in all, each with the same part."""
        daemons = max(1, daemons)
        if daemons != self._daemons:
            self._daemons = daemons
            t = self._seconds(now)
            for bucket in self._buckets.values():
                bucket.share(self._share, t)

    # -------------------------------------------------------------------------------- telling

    def tokens(self, now: datetime) -> Iterable[tuple[str, float]]:
        """Yield (bucket's name, requests that we might send at once) of the shared buckets, for the
        metrics."""
        t = self._seconds(now)
        for key, bucket in self._buckets.items():
            yield "/".join(key), max(0.0, bucket.left(t))

    @property
    def remembered(self) -> int:
        """How many single VMs and operations something is kept about: those asked about lately."""
        own = sum(len(own.full_at) for own in self._of_one.values())
        return own + len(self._regions) + len(self._older_regions)

    # ------------------------------------------------------------------------------ buckets

    @property
    def _share(self) -> float:
        return (1 - self._reserve) / self._daemons

    def _road(self, calls: tuple[Call, ...], subscription: str, region: str, t: float) -> _Road:
        found = self._roads.get((calls, subscription, region))
        return found or self._build(calls, subscription, region, t)

    def _build(self, calls: tuple[Call, ...], subscription: str, region: str, t: float) -> _Road:
        pools = [pool for call in calls for pool in DRAWS[call]]
        if len(set(pools)) < len(pools):
            message = f"{calls} draw twice from one bucket: ask for one after the other"
            raise ValueError(message)
        shared = [self._bucket(pool, subscription, region, t) for pool in pools]
        if not _SENDING.isdisjoint(calls):
            shared.append(self._credential)
        road = _Road(
            shared=tuple(shared),
            of_one=tuple(self._of_one[call] for call in calls if call in self._of_one),
            needs_region=not _NAMING_A_VM.isdisjoint(calls),
        )
        self._roads[calls, subscription, region] = road
        return road

    def _bucket(self, pool: Pool, subscription: str, region: str, t: float) -> Bucket:
        """One that other daemons may have been using begins empty: what is in it now was theirs."""
        key = _key(pool, subscription, region)
        found = self._buckets.get(key)
        if found is None:
            alone = self._daemons == 1
            found = Bucket(self._limits.shared[pool], self._share, t, full=alone)
            self._buckets[key] = found
        return found

    # --------------------------------------------------------------------------------- time

    def _seconds(self, now: datetime) -> float:
        t = now.timestamp() - _ORIGIN
        if t < self._latest - _JITTER:
            self._rewind(self._latest - t)
            self._latest = t
        return t

    def _tidy(self, t: float) -> None:
        """See to what is due now and then: forget the buckets of VMs that are full again, and where
        VMs are that nobody asked about lately."""
        if t < self._latest - _JITTER:
            self._rewind(self._latest - t)
        if not self._tidied_at <= t < self._tidied_at + _TIDY_EVERY:
            self._tidied_at = t
            self._older_regions, self._regions = self._regions, {}
            for own in self._of_one.values():
                own.sweep(t)

    def _rewind(self, seconds: float) -> None:
        """The wall clock was set back: what was near must not become far."""
        for bucket in (self._credential, *self._buckets.values()):
            bucket.rewind(seconds)
        for own in self._of_one.values():
            own.rewind(seconds)

    def _region_of(self, vm: str) -> str:
        return self._regions.get(vm) or self._older_regions.get(vm, "")


def _key(pool: Pool, subscription: str, region: str) -> _Key:
    return (pool.value, subscription, region)[: WITHIN[pool]]
