"""One image's VMs break and the others are well: held back, followed, patched later by a person's
word. Whole runs against the simulated Azure."""

from dataclasses import replace

from orchestrator.domain.model import RunId, Share, Tolerance
from orchestrator.domain.record import Act, ActKind
from orchestrator.service import Opened
from orchestrator.simulator.faults import TEMPERS
from orchestrator.simulator.machines import Machine
from orchestrator.store.address import parse
from orchestrator.store.database import Database
from tests.contract.store.fold import folded, stored
from tests.kit.stage import Stage, a_machine, a_ring, staged

OLD, NEW = "a:b:old", "a:b:new"
TOLERANCE = Tolerance(count=1, quarantine=True)
WAVES = tuple(
    a_ring(name, max_parallel=Share(count=4), allow_failures=TOLERANCE) for name in ("one", "two")
)


def a_fleet(**sick: str) -> list[Machine]:
    """Return two rings of VMs of two images in turn; those of the old one break where `sick` says
    how, by ring."""
    return [
        replace(
            a_machine(f"{ring}-{n:02d}", TEMPERS[sick.get(ring, "steady")] if n % 2 else None),
            image=OLD if n % 2 else NEW,
        )
        for ring in ("one", "two")
        for n in range(10)
    ]


def the_old(ops, ring: str = ""):
    return {name: op for name, op in ops.items() if op["image"] == OLD and name.startswith(ring)}


def a_retry(on: Stage, run_id: RunId, **given) -> Act:
    at = on.clock.now()
    return Act(id="r", run_id=run_id, kind=ActKind.RETRY, actor="ann", because="x", at=at, **given)


async def log_and_rows(url: str, run_id: RunId):
    database = Database(parse(url), durable=False)
    try:
        log = await database.read(lambda connection: folded(connection, run_id))
        return log, await database.read(lambda connection: stored(connection, run_id))
    finally:
        await database.close()


async def test_a_run_goes_on_without_the_image_that_breaks(any_database_url):
    async with staged(any_database_url, a_fleet(one="fails", two="fails")) as on:
        run_id = await on.open(*WAVES)
        row = await on.drive(run_id)
        assert (row["status"], row["succeeded"]) == ("passed", 10)
        assert f'"value":"{OLD}"' in row["quarantine"]
        ops = await on.operations(run_id)
        assert {op["state"] for op in the_old(ops, "two").values()} == {"skipped"}
        assert {op["state"] for op in the_old(ops, "one").values()} == {"failed", "skipped"}
        skipped = [op for op in ops.values() if op["state"] == "skipped"]
        assert all(f"held back: image {OLD} (2 of 2" in op["reason"] for op in skipped)
        # Two broke the budget; at most two more were in flight with them.
        assert 2 <= row["failed"] <= 4
        assert not [name for name in on.installed() if name in the_old(ops, "two")]
        assert len(on.posts()) == 10 + row["failed"]
        facts = [fact.event for fact in on.witness.facts]
        assert "run.quarantined" in facts
        assert "run.halted" not in facts
    log, rows = await log_and_rows(any_database_url, run_id)
    assert log == rows


async def test_without_the_word_the_same_night_halts(sqlite_url):
    waves = (replace(wave, allow_failures=Tolerance(count=1)) for wave in WAVES)
    async with staged(sqlite_url, a_fleet(one="fails", two="fails")) as on:
        row = await on.drive(await on.open(*waves))
        assert (row["status"], row["quarantine"]) == ("halted", None)


async def test_a_second_image_that_breaks_halts_the_run(sqlite_url):
    fleet = a_fleet(one="fails", two="fails")
    odd = [
        replace(a_machine(f"two-x{n}", TEMPERS["fails"]), image="a:b:odd", region="westeurope")
        for n in range(4)
    ]
    async with staged(sqlite_url, [*fleet, *odd]) as on:
        row = await on.drive(await on.open(*WAVES))
        assert row["status"] == "halted"
        assert "image a:b:odd" in row["reason"]
        assert OLD in row["quarantine"]


async def test_another_daemon_holds_the_group_back_from_the_rows(any_database_url):
    async with staged(any_database_url, a_fleet(one="fails", two="fails")) as on:
        run_id = await on.open(*WAVES)
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.run.quarantine is not None)
        await on.store.release(driver.book.lease)
        row = await on.drive(run_id)
        assert (row["status"], row["succeeded"]) == ("passed", 10)
        ops = await on.operations(run_id)
        assert not [name for name in on.posts() if name in the_old(ops, "two")]


async def test_who_retries_what_was_held_back_gets_a_run_of_just_that(any_database_url):
    async with staged(any_database_url, a_fleet(one="fails")) as on:
        run_id = await on.open(*WAVES)
        await on.drive(run_id)
        ops = await on.operations(run_id)
        held = {name for name, op in ops.items() if op["state"] == "skipped"}
        assert held >= set(the_old(ops, "two"))
        opened = await on.service.act(a_retry(on, run_id, code="quarantined"))
        assert isinstance(opened, Opened)
        again = await on.store.load(opened.run_id)
        assert {op.target.name for op in again.operations} == held
        assert (again.run.parent, again.run.quarantine) == (run_id, None)
        assert await on.service.act(a_retry(on, run_id, code="quarantined")) == Opened(
            run_id=opened.run_id, vms=len(held)
        )


async def test_what_was_held_back_may_be_patched_beside_the_open_run(sqlite_url):
    async with staged(sqlite_url, a_fleet(one="fails")) as on:
        run_id = await on.open(*WAVES)
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(2).unstarted == 5)
        opened = await on.service.act(a_retry(on, run_id, vms=("two-01",)))
        assert isinstance(opened, Opened)
        row = await on.drive(opened.run_id)
        assert (row["status"], row["vms"], row["succeeded"]) == ("passed", 1, 1)
        await on.go_on(driver)
        assert (await on.row(run_id))["status"] == "passed"


async def test_a_retry_of_what_failed_does_not_start_what_was_held_back(sqlite_url):
    async with staged(sqlite_url, a_fleet(one="fails_once")) as on:
        run_id = await on.open(*WAVES)
        row = await on.drive(run_id)
        opened = await on.service.act(a_retry(on, run_id))
        assert isinstance(opened, Opened)
        assert opened.vms == row["failed"]
