"""What is written down: changes, attempts, grants, watches and acts, as values for the store. No
policy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from orchestrator.domain.answer import Tracker
from orchestrator.domain.model import ActivityId, AttemptId, Freeze, Run, RunId, Share, VmId, Wave
from orchestrator.domain.operation import Event, Operation
from orchestrator.domain.result import Report
from orchestrator.domain.states import Why

DAEMON = "daemon"
"""The actor of everything that no person asked for."""
Detail = Mapping[str, str | int | float | bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right of one daemon to drive one run. Every decision checks holder and epoch in its own
    transaction."""

    run_id: RunId
    holder: str
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line of the audit log about a run or a wave; `event` is a `noun.verb` in the past
    tense."""

    at: datetime
    event: str
    actor: str
    why: Why
    wave: int | None = None
    vm_id: VmId | None = None
    detail: Detail = field(default_factory=dict)


class AttemptEnd(StrEnum):
    """How one intent ended (design 5)."""

    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptUpdate:
    """What became known about an attempt; fields that are None stay as they are."""

    attempt: AttemptId
    sent_at: datetime | None = None
    ended_at: datetime | None = None
    end: AttemptEnd | None = None
    http_status: int | None = None
    activity: ActivityId | None = None
    verdict: str | None = None


class GrantKind(StrEnum):
    """Who allowed one more intent, and how."""

    RETRY = "retry"
    NOT_STARTED = "not_started"
    CARRY_OVER = "carry_over"
    REBOOT = "reboot"
    """The restart of a VM that was patched, in the phase of reboots; no installation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The durable permission for one more intent. Attempt number `attempt` of (run, VM) may be
    sent because of it."""

    run_id: RunId
    vm_id: VmId
    attempt: int
    kind: GrantKind
    actor: str
    why: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One operation's change of state, with all that belongs into the same transaction."""

    before: Operation
    after: Operation
    event: Event
    actor: str
    attempt: AttemptUpdate | None = None
    report: Report | None = None
    grant: Grant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActDone:
    """An act that was applied or refused, and what came of it; `by` names the daemon that did."""

    act_id: str
    at: datetime
    result: str
    by: str = DAEMON


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One transaction of a run's driver. A `run` given here has a version one above the row's."""

    moves: tuple[Move, ...] = ()
    run: Run | None = None
    waves: tuple[Wave, ...] = ()
    facts: tuple[Fact, ...] = ()
    acts: tuple[ActDone, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the 202 said, kept beside the attempt: an insert-only fact that needs no lease."""

    attempt: AttemptId
    at: datetime
    tracker: Tracker
    activity: ActivityId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The polling state of one operation: true in the database to within one checkpoint.

    `by_view` says that its operation URL did not serve and the instance view is read instead.
    """

    next_at: datetime
    polls: int = 0
    last_at: datetime | None = None
    by_view: bool = False


class ActKind(StrEnum):
    """What a person may ask of a run."""

    PAUSE = "pause"
    RESUME = "resume"
    HALT = "halt"
    CANCEL = "cancel"
    RETRY = "retry"
    RESOLVE = "resolve"
    APPROVE = "approve"
    SKIP = "skip"
    SET = "set"
    HAND_OVER = "hand_over"
    """Not a person's: an emergency run took these VMs over. Only those that are queued go."""


class Resolution(StrEnum):
    """What a person found out about a VM that needed them."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NOT_STARTED = "not-started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What a person asks of a run: an insert-only row which the run's driver applies."""

    id: str
    run_id: RunId
    kind: ActKind
    actor: str
    because: str
    at: datetime
    vms: tuple[VmId, ...] = ()
    """Names or resource ids as the person wrote them; empty means every VM that the act can apply
    to."""
    wave: str | None = None
    code: str | None = None
    """A `reason_code`: only VMs with it."""
    resolution: Resolution | None = None
    max_parallel: Share | None = None
    """What a `set` sets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """Somebody named lets a run override freezes, for a reason that is written down."""

    approved_by: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A run as its rows say it is, read in one transaction."""

    run: Run
    waves: tuple[Wave, ...]
    operations: tuple[Operation, ...]
    watches: Mapping[VmId, Watch]
    receipts: Mapping[AttemptId, Receipt]
    """Receipts of the attempts that are still `submitting`, without which nobody could tell an
    answer from none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brake:
    """The fleet-wide halt (design 15): while it holds, nothing starts in any run and none opens."""

    at: datetime
    actor: str
    because: str

    @property
    def text(self) -> str:
        """Say it in one sentence: who, when, why."""
        return (
            f"everything is halted by {self.actor} since {self.at:%Y-%m-%d %H:%M}Z: {self.because}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeMode:
    """The database may have forgotten what was started (design 12): nothing starts in any run and
    none opens, until a person has confirmed. What is known to run is followed."""

    since: datetime
    code: str
    """`older_copy`, `other_database`, `moved`, `no_high_water`, `backup`."""
    reason: str

    @property
    def text(self) -> str:
        """Say it in one sentence: since when, why, and what ends it."""
        return (
            f"safe mode since {self.since:%Y-%m-%d %H:%M}Z: {self.reason};"
            " nothing is started until `orchestrator db confirm`"
        )


class FireResult(StrEnum):
    """What came of one fire of a schedule."""

    OPENED = "opened"
    MISSED = "missed"
    SKIPPED = "skipped"
    EMPTY = "empty"
    QUEUED = "queued"
    """It waits for the plan's open run to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heed:
    """What a driver must know beside its run's rows: what holds the whole fleet, and what people
    ask."""

    brake: Brake | None
    safe_mode: SafeMode | None
    acts: tuple[Act, ...]
    freezes: tuple[Freeze, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What a daemon looks up for, every few seconds: whether the database is believed, whether
    everything is halted, how many other daemons drive runs, and which runs it may drive: those that
    are not closed and that nobody else holds, oldest first."""

    safe_mode: SafeMode | None
    brake: Brake | None
    others: int
    free_runs: tuple[RunId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """One nominal fire of a plan's schedule. (plan, `local`) is unique: whoever inserts it first,
    fires."""

    plan: str
    local: str
    """The nominal wall-clock time without zone or fold, `2026-11-22T22:00`."""
    at: datetime
    result: FireResult
    reason: str = ""
    run_id: RunId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """A schedule that a person has disabled: its fires are skipped, until then or for ever."""

    plan: str
    at: datetime
    until: datetime | None
    actor: str
    because: str

    def holds(self, now: datetime) -> bool:
        """Tell whether the schedule still rests at this instant."""
        return self.until is None or now < self.until

    @property
    def text(self) -> str:
        """Say it in one sentence: who, until when, why."""
        end = f" until {self.until:%Y-%m-%d %H:%M}Z" if self.until else ""
        return f"the schedule was disabled by {self.actor}{end}: {self.because}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleState:
    """What else decides about a plan's fires: whether its schedule rests, and the fire that waits
    for its open run to end."""

    rest: Rest | None = None
    queued: Fire | None = None
