"""A run as text: one line per wave, and what its end means for the exit code.

It reads view rows and knows nothing else; every text from outside is escaped before it is shown.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from orchestrator.cli.exits import Exit
from orchestrator.domain.foreign import harmless
from orchestrator.domain.words import counted

Row = Mapping[str, Any]

IN_FLIGHT: Final = ("preparing", "submitting", "unknown", "in_progress", "verifying", "rebooting")
GOOD: Final = ("succeeded", "warned", "reboot_pending", "nothing_to_do")
_BAR: Final = 24


def in_flight(row: Row) -> int:
    """Return how many VMs of a run or wave row are between their slot and their end."""
    return sum(int(row[state]) for state in IN_FLIGHT)


def waiting(row: Row) -> int:
    """Return how many VMs of a run or wave row wait for their turn, to be patched or restarted."""
    return int(row["queued"]) + int(row["reboot_queued"])


def ended(row: Row) -> int:
    """Return how many VMs of a run or wave row have ended or wait for a person."""
    return int(row["vms"]) - waiting(row) - in_flight(row)


def at_rest(run: Row) -> bool:
    """Tell whether nothing is in flight and nothing moves without a person."""
    if run["closed_at"] is not None:
        return True
    return run["status"] in {"halted", "paused"} and in_flight(run) == 0


def awaits(waves: Sequence[Row]) -> bool:
    """Tell whether a wave waits for an approval."""
    return any(wave["status"] == "awaiting_approval" for wave in waves)


def exits(run: Row, waves: Sequence[Row] = ()) -> list[Exit]:
    """Return every exit code that holds for a run at rest; the command picks by precedence."""
    codes = {
        "halted": Exit.HALTED,
        "cancelled": Exit.NOT_DONE,
        "expired": Exit.NOT_DONE,
        "paused": Exit.NEEDS_A_PERSON,
    }
    found = [codes[run["status"]]] if run["status"] in codes else []
    if run["status"] == "paused" and "nothing of Azure has answered" in (run["reason"] or ""):
        found.append(Exit.OUT_OF_REACH)
    if run["needs_human"] or (run["status"] == "open" and awaits(waves)):
        found.append(Exit.NEEDS_A_PERSON)
    return found


def headline(run: Row, waves: Sequence[Row] = ()) -> str:
    """Say in one line how a run stands, and with its waves' rows whom or what it waits for."""
    parts = [
        f"{run['run_id']}  {run['status']}",
        f"{ended(run)} of {run['vms']} VMs settled",
        f"{in_flight(run)} in flight",
        f"{run['bad']} bad{_accepted(run)}",
    ]
    if run["needs_human"]:
        parts.append(f"{counted(run['needs_human'], 'VM needs', 'VMs need')} a person")
    if run["status"] == "open":
        parts += filter(None, map(_awaited, waves))
    reason = f" ({harmless(run['reason'])})" if run["reason"] else ""
    return " · ".join(parts) + reason


def _accepted(row: Row) -> str:
    """Say how many bad VMs no budget counts any more: by a `resume`, or held back with a group."""
    return f", {row['accepted']} accepted" if row["accepted"] else ""


def _awaited(wave: Row) -> str:
    """Say whom or what a wave waits for, that is no VM of it; empty: nothing."""
    name, status = harmless(wave["wave"]), wave["status"]
    if status == "awaiting_approval":
        return f"wave {name} waits for an approval by {harmless(wave['approval'] or 'a person')}"
    if status not in {"pending", "baking"}:
        return ""
    moment = "before" if status == "pending" else "check"
    stands = [each for each in json.loads(wave["gates"] or "[]") if each["moment"] == moment]
    red = sum(not each["green"] for each in stands)
    gates = f"waits for its gates ({red} of {len(stands)} red)" if stands else ""
    bakes = f"bakes until {_minute(wave['baking_until'])}" if status == "baking" else ""
    said = " and ".join(filter(None, (bakes, gates)))
    return f"wave {name} {said}" if said else ""


def nobody_drives(run: Row, since: datetime | None) -> str:
    """Say that an open run stands still because nothing drives it, and what to start."""
    seen = "never seen" if since is None else f"last seen {since:%Y-%m-%d %H:%M:%S}Z"
    return f"no daemon drives this run ({seen}): {to_start(run)}"


def to_start(run: Row) -> str:
    """Say what drives a run that nothing drives."""
    plan = shlex.quote(harmless(run["plan"]))
    return f"start `serve`, or `run {plan} --resume`"


def wave_line(wave: Row) -> str:
    """Say in one line how a wave stands, with a bar of what is settled."""
    done, vms = ended(wave), int(wave["vms"])
    filled = _BAR * done // vms if vms else 0
    bar = "█" * filled + "░" * (_BAR - filled)
    allowed = "" if wave["allowed_failures"] is None else f" of {wave['allowed_failures']} allowed"
    counted_on = f"bad {wave['bad']}{allowed}{_accepted(wave)}"
    figures = f"{done:>4}/{vms:<4} in flight {in_flight(wave):<3} {counted_on}"
    return f"  {harmless(wave['wave']):<12} {wave['status']:<8} {bar} {figures}"


def counts(row: Row) -> str:
    """Say how a run's or wave's VMs ended: `12 succeeded, 1 failed`."""
    words = (*GOOD, "failed", "needs_human", "skipped", "cancelled", "queued", "reboot_queued")
    return ", ".join(f"{row[word]} {word}" for word in words if row[word]) or "nothing yet"


def _minute(at: datetime | str) -> str:
    """Show an instant to the minute in UTC, whatever way the database gives it."""
    text = at.strftime("%Y-%m-%d %H:%M") if isinstance(at, datetime) else str(at)[:16]
    return f"{text.replace('T', ' ')}Z"


def to_json(row: Row) -> str:
    """Write a view row as one line of JSON; times as RFC 3339 in UTC, whatever the database."""
    return json.dumps(dict(row), default=_as_text, ensure_ascii=True)


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value)


def report(run: Row, waves: Sequence[Row], troubled: Sequence[Row]) -> list[str]:
    """Tell a run's end: its waves, and each VM that did not simply succeed."""
    lines = [headline(run, waves), *(f"{wave_line(wave)}  {counts(wave)}" for wave in waves)]
    if run["quarantine"]:
        lines.append(f"  {harmless(json.loads(run['quarantine'])['reason'])}")
    for op in troubled:
        outcome = op["outcome"] or op["state"]
        reason = harmless(op["reason"] or "")
        lines.append(f"    {harmless(op['vm_name']):<28} {outcome:<13} {reason}")
    return lines
