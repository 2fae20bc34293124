"""Who is looked at during a bake: every VM that was patched and ended well, after half of the bake
and once more in its last tenth. Pure; it asks nobody.

One look that shows a VM unwell proves nothing: it may be restarting. The second one, five minutes
later, does. What cannot be read is asked again, and lets the wave pass at last: silence is no news.
In memory only: who takes a run over looks once more.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from orchestrator.domain.answer import Gone, LookAnswer, Seen
from orchestrator.domain.model import VmId, Wave, WaveStatus
from orchestrator.domain.operation import Broke, Operation
from orchestrator.domain.states import FailureClass, Succeeded, Why
from orchestrator.domain.submitting import AGAIN
from orchestrator.domain.tally import DIED_IN_BAKE

UNWELL_FOR: Final = timedelta(minutes=5)
"""How far apart the two looks lie that prove a VM unwell; less in a bake that is short itself."""
VISITED_AT_ONCE: Final = 50
"""How many VMs are looked at together: a bake has time."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Look at a VM whose wave bakes."""

    op: Operation


class Vigil:
    """How far the looks of the current round have come."""

    def __init__(self) -> None:
        self._round: tuple[int, datetime] | None = None
        self._left: dict[VmId, None] = {}
        self._later: dict[VmId, datetime] = {}
        self._unwell: dict[VmId, datetime] = {}
        self._apart = UNWELL_FOR

    def keep(self, waves: Iterable[Wave], ops: Iterable[Operation], now: datetime) -> None:
        """Begin the round whose time has come; the one before is over, whether done or not."""
        baking = next((wave for wave in waves if wave.status is WaveStatus.BAKING), None)
        begun = None if baking is None else _round(baking, now)
        if begun == self._round:
            return
        self._round = begun
        self._left, self._later = {}, {}
        if baking is not None and begun is not None:
            self._apart = min(UNWELL_FOR, baking.spec.bake / 10)
            mine = (op for op in ops if op.wave == begun[0] and is_watched(op))
            self._left = {op.target.vm_id: None for op in mine}

    def left(self, now: datetime) -> Iterator[VmId]:
        """Yield the VMs that are to be looked at now."""
        return (vm for vm in self._left if self._later.get(vm, now) <= now)

    def note(self, vm: VmId) -> None:
        """Note that a VM is well, or that it has been judged."""
        self._left.pop(vm, None)
        self._later.pop(vm, None)
        self._unwell.pop(vm, None)

    def postpone(self, vm: VmId, until: datetime) -> None:
        """Look at a VM again then."""
        self._later[vm] = until

    def judge(self, op: Operation, answer: LookAnswer, now: datetime) -> Broke | None:
        """Decide about a VM after a look at it (begun at `now`), and when to look again."""
        vm, what = op.target.vm_id, unwell(answer)
        if what is None and isinstance(answer, Seen):
            self.note(vm)
            return None
        if what is None or not isinstance(op.state, Succeeded):
            self.postpone(vm, now + (getattr(answer, "retry_after", None) or AGAIN))
            return None
        since = self._unwell.setdefault(vm, now)
        if now < since + self._apart:
            self.postpone(vm, since + self._apart)
            return None
        why = Why(DIED_IN_BAKE, f"it was well after its patches, and is {what} during the bake")
        return Broke(now, FailureClass.UNHEALTHY, why, op.state.result)

    def over(self, wave: Wave, overdue: timedelta, now: datetime) -> bool:
        """Tell whether the last round of a wave's bake is done, or has been waited for long
        enough."""
        end = wave.baking_until
        if end is None or wave.spec.bake <= timedelta(0) or now >= end + overdue:
            return True
        return self._round == _round(wave, now) and not self._left

    def next_at(self, waves: Iterable[Wave], now: datetime) -> datetime | None:
        """Return when the next look or the next round falls due."""
        times = [at for vm, at in self._later.items() if vm in self._left]
        for wave in waves:
            if wave.status is WaveStatus.BAKING:
                times += _begins(wave)
        return min((at for at in times if at > now), default=None)


def is_watched(op: Operation) -> bool:
    """Tell whether a VM is looked at: it was patched in this run, and ended well."""
    return isinstance(op.state, Succeeded) and op.started_at is not None


def unwell(answer: LookAnswer) -> str | None:
    """Say what is wrong with a VM; None: nothing, or nobody can tell."""
    match answer:
        case Gone():
            return "gone"
        case Seen(power=power) if power not in {"", "running"}:
            return power
        case Seen(agent_ready=False):
            return "running with its agent not ready"
        case _:
            return None


def _begins(wave: Wave) -> list[datetime]:
    """Return when the rounds of a bake begin."""
    if wave.baking_until is None or wave.spec.bake <= timedelta(0):
        return []
    return [wave.baking_until - wave.spec.bake / 2, wave.baking_until - wave.spec.bake / 10]


def _round(wave: Wave, now: datetime) -> tuple[int, datetime] | None:
    begun = [at for at in _begins(wave) if at <= now]
    return (wave.position, begun[-1]) if begun else None
