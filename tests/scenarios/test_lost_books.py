"""A driver whose view is not what the rows say plans nothing by it."""

import asyncio
from dataclasses import replace

from orchestrator.domain.record import ActKind
from orchestrator.ports import Stale
from orchestrator.simulator.faults import TEMPERS
from tests.kit.over import Over
from tests.kit.stage import a_machine, a_ring, staged


async def test_an_act_that_was_written_without_our_knowing_lets_no_wave_pass(sqlite_url):
    fleet = (a_machine("w-00"), a_machine("w-01", TEMPERS["fails_once"]))
    async with staged(sqlite_url, fleet) as on:
        run_id = await on.open(a_ring("w"))
        assert (await on.drive(run_id))["status"] == "halted"
        await on.ask(run_id, ActKind.RESUME)
        await on.ask(run_id, ActKind.RETRY)

        async def record(lease, change):
            """Write a change; the answer to a grant's COMMIT is lost, its repeat too late."""
            outcome = await on.store.record(lease, change)
            granted = any(move.grant for move in change.moves)
            return Stale("the row has moved on") if granted else outcome

        on.doors = replace(on.doors, store=Over(on.store, record=record))
        driver = await on.take(run_id)
        async with asyncio.TaskGroup() as group:
            await driver.step(group)
        assert driver.book.lost is not None
        (wave,) = await on.store.rows("v_waves", run_id=run_id)
        assert (wave["status"], wave["queued"]) == ("open", 1)

        on.doors = replace(on.doors, store=on.store)
        assert (await on.drive(run_id))["status"] == "passed"
        assert on.installed() == {"w-00": 1, "w-01": 2}
