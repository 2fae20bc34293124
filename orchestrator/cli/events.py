"""Lines of the audit log as sentences for a terminal. What comes from outside is escaped."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from orchestrator.cli.progress import Row
from orchestrator.config.durations import show_share
from orchestrator.domain.foreign import harmless
from orchestrator.domain.model import Share
from orchestrator.domain.words import counted

Detail = Mapping[str, Any]

_QUIET: Final = frozenset(
    {"operation.selected", "operation.began", "operation.intended", "operation.reported"}
)
"""Events that only lead to the next one: shown in the database, not on the terminal."""
_SYMBOLS: Final = {
    "succeeded": "✓",
    "failed": "✗",
    "needs_human": "!",
    "skipped": "-",
    "cancelled": "-",
    "unknown": "?",
}
_ACCEPTED: Final = "operation.forgiven"
_NAMED: Final = 3
"""More VMs than these are counted, not named."""


def event_line(event: Row) -> str | None:
    """Say one audit line for the terminal; None for one that only leads to the next."""
    if event["event"] in _QUIET:
        return None
    detail = json.loads(event["detail"] or "{}")
    what = _about_vm(event, detail) if event["vm_id"] else _about_run(event, detail)
    why = f": {harmless(event['why'])}" if event["why"] else ""
    actor = "" if event["actor"] == "daemon" else f" (by {harmless(event['actor'])})"
    return f"{_clock(event['at'])} {what}{why}{actor}"


def happened(event: Row) -> str:
    """Say what a line of one VM's own log tells: its event, and what that means where it reads like
    another failure."""
    if event["event"] != _ACCEPTED:
        return str(event["event"])
    return f"{event['event']} ({_accepted(json.loads(event['detail'] or '{}'))})"


def _about_run(event: Row, detail: Detail) -> str:
    """Say `run halted`, `wave broad passed`, or `skip asked for wave broad`."""
    noun, _, verb = str(event["event"]).partition(".")
    if noun == "act":
        act = harmless(str(detail.get("kind") or noun)).replace("_", " ")
        return " ".join((act, verb, *_meant(detail)))
    name = harmless(str(detail.get("wave") or "")) if noun == "wave" else ""
    return " ".join(word for word in (noun, name, verb) if word)


def _meant(asked: Detail) -> Iterator[str]:
    """Say which VMs a person meant by an act, and what was to become of them."""
    vms = [_name(vm) for vm in asked.get("vms") or ()]
    if vms:
        yield f"for {', '.join(vms) if len(vms) <= _NAMED else counted(len(vms), 'VM')}"
    if wave := asked.get("wave"):
        yield f"for wave {harmless(str(wave))}"
    if code := asked.get("code"):
        yield f"for what is {harmless(str(code))}"
    if resolution := asked.get("resolution"):
        yield f"as {harmless(str(resolution))}"
    if most := asked.get("max_parallel"):
        yield f"to max_parallel={show_share(Share(**json.loads(most)))}"


def _about_vm(event: Row, detail: Detail) -> str:
    name = _name(event["vm_id"])
    if event["event"] == _ACCEPTED:
        return f"· {name} {_accepted(detail)}"
    to = str(detail.get("to", event["event"]))
    return f"{_SYMBOLS.get(to, '·')} {name} {to}"


def _accepted(detail: Detail) -> str:
    """Say that nothing new has happened to a VM that was bad before."""
    state = str(detail.get("to"))
    warned = " with warnings" if state == "succeeded" else ""
    return f"stays {state}{warned}, accepted"


def _name(vm_id: object) -> str:
    return harmless(str(vm_id).rsplit("/", 1)[-1])


def _clock(at: datetime | str) -> str:
    """Show the time of day in UTC, whatever way the database gives it."""
    return at.strftime("%H:%M:%S") if isinstance(at, datetime) else str(at)[11:19]
