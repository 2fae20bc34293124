"""In which order VMs ended, well or badly: what `in_a_row` and `rate` look at (design 7). Pure.

Both are about every moment, not only the last: five failures in a row halt although a success came
before anybody planned again.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain.model import Rate, Tolerance, VmId, WaveSpec
from orchestrator.domain.operation import Operation
from orchestrator.domain.states import Failed, NeedsHuman, Succeeded, Why
from orchestrator.domain.tally import is_bad

Ending = tuple[datetime, VmId, bool]
"""When it ended or was put before a person, which VM, and whether badly."""


def endings_of(op: Operation, spec: WaveSpec) -> Iterator[Ending]:
    """Yield how an operation counts: not at all before it has ended, when it was never started, or
    once a `resume` or a quarantine has accepted it. A VM that is restarted in a phase of its own
    was patched well long before that, and its restart counts by itself."""
    vm = op.target.vm_id
    if op.patched_at is not None:
        yield op.patched_at, vm, False
    if op.forgiven or not isinstance(op.state, Succeeded | Failed | NeedsHuman):
        return
    bad = is_bad(op, spec)
    if op.patched_at is None or op.reboot_at is not None or bad:
        yield op.state.since if isinstance(op.state, NeedsHuman) else op.state.at, vm, bad


@dataclass(slots=True)
class _Fold:
    """The endings so far, looked at one by one."""

    tolerance: Tolerance
    row: int = 0
    window: deque[bool] | None = None
    bad: int = 0
    tripped: Why | None = None

    def take(self, bad: bool) -> None:
        self.row = self.row + 1 if bad else 0
        if self.tolerance.rate is not None:
            self._slide(bad, self.tolerance.rate)
        self.tripped = self.tripped or self.trip()

    def _slide(self, bad: bool, rate: Rate) -> None:
        if self.window is None:
            self.window = deque()
        self.window.append(bad)
        self.bad += bad
        if len(self.window) > rate.last:
            self.bad -= self.window.popleft()

    def trip(self, coming: int = 0) -> Why | None:
        """Say what is broken now, or would be with so many more failures."""
        most, rate = self.tolerance.in_a_row, self.tolerance.rate
        row = self.row + coming
        if most is not None and row >= most:
            return Why("in_a_row", f"{row} bad VMs in a row, with no success between")
        if rate is None:
            return None
        seen, bad = min(len(self.window or ()) + coming, rate.last), self.bad + coming
        if seen < rate.min_sample or bad * 100 <= rate.percent * seen:
            return None
        return Why("rate", f"{bad} of the last {seen} VMs are bad, {rate.percent:g} % allowed")


class Course:
    """The endings of a wave or a run. The newest costs O(log n); what changes the past, a retry
    say, has it looked at anew."""

    def __init__(self, tolerance: Tolerance | None) -> None:
        self._tolerance = tolerance or Tolerance()
        self._endings: list[Ending] = []
        self._since: datetime | None = None
        self._fold: _Fold | None = None
        self.watched = self._tolerance.in_a_row is not None or self._tolerance.rate is not None
        """Whether anything asks for the order; where nothing does, none is kept."""

    def follow(self, old: Operation | None, op: Operation, spec: WaveSpec) -> None:
        """Take in an operation's newest row. An ending that stays has nobody look at the past
        anew."""
        if not self.watched:
            return
        before = set() if old is None else set(endings_of(old, spec))
        after = set(endings_of(op, spec))
        for ending in before - after:
            self.remove(ending)
        for ending in after - before:
            self.put(ending)

    def put(self, ending: Ending) -> None:
        """Take in how a VM ended."""
        newest = not self._endings or ending > self._endings[-1]
        insort(self._endings, ending)
        if not newest:
            self._fold = None
        elif self._fold is not None and self._counts(ending):
            self._fold.take(ending[2])

    def remove(self, ending: Ending) -> None:
        """Forget how a VM ended: it counts differently from now on."""
        del self._endings[bisect_left(self._endings, ending)]
        self._fold = None

    def tripped(self, since: datetime | None, coming: int = 0) -> Why | None:
        """Say what was broken by the endings after `since`, or would be with so many more
        failures."""
        if not self.watched:
            return None
        if self._fold is None or since != self._since:
            self._since = since
            self._fold = _folded(self._tolerance, filter(self._counts, self._endings))
        return self._fold.tripped or (self._fold.trip(coming) if coming else None)

    def tripped_without(self, since: datetime | None, vms: Collection[VmId]) -> Why | None:
        """Say what the endings after `since` would have broken had these VMs not been bad."""
        others = (
            ending
            for ending in self._endings
            if not (ending[2] and ending[1] in vms) and (since is None or ending[0] > since)
        )
        return _folded(self._tolerance, others).tripped

    def standing(self) -> tuple[Ending, ...]:
        """Return all endings, for the test that compares a lived view with a fresh one."""
        return tuple(self._endings)

    def _counts(self, ending: Ending) -> bool:
        return self._since is None or ending[0] > self._since


def _folded(tolerance: Tolerance, endings: Iterable[Ending]) -> _Fold:
    fold = _Fold(tolerance)
    for _, _, bad in endings:
        fold.take(bad)
    return fold
