"""What the engine was given to work with. No behaviour."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.domain.throttle import Throttle
from orchestrator.ports import Arm, Clock, Observer, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The outside, as the engine sees it: shared by all runs of a daemon."""

    store: Store
    arm: Arm
    clock: Clock
    observer: Observer
    throttle: Throttle
    new_id: Callable[[], str]
    """Makes the UUID of an attempt."""
