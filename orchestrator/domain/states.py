"""What an operation can be: its states, each knowing exactly what it knows, and the words they use.

How one becomes another stands in `operation.py`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from orchestrator.domain.model import ActivityId, AttemptId
from orchestrator.domain.result import Result


class Wait(StrEnum):
    """Why a queued operation waits."""

    THROTTLED = "throttled"
    BUSY = "busy"
    CREDENTIALS = "credentials"
    NOT_SENT = "not_sent"
    UNREACHABLE = "unreachable"
    HELD = "held"
    LIMIT = "limit"
    WINDOW = "window"
    CARRIED_OVER = "carried_over"
    GRANTED = "granted"


class Outcome(StrEnum):
    """How an operation ended, in one word (design 4)."""

    SUCCEEDED = "succeeded"
    WARNED = "warned"
    REBOOT_PENDING = "reboot_pending"
    NOTHING_TO_DO = "nothing_to_do"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class FailureClass(StrEnum):
    """Whose failure it was (design 4)."""

    GUEST = "guest"
    PLATFORM = "platform"
    REJECTED = "rejected"
    LOST = "lost"
    UNHEALTHY = "unhealthy"
    HOOK = "hook"
    UNRESOLVED = "unresolved"


class Conflict(StrEnum):
    """What a 409 said, in so far as it said it (design 5, azure-facts 5.2)."""

    NOT_RUNNING = "not_running"
    LOCKED = "locked"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Why:
    """A reason: a stable code for programs, and one sentence for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Queued:
    """Waiting for its turn, not before `not_before` when that is set; `busy_since` bounds the wait
    for a busy VM, and is carried along until an installation of ours is accepted."""

    not_before: datetime | None = None
    wait: Wait | None = None
    why: Why | None = None
    busy_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Preparing:
    """Holds its slot and is being looked at; nothing has been sent."""

    since: datetime
    busy_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Submitting:
    """The intent is on disk; the one request may or may not have left this process."""

    attempt: AttemptId
    intent_at: datetime
    baseline: ActivityId | None
    busy_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Azure may have taken the request: reads only until `settle_at`, then a person."""

    attempt: AttemptId
    intent_at: datetime
    baseline: ActivityId | None
    since: datetime
    settle_at: datetime
    why: Why
    expected: ActivityId | None = None
    conflict: Conflict | None = None
    busy_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class InProgress:
    """Azure works on it. `tracked` tells whether we hold an operation URL or follow by instance
    view."""

    attempt: AttemptId
    intent_at: datetime
    activity: ActivityId | None
    since: datetime
    deadline: datetime
    tracked: bool


@dataclass(frozen=True, slots=True)
class Verifying:
    """Azure reported an end; what is left is to see that the VM is well. No result means: look for
    it."""

    attempt: AttemptId
    activity: ActivityId | None
    since: datetime
    deadline: datetime
    result: Result | None


@dataclass(frozen=True, slots=True)
class RebootQueued:
    """Patched, and waiting for the restart that its patches need: reboots are a phase of their own
    in this wave. Not before `not_before` when that is set."""

    since: datetime
    activity: ActivityId | None
    result: Result | None
    not_before: datetime | None = None
    wait: Wait | None = None
    why: Why | None = None
    busy_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rebooting:
    """The intent of its one restart is on disk. `since` tells when Azure took the request, and
    `deadline` until when the VM must be back; None: nobody knows yet whether it was taken."""

    attempt: AttemptId
    intent_at: datetime
    activity: ActivityId | None
    result: Result | None
    since: datetime | None = None
    deadline: datetime | None = None


@dataclass(frozen=True, slots=True)
class NeedsHuman:
    """Only a person can tell. It keeps the VM locked until `locked_until` or until it is
    resolved."""

    attempt: AttemptId
    activity: ActivityId | None
    since: datetime
    locked_until: datetime
    why: Why


@dataclass(frozen=True, slots=True)
class Succeeded:
    """Ended well; `outcome` says how well."""

    at: datetime
    outcome: Outcome
    why: Why
    activity: ActivityId | None = None
    result: Result | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Ended badly; `failure` says whose failure it was."""

    at: datetime
    failure: FailureClass
    why: Why
    activity: ActivityId | None = None
    result: Result | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Ended without a start, for a reason that is not a failure."""

    at: datetime
    why: Why


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Ended without a start, because a person cancelled the run."""

    at: datetime
    why: Why


State = (
    Queued
    | Preparing
    | Submitting
    | Unknown
    | InProgress
    | Verifying
    | RebootQueued
    | Rebooting
    | NeedsHuman
    | Succeeded
    | Failed
    | Skipped
    | Cancelled
)
Ended = Succeeded | Failed | Skipped | Cancelled
InFlight = Preparing | Submitting | Unknown | InProgress | Verifying | Rebooting

STATE_NAMES: Final[dict[type[State], str]] = {
    Queued: "queued",
    Preparing: "preparing",
    Submitting: "submitting",
    Unknown: "unknown",
    InProgress: "in_progress",
    Verifying: "verifying",
    RebootQueued: "reboot_queued",
    Rebooting: "rebooting",
    NeedsHuman: "needs_human",
    Succeeded: "succeeded",
    Failed: "failed",
    Skipped: "skipped",
    Cancelled: "cancelled",
}
"""The public name of each state: column, view, log and picture use it."""
