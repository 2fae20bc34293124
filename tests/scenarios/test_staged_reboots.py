"""Reboots as a phase of their own, with the shipped engine against the simulated Azure: who is
restarted when, how many at once, and what becomes of a restart that goes wrong."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import pytest

from orchestrator.domain.model import (
    GroupLimit,
    Hours,
    Limits,
    Rate,
    Reboot,
    Share,
    StagedReboot,
    Tolerance,
    Window,
)
from orchestrator.domain.record import ActKind, Emergency, Resolution
from orchestrator.service import Opened
from orchestrator.simulator import tempers
from orchestrator.simulator.tempers import Ending, PollFault, PostFault, Temper
from tests.kit.rows import EPOCH
from tests.kit.stage import a_machine, a_ring, machines, staged

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NEEDY = Temper(needs_reboot=True, patches=3)
NIGHT = Hours(windows=(Window(start=time(22), length=2 * HOUR),), reserve=15 * MINUTE)


def a_wave(name: str = "w", at_once: int = 1, **given: Any) -> Any:
    """A wave that patches five at a time and restarts a few at a time."""
    phase = StagedReboot(
        hours=given.pop("hours", Hours()),
        max_parallel=Share(count=at_once),
        allow_failures=given.pop("lost", None),
    )
    given.setdefault("max_parallel", Share(count=5))
    return a_ring(name, reboot=Reboot.NEVER, staged=phase, **given)


def restarts(on) -> list[tuple[str, datetime, datetime | None]]:
    """The restarts that Azure really made: of whom, when, and when that VM was back."""
    ledger: Any = on.azure.ledger(on.clock.now())
    return [
        (
            each["vm_id"].rsplit("/", 1)[-1],
            datetime.fromisoformat(each["accepted_at"]),
            each["back_at"] and datetime.fromisoformat(each["back_at"]),
        )
        for each in ledger["restarts"]
    ]


def _record(on: Any) -> Any:
    """The first machine's record in the simulated world."""
    return next(iter(on.azure._state.records.values()))


def last_end(on) -> datetime:
    """When the last installation ended."""
    ledger: Any = on.azure.ledger(on.clock.now())
    return max(datetime.fromisoformat(each["ended_at"]) for each in ledger["installations"])


async def test_who_needs_a_reboot_is_restarted_once_the_whole_wave_is_patched(any_database_url):
    """Six of eight VMs need one; two at a time, and nobody else is touched."""
    fleet = [*machines("w", 6, NEEDY), a_machine("w-10"), a_machine("w-11", Temper(patches=0))]
    async with staged(any_database_url, fleet) as on:
        run_id = await on.open(a_wave(at_once=2))
        row = await on.drive(run_id)
        assert row["status"] == "passed"
        made = restarts(on)
        assert sorted(vm for vm, _, _ in made) == [f"w-{n:02d}" for n in range(6)]
        assert min(at for _, at, _ in made) > last_end(on)
        for _, at, _ in made:
            busy = [1 for _, begun, back in made if begun <= at < (back or at)]
            assert len(busy) <= 2
        operations = await on.operations(run_id)
        for vm, _, _ in made:
            assert operations[vm]["outcome"] == "succeeded"
            assert operations[vm]["reboot_status"] == "Completed"
            assert operations[vm]["reboot_at"] is not None
        assert operations["w-10"]["reboot_at"] is None
        kinds = [row["kind"] for row in await on.store.rows("v_attempts", run_id=run_id)]
        assert sorted(kinds) == ["install"] * 8 + ["restart"] * 6
        assert on.installed() == dict.fromkeys(operations, 1)
        (opened,) = [fact for fact in on.witness.facts if fact.event == "reboots.opened"]
        assert opened.why.text == "6 VMs to restart, 2 at once"


async def test_restarts_wait_for_a_window_of_their_own(sqlite_url):
    """VMs are patched at noon and restarted at night; who finds no room waits for the next one."""
    async with staged(sqlite_url, machines("w", 30, NEEDY)) as on:
        on.clock.turn_to(EPOCH + 12 * HOUR)
        run_id = await on.open(a_wave(hours=NIGHT))
        row = await on.drive(run_id)
        assert (row["status"], row["succeeded"]) == ("passed", 30)
        assert last_end(on) < EPOCH + 18 * HOUR
        begun = [(at - EPOCH) % (24 * HOUR) for _, at, _ in restarts(on)]
        assert len(begun) == 30
        assert all(22 * HOUR <= since <= 23 * HOUR + 45 * MINUTE for since in begun)
        assert len({(at - EPOCH) // (24 * HOUR) for _, at, _ in restarts(on)}) == 2


async def test_a_phase_has_a_threshold_of_its_own(sqlite_url):
    """Five failures of patches would be borne, but only one of reboots: the second halts."""
    broken = Temper(needs_reboot=True, patches=3, reboot=tempers.Reboot.NEVER_RETURNS)
    fleet = [*machines("w-0", 3, broken), *machines("w-1", 5, NEEDY)]
    async with staged(sqlite_url, fleet) as on:
        wave = a_wave(lost=Share(count=1), allow_failures=Tolerance(count=5))
        run_id = await on.open(wave)
        row = await on.drive(run_id)
        assert row["status"] == "halted"
        assert row["reason"].startswith("the phase of reboots of wave w has 2 bad VMs, 1 allowed")
        assert (row["failed"], row["reboot_queued"]) == (2, 6)
        assert len(restarts(on)) == 2
        await on.ask(run_id, ActKind.RESUME)
        row = await on.drive(run_id)
        assert (row["status"], row["succeeded"], row["failed"]) == ("passed", 5, 3)
        assert len(restarts(on)) == 8


@pytest.mark.parametrize("fault", [PostFault.TAKEN_CUT, PostFault.TAKEN_503, PostFault.CUT])
async def test_a_restart_of_unknown_fate_is_a_persons_and_never_sent_again(any_database_url, fault):
    temper = Temper(needs_reboot=True, patches=3, restarts=(fault,))
    async with staged(
        any_database_url, [a_machine("w-00", temper), a_machine("w-01", NEEDY)]
    ) as on:
        run_id = await on.open(a_wave(allow_failures=Tolerance(count=1)))
        row = await on.drive(run_id)
        assert (row["status"], row["needs_human"], row["succeeded"]) == ("passed", 1, 1)
        operation = (await on.operations(run_id))["w-00"]
        assert operation["reason"].startswith("it is patched; whether it was restarted")
        taken = fault is not PostFault.CUT
        assert [vm for vm, _, _ in restarts(on)].count("w-00") == taken
        on.clock.turn_to(on.clock.now() + 5 * HOUR)
        await on.drive(run_id)
        assert [vm for vm, _, _ in restarts(on)].count("w-00") == taken


async def test_a_person_says_that_a_restart_was_not_made_and_the_vm_is_done_anew(sqlite_url):
    """It is patched once more, which finds nothing but the reboot that is pending."""
    temper = Temper(needs_reboot=True, patches=3, restarts=(PostFault.CUT,))
    async with staged(sqlite_url, [a_machine("w-00", temper)]) as on:
        run_id = await on.open(a_wave(allow_failures=Tolerance(count=0)))
        assert (await on.drive(run_id))["status"] == "halted"
        await on.resolve(run_id, Resolution.NOT_STARTED)
        await on.ask(run_id, ActKind.RESUME)
        row = await on.drive(run_id)
        assert (row["status"], row["succeeded"]) == ("passed", 1)
        assert [vm for vm, _, _ in restarts(on)] == ["w-00"]
        assert on.installed() == {"w-00": 2}


@pytest.mark.parametrize(
    "fault", [PostFault.THROTTLED, PostFault.EXPIRED], ids=["throttled", "unauthenticated"]
)
async def test_a_restart_that_was_not_taken_is_sent_later(sqlite_url, fault):
    temper = Temper(needs_reboot=True, patches=3, restarts=(fault, fault))
    async with staged(sqlite_url, [a_machine("w-00", temper)]) as on:
        run_id = await on.open(a_wave())
        row = await on.drive(run_id)
        assert (row["status"], row["succeeded"]) == ("passed", 1)
        assert [vm for vm, _, _ in restarts(on)] == ["w-00"]
        ends = [row["end"] for row in await on.store.rows("v_attempts", run_id=run_id)]
        assert ends == ["accepted", "refused", "refused", "accepted"]


async def test_a_restart_waits_for_somebody_elses_installation(sqlite_url):
    temper = Temper(needs_reboot=True, patches=3, view_lag=timedelta(0))
    async with staged(sqlite_url, [a_machine("w-00", temper)]) as on:
        run_id = await on.open(a_wave(hours=NIGHT))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).waiting_for_reboot == 1)
        on.azure._state.start_platform_run(_record(on), EPOCH + 22 * HOUR - MINUTE)
        await on.go_on(driver)
        (made,) = restarts(on)
        assert made[1] > last_end(on) > EPOCH + 22 * HOUR


async def test_a_conflict_proves_nothing_about_a_restart(sqlite_url):
    """Azure's own run does not show yet. The request may as well have been repeated on its way, and
    have met itself: a person looks."""
    async with staged(sqlite_url, [a_machine("w-00", NEEDY)]) as on:
        run_id = await on.open(a_wave(hours=NIGHT))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).waiting_for_reboot == 1)
        on.azure._state.start_platform_run(_record(on), EPOCH + 22 * HOUR - timedelta(seconds=1))
        await on.go_on(driver)
        operation = (await on.operations(run_id))["w-00"]
        assert operation["state"] == "needs_human"
        assert "Azure answered 409 OperationNotAllowed" in operation["reason"]
        assert restarts(on) == []


async def test_a_restart_whose_status_never_can_be_read_ends_by_the_view(sqlite_url):
    temper = Temper(needs_reboot=True, patches=3, every_poll=PollFault.ERROR_503)
    async with staged(sqlite_url, [a_machine("w-00", temper)]) as on:
        run_id = await on.open(a_wave())
        row = await on.drive(run_id)
        assert (row["status"], row["succeeded"]) == ("passed", 1)
        ((_, made_at, _),) = restarts(on)
        assert on.clock.now() - made_at < 1.5 * HOUR


async def test_the_deadline_ends_who_was_not_restarted_as_patched(any_database_url):
    async with staged(any_database_url, machines("w", 4, NEEDY)) as on:
        run_id = await on.open(a_wave(hours=NIGHT), deadline=3 * HOUR)
        row = await on.drive(run_id)
        assert (row["status"], row["reboot_pending"]) == ("expired", 4)
        assert restarts(on) == []


async def test_a_halt_and_a_pause_stop_restarts_and_a_skipped_wave_makes_none(sqlite_url):
    async with staged(sqlite_url, machines("w", 6, NEEDY)) as on:
        run_id = await on.open(a_wave())
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["succeeded"] == 2)
        await on.ask(run_id, ActKind.HALT)
        await on.go_on(driver)
        stopped = len(restarts(on))
        assert stopped < 6
        on.clock.turn_to(on.clock.now() + HOUR)
        await on.go_on(driver)
        assert len(restarts(on)) == stopped
        await on.ask(run_id, ActKind.RESUME)
        await on.ask(run_id, ActKind.SKIP, wave="w")
        await on.go_on(driver)
        row = await on.row(run_id)
        assert (row["status"], row["reboot_pending"]) == ("passed", 6 - stopped)
        assert len(restarts(on)) == stopped


async def test_a_vm_that_is_off_when_its_turn_comes_is_left_as_patched(sqlite_url):
    stopped = Temper(needs_reboot=True, patches=3)
    async with staged(sqlite_url, [a_machine("w-00", stopped), a_machine("w-01", NEEDY)]) as on:
        run_id = await on.open(a_wave(hours=NIGHT))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).waiting_for_reboot == 2)
        object.__setattr__(_record(on).machine, "power", "deallocated")
        await on.go_on(driver)
        operation = (await on.operations(run_id))["w-00"]
        assert (operation["outcome"], operation["reboot_at"]) == ("reboot_pending", None)
        assert "it was not restarted: the VM is deallocated" in operation["reason"]


async def test_a_limit_of_one_holds_between_installations_and_restarts(any_database_url):
    """Two clusters of three: of each, one VM at a time, whatever is done to it."""
    fleet = [a_machine(f"w-{n}", NEEDY, zone=str(1 + n % 2)) for n in range(6)]
    limits = Limits(per=(GroupLimit(kind="zone", most=Share(count=1)),))
    async with staged(any_database_url, fleet) as on:
        run_id = await on.open(a_wave(at_once=6, max_parallel=Share(count=6)), limits=limits)
        row = await on.drive(run_id)
        assert (row["status"], row["succeeded"]) == ("passed", 6)
        ledger: Any = on.azure.ledger(on.clock.now())
        assert set(ledger["high_water"]["zone"].values()) == {1}


async def test_a_ramp_and_a_strict_budget_do_not_wait_for_reboots_that_wait_for_them(sqlite_url):
    async with staged(sqlite_url, machines("w", 8, NEEDY)) as on:
        strict = Tolerance(count=1, strict=True)
        wave = a_wave(at_once=3, ramp=(Share(count=1), Share(count=3)), allow_failures=strict)
        run_id = await on.open(wave)
        row = await on.drive(run_id)
        assert (row["status"], row["succeeded"]) == ("passed", 8)
        ledger: Any = on.azure.ledger(on.clock.now())
        assert ledger["high_water"]["in_flight"] == 2


BAD = Temper(ending=Ending.FAILS, patches=3)


async def test_vms_that_wait_for_their_restart_have_ended_well_for_every_budget(sqlite_url):
    """Every fourth VM fails: never two in a row, and never half of the last four."""
    fleet = [a_machine(f"w-{n:02d}", BAD if n % 4 == 0 else NEEDY) for n in range(12)]
    rate = Rate(percent=30, last=4, min_sample=4)
    async with staged(sqlite_url, fleet) as on:
        bears = Tolerance(count=5, in_a_row=2, rate=rate)
        run_id = await on.open(a_wave(max_parallel=Share(count=1), allow_failures=bears))
        row = await on.drive(run_id)
        assert (row["status"], row["failed"], row["succeeded"]) == ("passed", 3, 9), row["reason"]
        waited = (await on.operations(run_id))["w-01"]
        assert waited["started_at"] < waited["patched_at"] < waited["reboot_at"]


async def test_a_group_is_held_back_while_the_others_wait_for_their_restart(sqlite_url):
    def image(number: int) -> str:
        return "pub:off:bad" if number in {4, 6, 8, 10} else "pub:off:good"

    fleet = [
        a_machine(f"w-{n:02d}", BAD if n in {4, 6} else NEEDY, image=image(n)) for n in range(12)
    ]
    async with staged(sqlite_url, fleet) as on:
        held = Tolerance(count=1, quarantine=True)
        run_id = await on.open(a_wave(max_parallel=Share(count=1), allow_failures=held))
        row = await on.drive(run_id)
        assert (row["status"], row["succeeded"], row["skipped"]) == ("passed", 8, 2)
        assert "bad are 2 of 2 there, 0 of 5 elsewhere" in row["quarantine"]


@pytest.mark.parametrize(
    "temper",
    [
        {"every_poll": PollFault.FORBIDDEN},
        {"posts": (PostFault.TAKEN_CUT,)},
        {"forgets": timedelta(0)},
    ],
)
async def test_where_azure_does_not_say_whether_a_reboot_is_needed_none_is_called_done(
    sqlite_url, temper
):
    """Neither the operation's own result can be read nor Resource Graph's."""
    silent = Temper(needs_reboot=True, patches=3, blind_graph=True, **temper)
    async with staged(sqlite_url, [a_machine("w-00", silent)]) as on:
        run_id = await on.open(a_wave())
        assert (await on.drive(run_id))["reboot_pending"] == 1
        operation = (await on.operations(run_id))["w-00"]
        assert "whether they need a reboot is not known, and none was made" in operation["reason"]
        assert restarts(on) == []


async def test_an_emergency_has_vms_that_wait_for_their_restart_too(any_database_url):
    async with staged(any_database_url, machines("w", 3, NEEDY)) as on:
        weekly = await on.open(a_wave(hours=NIGHT))
        driver = await on.take(weekly)
        await on.go_on(driver, until=lambda view: view.tally(1).waiting_for_reboot == 3)
        plan = replace(driver.run.plan, name="zero-day", min_interval=timedelta(0))
        urgent = await on.service.open(
            replace(plan, waves=(a_ring("w", max_parallel=Share(count=5)),)),
            config_hash="0",
            opened_by="ann",
            emergency=Emergency(approved_by="the CISO", because="CVE-2026-1"),
        )
        assert isinstance(urgent, Opened)
        on.clock.turn_to(on.clock.now() + timedelta(seconds=3))
        await on.go_on(driver)
        assert (await on.row(weekly))["reboot_pending"] == 3
        assert (await on.drive(urgent.run_id))["status"] == "passed"
        assert set(on.posts().values()) == {2}


async def test_a_restart_of_a_vm_that_stays_busy_is_given_up_after_four_hours(sqlite_url):
    async with staged(sqlite_url, machines("w", 1, NEEDY)) as on:
        whole = Hours(windows=(Window(start=time(22), length=8 * HOUR),), reserve=15 * MINUTE)
        run_id = await on.open(a_wave(hours=whole))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).waiting_for_reboot == 1)
        object.__setattr__(_record(on).machine, "power", "starting")
        await on.go_on(driver)
        operation = (await on.operations(run_id))["w-00"]
        assert operation["outcome"] == "reboot_pending"
        assert "the VM is starting; waited 4:0" in operation["reason"]
        assert on.clock.now() < EPOCH + 28 * HOUR
