"""From an inventory and a plan to the waves and operations of a run. Pure and deterministic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.domain.durations import Durations
from orchestrator.domain.inventory import Machine, matches, target
from orchestrator.domain.model import PlanSpec, Run, RunId, RunStatus, Target, VmId, Wave, WaveSpec
from orchestrator.domain.operation import Operation
from orchestrator.domain.order import ordered
from orchestrator.domain.states import Queued, Skipped, Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Who is in which wave of a plan, and what the reader of the plan should know about it."""

    waves: tuple[tuple[Target, ...], ...]
    missing: tuple[tuple[Target, ...], ...]
    """Per wave: VMs named by id that Azure does not list; they are skipped, with that reason."""
    excluded: tuple[tuple[Target, ...], ...] = ()
    """Per wave: VMs that it selects and then excludes; they are no part of a run through it."""
    notes: tuple[str, ...]

    @property
    def vms(self) -> int:
        """How many VMs there are to patch."""
        return sum(len(wave) for wave in self.waves)


def resolve(plan: PlanSpec, machines: Sequence[Machine]) -> Membership:
    """Give each machine to the first wave that selects it. Ids keep the order they were written
    in."""
    taken: dict[VmId, str] = {}
    listed = {machine.vm_id: machine for machine in machines}
    waves, missing, excluded, notes = [], [], [], []
    for spec in plan.waves:
        members, out = [], []
        for machine in _selected(spec, listed):
            if matches(spec.exclude, machine):
                out.append(target(machine))
                continue
            earlier = taken.setdefault(machine.vm_id, spec.name)
            if earlier == spec.name:
                members.append(target(machine))
            else:
                notes.append(
                    f"{machine.name} is in wave {spec.name} too; {earlier}, the first, has it"
                )
        unlisted = [
            vm for vm in dict.fromkeys(spec.select.ids) if vm not in listed and vm not in taken
        ]
        taken.update(dict.fromkeys(unlisted, spec.name))
        waves.append(tuple(members))
        missing.append(tuple(_unlisted(vm) for vm in unlisted))
        excluded.append(tuple(out))
    return Membership(
        waves=tuple(waves), missing=tuple(missing), excluded=tuple(excluded), notes=tuple(notes)
    )


def in_order(plan: PlanSpec, membership: Membership, durations: Durations) -> Membership:
    """Return the members in the order of their starts, as far as it is known before a run opens."""
    waves = zip(membership.waves, plan.waves, strict=True)
    ranked = (tuple(ordered(members, spec, None, durations)) for members, spec in waves)
    return replace(membership, waves=tuple(ranked))


def _selected(spec: WaveSpec, listed: Mapping[VmId, Machine]) -> list[Machine]:
    """Return the machines that a wave selects, excluded or not: in the order of its ids when it has
    any, else by resource id."""
    order = spec.select.ids or sorted(listed)
    found = (listed[vm] for vm in dict.fromkeys(order) if vm in listed)
    return [machine for machine in found if matches(spec.select, machine)]


def _unlisted(vm: VmId) -> Target:
    parts = vm.split("/")
    name, subscription, group = parts[-1], parts[2], parts[4]
    return Target(
        vm_id=vm, name=name, subscription_id=subscription, resource_group=group, region="", os=""
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """All rows of a new run."""

    run: Run
    waves: tuple[Wave, ...]
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a run comes from: who opened it when, from which configuration, and after which run."""

    run_id: RunId
    config_hash: str
    opened_by: str
    now: datetime
    parent: RunId | None = None
    approved_by: str | None = None
    """Of an emergency run: who let it override freezes."""


def open_run(
    origin: Origin,
    plan: PlanSpec,
    membership: Membership,
    elsewhere: Mapping[VmId, RunId],
    durations: Durations | None = None,
) -> Opening:
    """Build the rows of a run. VMs that wait in another open run are skipped there and then; an
    emergency run has them instead (design 3.2). The longest are told by `durations`."""
    run_id, now = origin.run_id, origin.now
    elsewhere = {} if origin.approved_by is not None else elsewhere
    run = Run(
        id=run_id,
        plan=plan,
        status=RunStatus.OPEN,
        opened_at=now,
        deadline_at=now + plan.deadline,
        config_hash=origin.config_hash,
        opened_by=origin.opened_by,
        parent=origin.parent,
        approved_by=origin.approved_by,
    )
    known = durations or Durations()
    waves, operations = [], []
    for position, spec in enumerate(plan.waves, start=1):
        members, missing = membership.waves[position - 1], membership.missing[position - 1]
        waves.append(Wave(position=position, spec=spec, vms=len(members) + len(missing)))
        operations += [
            replace(_queued(run_id, position, member, elsewhere, now), rank=rank)
            for rank, member in enumerate(ordered(members, spec, run_id, known))
        ]
        operations += [_skipped(run_id, position, vm, _NOT_FOUND, now) for vm in missing]
    return Opening(run=run, waves=tuple(waves), operations=tuple(operations))


_NOT_FOUND = Why("not_found", "Azure lists no VM with this id, or the credential may not read it")


def _queued(
    run_id: RunId, wave: int, member: Target, elsewhere: Mapping[VmId, RunId], now: datetime
) -> Operation:
    other = elsewhere.get(member.vm_id)
    if other is not None:
        return _skipped(
            run_id, wave, member, Why("in_other_run", f"still waits in run {other}"), now
        )
    return Operation(run_id=run_id, wave=wave, target=member, state=Queued())


def _skipped(run_id: RunId, wave: int, member: Target, why: Why, now: datetime) -> Operation:
    return Operation(run_id=run_id, wave=wave, target=member, state=Skipped(now, why))
