"""What people ask for, in whole runs: pause, resume, halt, cancel, retry."""

from dataclasses import replace
from datetime import time, timedelta

from orchestrator.domain.model import Hours, Reboot, Share, Tolerance, Window
from orchestrator.domain.record import Act, ActKind
from orchestrator.service import Opened
from orchestrator.simulator.exchange import HangUp
from orchestrator.simulator.faults import TEMPERS
from tests.kit.rows import EPOCH
from tests.kit.stage import a_machine, a_ring, machines, staged

TWO = Share(count=2)


async def test_a_paused_run_starts_nothing_and_goes_on_when_resumed(any_database_url):
    async with staged(any_database_url, machines("w", 6)) as on:
        run_id = await on.open(a_ring("w", max_parallel=TWO))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 2)
        await on.ask(run_id, ActKind.PAUSE)
        await on.go_on(driver)
        row = await on.row(run_id)
        assert (row["status"], row["queued"]) == ("paused", 4)
        await on.ask(run_id, ActKind.RESUME)
        await on.go_on(driver)
        assert (await on.row(run_id))["status"] == "passed"


async def test_cancel_gives_up_what_is_queued_and_follows_what_runs(any_database_url):
    async with staged(any_database_url, machines("w", 6)) as on:
        run_id = await on.open(a_ring("w", max_parallel=TWO))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 2)
        await on.ask(run_id, ActKind.CANCEL, because="wrong night")
        await on.go_on(driver)
        row = await on.row(run_id)
        assert (row["status"], row["cancelled"], row["closed_at"] is None) == (
            "cancelled",
            4,
            False,
        )
        assert len(on.installed()) == 2
        assert {each["reason"] for each in (await on.operations(run_id)).values()} >= {
            "wrong night"
        }
        (answered,) = await on.store.rows("v_events", run_id=run_id, event="act.answered")
        assert "nothing starts any more, what runs is followed" in str(answered["why"])


async def test_a_resume_after_a_halt_accepts_the_bad_vms(any_database_url):
    fleet = tuple(a_machine(f"w-{n:02d}", TEMPERS["fails"] if n < 1 else None) for n in range(5))
    async with staged(any_database_url, fleet) as on:
        run_id = await on.open(a_ring("w", max_parallel=Share(count=1)))
        await on.drive(run_id)
        assert (await on.row(run_id))["status"] == "halted"
        await on.ask(run_id, ActKind.RESUME, because="known problem")
        row = await on.drive(run_id)
        assert (row["status"], row["failed"], row["succeeded"]) == ("passed", 1, 4)
        assert on.installed() == {f"w-{n:02d}": 1 for n in range(5)}  # nobody's second time


async def test_a_halt_outlives_restarts_and_days_until_a_person_resumes(any_database_url):
    async with staged(any_database_url, machines("w", 4)) as on:
        run_id = await on.open(a_ring("w", max_parallel=Share(count=1)))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 1)
        await on.ask(run_id, ActKind.HALT, because="a bad patch is out")
        await on.go_on(driver)
        for day in range(1, 4):
            await on.store.release(driver.book.lease)
            on.clock.turn_to(on.clock.now() + timedelta(days=1))
            driver = await on.take(run_id, f"daemon-{day}")
            await on.go_on(driver)
            assert (await on.row(run_id))["status"] == "halted"
            assert on.posts() == {"w-00": 1}
        await on.ask(run_id, ActKind.RESUME)
        await on.go_on(driver)
        row = await on.row(run_id)
        assert (row["status"], row["succeeded"]) == ("passed", 4)
        assert set(on.installed().values()) == {1}


async def test_a_retry_in_the_open_wave_patches_only_the_failed_once_more(any_database_url):
    fleet = tuple(
        a_machine(f"w-{n:02d}", TEMPERS["fails_once"] if n == 0 else None) for n in range(3)
    )
    async with staged(any_database_url, fleet) as on:
        run_id = await on.open(a_ring("w", max_parallel=Share(count=3)))
        await on.drive(run_id)
        await on.ask(run_id, ActKind.RETRY, "w-00", because="fixed the repo")
        await on.ask(run_id, ActKind.RESUME)
        row = await on.drive(run_id)
        assert (row["status"], row["succeeded"]) == ("passed", 3)
        assert on.installed() == {"w-00": 2, "w-01": 1, "w-02": 1}
        assert (await on.operations(run_id))["w-00"]["attempt"] == 2


async def test_a_retry_after_the_end_opens_a_new_run_with_just_those_vms(sqlite_url):
    fleet = tuple(
        a_machine(f"w-{n:02d}", TEMPERS["fails_once"] if n == 0 else None) for n in range(3)
    )
    wave = a_ring("w", max_parallel=Share(count=3), allow_failures=Tolerance(count=1))
    async with staged(sqlite_url, fleet) as on:
        first = await on.open(wave)
        await on.drive(first)
        act = Act(
            id="again",
            run_id=first,
            kind=ActKind.RETRY,
            actor="ann",
            because="x",
            at=on.clock.now(),
        )
        opened = await on.service.act(act)
        assert isinstance(opened, Opened)
        row = await on.drive(opened.run_id)
        assert (row["status"], row["vms"], row["succeeded"]) == ("passed", 1, 1)
        assert (await on.store.load(opened.run_id)).run.parent == first


async def test_a_vm_that_is_tried_again_in_a_new_run_keeps_the_rules_of_its_own_wave(sqlite_url):
    """Databases at night and never with a reboot; web servers at any time and always with one."""
    night = Hours(windows=(Window(start=time(22), length=timedelta(hours=4)),))
    fleet = (a_machine("db-00", TEMPERS["fails_once"]), a_machine("db-01"), a_machine("web-00"))
    rules = {"hours": night, "reboot": Reboot.NEVER, "allow_failures": Tolerance(count=1)}
    async with staged(sqlite_url, fleet) as on:
        first = await on.open(
            a_ring("db", max_parallel=TWO, **rules), a_ring("web", reboot=Reboot.ALWAYS)
        )
        assert (await on.drive(first))["status"] == "passed"
        on.clock.turn_to(EPOCH + timedelta(hours=36))  # at noon
        act = Act(
            id="again",
            run_id=first,
            kind=ActKind.RETRY,
            actor="ann",
            because="x",
            at=on.clock.now(),
        )
        opened = await on.service.act(act)
        assert isinstance(opened, Opened)
        (wave,) = (await on.store.load(opened.run_id)).waves
        assert (wave.spec.name, wave.spec.hours, wave.spec.reboot) == ("db", night, Reboot.NEVER)
        assert (await on.drive(opened.run_id))["status"] == "passed"
        again = (await on.operations(opened.run_id))["db-00"]["started_at"]
        assert str(again) >= "2026-01-02T22:00"


async def test_an_act_that_is_repeated_is_harmless(sqlite_url):
    async with staged(sqlite_url, machines("w", 3)) as on:
        run_id = await on.open(a_ring("w"))
        for _ in range(3):
            await on.ask(run_id, ActKind.HALT)
        row = await on.drive(run_id)
        halts = [f for f in on.witness.facts if f.event == "run.halted"]
        assert (row["status"], len(halts), len(on.installed())) == ("halted", 1, 0)


async def test_a_second_run_of_a_plan_is_refused_while_the_first_is_open(sqlite_url):
    async with staged(sqlite_url, machines("w", 2)) as on:
        await on.open(a_ring("w"))
        plan = (await on.store.load((await on.store.open_runs())[0])).run.plan
        refused = await on.service.open(plan, config_hash="x", opened_by="bob")
        assert refused.code == "already_open"


async def test_a_vm_queued_in_another_open_run_is_skipped_there_and_then(sqlite_url):
    async with staged(sqlite_url, machines("w", 2)) as on:
        first = await on.open(a_ring("w"), name="first")
        second = await on.open(a_ring("w"), name="second", deadline=timedelta(days=1))
        reasons = {row["reason"] for row in (await on.operations(second)).values()}
        assert reasons == {f"still waits in run {first}"}


async def test_a_retry_for_a_wave_that_passed_opens_a_run_beside_the_open_one(any_database_url):
    fleet = (a_machine("w-00", TEMPERS["fails_once"]), a_machine("w-01"), *machines("v", 2))
    waves = (
        a_ring("w", max_parallel=TWO, allow_failures=Tolerance(count=1)),
        a_ring("v", max_parallel=Share(count=1)),
    )
    async with staged(any_database_url, fleet) as on:
        first = await on.open(*waves)
        driver = await on.take(first)
        await on.go_on(driver, until=lambda view: view.tally(2).labels["in_progress"] == 1)
        act = Act(
            id="again",
            run_id=first,
            kind=ActKind.RETRY,
            actor="ann",
            because="x",
            at=on.clock.now(),
        )
        opened = await on.service.act(act)
        assert isinstance(opened, Opened)
        row = await on.drive(opened.run_id)
        assert (row["status"], row["vms"]) == ("passed", 1)
        await on.go_on(driver)
        assert (await on.row(first))["status"] == "passed"


async def test_a_run_paused_for_want_of_azure_goes_on_when_resumed(sqlite_url):
    async with staged(sqlite_url, machines("w", 3)) as on:
        run_id = await on.open(a_ring("w"))
        transport = on.arm._transport
        respond, transport._azure.respond = transport._azure.respond, silence
        driver = await on.take(run_id)
        await on.go_on(driver)
        row = await on.row(run_id)
        assert (row["status"], "nothing of Azure has answered" in row["reason"]) == ("paused", True)
        transport._azure.respond = respond
        on.clock.turn_to(on.clock.now() + timedelta(hours=1))
        await on.ask(run_id, ActKind.RESUME)
        await on.go_on(driver)
        assert (await on.row(run_id))["status"] == "passed"


def silence(_request, _now):
    return HangUp()


async def test_the_log_says_which_daemon_answered_an_act(sqlite_url):
    async with staged(sqlite_url, machines("w", 2)) as on:
        run_id = await on.open(a_ring("w"))
        on.doors = replace(on.doors, name="host-a:4711")
        await on.ask(run_id, ActKind.HALT)
        await on.drive(run_id)
        (line,) = await on.store.rows("v_events", run_id=run_id, event="act.answered")
        assert line["actor"] == "host-a:4711"
        assert await on.store.verify_chain(run_id) is None
