"""A database that has forgotten what was started, in whole runs: it reads, tells, and starts
nothing until a person has confirmed; then each VM's own guards hold."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.domain.answer import Unreadable
from orchestrator.domain.model import Hours, PlanSpec, Reboot, Share, StagedReboot, Tracking
from orchestrator.domain.record import ActKind, FireResult, SafeMode
from orchestrator.domain.schedule import Cron, Missed, MissedPolicy, Schedule
from orchestrator.engine.conductor import Conductor
from orchestrator.engine.driver import Driver
from orchestrator.engine.timetable import Entry, Timetable
from orchestrator.service import NotOpened
from orchestrator.simulator.tempers import Temper
from orchestrator.store import incarnation
from orchestrator.store.high_water import beside
from orchestrator.store.opening import open_store
from tests.kit.stage import a_machine, a_ring, machines, staged

TWO = Share(count=2)


@pytest.fixture
def file(tmp_path) -> Path:
    path: Path = tmp_path / "orchestrator.db"
    return path


def snapped(file: Path, copy: Path) -> Path:
    """Copy a live file, as a backup tool does."""
    with closing(sqlite3.connect(file)) as original, closing(sqlite3.connect(copy)) as target:
        original.backup(target)
    return copy


@asynccontextmanager
async def restored(on, file: Path, copy: Path):
    """Go on with a stage whose database is an older copy now."""
    shutil.copy(beside(file), beside(copy))
    async with open_store(f"sqlite:///{copy}", clock=on.clock, durable=False) as store:
        service = type(on.service)(store=store, arm=on.arm, clock=on.clock, new_id=on.doors.new_id)
        yield replace(on, store=store, service=service, doors=replace(on.doors, store=store))


async def surveyed(on, run_id, event="survey.found"):
    return await on.store.rows("v_events", run_id=run_id, event=event)


def is_told(view):
    return view.safe_mode is not None and view.survey.over and not view.in_hand


@pytest.mark.parametrize(
    ("came_to", "confirmed_after"),
    [
        ("in_progress", timedelta(0)),  # while the forgotten installations still run
        ("in_progress", timedelta(hours=2)),
        ("succeeded", timedelta(hours=2)),
    ],
)
async def test_a_copy_that_forgot_every_start_starts_nothing_twice(
    file, tmp_path, came_to, confirmed_after
):
    fleet = (*machines("w", 4), a_machine("w-99"))
    async with staged(f"sqlite:///{file}", fleet) as on:
        run_id = await on.open(a_ring("w", max_parallel=Share(count=4)))
        copy = snapped(file, tmp_path / "copy.db")
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels[came_to] >= 4)
        posts = on.posts()
        started = set(on.installed())
        on.clock.turn_to(on.clock.now() + timedelta(minutes=2))  # the instance view trails
        async with restored(on, file, copy) as again:
            driver = await again.take(run_id)
            await again.go_on(driver, until=is_told)
            assert again.posts() == posts
            found = await surveyed(again, run_id)
            assert {row["vm_id"].rsplit("/", 1)[-1] for row in found} == started
            assert all("does not know it" in row["why"] for row in found)
            ((told),) = await surveyed(again, run_id, "survey.ended")
            assert json.loads(told["detail"])["forgotten"] == len(started)
            row = await again.row(run_id)
            assert (row["queued"], row["waves_passed"]) == (5, 0)
            said = await again.service.confirm("ann", "they were started before the restore")
            assert "older copy" in said
            again.clock.turn_to(again.clock.now() + timedelta(seconds=2) + confirmed_after)
            await again.go_on(driver)
            assert set(again.installed().values()) == {1}
            assert len(again.installed()) == 5  # the one that nobody had started, too


async def test_what_the_copy_knows_to_run_is_followed_to_its_end(file, tmp_path):
    async with staged(f"sqlite:///{file}", machines("w", 4)) as on:
        run_id = await on.open(a_ring("w", max_parallel=TWO))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 2)
        copy = snapped(file, tmp_path / "copy.db")
        await on.store._write(lambda c: None)  # any later commit
        async with restored(on, file, copy) as again:
            driver = await again.take(run_id)
            await again.go_on(
                driver, until=lambda view: is_told(view) and view.tally(1).in_flight == 0
            )
            row = await again.row(run_id)
            assert (row["queued"], row["succeeded"], len(again.installed())) == (2, 2, 2)
            assert await surveyed(again, run_id) == []
            await again.service.confirm("ann", "nothing was lost")
            again.clock.turn_to(again.clock.now() + timedelta(seconds=2))
            await again.go_on(driver)
            assert (await again.row(run_id))["status"] == "passed"
            assert set(again.installed().values()) == {1}


async def test_who_waits_for_a_restart_in_an_old_copy_waits_for_a_persons_word(file, tmp_path):
    """A restart leaves no trace to be looked for: whoever was restarted is taken out by a person,
    and the other goes on."""
    needy = Temper(needs_reboot=True, patches=3)
    phase = StagedReboot(hours=Hours(), max_parallel=Share(count=1))
    ring = a_ring("w", reboot=Reboot.NEVER, staged=phase, max_parallel=TWO)
    async with staged(f"sqlite:///{file}", machines("w", 2, needy)) as on:
        run_id = await on.open(ring)
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).waiting_for_reboot == 2)
        copy = snapped(file, tmp_path / "copy.db")
        await on.go_on(driver, until=lambda view: view.tally(1).labels["succeeded"] == 1)
        (begun,) = restarted(on)
        async with restored(on, file, copy) as again:
            driver = await again.take(run_id)
            await again.go_on(driver, until=is_told)
            assert restarted(again) == [begun]
            await again.ask(run_id, ActKind.SKIP, begun, because="it was restarted")
            await again.go_on(driver, until=lambda view: view.tally(1).waiting_for_reboot == 1)
            await again.service.confirm("ann", "looked when each came up")
            again.clock.turn_to(again.clock.now() + timedelta(seconds=2))
            await again.go_on(driver)
            assert len(restarted(again)) == 2 == len(set(restarted(again)))
            outcomes = {row["outcome"] for row in (await again.operations(run_id)).values()}
            assert outcomes == {"reboot_pending", "succeeded"}


def restarted(on):
    """The VMs that Azure restarted, in order."""
    return [each["vm_id"] for each in on.azure.ledger(on.clock.now())["restarts"]]


async def test_an_installation_that_another_run_knows_is_not_forgotten(file):
    async with staged(f"sqlite:///{file}", machines("w", 2)) as on:
        first = await on.open(a_ring("w"))
        await on.go_on(
            await on.take(first), until=lambda view: view.tally(1).labels["in_progress"] == 1
        )
        (running,) = await on.store.rows("v_operations", state="in_progress")
        on.clock.turn_to(on.clock.now() + timedelta(minutes=2))
        second = await on.open(a_ring("w"), name="other")
        await on.store._write(lambda c: incarnation.enter(c, DOUBT, "daemon"))
        driver = await on.take(second)
        await on.go_on(driver, until=is_told)
        assert running["vm_id"] in driver.view.survey.seen
        assert await surveyed(on, second) == []


async def test_a_vm_that_cannot_be_read_is_looked_at_again(file, tmp_path):
    async with staged(f"sqlite:///{file}", machines("w", 2)) as on:
        run_id = await on.open(a_ring("w"))
        await on.store._write(lambda c: incarnation.enter(c, DOUBT, "daemon"))
        lease = (await on.take(run_id)).book.lease
        arm = Misty(on.arm, "w-01", times=3)
        driver = Driver(replace(on.doors, arm=arm), lease, await on.store.load(run_id))
        began = on.clock.now()
        await on.go_on(driver, until=is_told)
        assert (arm.times, on.posts()) == (0, {})
        assert on.clock.now() - began >= timedelta(minutes=3)


class Misty:
    """An Azure in which one VM cannot be read, so many times."""

    def __init__(self, arm, name: str, times: int) -> None:
        self._arm = arm
        self._name = name
        self.times = times

    async def look(self, vm):
        if vm.endswith(self._name) and self.times:
            self.times -= 1
            return Unreadable(reason="503", http_status=503)
        return await self._arm.look(vm)


DOUBT = SafeMode(
    since=datetime(2026, 1, 10, tzinfo=UTC), code="older_copy", reason="it is an older copy"
)


async def test_nothing_opens_by_hand_and_the_reason_says_what_to_do(any_database_url):
    async with staged(any_database_url, machines("w", 1)) as on:
        await on.store._write(lambda c: incarnation.enter(c, DOUBT, "daemon"))
        plan = PlanSpec(name="monthly", waves=(a_ring("w"),), tracking=Tracking())
        opened = await on.service.open(plan, config_hash="0", opened_by="ann")
        assert isinstance(opened, NotOpened)
        assert (opened.code, "db confirm" in opened.reason) == ("safe_mode", True)


@pytest.mark.parametrize(("hours", "result"), [(0, "opened"), (3, FireResult.MISSED)])
async def test_a_fire_waits_for_the_confirmation_and_then_follows_its_policy(
    any_database_url, hours, result
):
    nightly = Schedule(
        rule=Cron(expression="0 2 * * *"),
        timezone="Europe/Berlin",
        missed=Missed(policy=MissedPolicy.SKIP, grace=timedelta(hours=1)),
    )
    async with staged(any_database_url, machines("w", 1)) as on:
        opened: list[str] = []

        async def opens(fire):
            opened.append(fire.local)
            await on.store.fire(fire)

        entry = Entry(plan="nightly", schedule=nightly, open=opens)
        timetable = Timetable(store=on.store, clock=on.clock, observer=on.witness, entries=[entry])
        on.clock.turn_to(datetime(2026, 1, 10, 20, 0, tzinfo=UTC))
        await timetable.check()
        await on.store._write(lambda c: incarnation.enter(c, DOUBT, "daemon"))
        on.clock.turn_to(datetime(2026, 1, 11, 1, 5, tzinfo=UTC))
        for _ in range(3):
            await timetable.check()
        assert await on.store.fired("nightly") == []
        on.clock.turn_to(datetime(2026, 1, 11, 1 + hours, 10, tzinfo=UTC))
        await on.service.confirm("ann", "looked")
        await timetable.check()
        (row,) = await on.store.rows("v_schedules")
        assert row["last_result"] == result
        assert len(opened) == (result == "opened")


async def test_the_daemon_says_so_once_and_knows_when_it_is_over(any_database_url):
    async with staged(any_database_url, machines("w", 1)) as on:
        await on.store._write(lambda c: incarnation.enter(c, DOUBT, "daemon"))
        conductor = Conductor(on.doors, "daemon-1")
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                await conductor.scan(group)
            assert conductor.safe_mode == DOUBT
            assert [where for where, _ in on.witness.troubles] == ["database"]
            await on.service.confirm("ann", "looked")
            await conductor.scan(group)
            assert conductor.safe_mode is None
