"""What any store owes about runs: opened whole, named, and read as one picture."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.domain.model import ActivityId, RunId, RunStatus
from orchestrator.domain.operation import Doubted, Escalated, Reported
from orchestrator.domain.record import Act, ActDone, ActKind, Change, Fire, FireResult, Watch
from orchestrator.domain.states import Skipped
from orchestrator.ports import Refused, Saved
from tests.contract.store.kit import (
    LATER,
    NOW,
    WHY,
    a_fact,
    a_receipt,
    a_run,
    a_vm,
    a_wave,
    an_attempt,
    an_operation,
    grown,
    moved,
    opened,
    to_in_progress,
    to_submitting,
)

FIRE = Fire(
    plan="monthly",
    local="2026-11-22T22:00",
    at=NOW,
    result=FireResult.OPENED,
    run_id=RunId("run-1"),
)


async def test_a_run_is_read_as_it_was_opened(store):
    run = a_run(waves=2, reason="Patch Tuesday", parent=RunId("run-0"))
    waves = [a_wave(0, vms=3), a_wave(1, vms=1)]
    skipped = an_operation("run-1", "vm-2", state=Skipped(NOW, WHY))
    later = an_operation("run-1", "vm-0", wave=1)
    ops = [an_operation("run-1", "vm-3"), later, an_operation("run-1", "vm-1"), skipped]
    assert await store.open_run(run, waves, ops, [a_fact("run.opened")], FIRE) == Saved()
    snapshot = await store.load(run.id)
    assert snapshot.run == run
    assert snapshot.waves == tuple(waves)
    assert snapshot.operations == (ops[2], skipped, ops[0], later)
    assert (snapshot.watches, snapshot.receipts) == ({}, {})


async def test_a_run_that_is_not_there_is_not_loaded(store):
    with pytest.raises(LookupError, match="run-9"):
        await store.load(RunId("run-9"))


async def test_a_plan_has_one_open_run(store):
    await opened(store, "vm-1")
    answer = await store.open_run(a_run("run-2"), [], [], [], None)
    assert isinstance(answer, Refused)
    assert answer.code == "already_open"
    assert "run-1" in answer.reason
    assert await store.open_run(a_run("run-3", plan="weekly"), [], [], [], None) == Saved()


async def test_of_many_who_open_a_run_of_a_plan_one_does(store):
    runs = [a_run(f"run-{n}", opened_by=f"daemon-{n}") for n in range(10)]
    answers = await asyncio.gather(*(store.open_run(run, [], [], [], None) for run in runs))
    assert answers.count(Saved()) == 1
    assert len(await store.open_runs()) == 1


async def test_a_fire_opens_one_run_and_a_refused_run_leaves_no_row(store):
    lease, _ = await opened(store)
    closed = grown(a_run(), status=RunStatus.PASSED, closed_at=NOW)
    await store.fire(replace(FIRE, result=FireResult.MISSED, run_id=None))
    await store.record(lease, Change(run=closed, facts=(a_fact("run.closed"),)))
    answer = await store.open_run(a_run("run-2"), [a_wave()], [], [], FIRE)
    assert isinstance(answer, Refused)
    assert answer.code == "already_fired"
    with pytest.raises(LookupError):
        await store.load(RunId("run-2"))
    assert await store.rows("v_waves", run_id="run-2") == []


async def test_opening_a_run_again_because_the_answer_was_lost_is_saved(store):
    run = a_run()
    assert await store.open_run(run, [a_wave()], [], [], FIRE) == Saved()
    assert await store.open_run(run, [a_wave()], [], [], FIRE) == Saved()
    other = await store.open_run(a_run(opened_by="eve"), [a_wave()], [], [], FIRE)
    assert isinstance(other, Refused)
    assert len(await store.rows("v_waves")) == 1


async def test_open_runs_are_named_oldest_first_and_closed_ones_while_acts_wait(store):
    lease, _ = await opened(store, run_id="run-new", plan="a", opened_at=LATER)
    await opened(store, run_id="run-old", plan="b")
    assert await store.open_runs() == ["run-old", "run-new"]
    run = grown(a_run("run-new", "a", opened_at=LATER), status=RunStatus.PASSED, closed_at=LATER)
    await store.record(lease, Change(run=run, facts=(a_fact("run.closed"),)))
    assert await store.open_runs() == ["run-old"]
    act = Act(id="1", run_id=run.id, kind=ActKind.RESOLVE, actor="ada", because="x", at=NOW)
    await store.ask(act)
    assert await store.open_runs() == ["run-old", "run-new"]
    done = ActDone(act_id="1", at=NOW, result="done")
    await store.record(lease, Change(acts=(done,)))
    assert await store.open_runs() == ["run-old"]


async def test_a_vm_that_is_queued_in_an_open_run_is_named_with_the_oldest_such_run(store):
    lease, (started, _) = await opened(store, "vm-1", "vm-2", run_id="run-1", plan="a")
    earlier = NOW - timedelta(days=1)
    await opened(store, "vm-2", "vm-3", run_id="run-2", plan="b", opened_at=earlier)
    await moved(store, lease, started, *to_submitting())
    many = [a_vm(f"vm-{n}") for n in range(1, 2000)]
    found = await store.queued_elsewhere(many)
    assert found == {a_vm("vm-2"): "run-2", a_vm("vm-3"): "run-2"}
    assert await store.queued_elsewhere([]) == {}


async def test_a_snapshot_holds_watches_and_the_receipts_of_intents_without_an_answer(store):
    lease, (first, second) = await opened(store, "vm-1", "vm-2")
    answered, waiting = an_attempt(), an_attempt()
    await moved(store, lease, first, *to_in_progress(answered))
    await moved(store, lease, second, *to_submitting(waiting))
    for attempt in (answered, waiting):
        await store.receive(a_receipt(attempt))
    watch = Watch(next_at=LATER, polls=3, last_at=NOW, by_view=True)
    await store.checkpoint(lease.run_id, {first.target.vm_id: watch})
    snapshot = await store.load(lease.run_id)
    assert snapshot.watches == {first.target.vm_id: watch}
    assert snapshot.receipts == {waiting: a_receipt(waiting)}


async def closed_with(store, *events, run_id="run-1", plan="monthly", watch=None):
    """Close a run of one VM after these events."""
    lease, (op,) = await opened(store, "vm-1", run_id=run_id, plan=plan)
    op = await moved(store, lease, op, *events)
    if watch is not None:
        await store.checkpoint(lease.run_id, {op.target.vm_id: watch})
    closed = grown(a_run(run_id, plan), status=RunStatus.PASSED, closed_at=NOW)
    await store.record(lease, Change(run=closed, facts=(a_fact("run.closed"),)))
    return op


HOUR = timedelta(hours=1)
OVERDUE = (*to_in_progress(), Escalated(NOW, NOW, WHY))


@pytest.mark.parametrize(
    ("watch", "at", "due"),
    [
        (None, NOW + HOUR - timedelta(seconds=1), False),
        (None, NOW + HOUR, True),
        (Watch(next_at=NOW + 3 * HOUR), NOW + 2 * HOUR, False),
        (Watch(next_at=NOW + 3 * HOUR), NOW + 3 * HOUR, True),
        (Watch(next_at=NOW + 3 * HOUR), NOW + timedelta(days=29), True),
        (Watch(next_at=NOW + 3 * HOUR), NOW + timedelta(days=30), False),
    ],
)
async def test_a_closed_run_is_late_when_a_vm_that_needs_a_person_is_due(store, watch, at, due):
    await closed_with(store, *OVERDUE, watch=watch)
    assert await store.open_runs() == []
    assert await store.late_runs(at) == (["run-1"] if due else [])


async def test_a_vm_that_is_still_locked_is_looked_at_however_old_it_is(store):
    held = Escalated(NOW, NOW + timedelta(days=60), WHY)
    await closed_with(store, *to_in_progress(), held)
    assert await store.late_runs(NOW + timedelta(days=45)) == ["run-1"]
    assert await store.late_runs(NOW + timedelta(days=60)) == []


async def test_a_late_end_that_is_being_verified_is_always_taken_up(store):
    await closed_with(store, *OVERDUE, Reported(LATER, LATER, ActivityId("act-1"), None))
    assert await store.late_runs(NOW) == ["run-1"]


async def test_a_run_is_not_late_while_it_is_open_or_without_an_id_to_look_for(store):
    lease, (op,) = await opened(store, "vm-1")
    await moved(store, lease, op, *OVERDUE)
    traceless = (*to_submitting(), Doubted(NOW, LATER, WHY), Escalated(NOW, LATER, WHY))
    await closed_with(store, *traceless, run_id="run-2", plan="weekly")
    assert await store.late_runs(NOW + 5 * HOUR) == []
