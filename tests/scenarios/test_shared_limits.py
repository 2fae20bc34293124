"""Azure's limits, as a whole daemon shares them: with other daemons on its database, and with
whatever else Azure's headers tell of."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.domain.throttle import Call
from orchestrator.engine.conductor import Conductor
from orchestrator.simulator.moods import CALM, THROTTLED
from tests.kit.rows import a_target
from tests.kit.stage import a_ring, machines, staged

TTL = timedelta(seconds=15)


def reads_left(on):
    """Return what a daemon believes it may read in the subscription that it asked about."""
    left = {name.partition("/")[0]: left for name, left in on.doors.throttle.tokens(on.clock.now())}
    return left["arm reads"]


async def test_daemons_on_one_database_divide_azures_limits(any_database_url):
    async with staged(any_database_url, machines("w", 1)) as on:
        on.doors.throttle.take((Call.LOOK,), a_target(0), on.clock.now())
        runs = [await on.open(a_ring("w"), name=name) for name in ("weekly", "monthly")]
        leases = [await on.store.claim(runs[n], f"daemon-{n}", TTL) for n in range(2)]
        conductor = Conductor(on.doors, "daemon-0", only=lambda _run: False)
        for others in (1, 0):
            async with asyncio.TaskGroup() as group:
                await conductor.scan(group)
            on.clock.turn_to(on.clock.now() + timedelta(hours=1))
            assert reads_left(on) == pytest.approx(180 / (1 + others))
            await on.store.release(leases[1])


@pytest.mark.parametrize(("mood", "few"), [(CALM, False), (THROTTLED, True)])
async def test_what_azure_says_is_left_is_all_that_is_believed(sqlite_url, mood, few):
    """Somebody else has used most of the bucket, long before the first 429."""
    async with staged(sqlite_url, machines("w", 8), replace(mood, reads={}, posts={})) as on:
        run_id = await on.open(a_ring("w"))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).in_flight >= 1)
        assert (reads_left(on) <= 40) is few
