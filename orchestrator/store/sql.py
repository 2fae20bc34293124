"""The Store port over SQL: each method is one transaction, and one line here. No policy."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from orchestrator.domain.answer import Tracker
from orchestrator.domain.bounds import UNBOUNDED, Bounds
from orchestrator.domain.durations import Lasted
from orchestrator.domain.model import ActivityId, AttemptId, Freeze, Run, RunId, VmId, Wave
from orchestrator.domain.operation import Operation
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
from orchestrator.ports import Refused, Saved, Stale
from orchestrator.store import (
    acts,
    brakes,
    decisions,
    events,
    freezes,
    incarnation,
    intents,
    late,
    leases,
    lengths,
    operations,
    public,
    runs,
    schedules,
    slots,
)
from orchestrator.store import attempts as attempt_rows
from orchestrator.store.chain import Broken
from orchestrator.store.unit import Alike, Unit

T = TypeVar("T")


class Transactions(Protocol):
    """How units are run: by the group-commit writer and readers of a daemon, or inline under a
    simulation."""

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction; it is on disk when this returns."""

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that only reads, on one consistent picture."""


class SqlStore:
    """Rows in, dataclasses out."""

    def __init__(self, transactions: Transactions) -> None:
        self._write = transactions.write
        self._read = transactions.read

    # ------------------------------------------------------------------------------- runs

    async def open_run(
        self,
        run: Run,
        waves: Sequence[Wave],
        operations: Sequence[Operation],
        facts: Sequence[Fact],
        fire: Fire | None,
        acts: Sequence[Act] = (),
    ) -> Saved | Refused:
        """Insert a run with all its rows, the fire that opened it, and what it asks of others."""
        rows_of = runs.Opened(run, waves, operations, facts, fire, acts)
        return await self._write(lambda c: runs.open_run(c, rows_of))

    async def open_run_of(self, plan: str) -> RunId | None:
        """Name the plan's open run, if there is one."""
        return await self._read(lambda c: runs.open_run_of(c, plan))

    async def open_runs(self) -> Sequence[RunId]:
        """Name the runs that a daemon must look after, oldest first."""
        return await self._read(runs.open_runs)

    async def late_runs(self, now: datetime) -> Sequence[RunId]:
        """Name the closed runs in which a look is due."""
        return await self._read(lambda c: late.runs(c, now))

    async def queued_elsewhere(self, vms: Sequence[VmId]) -> Mapping[VmId, RunId]:
        """Tell which of these VMs still wait in an open run."""
        return await self._read(lambda c: runs.queued_elsewhere(c, vms))

    async def load(self, run_id: RunId) -> Snapshot:
        """Read one consistent picture of a run. Raises `LookupError` when there is none."""
        return await self._read(lambda c: runs.load(c, run_id))

    # -------------------------------------------------------------------------- decisions

    async def record(self, lease: Lease, change: Change) -> Saved | Stale:
        """Write one change of a run's driver, all of it or nothing."""
        return await self._write(Alike(decisions.record, (lease, change)))

    async def intend(
        self, lease: Lease, move: Move, bounds: Bounds = UNBOUNDED
    ) -> Saved | Refused | Stale:
        """Commit an intent: `move` goes from preparing to submitting."""
        return await self._write(Alike(intents.intend, (lease, move, bounds)))

    async def slots_elsewhere(
        self, run_id: RunId, kinds: Collection[str], now: datetime
    ) -> Mapping[str, int]:
        """Count the VMs in flight in other runs, by group."""
        return await self._read(lambda c: slots.elsewhere(c, run_id, kinds, now))

    async def receive(self, receipt: Receipt) -> None:
        """Insert what a 202 said."""
        await self._write(Alike(attempt_rows.receive, receipt))

    async def accept(self, lease: Lease, receipt: Receipt, change: Change) -> Saved | Stale:
        """Insert what a 202 said, and write what follows from it."""
        return await self._write(Alike(decisions.accept, (lease, receipt, change)))

    async def trackers(self, attempts: Sequence[AttemptId]) -> Mapping[AttemptId, Tracker]:
        """Read the operation URLs of these attempts."""
        return await self._read(lambda c: attempt_rows.trackers(c, attempts))

    async def receipts(self, attempts: Sequence[AttemptId]) -> Mapping[AttemptId, Receipt]:
        """Read what the 202s of these attempts said."""
        return await self._read(lambda c: attempt_rows.receipts(c, attempts))

    async def knows(self, activity: ActivityId) -> bool:
        """Tell whether an installation with this id belongs to any attempt in this database."""
        return await self._read(lambda c: attempt_rows.knows(c, activity))

    async def is_contested(self, vm: VmId, attempt: AttemptId) -> bool:
        """Tell whether another attempt on a VM may have started an installation that is not
        known."""
        return await self._read(lambda c: attempt_rows.is_contested(c, vm, attempt))

    async def grants(self, run_id: RunId, vm: VmId, kind: GrantKind) -> int:
        """Count the grants of a kind that a VM of a run has had."""
        return await self._read(lambda c: attempt_rows.grants(c, run_id, vm, kind))

    async def durations(self, most: int) -> Sequence[Lasted]:
        """Read how long the newest installations lasted, at most so many."""
        return await self._read(lambda c: lengths.newest(c, most))

    async def checkpoint(self, run_id: RunId, watches: Mapping[VmId, Watch]) -> None:
        """Write polling state."""
        await self._write(lambda c: operations.checkpoint(c, run_id, watches))

    # ----------------------------------------------------------------------------- leases

    async def overview(self, besides: str) -> Overview:
        """Read what a daemon must know of all runs."""
        return await self._read(
            lambda c: Overview(
                safe_mode=incarnation.safe_mode(c),
                brake=brakes.read(c),
                others=leases.holders(c, besides),
                free_runs=tuple(runs.free_runs(c, besides)),
            )
        )

    async def claim(self, run_id: RunId, holder: str, ttl: timedelta) -> Lease | None:
        """Take or retake a lease; None: another holds it."""
        return await self._write(lambda c: leases.claim(c, run_id, holder, ttl))

    async def renew(self, lease: Lease, ttl: timedelta) -> bool:
        """Extend a lease. False: it is not ours any more."""
        return await self._write(lambda c: leases.renew(c, lease, ttl))

    async def release(self, lease: Lease) -> None:
        """Give a lease back, if it is still ours."""
        await self._write(lambda c: leases.release(c, lease))

    async def undriven(self, grace: timedelta) -> Mapping[RunId, datetime | None]:
        """Name the open runs that nobody has driven for so long, and since when."""
        return await self._read(lambda c: leases.undriven(c, grace))

    # ------------------------------------------------------------------ people, schedules

    async def ask(self, act: Act) -> None:
        """Insert a person's act."""
        await self._write(lambda c: acts.ask(c, act))

    async def heed(self, run_id: RunId) -> Heed:
        """Read what stands above a run, in one picture."""
        return await self._read(
            lambda c: Heed(
                brake=brakes.read(c),
                safe_mode=incarnation.safe_mode(c),
                acts=tuple(acts.waiting(c, run_id)),
                freezes=freezes.read(c),
            )
        )

    async def brake(self) -> Brake | None:
        """Read the fleet-wide halt."""
        return await self._read(brakes.read)

    async def halt_all(self, brake: Brake) -> bool:
        """Halt everything. False: it was halted already."""
        return await self._write(lambda c: brakes.halt(c, brake))

    async def resume_all(self, at: datetime, actor: str, because: str) -> bool:
        """Lift the fleet-wide halt. False: there was none."""
        return await self._write(
            lambda c: brakes.lift(c, Brake(at=at, actor=actor, because=because))
        )

    async def freezes(self) -> tuple[Freeze, ...]:
        """Read when nothing may start."""
        return await self._read(freezes.read)

    async def replace_freezes(
        self, source: str, wanted: Sequence[Freeze], at: datetime, actor: str
    ) -> bool:
        """Let a configuration have these freezes. False: it had them."""
        return await self._write(lambda c: freezes.replace(c, source, wanted, at, actor))

    async def safe_mode(self) -> SafeMode | None:
        """Read whether the database is in safe mode."""
        return await self._read(incarnation.safe_mode)

    async def confirm(self, at: datetime, actor: str, because: str) -> SafeMode | None:
        """End safe mode. None: there was nothing to confirm."""
        return await self._write(lambda c: incarnation.confirm(c, at, actor, because))

    async def fire(self, fire: Fire) -> bool:
        """Insert a fire that opened no run. False: it is already there."""
        return await self._write(lambda c: schedules.fire(c, fire))

    async def queue_fire(self, fire: Fire) -> bool:
        """Let a fire wait for the plan's open run to end. False: another waits, or it has fired."""
        return await self._write(lambda c: schedules.queue(c, fire))

    async def schedule_state(self, plan: str) -> ScheduleState:
        """Read whether a plan's schedule rests, and which of its fires waits."""
        return await self._read(lambda c: schedules.schedule_state(c, plan))

    async def disable_schedule(self, rest: Rest) -> None:
        """Let a plan's schedule rest."""
        await self._write(lambda c: schedules.disable(c, rest))

    async def enable_schedule(self, by: Rest) -> bool:
        """End the rest of a plan's schedule. False: there was none."""
        return await self._write(lambda c: schedules.enable(c, by))

    async def see_schedule(
        self, plan: str, rule: str, next_fire: datetime | None, now: datetime
    ) -> datetime:
        """Note a plan's next fire, and return when this plan was first seen."""
        return await self._write(lambda c: schedules.see(c, plan, rule, next_fire, now))

    async def fired(self, plan: str) -> Sequence[str]:
        """Return the `local` keys of a plan's newest fires, newest first."""
        return await self._read(lambda c: schedules.fired(c, plan))

    # ---------------------------------------------------------------------------- reading

    async def rows(self, view: str, **where: str | int) -> Sequence[Mapping[str, Any]]:
        """Read a public view; times are fixed-width UTC text on both databases.

        Raises `LookupError` for a view or a column that is not public, `ValueError` for a value
        that its column cannot hold.
        """
        return await self._read(lambda c: public.rows(c, view, where))

    async def events(self, run_id: RunId, after: int, most: int) -> Sequence[Mapping[str, Any]]:
        """Read the rows of `v_events` of a run with a `seq` above `after`, at most so many."""
        return await self._read(lambda c: public.events(c, run_id, after, most))

    async def verify_chain(self, run_id: str) -> Broken | None:
        """Tell where a run's audit log is not what was written; an empty id means the system's."""
        return await self._read(lambda c: events.verify_chain(c, run_id))
