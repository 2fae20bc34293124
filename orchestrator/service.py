"""What a person or a schedule may ask: open a run, steer it. It writes rows; the run's driver
applies them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from orchestrator.domain.choosing import chosen
from orchestrator.domain.durations import PAST, Durations
from orchestrator.domain.inventory import Machine, scopes
from orchestrator.domain.model import Order, PlanSpec, Run, RunId, Selection, VmId, WaveSpec
from orchestrator.domain.operation import Operation
from orchestrator.domain.record import Act, ActKind, Brake, Emergency, Fact, Fire, Rest, Snapshot
from orchestrator.domain.rollout import current_wave
from orchestrator.domain.states import Ended, Failed, Skipped, Succeeded, Why
from orchestrator.domain.traits import is_held
from orchestrator.domain.view import RunView
from orchestrator.domain.waves import Membership, Opening, Origin, open_run, resolve
from orchestrator.domain.words import counted
from orchestrator.ports import Clock, Inventory, Refused, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The run is in the database; a daemon will drive it."""

    run_id: RunId
    vms: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotOpened:
    """No run was opened. `code` is `safe_mode`, `halted_all`, `empty`, `already_open`,
    `already_fired`, `in_other_run` or `one_run_only`."""

    code: str
    reason: str


def one_run_only(run_id: RunId) -> NotOpened:
    """Say why a process that drives only this run opens no other."""
    reason = (
        f"`run` is at work here and drives only its own run, {run_id}: a run opened beside it would"
        " be driven by nobody. Wait for its end, or interrupt it and start `serve`"
    )
    return NotOpened(code="one_run_only", reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anew:
    """A run that patches VMs of another once more: it stands beside that, and in nobody's way."""

    parent: RunId
    run_id: RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The act is written; the run's driver will apply it."""

    act: Act


class Service:
    """The one way to open and to steer runs, for the command line, the HTTP door and the schedules
    alike."""

    def __init__(
        self,
        *,
        store: Store,
        arm: Inventory,
        clock: Clock,
        new_id: Callable[[], str],
        subscriptions: Sequence[str] = (),
    ) -> None:
        self._store = store
        self._arm = arm
        self._clock = clock
        self._new_id = new_id
        self._subscriptions = tuple(subscriptions)

    async def members(self, plan: PlanSpec) -> Membership:
        """List what the plan's waves select at this moment. Raises `InventoryError` when Azure
        would not list."""
        selections = [wave.select for wave in plan.waves]
        return resolve(plan, await machines_of(self._arm, selections, self._subscriptions))

    async def open(
        self,
        plan: PlanSpec,
        *,
        config_hash: str,
        opened_by: str,
        fire: Fire | None = None,
        anew: Anew | None = None,
        emergency: Emergency | None = None,
    ) -> Opened | NotOpened:
        """Resolve the plan's waves and open a run. A plan without a target is not opened (design
        3.2). An emergency run overrides freezes, and takes VMs over that wait in other runs.

        Raises `InventoryError` when Azure would not list its VMs, and `StoreUnavailableError`.
        """
        if (refused := await self._refused(plan, anew)) is not None:
            return refused
        membership = await self.members(plan)
        if membership.vms == 0:
            return NotOpened(code="empty", reason=f"no VM is selected by plan {plan.name}")
        vms = [member.vm_id for wave in membership.waves for member in wave]
        elsewhere = await self._store.queued_elsewhere(vms)
        now = self._clock.now()
        origin = Origin(
            run_id=anew.run_id
            if anew
            else RunId(f"{plan.name}-{now:%Y%m%dT%H%M%S}-{self._new_id()[:4]}"),
            config_hash=config_hash,
            opened_by=opened_by,
            now=now,
            parent=anew.parent if anew else None,
            approved_by=emergency.approved_by if emergency else None,
        )
        fired = replace(fire, run_id=origin.run_id) if fire else None
        rows = open_run(origin, plan, membership, elsewhere, await self._durations(plan, vms))
        facts = _facts(rows, membership, emergency)
        asks = self._hand_overs(rows.run, elsewhere) if emergency else ()
        outcome = await self._store.open_run(
            rows.run, rows.waves, rows.operations, facts, fired, asks
        )
        if isinstance(outcome, Refused):
            return NotOpened(code=outcome.code, reason=outcome.reason)
        return Opened(run_id=origin.run_id, vms=membership.vms, notes=membership.notes)

    async def _refused(self, plan: PlanSpec, anew: Anew | None) -> NotOpened | None:
        """Look for what is in the way before Azure is asked; the transaction looks again."""
        if (safe_mode := await self._store.safe_mode()) is not None:
            return NotOpened(code="safe_mode", reason=safe_mode.text)
        if (brake := await self._store.brake()) is not None:
            return NotOpened(code="halted_all", reason=brake.text)
        if anew is None and (other := await self._store.open_run_of(plan.name)):
            reason = f"the plan {plan.name} has an open run, {other}"
            return NotOpened(code="already_open", reason=reason)
        return None

    def _hand_overs(self, run: Run, elsewhere: Mapping[VmId, RunId]) -> Sequence[Act]:
        """Ask the runs in which VMs of an emergency run wait to let them go: their drivers will."""
        vms: dict[RunId, list[VmId]] = {}
        for vm, other in elsewhere.items():
            vms.setdefault(other, []).append(vm)
        return [
            Act(
                id=self._new_id(),
                run_id=other,
                kind=ActKind.HAND_OVER,
                actor=run.opened_by,
                because=f"taken over by the emergency run {run.id}",
                at=run.opened_at,
                vms=tuple(taken),
            )
            for other, taken in vms.items()
        ]

    async def _durations(self, plan: PlanSpec, vms: Sequence[VmId]) -> Durations:
        """Read how long installations lasted, where the order of starts asks for it."""
        durations = Durations()
        if any(wave.order is Order.LONGEST_FIRST for wave in plan.waves):
            durations.remember(await self._store.durations(PAST), frozenset(vms))
        return durations

    async def act(
        self, act: Act, *, opens_none: NotOpened | None = None
    ) -> Asked | Opened | NotOpened:
        """Write a person's act; its effect is the driver's, within 2 s where a daemon runs (design
        12).

        A `retry` that the run cannot take any more (its wave has passed, it has ended, or it holds
        the VMs back) opens a new run with just those VMs, unless `opens_none` says why not. Raises
        `LookupError` when there is no such run, `InventoryError` and `StoreUnavailableError`.
        """
        snapshot = await self._store.load(act.run_id)
        if act.kind is ActKind.RETRY:
            behind = _behind(RunView(snapshot), act)
            if behind:
                return opens_none or await self._retry_anew(snapshot, act, behind)
        await self._store.ask(act)
        return Asked(act=act)

    async def halt_all(self, actor: str, because: str) -> str:
        """Halt everything, until `resume_all`: nothing starts in any run, and no run opens. Return
        a sentence about what came of it; repeating it is harmless."""
        brake = Brake(at=self._clock.now(), actor=actor, because=because)
        if await self._store.halt_all(brake):
            return "everything is halted: nothing starts any more, what runs is followed"
        there = await self._store.brake()
        return f"nothing to do: {there.text}" if there else "nothing to do: it was just lifted"

    async def resume_all(self, actor: str, because: str) -> str:
        """Lift the fleet-wide halt. Runs that are paused or halted themselves stay so."""
        if await self._store.resume_all(self._clock.now(), actor, because):
            return "the fleet-wide halt is lifted; a run that is halted itself needs its own resume"
        return "nothing to do: there is no fleet-wide halt"

    async def confirm(self, actor: str, because: str) -> str:
        """End safe mode: a person has looked. Return a sentence about what came of it; repeating
        it is harmless."""
        confirmed = await self._store.confirm(self._clock.now(), actor, because)
        if confirmed is None:
            return "nothing to do: the database is not in safe mode"
        return f"confirmed: {confirmed.reason}; runs and schedules go on"

    async def disable_schedule(
        self, plan: str, until: datetime | None, actor: str, because: str
    ) -> str:
        """Let a plan's schedule rest: its fires are skipped, until then or until it is enabled.
        Open runs go on. Return a sentence about what came of it; repeating it is harmless."""
        now = self._clock.now()
        if until is not None and until <= now:
            return f"nothing to do: {until:%Y-%m-%d %H:%M}Z has passed"
        rest = Rest(plan=plan, at=now, until=until, actor=actor, because=because)
        await self._store.disable_schedule(rest)
        end = f"until {until:%Y-%m-%d %H:%M}Z" if until else f"until `schedule enable {plan}`"
        return f"the schedule of {plan} is disabled {end}: its fires are skipped; open runs go on"

    async def enable_schedule(self, plan: str, actor: str, because: str) -> str:
        """End the rest of a plan's schedule. What would have fired meanwhile stays skipped."""
        by = Rest(plan=plan, at=self._clock.now(), until=None, actor=actor, because=because)
        if await self._store.enable_schedule(by):
            return f"the schedule of {plan} is enabled again"
        return f"nothing to do: the schedule of {plan} is not disabled"

    async def _retry_anew(
        self, snapshot: Snapshot, act: Act, vms: tuple[VmId, ...]
    ) -> Opened | NotOpened:
        """Open a run for a retry. Its id comes from the act's: the same act twice is one run."""
        run = snapshot.run
        run_id = RunId(f"{run.id}-retry-{sha256(act.id.encode()).hexdigest()[:8]}")
        with suppress(LookupError):
            there = await self._store.load(run_id)
            return Opened(run_id=run_id, vms=len(there.operations))
        held = await self._held(set(vms))
        free = tuple(vm for vm in vms if vm not in held)
        if not free:
            where = ", ".join(sorted(set(held.values())))
            return NotOpened(code="in_other_run", reason=f"they are being patched in {where}")
        return await self.open(
            replace(run.plan, waves=_waves_again(snapshot, free)),
            config_hash=run.config_hash,
            opened_by=act.actor,
            anew=Anew(parent=run.id, run_id=run_id),
        )

    async def _held(self, vms: set[VmId]) -> dict[VmId, RunId]:
        """Tell which of these VMs an open run has not ended with."""
        held: dict[VmId, RunId] = {}
        for run_id in await self._store.open_runs():
            snapshot = await self._store.load(run_id)
            for op in snapshot.operations:
                if op.target.vm_id in vms and not isinstance(op.state, Ended):
                    held[op.target.vm_id] = run_id
        return held


async def machines_of(
    arm: Inventory, selections: Sequence[Selection], subscriptions: Sequence[str]
) -> Sequence[Machine]:
    """List the machines that these selections may mean, each once; without `subscriptions` Azure
    is asked which there are. Raises `InventoryError` when Azure would not list."""
    if not subscriptions and any(not (s.ids or s.subscriptions) for s in selections):
        subscriptions = tuple(await arm.list_subscriptions())
    machines: dict[VmId, Machine] = {}
    for scope in scopes(selections, subscriptions):
        listed = await arm.list_machines(scope.subscription, scope.resource_group)
        machines |= {machine.vm_id: machine for machine in listed}
    return tuple(machines.values())


def _waves_again(snapshot: Snapshot, vms: Collection[VmId]) -> tuple[WaveSpec, ...]:
    """Return the waves of a run with just these VMs, each under the rules of its own wave: its
    hours, its reboots, its gates. A retry is a person's word already, so nobody is asked again."""
    chosen: dict[int, list[VmId]] = {}
    for op in snapshot.operations:
        if op.target.vm_id in vms:
            chosen.setdefault(op.wave, []).append(op.target.vm_id)
    return tuple(
        replace(
            wave.spec,
            select=Selection(ids=tuple(chosen[wave.position])),
            exclude=Selection(),
            approve=None,
        )
        for wave in snapshot.waves
        if wave.position in chosen
    )


def _facts(rows: Opening, membership: Membership, emergency: Emergency | None) -> Sequence[Fact]:
    """Say how a run began: its size, who approved an emergency, and what its reader should know."""
    at, actor = rows.run.opened_at, rows.run.opened_by
    size = f"{counted(membership.vms, 'VM')} in {counted(len(rows.waves), 'wave')}"
    facts = [Fact(at=at, event="run.opened", actor=actor, why=Why("opened", size))]
    if emergency is not None:
        why = Why("emergency", emergency.because)
        approver = {"approved_by": emergency.approved_by}
        facts.append(Fact(at=at, event="run.approved", actor=actor, why=why, detail=approver))
    return facts + [
        Fact(at=at, event="run.noted", actor=actor, why=Why("overlap", note))
        for note in membership.notes
    ]


def _behind(view: RunView, act: Act) -> tuple[VmId, ...]:
    """Name the failed VMs that an act means and that this run cannot start again by itself, and
    those that it held back: who means them names them, or their reason."""
    wave, group = current_wave(view), view.run.quarantine
    here = None if view.run.closed_at is not None or wave is None else wave.position
    meant = chosen(view, act)
    failed = [op for op in meant if isinstance(op.state, Failed)]
    if any(op.wave == here and not is_held(group, op) for op in failed):
        return ()
    named = act.vms or act.code is not None
    held = [op for op in meant if named and _was_held(op)]
    return tuple(op.target.vm_id for op in (*failed, *held))


def _was_held(op: Operation) -> bool:
    """Tell whether a VM was held back: not started, or patched and not restarted."""
    return isinstance(op.state, Skipped | Succeeded) and op.state.why.code == "quarantined"
