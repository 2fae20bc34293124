"""The fleet-wide halt, in whole runs: nothing starts and nothing opens until it is lifted."""

import asyncio
from datetime import UTC, datetime, timedelta

from orchestrator.config.loading import load
from orchestrator.daemon import Daemon, Parts
from orchestrator.domain.model import Share, Tolerance
from orchestrator.domain.record import Act, ActKind
from orchestrator.engine.conductor import Conductor
from orchestrator.metrics import Metrics
from orchestrator.service import NotOpened
from orchestrator.simulator.faults import TEMPERS
from tests.kit.stage import a_machine, a_ring, machines, staged

TWO = Share(count=2)


def is_idle(view):
    return sum(tally.in_flight for tally in view.tallies()) == 0


def turn_on(on):
    on.clock.turn_to(on.clock.now() + timedelta(seconds=2))


async def test_what_runs_is_followed_and_nothing_more_starts_until_it_is_lifted(any_database_url):
    async with staged(any_database_url, machines("w", 6)) as on:
        run_id = await on.open(a_ring("w", max_parallel=TWO))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 2)
        said = await on.service.halt_all("ann", "a bad patch is out")
        assert "everything is halted" in said
        turn_on(on)
        await on.go_on(driver, until=is_idle)
        row = await on.row(run_id)
        assert (row["status"], row["queued"], len(on.installed())) == ("open", 4, 2)
        assert "ann" in await on.service.halt_all("bob", "again")
        await on.service.resume_all("ann", "the patch is pulled")
        turn_on(on)
        await on.go_on(driver)
        assert (await on.row(run_id))["status"] == "passed"
        assert set(on.installed().values()) == {1}


async def test_an_intent_that_was_on_its_way_is_refused_and_its_slot_given_back(sqlite_url):
    async with staged(sqlite_url, machines("w", 3)) as on:
        run_id = await on.open(a_ring("w", max_parallel=TWO))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 2)
        await on.service.halt_all("ann", "stop")  # the driver does not know yet
        view = driver.view
        assert view.brake is None
        (op,) = view.queued()
        await driver._submitter.start(op)
        (row,) = await on.store.rows("v_operations", vm_id=op.target.vm_id)
        assert (row["state"], "everything is halted by ann" in row["reason"]) == ("queued", True)
        assert len(on.installed()) == 2
        assert driver.book.lost is None


async def test_a_wave_does_not_open_under_it(sqlite_url):
    async with staged(sqlite_url, machines("w", 2)) as on:
        run_id = await on.open(a_ring("w"))
        await on.service.halt_all("ann", "stop")
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.brake is not None)
        (wave,) = await on.store.rows("v_waves", run_id=run_id)
        assert (wave["status"], on.posts()) == ("pending", {})


async def test_no_run_opens_under_it_and_azure_is_not_even_asked(sqlite_url):
    async with staged(sqlite_url, machines("w", 2)) as on:
        first = await on.open(a_ring("w"), name="first")
        plan = (await on.store.load(first)).run.plan
        await on.service.halt_all("ann", "a bad patch is out")
        asks = len(on.witness.asks)
        refused = await on.service.open(plan, config_hash="x", opened_by="bob")
        assert isinstance(refused, NotOpened)
        assert (refused.code, "a bad patch is out" in refused.reason) == ("halted_all", True)
        assert len(on.witness.asks) == asks


async def test_a_retry_that_needs_a_new_run_is_refused_under_it(sqlite_url):
    fleet = (a_machine("w-00", TEMPERS["fails_once"]), a_machine("w-01"))
    wave = a_ring("w", max_parallel=TWO, allow_failures=Tolerance(count=1))
    async with staged(sqlite_url, fleet) as on:
        run_id = await on.open(wave)
        await on.drive(run_id)
        await on.service.halt_all("ann", "stop")
        act = Act(
            id="again",
            run_id=run_id,
            kind=ActKind.RETRY,
            actor="bob",
            because="x",
            at=on.clock.now(),
        )
        refused = await on.service.act(act)
        assert isinstance(refused, NotOpened)
        assert refused.code == "halted_all"


SCHEDULED = """\
plans:
  - name: nightly
    schedule: {cron: "0 2 * * *", timezone: UTC}
    waves: [{select: {tags: {ring: w}}}]
"""


async def test_a_schedule_that_fires_under_it_is_written_down_as_skipped(
    any_database_url, tmp_path
):
    path = tmp_path / "orchestrator.yaml"
    path.write_text(SCHEDULED)
    async with staged(any_database_url, machines("w", 1)) as on:
        parts = Parts(
            settings=load(path, {}),
            clock=on.clock,
            store=on.store,
            arm=on.arm,
            service=on.service,
            observer=on.witness,
            metrics=Metrics(),
            throttle=on.doors.throttle,
            gates=on.gates,
        )
        timetable = Daemon(parts).timetable
        on.clock.turn_to(datetime(2026, 1, 1, 20, 0, tzinfo=UTC))
        await timetable.check()
        await on.service.halt_all("ann", "a bad patch is out")
        for day, holds in ((2, True), (3, False)):
            if not holds:
                await on.service.resume_all("ann", "it is pulled")
            on.clock.turn_to(datetime(2026, 1, day, 2, 0, 5, tzinfo=UTC))
            await timetable.check()
            await timetable.check()
            (row,) = await on.store.rows("v_schedules")
            assert row["last_result"] == ("skipped" if holds else "opened")
        fires = await on.store.rows("v_events", event="fire.skipped")
        assert ["a bad patch is out" in fire["why"] for fire in fires] == [True]
        assert on.witness.troubles == []
        assert len(await on.store.open_runs()) == 1


async def test_each_daemon_says_once_that_everything_is_halted_and_once_that_it_is_not(
    any_database_url,
):
    async with staged(any_database_url, machines("w", 1)) as on:
        conductor = Conductor(on.doors, "daemon-1")
        async with asyncio.TaskGroup() as group:
            await conductor.scan(group)
            await on.service.halt_all("ann", "a bad patch is out")
            for _ in range(3):
                await conductor.scan(group)
            assert conductor.brake is not None
            (told,) = on.witness.facts
            assert (told.event, told.actor) == ("fleet.halted", "ann")
            assert "a bad patch is out" in told.why.text
            await on.service.resume_all("bob", "it is pulled")
            for _ in range(3):
                await conductor.scan(group)
            assert conductor.brake is None
            assert [fact.event for fact in on.witness.facts] == ["fleet.halted", "fleet.resumed"]
