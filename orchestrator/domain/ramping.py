"""Ramp-up: a wave begins with few VMs at once, and takes more as they end well. Pure.

`max_parallel: [1, 5, 20]`: one VM at once until 1 has ended well, then five until 5 more have, then
twenty. Nothing is remembered: the step follows from how many of the wave have ended well by now.
"""

from collections.abc import Sequence

from orchestrator.domain import halting
from orchestrator.domain.model import Share, Wave


def steps(ramp: Sequence[Share], vms: int) -> tuple[int, ...]:
    """Fix the steps of a ramp as counts; one that would be smaller than the one before is as
    large."""
    fixed: list[int] = []
    for share in ramp:
        fixed.append(max([halting.permitted(share, vms), *fixed[-1:]]))
    return tuple(fixed)


def at_once(wave: Wave, good: int) -> int:
    """Return how many VMs of a wave may be in flight when so many of it have ended well."""
    return step_at(wave.ramp, good) or wave.max_parallel or 1


def step_at(ramp: Sequence[int], good: int) -> int | None:
    """Return the step that a ramp is at when so many have ended well; None: it is behind."""
    needed = 0
    for step in ramp:
        needed += step
        if good < needed:
            return step
    return None
