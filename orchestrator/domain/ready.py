"""Who may be started next: queued operations, in queues of those that need the same slots. Pure.

A queue whose group has no slot left stands aside, under that group, until one is given back:
however many VMs are blocked, nobody asks for each of them whether it still is.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import Final, NamedTuple

from orchestrator.domain.lanes import Errand, Lane, Place
from orchestrator.domain.model import VmId
from orchestrator.domain.slots import Slots

Turn = tuple[int, int, int]
"""Who was never deferred comes first, by rank; the others in the order in which they came back."""


class Line(NamedTuple):
    """What is picked from together: the VMs of a wave that are to be patched, or restarted."""

    wave: int
    restarts: bool = False


def line_of(lane: Lane) -> Line | None:
    """Return the line in which the VMs of a lane stand; None: in none, they are due."""
    match lane.errand:
        case Errand.START:
            return Line(lane.wave)
        case Errand.RESTART:
            return Line(lane.wave, restarts=True)
        case _:
            return None


class Queue(NamedTuple):
    """What its VMs have in common: their line, their place, and the limited groups they are in."""

    line: Line
    place: Place
    groups: tuple[str, ...]


_Entry = tuple[Turn, VmId]
_Shelf = tuple[Line, Place | str]
"""Where a queue stands: of its line with those that may go, or under the place or the group that
blocks it."""
_FREE: Final = ""
_AGAIN: Final = "again"
"""The shelf of those that have given a VM to the plan that is being made."""


class Ready:
    """The queued operations of one run that wait for nothing but their turn and a slot."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._queues: dict[Queue, list[_Entry]] = {}
        self._of: dict[VmId, tuple[Queue, Turn]] = {}
        self._waiting: Counter[tuple[Line, Place]] = Counter()
        self._shelf: dict[Queue, _Shelf] = {}
        self._shelves: dict[_Shelf, list[tuple[Turn, Queue]]] = {}
        self._aside: set[tuple[Line, Place]] = set()
        self._held: dict[tuple[Line, Place], datetime] = {}
        self._freed: dict[Line, set[str]] = {}
        """Groups that may have got room since a line was last picked from."""
        self._turns = count()

    # ------------------------------------------------------------------ writing

    def put(self, vm: VmId, line: Line, place: Place, rank: int | None) -> None:
        """Line an operation up: by its rank, or with None behind all others."""
        queue = Queue(line, place, self._slots.groups(vm))
        turn = (0, rank, next(self._turns)) if rank is not None else (1, 0, next(self._turns))
        self._of[vm] = queue, turn
        self._waiting[line, place] += 1
        self._freed.setdefault(line, set())
        heappush(self._queues.setdefault(queue, []), (turn, vm))
        if self._queues[queue][0][1] == vm:
            self._show(queue, self._shelf.get(queue, (line, _FREE)))

    def remove(self, vm: VmId) -> None:
        """Take an operation out of its queue."""
        found = self._of.pop(vm, None)
        if found is None:
            return
        queue, _ = found
        self._waiting[queue.line, queue.place] -= 1
        if self._queues[queue][0][1] == vm:
            self._settle(queue, self._shelf[queue])

    def hold(self, line: Line, place: Place, until: datetime) -> None:
        """Let nobody of a place go before then: it has no token left."""
        self._held[line, place] = until

    def let_go(self) -> None:
        """Hold no place any more."""
        self._held.clear()

    # ------------------------------------------------------------------ reading

    def of(self, vm: VmId) -> Queue | None:
        """Return the queue that an operation stands in."""
        found = self._of.get(vm)
        return None if found is None else found[0]

    def is_held(self, line: Line, place: Place, now: datetime) -> bool:
        """Tell whether nobody of a place may go."""
        until = self._held.get((line, place))
        return until is not None and now < until

    def next_release(self, now: datetime) -> datetime | None:
        """Return when the first held place with somebody in it may go on."""
        if not self._held:
            return None
        self._held = {
            at: until for at, until in self._held.items() if until > now and self._waiting[at] > 0
        }
        return min(self._held.values(), default=None)

    def first(self, line: Line, place: Place, now: datetime) -> VmId | None:
        """Return who may go first in one place."""
        there = (queue for queue in self._queues if queue[:2] == (line, place))
        may_go = (queue for queue in there if self._barrier(queue, Counter(), now, ()) is None)
        heads = [self._queues[queue][0] for queue in may_go]
        return min(heads)[1] if heads else None

    def pick(
        self,
        line: Line,
        most: int,
        now: datetime,
        without: Collection[Place],
        beside: Iterable[VmId] = (),
    ) -> Iterable[VmId]:
        """Return who of a line may go now, in their order and at most so many, but for those of the
        places left out. All of them, with those that go beside them, exceed no limit. They stay
        where they are."""
        took = Counter(group for vm in beside for group in self._slots.groups(vm))
        picked: list[tuple[Queue, _Entry]] = []
        heads = self._heads(line, now, without)
        while len(picked) < most and (found := self._next(heads)) is not None:
            queue, shelf = found
            barrier = self._barrier(queue, took, now, without)
            if barrier is None:
                picked.append((queue, heappop(self._queues[queue])))
                took.update(queue.groups)
                self._shelf[queue] = line, _AGAIN
                if self._tidy(queue):
                    self._show(queue, (line, _AGAIN))
                    self._push_head(heads, (line, _AGAIN))
            else:
                self._set_aside(queue, barrier)
            if barrier != shelf[1]:  # else all of that shelf wait for the same
                self._push_head(heads, shelf)
        self._put_back(picked)
        self._slots.freed.update(took)  # whoever of them is not begun after all blocks nobody
        return [vm for _, (_, vm) in picked]

    def standing(self) -> dict[VmId, Queue]:
        """Return who stands where, for the test that compares a lived view with a fresh one."""
        return {vm: queue for vm, (queue, _) in self._of.items()}

    # ------------------------------------------------------------------ shelves

    def _heads(
        self, line: Line, now: datetime, without: Collection[Place]
    ) -> list[tuple[Turn, _Shelf]]:
        """Return a heap of the shelves that may have somebody who can go, by their first turn."""
        shelves: list[_Shelf] = [(line, _FREE)]
        for at in [at for at in self._aside if at[0] == line]:
            if not self._shelves.get(at):
                self._aside.discard(at)
            elif not (self.is_held(*at, now) or at[1] in without):
                shelves.append(at)
        for freed in self._freed.values():
            freed.update(self._slots.freed)
        self._slots.freed.clear()
        mine = self._freed.get(line, set())
        for group in list(mine):
            if self._slots.room(group) > 0 and self._shelves.get((line, group)):
                shelves.append((line, group))
            else:
                mine.discard(group)
        heads: list[tuple[Turn, _Shelf]] = []
        for shelf in shelves:
            self._push_head(heads, shelf)
        return heads

    def _next(self, heads: list[tuple[Turn, _Shelf]]) -> tuple[Queue, _Shelf] | None:
        """Take the queue with the first turn off its shelf."""
        while heads:
            turn, shelf = heappop(heads)
            waiting = self._shelves[shelf]
            if waiting and waiting[0][0] == turn and self._stands(*waiting[0], shelf):
                return heappop(waiting)[1], shelf
            self._push_head(heads, shelf)
        return None

    def _push_head(self, heads: list[tuple[Turn, _Shelf]], shelf: _Shelf) -> None:
        waiting = self._shelves.get(shelf, [])
        while waiting and not self._stands(*waiting[0], shelf):
            heappop(waiting)
        if waiting:
            heappush(heads, (waiting[0][0], shelf))

    def _stands(self, turn: Turn, queue: Queue, shelf: _Shelf) -> bool:
        """Tell whether a shelf's entry is true: its queue stands there, with this turn first."""
        waiting = self._queues.get(queue, [])
        return bool(waiting) and waiting[0][0] == turn and self._shelf[queue] == shelf

    def _show(self, queue: Queue, shelf: _Shelf) -> None:
        self._shelf[queue] = shelf
        heappush(self._shelves.setdefault(shelf, []), (self._queues[queue][0][0], queue))

    def _set_aside(self, queue: Queue, barrier: Place | str) -> None:
        self._show(queue, (queue.line, barrier))
        if not isinstance(barrier, str):
            self._aside.add((queue.line, barrier))

    def _barrier(
        self, queue: Queue, took: Counter[str], now: datetime, without: Collection[Place]
    ) -> Place | str | None:
        """Return what blocks a queue, beside those that were just picked."""
        if queue.place in without or self.is_held(queue.line, queue.place, now):
            return queue.place
        full = (group for group in queue.groups if self._slots.room(group) <= took[group])
        return next(full, None)

    # ------------------------------------------------------------------ queues

    def _put_back(self, picked: Iterable[tuple[Queue, _Entry]]) -> None:
        touched: dict[Queue, None] = {}
        for queue, entry in picked:
            heappush(self._queues[queue], entry)
            touched[queue] = None
        for queue in touched:
            line, shelf = self._shelf[queue]
            self._show(queue, (line, _FREE if shelf == _AGAIN else shelf))

    def _settle(self, queue: Queue, shelf: _Shelf) -> None:
        """See that the first of a queue is somebody who waits, or that the queue is gone."""
        if self._tidy(queue):
            self._show(queue, shelf)
        else:
            del self._queues[queue], self._shelf[queue]

    def _tidy(self, queue: Queue) -> bool:
        waiting = self._queues[queue]
        while waiting and self._of.get(waiting[0][1]) != (queue, waiting[0][0]):
            heappop(waiting)
        return bool(waiting)
