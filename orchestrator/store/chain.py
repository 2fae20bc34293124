"""The audit log as a chain of hashes: what a line is, how it hangs on the one before. Pure.

The hash of a line is SHA-256 over the hash of the line before (64 hex digits; nothing for the
first) followed by the line as canonical JSON: the list `[run_id, seq, at, vm_id, event, actor,
why, detail]` without spaces, `at` as fixed-width UTC text, `detail` as the text that is stored.
Whoever can write the database can rewrite a whole chain: only a copy of a head kept elsewhere
proves more than that nobody slipped.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from orchestrator.store.column_types import moment_text, plain

_LINKED: Final = ("run_id", "seq", "at", "vm_id", "event", "actor", "why", "detail")
_AT: Final = _LINKED.index("at")
FIRST: Final = ""
"""The hash before the first line of every chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the audit log, before it has its place in a chain."""

    at: datetime
    event: str
    actor: str
    why: str = ""
    vm_id: str | None = None
    detail: str = "{}"


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: its last number (0: it is empty) and its last hash."""

    seq: int = 0
    hash: str = FIRST


@dataclass(frozen=True, slots=True)
class Broken:
    """The first line of a chain that is not what was written, and how that shows."""

    seq: int
    reason: str


def detail_text(detail: Mapping[str, Any]) -> str:
    """Write a line's detail as one canonical JSON object; times become fixed-width UTC text."""
    return plain(_json(detail))


def link(run_id: str, head: Head, lines: Iterable[Line]) -> tuple[list[dict[str, Any]], Head]:
    """Hang lines on a chain: the rows to insert, and the chain's new head."""
    linked = []
    for line in lines:
        row: dict[str, Any] = {
            "run_id": run_id,
            "seq": head.seq + 1,
            "at": line.at,
            "vm_id": line.vm_id,
            "event": plain(line.event),
            "actor": plain(line.actor),
            "why": plain(line.why),
            "detail": line.detail,
        }
        row["hash"] = digest(head.hash, row)
        head = Head(row["seq"], row["hash"])
        linked.append(row)
    return linked, head


def digest(before: str, row: Mapping[Any, Any]) -> str:
    """Return the hash of a line, given the hash of the one before."""
    values = [row[name] for name in _LINKED]
    values[_AT] = moment_text(row["at"])
    return sha256((before + _json(values)).encode()).hexdigest()


def verify(rows: Iterable[Mapping[Any, Any]], head: Head) -> Broken | None:
    """Follow a chain from its first row; None means that every line is as it was written."""
    at = Head()
    for row in rows:
        if row["seq"] != at.seq + 1:
            return Broken(at.seq + 1, "the line is missing")
        if row["hash"] != digest(at.hash, row):
            return Broken(row["seq"], "the line was changed, or the one before it was")
        at = Head(row["seq"], row["hash"])
    return None if at == head else Broken(at.seq + 1, f"the chain should end with line {head.seq}")


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return moment_text(value)
    raise TypeError(f"{type(value).__name__} has no place in a detail")


_json: Final = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_moment
).encode
"""The canonical form; made once, as a line is written thousands of times a minute."""
