"""What holds waves up, in whole runs: approvals, gates, VMs that die while their wave bakes."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.domain.gate import Approval
from orchestrator.domain.model import RunId, Share
from orchestrator.domain.record import ActKind
from tests.kit.rows import a_gate
from tests.kit.stage import Stage, a_ring, machines, staged

FIVE, HOUR = Share(count=5), timedelta(hours=1)
ON_CALL = Approval(group="on-call", timeout=24 * HOUR)
TWO_WAVES = (*machines("canary", 3), *machines("broad", 3))


def switch_off(on: Stage, name: str) -> None:
    """Somebody, or the patch itself, takes a VM down."""
    for record in on.azure._state.records.values():
        if record.machine.name == name:
            record.machine = replace(record.machine, power="stopped")


async def statuses(on: Stage, run_id: RunId) -> dict[str, str]:
    return {row["wave"]: row["status"] for row in await on.store.rows("v_waves", run_id=run_id)}


def is_baking(view):
    return view.waves[1].status == "baking"


async def test_a_vm_that_dies_in_the_bake_halts_the_run_before_the_next_wave(any_database_url):
    async with staged(any_database_url, TWO_WAVES) as on:
        waves = a_ring("canary", max_parallel=FIVE, bake=8 * HOUR), a_ring("broad")
        run_id = await on.open(*waves)
        driver = await on.take(run_id)
        await on.go_on(driver, until=is_baking)
        switch_off(on, "canary-01")
        await on.go_on(driver)
        assert (await on.row(run_id))["status"] == "halted"
        assert await statuses(on, run_id) == {"canary": "halted", "broad": "pending"}
        dead = (await on.operations(run_id))["canary-01"]
        assert (dead["state"], dead["failure_class"]) == ("failed", "unhealthy")
        assert "stopped during the bake" in dead["reason"]
        assert not {name for name in on.posts() if name.startswith("broad")}
        halted = [fact for fact in on.witness.facts if fact.event == "run.halted"]
        opened = [fact for fact in on.witness.facts if fact.event == "wave.baking"]
        assert halted[0].at - opened[0].at < timedelta(hours=4, minutes=10)  # after half of it


async def test_vms_that_stay_well_let_the_wave_pass_at_two_reads_each(sqlite_url):
    async with staged(sqlite_url, TWO_WAVES) as on:
        run_id = await on.open(a_ring("canary", max_parallel=FIVE, bake=8 * HOUR))
        driver = await on.take(run_id)
        await on.go_on(driver, until=is_baking)
        before = len(on.witness.asks)
        await on.go_on(driver)
        assert (await on.row(run_id))["status"] == "passed"
        assert [kind for kind, _ in on.witness.asks[before:]] == ["look"] * 6


async def test_a_wave_waits_for_its_approval_and_keeps_who_gave_it(any_database_url):
    async with staged(any_database_url, TWO_WAVES) as on:
        run_id = await on.open(a_ring("canary"), a_ring("broad", approve=ON_CALL))
        driver = await on.take(run_id)
        await on.ask(run_id, ActKind.APPROVE, wave="broad", because="beforehand")
        await on.go_on(driver, until=lambda view: view.waves[2].status == "awaiting_approval")
        await on.store.release(driver.book.lease)
        driver = await on.take(run_id, "daemon-2")  # a restart asks nobody twice
        await on.go_on(driver, until=lambda view: view.run.status == "paused")
        assert not {name for name in on.posts() if name.startswith("broad")}
        await on.ask(run_id, ActKind.APPROVE, wave="broad", because="CHG-4711")
        await on.ask(run_id, ActKind.RESUME)
        await on.go_on(driver)
        assert (await on.row(run_id))["status"] == "passed"
        assert sum(on.installed().values()) == 6
        asked = [fact for fact in on.witness.facts if fact.event == "approval.asked"]
        assert len(asked) == 1
        (_, row) = await on.store.rows("v_waves", run_id=run_id)
        assert (row["approval"], row["approved_by"]) == ("on-call", "ann")
        (line,) = await on.store.rows("v_events", run_id=run_id, event="wave.approved")
        assert (line["actor"], line["why"]) == ("ann", "CHG-4711")
        assert await on.store.verify_chain(run_id) is None


async def test_while_somebody_is_needed_it_is_said_every_half_hour(sqlite_url):
    async with staged(sqlite_url, TWO_WAVES) as on:
        approval = Approval(group="on-call", timeout=2 * HOUR)
        run_id = await on.open(a_ring("canary", approve=approval))
        driver = await on.take(run_id)
        await on.go_on(driver)
        asked, *reminded = [
            fact for fact in on.witness.facts if fact.event in {"approval.asked", "run.reminded"}
        ]
        assert [fact.at - asked.at for fact in reminded] == [n * HOUR / 2 for n in (1, 2, 3)]
        assert {fact.why.code for fact in reminded} == {"awaiting_approval"}
        row = await on.row(run_id)
        assert (row["status"], row["reason"]) == (
            "paused",
            "wave canary waited 2h for an approval by on-call",
        )


@pytest.mark.parametrize("moment", ["before", "check"])
async def test_a_gate_that_turns_red_and_stays_so_halts_the_run(any_database_url, moment):
    gate = a_gate("health", held_for=timedelta(minutes=5), timeout=timedelta(minutes=30))
    async with staged(any_database_url, TWO_WAVES) as on:
        spec = a_ring("canary", **{moment: (gate,)})
        run_id = await on.open(spec, a_ring("broad"))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.waves[1].gates)
        on.gates.red[gate.url] = "status 503, not 200"
        await on.go_on(driver)
        row = await on.row(run_id)
        assert (row["status"], "status 503, not 200" in row["reason"]) == ("halted", True)
        assert (await statuses(on, run_id))["broad"] == "pending"
        assert bool(on.posts()) == (moment == "check")
        on.gates.red.clear()
        await on.ask(run_id, ActKind.RESUME, because="it answers again")
        await on.go_on(driver)
        assert (await on.row(run_id))["status"] == "passed"
        colours = await on.store.rows("v_events", run_id=run_id, event="gate.turned")
        told = ["green" if "is green" in line["why"] else "red" for line in colours]
        assert told[:2] == ["green", "red"]
        assert told[-1] == "green"
        assert await on.store.verify_chain(run_id) is None


async def test_a_wave_that_is_skipped_leaves_its_vms_alone_and_the_run_goes_on(any_database_url):
    async with staged(any_database_url, TWO_WAVES) as on:
        run_id = await on.open(a_ring("canary", max_parallel=Share(count=1)), a_ring("broad"))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 1)
        await on.ask(run_id, ActKind.SKIP, wave="canary", because="next week")
        await on.go_on(driver)
        row = await on.row(run_id)
        assert (row["status"], row["skipped"]) == ("passed", 2)
        assert await statuses(on, run_id) == {"canary": "skipped", "broad": "passed"}
        reasons = {each["reason"] for each in (await on.operations(run_id)).values()}
        assert "next week" in reasons
        assert len(on.installed()) == 4


async def test_a_vm_that_is_skipped_while_it_is_being_started_is_not_forgotten(sqlite_url):
    async with staged(sqlite_url, TWO_WAVES) as on:
        run_id = await on.open(a_ring("canary", max_parallel=FIVE))
        driver = await on.take(run_id)
        await on.ask(run_id, ActKind.SKIP, "canary-00", "canary-01", because="being moved")
        await on.go_on(driver)
        row = await on.row(run_id)
        assert (row["status"], row["skipped"]) == ("passed", 2)
        assert set(on.installed()) == {"canary-02"}


async def test_a_skip_waits_for_a_vm_that_is_on_its_way_to_its_request(any_database_url):
    async with staged(any_database_url, machines("w", 3)) as on, asyncio.TaskGroup() as group:
        run_id = await on.open(a_ring("w", max_parallel=Share(count=1)))
        driver = await on.take(run_id)
        look, arrived, gate = on.arm.look, asyncio.Event(), asyncio.Event()

        async def looking(vm):
            arrived.set()
            await gate.wait()
            return await look(vm)

        on.arm.look = looking
        await driver.step(group)
        await arrived.wait()
        await on.ask(run_id, ActKind.SKIP, "w-00", "w-01", because="being moved")
        await driver.step(group)
        assert not await on.store.rows("v_events", run_id=run_id, event="act.answered")
        gate.set()
        await driver.settle()
        on.clock.turn_to(on.clock.now() + timedelta(seconds=2))
        await on.go_on(driver)
        (line,) = await on.store.rows("v_events", run_id=run_id, event="act.answered")
        assert line["why"] == "1 VM will not start; 1 VM of those meant had begun or ended"
        assert (await on.row(run_id))["status"] == "passed"
        assert set(on.installed()) == {"w-00", "w-02"}


async def test_set_widens_a_wave_while_it_runs(any_database_url):
    async with staged(any_database_url, machines("w", 9)) as on:
        run_id = await on.open(a_ring("w", max_parallel=FIVE, ramp=(Share(count=1), FIVE)))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 1)
        await on.ask(run_id, ActKind.SET, max_parallel=Share(count=9), because="it is late")
        await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 9)
        await on.go_on(driver)
        assert (await on.row(run_id))["status"] == "passed"
        (row,) = await on.store.rows("v_waves", run_id=run_id)
        assert row["max_parallel"] == 9
