"""The doors out of the house, as Protocols in our own words. They say what is owed; they do
nothing."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from orchestrator.domain.answer import (
    LookAnswer,
    ManyAnswer,
    PollAnswer,
    SubmitAnswer,
    SweepAnswer,
    TraceAnswer,
    Tracker,
)
from orchestrator.domain.bounds import UNBOUNDED, Bounds
from orchestrator.domain.durations import Lasted
from orchestrator.domain.gate import GateSpec, Reading
from orchestrator.domain.inventory import Machine
from orchestrator.domain.model import (
    ActivityId,
    AttemptId,
    Freeze,
    Patches,
    Reboot,
    Run,
    RunId,
    VmId,
    Wave,
)
from orchestrator.domain.operation import Operation
from orchestrator.domain.pools import Call, Left, Place
from orchestrator.domain.record import (
    Act,
    Brake,
    Change,
    Fact,
    Fire,
    GrantKind,
    Heed,
    Lease,
    Move,
    Overview,
    Receipt,
    Rest,
    SafeMode,
    ScheduleState,
    Snapshot,
    Watch,
)


class Clock(Protocol):
    """Time, as an injected thing."""

    def now(self) -> datetime:
        """Return the wall clock, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never jumps."""

    async def sleep(self, seconds: float) -> None:
        """Wait that long on the monotonic clock."""


# ---------------------------------------------------------------------------------------- Azure


class CredentialKind(StrEnum):
    """As whom we ask Azure; all but the last are azure-identity's."""

    DEFAULT = "default"
    MANAGED_IDENTITY = "managed_identity"
    WORKLOAD_IDENTITY = "workload_identity"
    AZURE_CLI = "azure_cli"
    ENVIRONMENT = "environment"
    FIXED_TOKEN = "fixed_token"  # noqa: S105 - the name of a kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """How to get a token. No secret is in here: `variable` is the name of what holds it."""

    kind: CredentialKind = CredentialKind.DEFAULT
    client_id: str | None = None
    """Of a user-assigned managed identity, a guid in lower case."""
    variable: str | None = None
    """The environment variable with a fixed token; it was set when the configuration was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One installation to ask for: the single POST of one intent."""

    vm_id: VmId
    os: str
    attempt: AttemptId
    patches: Patches
    reboot: Reboot
    max_duration: timedelta
    send_by: float
    """On the monotonic clock: later than this, not one byte may be written (design 5.2)."""
    timeout: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartOrder:
    """One restart to ask for: the single POST of one intent."""

    vm_id: VmId
    attempt: AttemptId
    send_by: float
    """On the monotonic clock: later than this, not one byte may be written."""
    timeout: timedelta


class OutOfReachError(Exception):
    """Something outside does not answer as it should. The message is one sentence for people."""


class InventoryError(OutOfReachError):
    """Azure would not list its VMs. The message is for people: it names the scope, the status and
    the fix."""


class Inventory(Protocol):
    """What Azure has. Reads only."""

    async def list_subscriptions(self) -> Sequence[str]:
        """List the ids of the subscriptions that the credential can read.

        Raises `InventoryError` when a page could not be had.
        """

    async def list_machines(
        self, subscription: str, resource_group: str | None
    ) -> Sequence[Machine]:
        """List the VMs of a subscription or of one resource group, all pages.

        Raises `InventoryError` when a page could not be had.
        """


class Arm(Inventory, Protocol):
    """What we ask of Azure Resource Manager. Outcomes come back as values; nothing is raised for
    them."""

    async def install(self, order: Order) -> SubmitAnswer:
        """Send one POST installPatches, once, with no retry at any layer. Never cancel it: its
        answer would be lost."""

    async def restart(self, order: RestartOrder) -> SubmitAnswer:
        """Send one POST restart, once, with no retry at any layer (azure-facts 1.7). Never cancel
        it: its answer would be lost."""

    async def poll(self, tracker: Tracker) -> PollAnswer:
        """Read an operation once (and its final result, when the status answer did not carry
        it)."""

    async def look(self, vm_id: VmId) -> LookAnswer:
        """Read one VM with its instance view."""

    async def trace(self, vm_id: VmId, since: datetime) -> TraceAnswer:
        """Read from Resource Graph the VM's installations that began at `since` or later, all
        pages, and those that have not begun yet. Eventually consistent: only what it shows counts.
        """

    async def trace_many(self, vm_ids: Collection[VmId], since: datetime) -> ManyAnswer:
        """Read the same of many VMs of one subscription with one query: of all installations there,
        all pages, or no answer at all."""

    async def sweep(
        self, subscriptions: Sequence[str], since: datetime, *, running: bool
    ) -> SweepAnswer:
        """Read from Resource Graph which installations in these subscriptions have ended and were
        changed at `since` or later, and with `running` those that still run, too: a thousand a
        page, all pages up to a bound. Hints, no more. Without a right to the results it answers
        with nothing, as if there were none."""


class Meter(Protocol):
    """Who is told what Azure's answers say is left in its buckets. It answers nothing and never
    fails."""

    def heard(self, call: Call, place: Place, left: Left, now: datetime) -> None:
        """An answer's headers, and what the request was about as far as its URL tells."""


# ---------------------------------------------------------------------------------------- gates


class Gates(Protocol):
    """Whom a wave's gates ask. Reads only, with a time-out; outcomes come back as values."""

    async def read(self, gate: GateSpec) -> Reading:
        """Ask once how a gate stands. What cannot be read is red."""


# ---------------------------------------------------------------------------------------- database


@dataclass(frozen=True, slots=True)
class Saved:
    """It is on disk."""


@dataclass(frozen=True, slots=True)
class Stale:
    """Somebody moved a row first, or the lease is not ours any more. Nothing was written: load and
    plan again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The intent may not be: the database is not believed, the run or its wave is not open, the VM
    is locked or of a group that is held back, no attempt is left, or it would exceed a limit or a
    strict budget.

    `code` is one of `safe_mode`, `halted_all`, `run_not_open`, `wave_not_open`, `freeze`, `window`,
    `quarantined`, `busy`, `no_attempt_left`, `limit`, `budget`. Nothing was written.
    """

    code: str
    reason: str


class StoreUnavailableError(OutOfReachError):
    """The database does not answer or refuses to write. The message is for people."""


class StoreSlowError(StoreUnavailableError):
    """The database did not get this one done in time, or something was in its way; others may
    fare better."""


class DamagedError(OutOfReachError):
    """Rows of a run are not what was written: its file was damaged, or somebody changed them. Only
    this run is out of reach. The message is for people."""


class Store(Protocol):
    """What we ask of the database. Each call is one transaction; every write is a compare-and-set.

    Every method raises `StoreUnavailableError` when the database is out of reach or cannot write.
    """

    async def open_run(
        self,
        run: Run,
        waves: Sequence[Wave],
        operations: Sequence[Operation],
        facts: Sequence[Fact],
        fire: Fire | None,
        acts: Sequence[Act] = (),
    ) -> Saved | Refused:
        """Insert a run with all its rows, the fire that opened it, and what it asks of other runs.

        Refused with `safe_mode` while the database is not believed, with `halted_all` while
        everything is halted, with `already_open` while another run of the same plan is not closed,
        with `already_fired` when the fire is taken.
        """

    async def open_run_of(self, plan: str) -> RunId | None:
        """Name the plan's open run, if there is one; a retry's run, beside its parent, is none."""

    async def open_runs(self) -> Sequence[RunId]:
        """Name the runs that are not closed, oldest first, and closed ones that still have acts
        waiting."""

    async def late_runs(self, now: datetime) -> Sequence[RunId]:
        """Name the closed runs in which a VM that needs a person is due for its hourly look (design
        4), or a late end is being verified."""

    async def queued_elsewhere(self, vms: Sequence[VmId]) -> Mapping[VmId, RunId]:
        """Tell which of these VMs still wait in another open run."""

    async def load(self, run_id: RunId) -> Snapshot:
        """Read one consistent picture of a run. Raises `LookupError` when there is none,
        `DamagedError` when its rows say nothing that could be."""

    async def record(self, lease: Lease, change: Change) -> Saved | Stale:
        """Write one change of a run's driver, all of it or nothing."""

    async def intend(
        self, lease: Lease, move: Move, bounds: Bounds = UNBOUNDED
    ) -> Saved | Refused | Stale:
        """Commit an intent: `move` goes from preparing to submitting, or of a restart from
        reboot_queued to rebooting.

        In one transaction: the rows of the run, its wave and the brake are locked (shared), the
        brake is seen to be off, the database to be believed, the run and the wave to be open, the
        intent comes in the wave's window with room before its end and in no freeze (an approved
        emergency run overrides that), the VM is not locked by another operation, this attempt
        number has no other intent that Azure may have taken, the lease is ours, and with it nothing
        of `bounds` is exceeded: the VMs in flight are counted over all runs, whoever else counts
        the same waiting; then the operation
        and its attempt row are written.
        """

    async def slots_elsewhere(
        self, run_id: RunId, kinds: Collection[str], now: datetime
    ) -> Mapping[str, int]:
        """Count the VMs in flight in all other runs, by their groups of these kinds."""

    async def receive(self, receipt: Receipt) -> None:
        """Insert what a 202 said. Needs no lease; inserting it twice is harmless."""

    async def accept(self, lease: Lease, receipt: Receipt, change: Change) -> Saved | Stale:
        """Insert what a 202 said, and write what follows from it, in one transaction: `receive`
        and `record`. What is `Stale` is the change; the receipt is kept all the same."""

    async def trackers(self, attempts: Sequence[AttemptId]) -> Mapping[AttemptId, Tracker]:
        """Read the operation URLs of these attempts; those without a receipt are left out."""

    async def receipts(self, attempts: Sequence[AttemptId]) -> Mapping[AttemptId, Receipt]:
        """Read what the 202s of these attempts said; attempts without one are left out."""

    async def knows(self, activity: ActivityId) -> bool:
        """Tell whether an installation with this id belongs to any attempt in this database."""

    async def is_contested(self, vm: VmId, attempt: AttemptId) -> bool:
        """Tell whether another attempt on this VM, of whichever run, may have started something
        that nobody has seen: Azure may have taken it, and its installation is not known."""

    async def grants(self, run_id: RunId, vm: VmId, kind: GrantKind) -> int:
        """Count the grants of a kind that a VM of a run has had."""

    async def durations(self, most: int) -> Sequence[Lasted]:
        """Read how long the newest installations lasted, at most so many, of the newest runs: what
        the planning of reads learns from."""

    async def checkpoint(self, run_id: RunId, watches: Mapping[VmId, Watch]) -> None:
        """Write polling state. No audit line, no compare-and-set: it is only ever written by the
        driver."""

    async def overview(self, besides: str) -> Overview:
        """Read, in one picture, what a daemon of this name must know of all runs."""

    async def claim(self, run_id: RunId, holder: str, ttl: timedelta) -> Lease | None:
        """Take or retake a lease that is free or expired by database time; the epoch grows by one.
        None: held."""

    async def renew(self, lease: Lease, ttl: timedelta) -> bool:
        """Extend a lease. False: it is not ours any more."""

    async def release(self, lease: Lease) -> None:
        """Give a lease back, if it is still ours."""

    async def undriven(self, grace: timedelta) -> Mapping[RunId, datetime | None]:
        """Name the open runs that nobody has driven for so long by database time, with when the
        last lease ended; None: nobody ever had one."""

    async def ask(self, act: Act) -> None:
        """Insert a person's act. Inserting the same id twice is harmless."""

    async def heed(self, run_id: RunId) -> Heed:
        """Read, in one picture, what stands above a run: the fleet-wide halt, safe mode, freezes,
        and the acts that wait to be applied."""

    async def brake(self) -> Brake | None:
        """Read the fleet-wide halt; None: there is none."""

    async def halt_all(self, brake: Brake) -> bool:
        """Halt everything: after this, no intent and no run is written. False: it was halted
        already."""

    async def resume_all(self, at: datetime, actor: str, because: str) -> bool:
        """Lift the fleet-wide halt. False: there was none."""

    async def freezes(self) -> tuple[Freeze, ...]:
        """Read when nothing may start, of whichever configuration, by their beginning."""

    async def replace_freezes(
        self, source: str, wanted: Sequence[Freeze], at: datetime, actor: str
    ) -> bool:
        """Let the configuration `source` have these freezes; after this, no intent in one of them
        is written. Those of other configurations stay. False: it had them already."""

    async def safe_mode(self) -> SafeMode | None:
        """Read whether the database may have forgotten what was started; None: it is trusted."""

    async def confirm(self, at: datetime, actor: str, because: str) -> SafeMode | None:
        """End safe mode: a person has looked. Returns what was confirmed; None: there was
        nothing."""

    async def fire(self, fire: Fire) -> bool:
        """Insert a fire that opened no run. False: it is already there."""

    async def queue_fire(self, fire: Fire) -> bool:
        """Let a fire wait for the plan's open run to end; it waits until it is inserted with `fire`
        or `open_run`. False: another one of the plan waits, or this one has fired."""

    async def schedule_state(self, plan: str) -> ScheduleState:
        """Read, in one picture, whether a plan's schedule was disabled, and which of its fires
        waits."""

    async def disable_schedule(self, rest: Rest) -> None:
        """Let a plan's schedule rest: its fires are skipped. A newer word replaces an older."""

    async def enable_schedule(self, by: Rest) -> bool:
        """End the rest of a plan's schedule; `by` says who, when and why. False: it had none."""

    async def see_schedule(
        self, plan: str, rule: str, next_fire: datetime | None, now: datetime
    ) -> datetime:
        """Note a plan's next fire, and return when this plan was first seen with this rule: an
        edited schedule has no past."""

    async def fired(self, plan: str) -> Sequence[str]:
        """Return the `local` keys of a plan's newest fires (at most 100), newest first."""

    async def rows(self, view: str, **where: str | int) -> Sequence[Mapping[str, Any]]:
        """Read a public view (`v_runs`, …), with equality conditions on its columns, in the
        documented order."""

    async def events(self, run_id: RunId, after: int, most: int) -> Sequence[Mapping[str, Any]]:
        """Read a run's audit log behind `after` (a `seq`), as `v_events` has it, oldest first."""


# ---------------------------------------------------------------------------------------- eyes


class Observer(Protocol):
    """Who is told what happened: logs and metrics. It answers nothing and never fails."""

    def moved(self, move: Move) -> None:
        """An operation changed its state, durably."""

    def noted(self, run_id: RunId, fact: Fact) -> None:
        """A run or wave fact was written, durably."""

    def asked(self, kind: str, code: str, seconds: float) -> None:
        """One request to Azure was answered; `kind` is submit, poll, look or list, `code` an HTTP
        status or a word."""

    def late(self, seconds: float) -> None:
        """A poll began so long after its planned instant."""

    def troubled(self, where: str, reason: str) -> None:
        """Something outside does not work; we go on trying."""

    def crashed(self, where: str, error: Exception) -> None:
        """A bug of ours: the run goes on from its rows after a while."""
