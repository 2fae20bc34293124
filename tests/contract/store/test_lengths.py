"""What the database remembers of how long installations lasted."""

from dataclasses import replace
from datetime import timedelta

from orchestrator.domain.durations import Lasted
from orchestrator.domain.model import ActivityId, Reboot
from orchestrator.domain.operation import Accepted, Reported
from orchestrator.domain.record import Change
from orchestrator.domain.result import Report
from orchestrator.ports import Saved
from orchestrator.store import lengths
from tests.contract.store.kit import (
    LATER,
    NOW,
    TTL,
    a_move,
    a_result,
    a_run,
    a_vm,
    a_wave,
    an_operation,
    moved,
    to_submitting,
)


async def ended(store, name, minutes, *, run="run-1", at=NOW, group=("Linux", Reboot.IF_REQUIRED)):
    """Write a run with one VM whose installation lasted so long."""
    os, reboot = group
    op = an_operation(run, name)
    op = replace(op, target=replace(op.target, os=os))
    wave = a_wave()
    wave = replace(wave, spec=replace(wave.spec, reboot=reboot))
    opened = a_run(run, f"plan-{run}", opened_at=at)
    assert await store.open_run(opened, [wave], [op], [], None) == Saved()
    lease = await store.claim(opened.id, "daemon-a", TTL)
    op = await moved(
        store,
        lease,
        op,
        *to_submitting(),
        Accepted(NOW, ActivityId(f"i-{run}"), LATER, tracked=True),
    )
    end = Reported(NOW + timedelta(minutes=minutes), LATER, ActivityId(f"i-{run}"), a_result())
    report = Report(result=a_result(), activity=f"i-{run}", raw=b"{}")
    move = a_move(op, end, report=report)
    assert await store.record(lease, Change(moves=(move,))) == Saved()


async def test_each_installation_is_told_with_what_its_length_depends_on(store):
    await ended(store, "vm-1", 20)
    await ended(store, "vm-2", 3.5, run="run-2", group=("Windows", Reboot.NEVER))
    assert set(await store.durations(10)) == {
        Lasted(
            vm_id=a_vm("vm-1"),
            os="Linux",
            reboot=Reboot.IF_REQUIRED,
            lasted=timedelta(minutes=20),
        ),
        Lasted(
            vm_id=a_vm("vm-2"),
            os="Windows",
            reboot=Reboot.NEVER,
            lasted=timedelta(minutes=3.5),
        ),
    }


async def test_the_newest_runs_count_and_no_more_than_asked_for(store):
    for number in range(4):
        at = NOW + timedelta(days=number)
        await ended(store, f"vm-{number}", 10 + number, run=f"run-{number}", at=at)
    told = await store.durations(2)
    assert [each.vm_id for each in told] == [a_vm("vm-3"), a_vm("vm-2")]
    assert await store.durations(0) == []


async def test_what_still_runs_and_what_ended_before_it_began_is_no_length(store):
    await ended(store, "vm-1", -1)
    assert await store.durations(10) == []


async def test_a_run_whose_rows_make_no_sense_is_passed_over(store, raw):
    await ended(store, "vm-1", 20)
    await ended(store, "vm-2", 20, run="run-2")
    await raw("UPDATE wave SET spec = '[' WHERE run_id = 'run-1'")
    assert [each.vm_id for each in await store.durations(10)] == [a_vm("vm-2")]


async def test_old_runs_are_not_gone_through(store):
    for number in range(lengths.RUNS + 3):
        at = NOW + timedelta(days=number)
        await ended(store, f"vm-{number}", 10, run=f"run-{number:02d}", at=at)
    assert len(await store.durations(1_000)) == lengths.RUNS
