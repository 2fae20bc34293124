"""Who holds the slots of each group at this moment: of this run exactly, of other runs as last
read. It decides nothing.

A VM holds its slots while it is in flight, from the moment somebody takes it up, and when it needs
a person until its lock runs out (design 4).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from heapq import heappop, heappush
from typing import Final

from orchestrator.domain.bounds import Ceiling
from orchestrator.domain.limits import by_kind, ceilings, groups_of, over
from orchestrator.domain.model import Limits, VmId
from orchestrator.domain.operation import Operation
from orchestrator.domain.states import (
    InProgress,
    NeedsHuman,
    Preparing,
    Rebooting,
    Submitting,
    Unknown,
    Verifying,
)

_HOLDING: Final = (Preparing, Submitting, Unknown, InProgress, Verifying, Rebooting, NeedsHuman)


class Slots:
    """Of one run, whose VMs never change."""

    def __init__(self, limits: Limits, operations: Iterable[Operation]) -> None:
        kinds = [limit.kind for limit in by_kind(limits)]
        targets = [op.target for op in operations] if kinds else []
        self._ceilings = ceilings(limits, targets)
        alike: dict[tuple[str, ...], tuple[str, ...]] = {}  # thousands of VMs share theirs
        found = ((target.vm_id, groups_of(kinds, target)) for target in targets)
        self._groups = {vm: alike.setdefault(groups, groups) for vm, groups in found}
        self.shared = frozenset(
            ceiling.kind for ceiling in self._ceilings.values() if ceiling.everywhere
        )
        """The kinds of groups in which the VMs of other runs count, too."""
        self._taken: Counter[str] = Counter()
        self._elsewhere: Mapping[str, int] = {}
        self._holding: set[VmId] = set()
        self._locked: dict[VmId, datetime] = {}
        self._locks: list[tuple[datetime, VmId]] = []
        self.freed: set[str] = set()
        """Groups that may have got room since `ready` last looked."""

    def groups(self, vm: VmId) -> tuple[str, ...]:
        """Return the limited groups of a VM, the broadest first."""
        return self._groups.get(vm, ())

    def ceilings(self, vm: VmId) -> tuple[Ceiling, ...]:
        """Return what bounds the start of a VM."""
        return tuple(self._ceilings[group] for group in self.groups(vm))

    def room(self, group: str) -> int:
        """Return how many more VMs of a group may start."""
        ceiling = self._ceilings[group]
        return ceiling.most - self._all(ceiling)

    def blocked_by(self, vm: VmId) -> str | None:
        """Say which of its groups has no slot left for a VM; None: each has one."""
        told = (over(each, self._all(each)) for each in self.ceilings(vm))
        return next((text for text in told if text is not None), None)

    def taken(self, vm: VmId) -> bool:
        """Tell whether a VM holds its slots."""
        return vm in self._holding

    def hear(self, elsewhere: Mapping[str, int]) -> None:
        """Take in how many slots of each group other runs hold."""
        self.freed.update(
            group
            for group, count in self._elsewhere.items()
            if group in self._ceilings and count > elsewhere.get(group, 0)
        )
        self._elsewhere = elsewhere

    def put(self, op: Operation, *, begun: bool) -> None:
        """Take in an operation's row; `begun`: somebody has taken it up, whatever its row says."""
        vm, state = op.target.vm_id, op.state
        if vm not in self._groups:
            return
        self._locked.pop(vm, None)
        if isinstance(state, NeedsHuman):
            self._locked[vm] = state.locked_until
            heappush(self._locks, (state.locked_until, vm))
        self._hold(vm, held=begun or isinstance(state, _HOLDING))

    def expire(self, now: datetime) -> None:
        """Let go of the VMs whose lock has run out: a person may still be needed, the slot is
        not."""
        while self._locks and self._locks[0][0] <= now:
            until, vm = heappop(self._locks)
            if self._locked.get(vm) == until:
                del self._locked[vm]
                self._hold(vm, held=False)

    def next_expiry(self) -> datetime | None:
        """Return when the next lock may run out."""
        return self._locks[0][0] if self._locks else None

    def standing(self) -> dict[str, int]:
        """Return how many slots are held, for the test that compares a lived view with a fresh
        one."""
        return dict(+self._taken)

    def _all(self, ceiling: Ceiling) -> int:
        elsewhere = self._elsewhere.get(ceiling.group, 0) if ceiling.everywhere else 0
        return self._taken[ceiling.group] + elsewhere

    def _hold(self, vm: VmId, *, held: bool) -> None:
        if held is (vm in self._holding):
            return
        groups = self._groups[vm]
        if held:
            self._holding.add(vm)
            self._taken.update(groups)
        else:
            self._holding.discard(vm)
            self._taken.subtract(groups)
            self.freed.update(groups)
