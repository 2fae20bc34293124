"""Token buckets of Azure's, as we believe them to stand: arithmetic on seconds, and nothing else.
It knows no class of request and no clock; an instant is a float in seconds, of whatever origin.

Azure refills a bucket in steps (ARM each second, Compute each minute; azure-facts 4) whose instants
nobody tells. A bucket here refills evenly and is smaller by one step: whatever passes it passes
Azure's, wherever the steps lie. It is kept as the one instant at which it will be full again; no
bucket is ever touched because time passes.
"""

from dataclasses import dataclass
from typing import Final

from orchestrator.domain.turns import Turns

_ROUNDING: Final = 2e-6
"""An instant is known to the microsecond: whoever comes back as told must not be early."""
_WORTH: Final = 2.0
"""Seconds of refill that are kept for a claimant who does not come for its share."""
_FEWEST: Final = 1024
"""Buckets of single things that are not worth a look at which of them are full again."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket as Azure has it: `capacity` requests at most, `refill` more after each `every`
    seconds."""

    capacity: float
    refill: float
    every: float

    def __post_init__(self) -> None:
        """Refuse what would never refill. Raises `ValueError`."""
        if min(self.capacity, self.refill, self.every) <= 0:
            message = "a bucket's capacity, refill and step are above 0"
            raise ValueError(message)

    @property
    def step(self) -> float:
        """What we take of the bucket's refill in each step: all of it, unless the bucket holds too
        little besides (Resource Graph's 15 in 5 s are all there is)."""
        return min(self.refill, self.capacity / 2)

    @property
    def depth(self) -> float:
        """What may pass at once, in requests."""
        return self.capacity - self.step

    @property
    def gap(self) -> float:
        """Seconds between two requests, for ever."""
        return self.every / self.step


class Bucket:
    """Our share of one of Azure's buckets. The one in a hurry reads `full_at`, `slack`, `gap` and
    `turns` by itself: a request may pass at `t` while `full_at - t <= slack`, and moves `full_at`
    by `gap`."""

    __slots__ = (
        *("_limit", "_most", "_share", "_told_at", "_worth"),
        *("depth", "full_at", "gap", "slack", "turns"),
    )

    def __init__(self, limit: Limit, share: float, t: float, *, full: bool = True) -> None:
        self._limit = limit
        self._most = 0.0
        self._told_at = float("-inf")
        """When Azure last said that less is left than we believed."""
        self.turns: Turns | None = None
        """Whose turn it is; None while nobody is held back."""
        self._cut(share)
        self.full_at = t if full else t + self.depth * self.gap

    def _cut(self, share: float) -> None:
        self._share = share
        self.depth = max(1.0, self._limit.depth * share)  # less than one would let nothing pass
        self.gap = self._limit.gap / share
        self.slack = (self.depth - 1) * self.gap + _ROUNDING
        # So many requests may be kept for all who are behind.
        self._worth = min(self.depth - 1, max(1.0, _WORTH / self.gap))

    def share(self, share: float, t: float) -> None:
        """Have this part of Azure's bucket from now on. What is left is kept as far as it fits, and
        so is a wait."""
        wait, left = self.full_at - t - self.slack, max(0.0, self.left(t))
        self._cut(share)
        self.full_at = t + max(0.0, self.depth - left) * self.gap
        if wait > 0:
            self.full_at = max(self.full_at, t + wait + self.slack)

    def left(self, t: float) -> float:
        """Return what is left, in requests; below 0 while even an empty bucket must wait."""
        return self.depth - max(0.0, self.full_at - t) / self.gap

    def wait(self, t: float, claimant: str) -> float:
        """Return for how many seconds this claimant must wait, and remember that it was held back;
        0 or less: it may pass."""
        owed = 0.0
        if self.turns is not None:
            owed = self.turns.owed(claimant, t, self._worth)
            if not self.turns.waiting:
                self.turns = None
        wait = self.full_at - t - self.slack + owed * self.gap
        if wait <= 0:
            return wait
        wait += _ROUNDING
        if self.turns is None:
            self.turns = Turns()
        self.turns.held(claimant, t + wait)
        return wait

    def take(self, t: float, claimant: str) -> None:
        """Let one pass; ask `wait` first."""
        self.full_at = max(self.full_at, t) + self.gap
        if self.turns is not None:
            self.turns.served(claimant, t, self._worth)

    def give_back(self, since: float) -> None:
        """One that passed then has taken nothing after all."""
        if self._told_at < since:
            self.full_at -= self.gap

    def close(self, until: float) -> None:
        """Let nothing pass before; one request then, and the rest as it refills."""
        self.full_at = max(self.full_at, until + self.slack - _ROUNDING)
        self._told_at = max(self._told_at, until)

    def lower(self, count: float, reserve: float, t: float) -> None:
        """Believe Azure that no more than `count` is left for everybody; never that more is.

        `reserve` of the bucket is the others'. What they took of it beyond that is waited for. Who
        never heard of as much as we believe the bucket to hold reserves of what was heard.
        """
        self._most = max(self._most, count + 1)
        ours = count - reserve * min(self._limit.capacity, self._most)
        left = max(0.0, ours) * self._share / (1 - reserve)
        missing = max(0.0, -ours) * self._limit.gap
        full_at = t + missing + (self.depth - left) * self.gap
        if full_at > self.full_at:
            self.full_at, self._told_at = full_at, max(self._told_at, t)

    def rewind(self, seconds: float) -> None:
        """Move everything back: the clock was set."""
        self.full_at -= seconds
        self._told_at -= seconds
        self.turns = None


class OwnBuckets:
    """The buckets of single things (VMs, operations) of one class: nobody else draws from them, and
    one that is full again is forgotten. A thing may pass at `t` while `full_at.get(it, t) - t <=
    slack`."""

    __slots__ = ("_sweep_beyond", "depth", "full_at", "gap", "slack")

    def __init__(self, limit: Limit) -> None:
        self.depth = max(1.0, limit.depth)
        self.gap = limit.gap
        self.slack = (self.depth - 1) * self.gap + _ROUNDING
        self.full_at: dict[str, float] = {}
        self._sweep_beyond = _FEWEST

    def wait(self, name: str, t: float) -> float:
        """Return for how many seconds this one must wait; 0 or less: it may pass."""
        wait = self.full_at.get(name, t) - t - self.slack
        return wait + _ROUNDING if wait > 0 else wait

    def take(self, name: str, t: float) -> None:
        """Let one pass; ask `wait` first."""
        self.full_at[name] = max(self.full_at.get(name, t), t) + self.gap
        if len(self.full_at) > self._sweep_beyond:
            self.sweep(t)

    def give_back(self, name: str) -> None:
        """One that passed has taken nothing after all."""
        if name in self.full_at:
            self.full_at[name] -= self.gap

    def close(self, name: str, until: float) -> None:
        """Let nothing of this one pass before; one request then, and the rest as it refills."""
        self.full_at[name] = max(self.full_at.get(name, until), until + self.slack - _ROUNDING)

    def lower(self, name: str, count: float, t: float) -> None:
        """Believe Azure that no more than `count` is left; never that more is."""
        full_at = t + (self.depth - count) * self.gap
        if full_at > self.full_at.get(name, t):
            self.full_at[name] = full_at

    def sweep(self, t: float) -> None:
        """Forget those that are full: never more are kept than twice what is in use, and a few."""
        self.full_at = {name: at for name, at in self.full_at.items() if at > t}
        self._sweep_beyond = max(_FEWEST, 2 * len(self.full_at))

    def rewind(self, seconds: float) -> None:
        """Move everything back: the clock was set."""
        self.full_at = {name: at - seconds for name, at in self.full_at.items()}
