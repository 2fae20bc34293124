"""What the engine was given to work with. No behaviour."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from orchestrator.domain.record import DAEMON
from orchestrator.domain.throttle import Throttle
from orchestrator.ports import Arm, Clock, Gates, Observer, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often a daemon looks up from its work. A simulation draws other rhythms than these."""

    acts: timedelta = timedelta(seconds=1)
    """People's acts are applied within 2 s (design 12): they are looked for this often."""
    scan: timedelta = timedelta(seconds=2)
    """How soon a run that somebody else opened or left behind is taken up."""
    lease: timedelta = timedelta(seconds=15)
    """How long a lease lasts without renewal, by database time (design 12)."""
    renew: timedelta = timedelta(seconds=5)
    sweep: timedelta = timedelta(seconds=25)
    """How often Resource Graph is asked which installations have ended: with its own lag an end is
    then noticed within a minute (design 8), at one query for all of them."""
    checkpoint: timedelta = timedelta(seconds=30)
    """The polling state in the database is true to within this time (design 8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The outside, as the engine sees it: shared by all runs of a daemon."""

    store: Store
    arm: Arm
    clock: Clock
    observer: Observer
    throttle: Throttle
    gates: Gates
    new_id: Callable[[], str]
    """Makes the UUID of an attempt."""
    name: str = DAEMON
    """How the audit log calls this daemon where it answers a person's act."""
    rhythm: Rhythm = field(default=Rhythm())
