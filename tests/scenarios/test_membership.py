"""A run is what it was opened as: neither the file nor the fleet changes it on its way."""

from dataclasses import replace
from datetime import timedelta

from orchestrator.domain.model import PlanSpec, Share, Tolerance
from orchestrator.service import NotOpened
from orchestrator.simulator.faults import TEMPERS
from tests.kit.stage import Stage, a_machine, a_ring, machines, staged

ONE = Share(count=1)


def is_busy(view):
    return view.tally(1).labels["in_progress"] == 1


# What happens in a subscription while a run is open.


def create(on: Stage, name: str) -> None:
    on.azure._state._add(a_machine(name))


def move(on: Stage, name: str, ring: str) -> None:
    record = found(on, name)
    record.machine = replace(record.machine, tags={"ring": ring})


def delete(on: Stage, name: str) -> None:
    record, state = found(on, name), on.azure._state
    del state.records[record.machine.key]
    for listed in (*state.subscriptions.values(), *state.groups.values()):
        if record in listed:
            listed.remove(record)


def found(on: Stage, name: str):
    (record,) = (each for each in on.azure._state.records.values() if each.machine.name == name)
    return record


async def test_who_is_patched_is_decided_when_the_run_opens(any_database_url):
    """A VM that comes later is not in it, one that moved is patched once, one that is gone is
    skipped with that reason."""
    async with staged(any_database_url, (*machines("w", 4), *machines("v", 1))) as on:
        run_id = await on.open(a_ring("w", max_parallel=ONE), a_ring("v"))
        driver = await on.take(run_id)
        await on.go_on(driver, until=is_busy)
        create(on, "w-09")
        move(on, "w-02", "v")
        delete(on, "w-03")
        await on.go_on(driver)
        row = await on.row(run_id)
        assert (row["status"], row["vms"], row["skipped"]) == ("passed", 5, 1)
        assert on.installed() == {"w-00": 1, "w-01": 1, "w-02": 1, "v-00": 1}
        gone = (await on.operations(run_id))["w-03"]
        assert gone["state"] == "skipped"
        assert "404 ResourceNotFound" in gone["reason"]
        assert "w-03" not in on.posts()


async def test_an_edited_plan_waits_for_the_next_run_and_changes_no_open_one(any_database_url):
    """The run keeps its waves, its width and its budget, and the hash of what they were read
    from, through restarts."""
    fleet = tuple(a_machine(f"w-{n:02d}", TEMPERS["fails"] if n < 2 else None) for n in range(6))
    careful = a_ring("w", max_parallel=ONE, allow_failures=Tolerance(count=2))
    hasty = a_ring("w", max_parallel=Share(count=6), allow_failures=Tolerance(count=0))
    edited = PlanSpec(name="monthly", waves=(hasty, a_ring("v")), deadline=timedelta(minutes=5))
    async with staged(any_database_url, (*fleet, *machines("v", 2))) as on:
        run_id = await on.open(careful)
        driver = await on.take(run_id)
        await on.go_on(driver, until=is_busy)
        await on.store.release(driver.book.lease)
        refused = await on.service.open(edited, config_hash="1" * 8, opened_by="schedule")
        assert isinstance(refused, NotOpened)
        row = await on.drive(run_id)
        assert (row["status"], row["failed"], row["vms"]) == ("passed", 2, 6)
        assert (row["waves"], row["config_hash"]) == (1, "0" * 8)
        assert on.azure.ledger(on.clock.now())["high_water"]["in_flight"] == 1
        assert not {name for name in on.posts() if name.startswith("v")}
