"""Whether a run needs somebody, and whether it is time to say so again. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from orchestrator.domain.model import RunStatus, WaveStatus
from orchestrator.domain.states import Why
from orchestrator.domain.view import RunView
from orchestrator.domain.words import counted

EVERY: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Remind:
    """Say once more that somebody is needed."""

    why: Why


def need(view: RunView) -> Why | None:
    """Say what a run needs a person for, the weightiest first; None: nobody is needed."""
    run = view.run
    if run.closed_at is not None or run.status not in _OPEN:
        return None
    if run.status is RunStatus.HALTED:
        return Why("halted", f"the run is halted: {run.reason}")
    if run.status is RunStatus.PAUSED:
        return Why("paused", f"the run is paused: {run.reason}")
    for wave in view.waves.values():
        if wave.status is WaveStatus.AWAITING_APPROVAL and wave.spec.approve is not None:
            text = f"wave {wave.spec.name} waits for an approval by {wave.spec.approve.group}"
            return Why("awaiting_approval", text)
    lost = sum(tally.labels["needs_human"] for tally in view.tallies())
    vms = counted(lost, "VM needs a person", "VMs need a person")
    return Why("needs_human", vms) if lost else None


def due(view: RunView, now: datetime) -> Remind | None:
    """Return the reminder that is due now."""
    why = need(view)
    last = view.run.reminded_at
    if why is None or (last is not None and now < last + EVERY):
        return None
    return Remind(why)


def next_at(view: RunView) -> datetime | None:
    """Return when the next reminder falls due if nobody comes before."""
    last = view.run.reminded_at
    return last + EVERY if last is not None and need(view) is not None else None


_OPEN: Final = frozenset({RunStatus.OPEN, RunStatus.PAUSED, RunStatus.HALTED})
