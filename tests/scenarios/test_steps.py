"""How often the driver plans: what tells nothing new waits for the next step."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

from orchestrator.domain.model import RunId, Share, Tolerance, VmId
from orchestrator.domain.throttle import Call
from orchestrator.engine.driver import Driver
from orchestrator.simulator.tempers import Temper
from tests.kit.clock import HandClock
from tests.kit.over import Over
from tests.kit.stage import Stage, a_machine, a_ring, machines, staged


class Stopped(HandClock):
    """Time stands still for whoever waits for it."""

    def __init__(self, now: datetime) -> None:
        super().__init__(now)
        self.sleeps, self.second = 0, asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Wait until cancelled."""
        self.sleeps += 1
        if self.sleeps == 2:
            self.second.set()
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
    await _leave(on, driver, {first: now, second: now + later})
    return run_id


async def _leave(on: Stage, driver: Driver, due: Mapping[VmId, datetime]) -> None:
    """Leave a run to the next driver, with reads that fall due at these instants."""
    for vm, at in due.items():
        read = replace(driver.view.watches[vm], next_at=at, last_at=on.clock.now())
        driver.book.watch(vm, read)
    await driver.book.checkpoint()
    await on.store.release(driver.book.lease)


async def test_the_last_look_in_hand_brings_the_end_of_its_run_forward(sqlite_url):
    late = Temper(forgets=timedelta(0), view_lag=timedelta(days=1), graph_lag=timedelta(days=1))
    async with staged(sqlite_url, (a_machine("w-00", late), a_machine("w-01"))) as on:
        run_id = await on.open(
            a_ring("w", max_parallel=Share(count=2), allow_failures=Tolerance(count=1))
        )
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["needs_human"] == 1)
        vm, now = next(iter(driver.view.ops)), on.clock.now()
        await _leave(on, driver, {vm: now})
        clock = Stopped(now)

        async def look(vm_id):
            await clock.second.wait()  # what the first step decided woke the driver from its first
            return await on.arm.look(vm_id)

        on.doors = replace(on.doors, arm=Over(on.arm, look=look), clock=clock)
        driver = await on.take(run_id)
        async with asyncio.timeout(20):
            await driver.drive()
        assert (driver.run.status, clock.sleeps) == ("passed", 2)


async def test_polls_that_wait_for_azures_tokens_go_several_at_a_time(sqlite_url):
    async with staged(sqlite_url, machines("w", 30)) as on:
        run_id = await on.open(a_ring("w", max_parallel=Share(count=30)))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 30)
        on.clock.turn_to(on.clock.now() + timedelta(minutes=1))
        for vm, watch in list(driver.view.watches.items()):
            driver.view.watch(vm, replace(watch, next_at=on.clock.now()))
        _spend_all(on, Call.POLL, driver)
        polls = [await _polls_of_a_step(on, driver) for _ in range(3)]
        assert polls[0] == 0
        assert min(polls[1:]) >= 4


async def _polls_of_a_step(on: Stage, driver: Driver) -> int:
    before = len(on.witness.asks)
    async with asyncio.TaskGroup() as group:
        todo = await driver.step(group)
    on.clock.turn_to(on.clock.now() + timedelta(seconds=driver._seconds_until(todo.wake_at)))
    return len(on.witness.asks) - before


def _spend_all(on: Stage, call: Call, driver: Driver) -> None:
    """Take every token that is left where a run's VMs are, for others."""
    target, now = next(iter(driver.view.ops.values())).target, on.clock.now()
    for number in count():
        other = replace(target, vm_id=VmId(f"{target.vm_id}-{number}"))
        if on.doors.throttle.take((call,), other, now, driver.run.id) is not None:
            return
