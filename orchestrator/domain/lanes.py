"""Who is due for what: operations in lanes, one for each errand in each place. Pure.

Those that are to be started have queues of their own (`ready.py`).

All VMs of a lane draw from the same buckets of Azure's. When those are empty the lane is held as a
whole: nobody asks for each of its thousands of VMs whether there is a token.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import IntEnum
from heapq import merge
from itertools import count
from operator import itemgetter
from typing import Final, NamedTuple

from orchestrator.domain.model import VmId
from orchestrator.domain.operation import Operation
from orchestrator.domain.record import Watch
from orchestrator.domain.states import InProgress, Preparing, Rebooting, State, Submitting
from orchestrator.domain.throttle import Call

Place = tuple[str, str]
"""A subscription and a region: what shares Azure's buckets, and where a breaker trips."""


def place_of(op: Operation) -> Place:
    """Return the subscription and region of an operation's VM."""
    return op.target.subscription_id, op.target.region


class Errand(IntEnum):
    """What an operation wants done, the most urgent first: doubt is settled first, then VMs are
    started (their own limit is the narrower one), and polls take what is left of the reads."""

    RECOVER = 0
    LOOK = 1
    RESUME = 2
    """Go on with a start whose process died before it sent anything."""
    START = 3
    RESTART = 4
    """Restart a VM that was patched, in the phase of reboots."""
    VIEW = 5
    """Poll by the instance view: there is no operation URL that serves."""
    POLL = 6


CALLS: Final[dict[Errand, tuple[Call, ...]]] = {
    Errand.RECOVER: (),
    Errand.LOOK: (Call.LOOK,),
    Errand.RESUME: (Call.SUBMIT, Call.LOOK),
    Errand.START: (Call.SUBMIT, Call.LOOK),
    Errand.RESTART: (Call.RESTART, Call.LOOK),
    Errand.VIEW: (Call.LOOK,),
    Errand.POLL: (Call.POLL,),
}
"""The requests that each errand will make."""


def errand_of(state: State, watch: Watch | None) -> Errand:
    """Return what an operation wants done when its time has come."""
    match state:
        case Submitting() | Rebooting(since=None):
            return Errand.RECOVER
        case Preparing():
            return Errand.RESUME
        case InProgress(tracked=tracked):
            return Errand.POLL if tracked and not (watch and watch.by_view) else Errand.VIEW
        case Rebooting():
            return Errand.VIEW if watch and watch.by_view else Errand.POLL
        case _:
            return Errand.LOOK


class Lane(NamedTuple):
    """One errand in one place, of one wave."""

    errand: Errand
    wave: int
    place: Place


class Lanes:
    """The operations that are due or ready, in the order in which they became so."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, dict[VmId, int]] = {}
        self._of: dict[VmId, Lane] = {}
        self._held: dict[Lane, datetime] = {}
        self._turns = count()

    def put(self, vm: VmId, lane: Lane) -> None:
        """Line an operation up at the end of its lane."""
        self._lanes.setdefault(lane, {})[vm] = next(self._turns)
        self._of[vm] = lane

    def remove(self, vm: VmId) -> None:
        """Take an operation out of whatever lane it stands in."""
        lane = self._of.pop(vm, None)
        if lane is not None:
            waiting = self._lanes[lane]
            del waiting[vm]
            if not waiting:
                del self._lanes[lane]

    def lane(self, vm: VmId) -> Lane | None:
        """Return the lane that an operation stands in."""
        return self._of.get(vm)

    def hold(self, lane: Lane, until: datetime) -> None:
        """Let nobody of a lane go before then: its place has no token left."""
        self._held[lane] = until

    def let_go(self) -> None:
        """Hold no lane any more."""
        self._held.clear()

    def is_held(self, lane: Lane, now: datetime) -> bool:
        """Tell whether a lane is held."""
        until = self._held.get(lane)
        return until is not None and now < until

    def going(self, errand: Errand, now: datetime) -> Iterator[VmId]:
        """Yield who may go on an errand now, whoever lined up first first."""
        found = [
            waiting
            for lane, waiting in self._lanes.items()
            if lane.errand is errand and not self.is_held(lane, now)
        ]
        if len(found) == 1:
            return iter(found[0])
        turns = (((turn, vm) for vm, turn in waiting.items()) for waiting in found)
        return map(itemgetter(1), merge(*turns))

    def next_release(self, now: datetime) -> datetime | None:
        """Return when the first held lane with somebody in it may go on."""
        if not self._held:
            return None
        self._held = {
            lane: until for lane, until in self._held.items() if until > now and lane in self._lanes
        }
        return min(self._held.values(), default=None)

    def standing(self) -> dict[Lane, frozenset[VmId]]:
        """Return who stands where, for the test that compares a lived view with a fresh one."""
        return {lane: frozenset(waiting) for lane, waiting in self._lanes.items()}
