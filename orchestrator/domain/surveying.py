"""What safe mode looks for: installations that the database has forgotten (reliability D4). Pure.

Every VM that the rows call queued is looked at once. What is found is written down for the person
who must decide; nothing follows from it by itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain.answer import LastInstallation, Seen
from orchestrator.domain.model import ActivityId, Run, VmId
from orchestrator.domain.record import Fact
from orchestrator.domain.states import Why
from orchestrator.domain.words import counted


@dataclass(frozen=True, slots=True)
class Suspect:
    """An installation that this run may have started; it matters if the database does not know
    it."""

    activity: ActivityId
    text: str


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
