"""A status database in which every field that comes from outside holds a hostile name: one run for
each name, as far as an installation can go."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from orchestrator.domain.model import ActivityId, RunId, RunStatus, Selection, VmId, WaveStatus
from orchestrator.domain.operation import Broke, Reported
from orchestrator.domain.record import Act, ActKind, Change, Fact, Fire, FireResult
from orchestrator.domain.result import Patch, Report
from orchestrator.domain.states import FailureClass, Why
from orchestrator.ports import Saved
from orchestrator.store.column_types import plain
from orchestrator.store.sql import SqlStore
from tests.contract.store.kit import (
    LATER,
    NOW,
    TTL,
    a_move,
    a_result,
    a_run,
    a_target,
    a_wave,
    an_operation,
    moved,
    to_in_progress,
)
from tests.kit.hostile import NAMES

FIELDS: Final = {
    "v_runs": ("plan", "reason", "config_hash"),
    "v_waves": ("wave", "reason"),
    "v_operations": (
        *("wave", "vm_name", "subscription_id", "resource_group", "region", "os"),
        *("reason", "activity_id"),
    ),
    "v_patches": ("patch_id", "name", "version", "kb_id", "classifications"),
}
"""The columns of each public view that hold the name, alone or within more."""


def run_id(number: int, name: str = "") -> RunId:
    """Return the id of the run for a name. Ours are made of letters and digits: only a database
    that somebody else wrote into could hold another."""
    return RunId(f"run-{number}-{plain(name)}")


def vm_id(number: int, name: str) -> VmId:
    """Return the id of the one VM of that run. It is a key: `arm.views` lets none in that is
    longer than 2,000 characters, or that a database would not keep as it is."""
    part = plain(name)[:500]
    return VmId(f"/subscriptions/{part}/resourcegroups/{part}/providers/x/{number}{part}")


async def fill(
    store: SqlStore, names: Mapping[str, str] = NAMES, *, hostile_ids: bool = False
) -> None:
    """Write a run for each name, halted, with one failed VM, everything called by the name."""
    async with asyncio.TaskGroup() as group:  # together they share their commits
        for number, name in enumerate(names.values()):
            called = run_id(number, name if hostile_ids else "")
            group.create_task(_one(store, number, name, called))


async def _one(store: SqlStore, number: int, name: str, run_called: RunId) -> None:
    target = replace(
        a_target(name),
        vm_id=vm_id(number, name),
        subscription_id=name,
        resource_group=name,
        region=name,
        os=name,
    )
    wave, written = a_wave(name="x"), plain(name)  # no configuration can hold the other
    chosen = Selection(resource_groups=(written,), tags=((written, (written,)),))
    spec = replace(wave.spec, name=written, select=chosen)
    wave = replace(wave, spec=spec)
    run = a_run(run_called, f"plan-{number}-{written}", opened_by=name, config_hash=name)
    run = replace(run, plan=replace(run.plan, waves=(spec,)))
    op = replace(an_operation(run.id, "x"), target=target)
    opened = Fact(at=NOW, event="run.noted", actor=name, why=Why(name, name), detail={name: name})
    assert await store.open_run(run, [wave], [op], [opened], None) == Saved()
    lease = await store.claim(run.id, "daemon", TTL)
    assert lease is not None
    op = await moved(store, lease, op, *to_in_progress())
    result = a_result(error_code=name, error_message=name, failed=1)
    reported = a_move(op, Reported(NOW, LATER, ActivityId(name), result), report=_report(name))
    broke = a_move(reported.after, Broke(NOW, FailureClass.GUEST, Why(name, name)))
    assert await store.record(lease, Change(moves=(reported,))) == Saved()
    halted = replace(run, status=RunStatus.HALTED, reason=name, version=run.version + 1)
    closing = Change(
        moves=(replace(broke, actor=name),),
        run=halted,
        waves=(replace(wave, status=WaveStatus.HALTED, reason=name),),
        facts=(Fact(at=NOW, event="run.halted", actor=name, why=Why(name, name)),),
    )
    assert await store.record(lease, closing) == Saved()
    await store.ask(_act(number, name, run.id))
    await store.fire(
        Fire(plan=name, local=str(number), at=NOW, result=FireResult.EMPTY, reason=name)
    )
    await store.see_schedule(f"{number}{name}", name, None, NOW)


def _report(name: str) -> Report:
    patch = Patch(
        patch_id=name, name=name, version=name, kb_id=name, classifications=(name,), state="Failed"
    )
    raw = name.encode("utf-8", "replace")
    return Report(result=a_result(failed=1), activity=name, patches=(patch,), raw=raw)


def _act(number: int, name: str, run: RunId) -> Act:
    return Act(
        id=f"00000000-0000-4000-8000-{number:012}",
        run_id=run,
        kind=ActKind.RETRY,
        actor=name,
        because=name,
        at=NOW,
        vms=(VmId(plain(name)),),  # the door and the command line refuse the other
        wave=name,
        code=name,
    )
