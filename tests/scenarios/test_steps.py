"""How often the driver plans: what tells nothing new waits for the next step."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from orchestrator.domain.model import RunId, Share
from tests.kit.clock import HandClock
from tests.kit.over import Over
from tests.kit.stage import Stage, a_ring, machines, staged


class Stopped(HandClock):
    """Time stands still for whoever waits for it."""

    async def sleep(self, seconds: float) -> None:
        """Wait until cancelled."""
        await asyncio.Event().wait()


async def test_a_poll_that_tells_nothing_new_brings_no_plan_forward(sqlite_url):
    async with staged(sqlite_url, machines("w", 2)) as on:
        run_id = await _one_due(on, later=timedelta(milliseconds=5))
        answered, polls = asyncio.Event(), len(on.witness.asks)

        async def poll(tracker):
            try:
                return await on.arm.poll(tracker)
            finally:
                answered.set()

        on.doors = replace(on.doors, arm=Over(on.arm, poll=poll), clock=Stopped(on.clock.now()))
        driver = await on.take(run_id)
        task = asyncio.create_task(driver.drive())
        await answered.wait()
        assert not driver.view.in_hand
        assert not driver.book.changed.is_set()
        driver.stop()
        await task
        assert len(on.witness.asks) == polls + 1


async def _one_due(on: Stage, *, later: timedelta) -> RunId:
    """Begin a run of two VMs, and leave one poll due now and the other a little later."""
    run_id = await on.open(a_ring("w", max_parallel=Share(count=2)))
    driver = await on.take(run_id)
    await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 2)
    first, second = driver.view.ops
    now = on.clock.now()
    for vm, due in ((first, now), (second, now + later)):
        driver.book.watch(vm, replace(driver.view.watches[vm], next_at=due, last_at=now))
    await driver.book.checkpoint()
    await on.store.release(driver.book.lease)
    return run_id
