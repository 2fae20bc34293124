"""What an intent may not exceed, as the intent's own transaction re-checks it. Values, no more."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ceiling:
    """How many VMs of one group may be in flight together: of this run, or of all runs."""

    kind: str
    group: str
    most: int
    everywhere: bool


@dataclass(frozen=True, slots=True)
class StrictBudget:
    """A wave, or with None the whole run, in which in flight and bad together may be `allowed + 1`
    at most."""

    wave: int | None
    allowed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """All that bounds one start."""

    ceilings: tuple[Ceiling, ...] = ()
    strict: tuple[StrictBudget, ...] = ()
    warned: Collection[int] = ()
    """The waves in which a warning counts as bad."""


UNBOUNDED = Bounds()
