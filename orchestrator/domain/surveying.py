"""What safe mode looks for: installations that the database has forgotten (reliability D4). Pure.

Every VM that the rows call queued is looked at once. What is found is written down for the person
who must decide; nothing follows from it by itself.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain.answer import LastInstallation, Seen
from orchestrator.domain.model import ActivityId, Run, VmId
from orchestrator.domain.operation import Operation
from orchestrator.domain.record import Fact
from orchestrator.domain.states import Preparing, Queued, Why
from orchestrator.domain.words import counted


@dataclass(frozen=True, slots=True)
class Suspect:
    """An installation that this run may have started; it matters if the database does not know
    it."""

    activity: ActivityId
    text: str


class Survey:
    """How far the survey of one safe mode has come in one run."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self.seen: set[VmId] = set()
        """The VMs that were looked at."""
        self.forgotten: set[VmId] = set()
        """Those of them with an installation that the database does not know."""
        self._left: dict[VmId, Operation] = {}
        self._later: dict[VmId, datetime] = {}
        for op in operations:
            self.put(op)

    def put(self, op: Operation) -> None:
        """Take in an operation's newest row: one that nothing was started for is looked at."""
        vm = op.target.vm_id
        if isinstance(op.state, Queued | Preparing) and vm not in self.seen:
            self._left[vm] = op
        else:
            self._left.pop(vm, None)

    def note(self, vm: VmId) -> None:
        """Note that a VM was looked at."""
        self.seen.add(vm)
        self._left.pop(vm, None)

    def postpone(self, vm: VmId, until: datetime) -> None:
        """Look at a VM again then: it could not be read."""
        self._later[vm] = until

    def left(self, now: datetime) -> Iterator[Operation]:
        """Yield the queued operations that may be looked at now."""
        for vm, op in self._left.items():
            if isinstance(op.state, Queued) and self._later.get(vm, now) <= now:
                yield op

    @property
    def over(self) -> bool:
        """Whether every VM was looked at."""
        return not self._left

    def next_at(self, now: datetime) -> datetime | None:
        """Return when the next VM that could not be read may be looked at again."""
        return min((at for at in self._later.values() if at > now), default=None)


def suspect(run: Run, seen: Seen) -> Suspect | None:
    """Return the VM's newest installation when it runs, or began after the run was opened."""
    last = seen.last
    if last is None:
        return None
    running = last.result.status == "InProgress"
    began = None if last.started_at is None else last.started_at - seen.skew
    if not running and (began is None or began < run.opened_at):
        return None
    return Suspect(last.activity, _told(last, running=running))


def found(vm: VmId, suspect: Suspect, actor: str, now: datetime) -> Fact:
    """Return the fact that says: there is an installation which the database does not know."""
    why = Why("forgotten", suspect.text)
    detail = {"activity": suspect.activity}
    return Fact(at=now, event="survey.found", actor=actor, why=why, vm_id=vm, detail=detail)


def ended(seen: Iterable[VmId], forgotten: int, actor: str, now: datetime) -> Fact:
    """Return the fact that says: every queued VM of the run was looked at."""
    vms = counted(len(list(seen)), "queued VM")
    text = f"looked at {vms}: {forgotten} with an installation that this database does not know"
    detail = {"forgotten": forgotten}
    return Fact(at=now, event="survey.ended", actor=actor, why=Why("surveyed", text), detail=detail)


def _told(last: LastInstallation, *, running: bool) -> str:
    began = "" if last.started_at is None else f" of {last.started_at:%Y-%m-%d %H:%M}Z"
    state = "is in progress" if running else f"ended as {last.result.status}"
    return f"installation {last.activity}{began} {state}, and this database does not know it"
