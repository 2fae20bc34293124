"""How one VM of a run stands: what is going on, since when, and what would move it on. Pure; it
decides nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain.operation import Operation
from orchestrator.domain.states import (
    STATE_NAMES,
    Cancelled,
    Failed,
    InProgress,
    NeedsHuman,
    Preparing,
    Queued,
    Rebooting,
    RebootQueued,
    Skipped,
    Submitting,
    Succeeded,
    Unknown,
    Verifying,
)
from orchestrator.domain.view import RunView
from orchestrator.domain.waits import Hold, holds, way_back
from orchestrator.domain.words import command, moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One VM: its state, since when (None: since its last line in the log), and what holds it or
    happens next."""

    state: str
    since: datetime | None
    holds: tuple[Hold, ...]


def standing(view: RunView, op: Operation, now: datetime) -> Standing:
    """Explain one operation."""
    name = STATE_NAMES[type(op.state)]
    if isinstance(op.state, Queued | RebootQueued):
        return Standing(state=name, since=None, holds=tuple(holds(view, op, now)))
    since = getattr(op.state, "since", None) or getattr(op.state, "at", None)
    since = since or getattr(op.state, "intent_at", None)
    return Standing(state=name, since=since, holds=tuple(_next(view, op)))


def _next(view: RunView, op: Operation) -> Iterator[Hold]:
    """Say what an operation waits for that is not queued."""
    match op.state:
        case Preparing():
            text = "it holds its slot and is looked at; nothing has been sent yet"
            yield Hold(code="preparing", text=text, ends="by itself, within a minute or so")
        case Submitting():
            text = "the intent is written and the one request is on its way"
            yield Hold(code="submitting", text=text, ends="with Azure's answer, or as unknown")
        case Unknown(why=why, settle_at=settle_at):
            ends = f"when it is found, or at {moment(settle_at)}: then a person is asked"
            yield Hold(code=why.code, text=f"Azure may have taken it: {why.text}", ends=ends)
        case InProgress(deadline=deadline):
            ends = f"with its end; at {moment(deadline)} a person is asked"
            text = f"Azure installs{_asked(view, op)}"
            yield Hold(code="in_progress", text=text, ends=ends)
        case Rebooting(since=None):
            text = "the intent is written and the one restart is on its way"
            yield Hold(code="restarting", text=text, ends="with Azure's answer, or with a person")
        case Rebooting(deadline=datetime() as deadline):
            text = f"it restarts{_asked(view, op)}"
            ends = f"when it is back; at {moment(deadline)} it counts as failed"
            yield Hold(code="rebooting", text=text, ends=ends)
        case Verifying(deadline=deadline):
            text = "Azure has reported an end; the VM must be seen back and well"
            ends = f"when it is, or at {moment(deadline)}"
            yield Hold(code="verifying", text=text, ends=ends)
        case _:
            yield from _rest(view, op)


def _rest(view: RunView, op: Operation) -> Iterator[Hold]:
    """Say what could still be done about an operation that goes nowhere by itself."""
    run, name = view.run.id, op.target.name
    match op.state:
        case NeedsHuman(why=why):
            ends = command("resolve", run, name, "--as", "succeeded")
            ends = f"{ends} (or --as failed, or --as not-started)"
        case Failed(why=why):
            ends = command("retry", run, name)
        case Skipped(why=why) if why.code == "quarantined":
            ends = f"in a new run: {way_back(view.run.id)}"
        case Skipped(why=why):
            ends = "no more in this run; a later one takes it"
        case Succeeded(why=why) | Cancelled(why=why):
            ends = "it has ended"
        case _:
            return
    yield Hold(code=why.code, text=why.text, ends=ends)


def _asked(view: RunView, op: Operation) -> str:
    watch = view.watches.get(op.target.vm_id)
    return "" if watch is None else f"; it is asked next at {moment(watch.next_at)}"
