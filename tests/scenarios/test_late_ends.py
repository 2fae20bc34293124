"""VMs that need a person after their run has ended: looked at hourly, locked, resolved, and moved
to their verdict when their end is seen after all (design 4)."""

import asyncio
from datetime import timedelta

import pytest

from orchestrator.domain.model import Share, Tolerance
from orchestrator.domain.record import ActKind, Resolution
from orchestrator.engine.conductor import Conductor
from orchestrator.simulator.tempers import Temper
from tests.kit.stage import a_machine, a_ring, staged

HOUR = timedelta(hours=1)
LENIENT = a_ring("w", max_parallel=Share(count=2), allow_failures=Tolerance(count=1))


def a_fleet(shown_after, **given):
    """Return two machines; the end of the first one's installation is shown so much later."""
    late = Temper(forgets=timedelta(0), view_lag=shown_after, graph_lag=shown_after, **given)
    return (a_machine("w-00", late), a_machine("w-01"))


async def ended_with_one_overdue(on):
    """Drive a run to its end: of one VM's installation no end was seen in time."""
    run_id = await on.open(LENIENT)
    row = await drive(on, run_id)
    assert (row["status"], row["needs_human"], row["succeeded"]) == ("passed", 1, 1)
    return run_id


async def drive_late(on, run_id):
    """Do what a conductor does with a run whose look is due: drive it until it is over."""
    assert await on.store.late_runs(on.clock.now()) == [run_id]
    return await drive(on, run_id)


async def drive(on, run_id):
    """Drive a run until it is over, and write the polling state as a driver does at its end."""
    driver = await on.take(run_id)
    await on.go_on(driver)
    await driver.book.checkpoint()
    await on.store.release(driver.book.lease)
    return await on.row(run_id)


@pytest.mark.parametrize("hours", [5, 50])
async def test_an_end_that_is_seen_late_moves_the_vm_to_its_verdict(any_database_url, hours):
    async with staged(any_database_url, a_fleet(hours * HOUR)) as on:
        run_id = await ended_with_one_overdue(on)
        closed_at = (await on.row(run_id))["closed_at"]
        looks = 0
        while (await on.row(run_id))["needs_human"]:
            on.clock.turn_to(on.clock.now() + HOUR)
            row = await drive_late(on, run_id)
            looks += 1
        assert hours - 4 <= looks <= hours
        assert (row["status"], row["closed_at"]) == ("passed", closed_at)
        assert (row["succeeded"], row["needs_human"]) == (2, 0)
        assert await on.store.late_runs(on.clock.now() + 2 * HOUR) == []
        assert on.installed() == {"w-00": 1, "w-01": 1}


async def test_between_two_looks_nobody_holds_the_run(sqlite_url):
    async with staged(sqlite_url, a_fleet(90 * HOUR)) as on:
        run_id = await ended_with_one_overdue(on)
        assert await on.store.late_runs(on.clock.now()) == []
        on.clock.turn_to(on.clock.now() + HOUR)
        asked = len(on.witness.asks)
        await drive_late(on, run_id)
        assert len(on.witness.asks) > asked
        assert await on.store.late_runs(on.clock.now() + timedelta(minutes=59)) == []
        assert await on.store.claim(run_id, "another", timedelta(seconds=15)) is not None


async def test_after_thirty_days_it_is_looked_at_no_more(sqlite_url):
    async with staged(sqlite_url, a_fleet(9_000 * HOUR)) as on:
        run_id = await ended_with_one_overdue(on)
        on.clock.turn_to(on.clock.now() + timedelta(days=31))
        assert await on.store.late_runs(on.clock.now()) == []
        asked = len(on.witness.asks)
        driver = await on.take(run_id)
        await on.go_on(driver)
        assert driver.over
        assert len(on.witness.asks) == asked


async def test_it_is_resolved_after_its_run_has_ended(any_database_url):
    async with staged(any_database_url, a_fleet(90 * HOUR)) as on:
        run_id = await ended_with_one_overdue(on)
        await on.resolve(run_id, Resolution.FAILED, "w-00")
        assert await on.store.open_runs() == [run_id]
        row = await on.drive(run_id)
        assert (row["status"], row["failed"], row["needs_human"]) == ("passed", 1, 0)
        assert await on.store.late_runs(on.clock.now() + 2 * HOUR) == []


async def test_a_daemon_that_dies_while_it_verifies_a_late_end_is_followed_by_the_next(sqlite_url):
    async with staged(sqlite_url, a_fleet(5 * HOUR, needs_reboot=True)) as on:
        run_id = await ended_with_one_overdue(on)
        state = ""
        while state != "verifying":
            on.clock.turn_to(on.clock.now() + HOUR)
            driver = await on.take(run_id)
            await on.go_on(driver, until=lambda view: view.tally(1).in_flight == 1)
            state = (await on.operations(run_id))["w-00"]["state"]
            assert state in {"needs_human", "verifying"}
        row = await drive_late(on, run_id)  # whoever drove it is gone
        assert (row["status"], row["succeeded"]) == ("passed", 2)


async def test_a_conductor_takes_the_run_up_when_a_look_is_due_and_lets_it_go(any_database_url):
    async with staged(any_database_url, a_fleet(5 * HOUR)) as on:
        run_id = await ended_with_one_overdue(on)
        on.clock.turn_to(on.clock.now() + 6 * HOUR)
        conductor = Conductor(on.doors, "daemon-2")
        async with asyncio.TaskGroup() as group:
            await conductor.scan(group)
            assert conductor.driving == (run_id,)
        assert conductor.driving == ()
        row = await on.row(run_id)
        assert (row["status"], row["succeeded"], row["needs_human"]) == ("passed", 2, 0)


async def test_an_act_on_an_ended_run_does_not_wait_for_its_next_look(sqlite_url):
    async with staged(sqlite_url, a_fleet(90 * HOUR)) as on:
        run_id = await ended_with_one_overdue(on)
        on.clock.turn_to(on.clock.now() + HOUR)
        conductor = Conductor(on.doors, "daemon-2")
        for _ in range(2):
            async with asyncio.TaskGroup() as group:
                await conductor.scan(group)
        await on.ask(run_id, ActKind.RESOLVE, "w-00", resolution=Resolution.SUCCEEDED)
        async with asyncio.TaskGroup() as group:
            await conductor.scan(group)
        assert (await on.row(run_id))["succeeded"] == 2
