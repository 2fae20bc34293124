"""How often the driver plans: what tells nothing new waits for the next step."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from orchestrator.domain.model import Share
from tests.kit.clock import HandClock
from tests.kit.stage import Stage, a_ring, machines, staged


class Stopped(HandClock):
    """Time stands still for whoever waits for it."""

    async def sleep(self, seconds: float) -> None:
        """Wait until cancelled."""
        await asyncio.Event().wait()


async def _after_one_poll(on: Stage, second_in: timedelta) -> bool:
    """Drive a run that has one poll due now and a second one a little later; tell whether the
    driver plans again before its sleep is over."""
    run_id = await on.open(a_ring("w", max_parallel=Share(count=2)))
    driver = await on.take(run_id)
    await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 2)
    first, second = driver.view.ops
    now = on.clock.now()
    for vm, due in ((first, now), (second, now + second_in)):
        driver.view.watch(vm, replace(driver.view.watches[vm], next_at=due, last_at=now))
    on.doors = replace(on.doors, clock=Stopped(now))
    await on.store.checkpoint(run_id, driver.view.watches)
    await on.store.release(driver.book.lease)
    driver, polls = await on.take(run_id), len(on.witness.asks)
    task = asyncio.create_task(driver.drive())
    await driver.stepped.wait()
    driver.stepped.clear()
    while driver.view.in_hand:
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    again = driver.stepped.is_set()
    driver.stop()
    await task
    assert len(on.witness.asks) == polls + 1
    return again


async def test_a_poll_that_tells_nothing_new_brings_no_plan_forward(sqlite_url):
    async with staged(sqlite_url, machines("w", 2)) as on:
        assert not await _after_one_poll(on, timedelta(milliseconds=5))
