"""Limits over runs and daemons, and strict budgets, measured at Azure's own high-water marks."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.domain.model import GroupLimit, Limits, Order, Rate, Share, Tolerance
from orchestrator.domain.record import ActKind
from orchestrator.simulator.faults import TEMPERS
from orchestrator.simulator.machines import Machine
from orchestrator.store.opening import open_store
from tests.kit.stage import GROUP, a_ring, machines, staged

SETS = f"{GROUP}/providers/Microsoft.Compute/availabilitySets"
ALL = Share(percent=100)


def a_fleet(runs: int, vms: int) -> list[Machine]:
    """Return machines of so many rings, spread over regions, zones, sets and clusters."""
    found = []
    for ring in range(runs):
        for n in range(vms):
            in_set = n % 4 == 3
            found.append(
                Machine(
                    vm_id=f"{GROUP}/providers/Microsoft.Compute/virtualMachines/r{ring}-{n:02d}",
                    os="Linux",
                    region=("westeurope", "northeurope")[n % 2],
                    zone="" if in_set else str(1 + n % 3),
                    availability_set=f"{SETS}/set-{n % 2}" if in_set else "",
                    tags={"ring": f"r{ring}", "Cluster": f"c{n % 5}"},
                )
            )
    return found


LIMITS = Limits(
    in_flight=9,
    per=(
        GroupLimit(kind="subscription", most=Share(count=8)),
        GroupLimit(kind="subscription_region", most=Share(count=5)),
        GroupLimit(kind="zone", most=Share(count=2)),
        GroupLimit(kind="availability_set", most=Share(count=1)),
        GroupLimit(kind="tag:cluster", most=Share(count=2)),
    ),
)


@asynccontextmanager
async def two_daemons(url, fleet):
    """Set a stage with the doors of two daemons on one database."""
    async with staged(url, fleet) as on, open_store(url, clock=on.clock, durable=False) as second:
        yield on, (on.doors, replace(on.doors, store=second))


async def drive_all(on, drivers):
    """Drive runs side by side, each daemon its own, until each is at its end."""
    async with asyncio.TaskGroup() as group:
        for _ in range(2_000):
            todo = await asyncio.gather(*(driver.step(group) for driver in drivers))
            await asyncio.gather(*(driver.settle() for driver in drivers))
            if all(driver.over for driver in drivers):
                return
            assert not [driver.book.lost for driver in drivers if driver.book.lost]
            if not any(each.commands or each.decisions for each in todo):
                now = on.clock.now()
                wakes = [each.wake_at for each in todo if each.wake_at is not None]
                # What other runs hold is read anew every two seconds, whatever else is due.
                soonest, latest = now + timedelta(seconds=2), now + timedelta(minutes=1)
                on.clock.turn_to(min(max(min(wakes), soonest), latest))
    raise AssertionError("never at their ends")


async def test_two_daemons_and_five_runs_never_exceed_a_limit(postgres_url):
    async with two_daemons(postgres_url, a_fleet(5, 8)) as (on, doors):
        drivers = []
        for n in range(5):
            run_id = await on.open(a_ring(f"r{n}", max_parallel=ALL), name=f"p{n}", limits=LIMITS)
            stage = replace(on, doors=doors[n % 2], store=doors[n % 2].store)
            drivers.append(await stage.take(run_id, f"daemon-{n % 2}"))
        await drive_all(on, drivers)
        marks = on.azure.ledger(on.clock.now())["high_water"]
        assert set(on.installed().values()) == {1}
        assert len(on.installed()) == 40
        refused = [m for m in on.witness.moves if getattr(m.after.state, "wait", None) == "limit"]
        assert refused  # else no two runs ever wanted the same last slot
    # The marks reach the limits: what was measured is what held.
    assert max(marks["subscription"].values()) == 8
    assert max(marks["zone"].values()) == 2
    assert max(marks["availability_set"].values()) == 1
    clusters = {name: most for name, most in marks["tag"].items() if name.startswith("Cluster")}
    assert max(clusters.values()) == 2
    assert max(marks["subscription_region"].values()) <= 5


@pytest.mark.parametrize("allowed", [0, 2])
async def test_a_bad_patch_under_a_strict_budget_breaks_one_more_than_allowed(
    any_database_url, allowed
):
    fleet = machines("w", 20, TEMPERS["fails"])
    strict = Tolerance(count=allowed, strict=True)
    async with staged(any_database_url, fleet) as on:
        wave = a_ring("w", max_parallel=ALL, allow_failures=strict)
        row = await on.drive(await on.open(wave))
        assert row["status"] == "halted"
        assert row["failed"] == allowed + 1
        assert len(on.posts()) == allowed + 1
        assert on.azure.ledger(on.clock.now())["high_water"]["in_flight"] == allowed + 1


async def test_a_row_of_failures_halts_and_a_resume_begins_anew(sqlite_url):
    fleet = machines("w", 12, TEMPERS["fails"])
    async with staged(sqlite_url, fleet) as on:
        tolerance = Tolerance(count=12, in_a_row=3)
        run_id = await on.open(a_ring("w", max_parallel=Share(count=1), allow_failures=tolerance))
        row = await on.drive(run_id)
        assert (row["status"], row["failed"]) == ("halted", 3)
        assert "3 bad VMs in a row" in row["reason"]
        await on.ask(run_id, ActKind.RESUME)
        row = await on.drive(run_id)
        assert (row["status"], row["failed"]) == ("halted", 6)


async def test_a_restart_knows_where_a_row_began(sqlite_url):
    """The rows say it all: another daemon goes on counting where the first one died."""
    fleet = machines("w", 12, TEMPERS["fails"])
    async with staged(sqlite_url, fleet) as on:
        tolerance = Tolerance(count=12, rate=Rate(percent=50, last=4, min_sample=4))
        run_id = await on.open(a_ring("w", max_parallel=Share(count=1), allow_failures=tolerance))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).bad == 2)
        await on.store.release(driver.book.lease)
        row = await on.drive(run_id)
        assert (row["status"], row["failed"]) == ("halted", 4)
        assert "4 of the last 4 VMs are bad" in row["reason"]


async def test_the_reason_to_halt_says_what_the_broken_vms_have_in_common(sqlite_url):
    bad = [replace(each, image="a:b:old") for each in machines("w", 3, TEMPERS["fails"])]
    good = [
        replace(each, vm_id=each.vm_id.replace("w-", "w-good-"), image="a:b:new")
        for each in machines("w", 5)
    ]
    async with staged(sqlite_url, [*bad, *good]) as on:
        tolerance = Tolerance(count=2)
        wave = a_ring("w", max_parallel=ALL, allow_failures=tolerance)
        row = await on.drive(await on.open(wave))
        assert row["status"] == "halted"
        assert "image a:b:old (3 of 3" in row["reason"]
        ops = await on.operations(row["run_id"])
        failed = Counter(op["failed_patches"] for op in ops.values() if op["state"] == "failed")
        assert None not in failed


async def test_vms_start_in_the_order_that_the_wave_asks_for(sqlite_url):
    async with staged(sqlite_url, machines("w", 12)) as on:
        starts = []
        for n in range(3):
            wave = a_ring("w", max_parallel=Share(count=1), order=Order.SHUFFLE)
            run_id = await on.open(wave, name=f"p{n}", min_interval=timedelta(0))
            await on.drive(run_id)
            moves = [m for m in on.witness.moves if m.after.run_id == run_id]
            started = [m for m in moves if type(m.event).__name__ == "Intended"]
            starts.append([m.after.target.name for m in started])
        assert all(sorted(names) == sorted(starts[0]) for names in starts)
        assert len({tuple(names) for names in starts}) == 3
        assert all(names != sorted(names) for names in starts)
