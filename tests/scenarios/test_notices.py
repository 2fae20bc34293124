"""Two processes on one PostgreSQL: what one writes, the other's daemon looks at at once.

The daemon's clock stands still here: it looks at nothing a second time unless it is told to.
"""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from orchestrator.clock import WallClock
from orchestrator.domain.model import RunStatus
from orchestrator.domain.record import ActKind
from orchestrator.engine.conductor import Conductor
from orchestrator.store.notices import listen
from tests.kit.stage import a_ring, machines, staged

PATIENCE_S = 30


class StillClock:
    """Shows another clock's time, and never ends a sleep."""

    def __init__(self, clock):
        self.now = clock.now
        self.monotonic = clock.monotonic

    async def sleep(self, _seconds):
        await asyncio.Event().wait()


@asynccontextmanager
async def conducted(on, url, told=None):
    """Let a conductor conduct, and listen; it has looked once when the block begins."""
    conductor = Conductor(replace(on.doors, clock=StillClock(on.clock)), "daemon-1")
    listening = asyncio.Event()

    def tell(run_id):
        listening.set()
        conductor.nudge(run_id)

    async with asyncio.TaskGroup() as group:
        conducting = group.create_task(conductor.conduct())
        ear = group.create_task(listen(url, WallClock(), told or tell))
        async with asyncio.timeout(PATIENCE_S):
            if told is None:
                await listening.wait()
            while conductor.scanned_at is None:
                await asyncio.wait([conducting], timeout=0.01)
        yield conductor
        conductor.stop()
        ear.cancel()


async def until(holds):
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.wait([asyncio.current_task()], timeout=0.01)


async def test_a_run_that_another_process_opened_is_taken_up_and_an_act_applied(postgres_url):
    async with staged(postgres_url, machines("w", 2)) as on, conducted(on, postgres_url) as daemon:
        run_id = await on.open(a_ring("w"))
        await until(lambda: run_id in daemon.driving)
        driver = daemon.driver(run_id)
        assert driver is not None
        await until(driver.stepped.is_set)
        await on.ask(run_id, ActKind.HALT)
        await until(lambda: driver.run.status is RunStatus.HALTED)


async def test_a_fleet_wide_halt_and_its_end_are_known_at_once(postgres_url):
    async with staged(postgres_url, machines("w", 2)) as on, conducted(on, postgres_url) as daemon:
        run_id = await on.open(a_ring("w"))
        await until(lambda: run_id in daemon.driving)
        driver = daemon.driver(run_id)
        assert driver is not None
        await on.service.halt_all("ann", "stop")
        await until(lambda: driver.view.brake is not None)
        await on.service.resume_all("ann", "go on")
        await until(lambda: driver.view.brake is None)


async def test_who_does_not_hear_learns_nothing_on_a_clock_that_stands_still(postgres_url):
    """The test of the tests above: without the notice nothing would happen."""
    deaf = lambda _run: None  # noqa: E731 - the smallest ear
    async with staged(postgres_url, machines("w", 1)) as on, conducted(on, postgres_url, deaf) as d:
        await on.open(a_ring("w"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await asyncio.Event().wait()
        assert d.driving == ()
