"""Whole runs through windows, freezes, carry-overs and emergencies, with the shipped engine against
the simulated Azure."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import pytest

from orchestrator.domain.model import Freeze, Hours, Share, Tolerance, Window
from orchestrator.domain.record import ActKind, Emergency
from orchestrator.service import NotOpened, Opened
from orchestrator.simulator.faults import TEMPERS
from orchestrator.simulator.machines import Machine
from orchestrator.simulator.tempers import Temper
from tests.kit.rows import EPOCH
from tests.kit.stage import Stage, a_machine, a_ring, at_rest, machines, staged

HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
NIGHT = Hours(
    windows=(Window(start=time(22), length=4 * HOUR),), timezone="UTC", reserve=15 * MINUTE
)
NOON = EPOCH + 12 * HOUR
ONE = Share(count=1)
SLOW = Temper(takes=70 * MINUTE)
URGENT = Emergency(approved_by="the CISO", because="CVE-2026-1 is being exploited")


@asynccontextmanager
async def by_day(url: str, fleet: Iterable[Machine]) -> AsyncIterator[Stage]:
    """Set a stage at noon, when no window is open."""
    async with staged(url, fleet) as on:
        on.clock.turn_to(NOON)
        yield on


def starts(on) -> list[datetime]:
    """When Azure really began installations of ours."""
    ledger: Any = on.azure.ledger(on.clock.now())
    return sorted(
        datetime.fromisoformat(each["accepted_at"])
        for each in ledger["installations"]
        if each["started_by"] == "User"
    )


def in_a_window(at: datetime) -> bool:
    """Tell whether a start came in one of the nights, with room for 105 minutes."""
    since_midnight = (at - EPOCH) % DAY
    return since_midnight >= 22 * HOUR or since_midnight <= 15 * MINUTE


def a_freeze(begins: datetime, ends: datetime) -> Freeze:
    return Freeze(name="Black Week", begins=begins, ends=ends)


async def test_a_run_waits_for_its_window_and_goes_on_the_next_night(any_database_url):
    """Five VMs, one at a time, more than 70 minutes each: two fit into one night."""
    async with by_day(any_database_url, machines("w", 5, SLOW)) as on:
        run_id = await on.open(a_ring("w", hours=NIGHT, max_parallel=ONE))
        row = await on.drive(run_id)
        assert (row["status"], row["succeeded"]) == ("passed", 5)
        found = starts(on)
        assert len(found) == 5
        assert all(in_a_window(at) for at in found), found
        assert {(at + 2 * HOUR - EPOCH) // DAY for at in found} == {1, 2, 3}


async def test_a_wave_may_have_a_window_of_its_own(any_database_url):
    noon = replace(NIGHT, windows=(Window(start=time(13), length=3 * HOUR),))
    async with by_day(any_database_url, (*machines("c", 1), *machines("w", 2))) as on:
        run_id = await on.open(a_ring("c", hours=noon), a_ring("w", hours=NIGHT))
        assert (await on.drive(run_id))["status"] == "passed"
        first, *others = starts(on)
        assert EPOCH + 13 * HOUR <= first < EPOCH + 15 * HOUR
        assert all(in_a_window(at) for at in others)


async def test_a_freeze_that_comes_while_a_run_is_open_holds_it(any_database_url):
    async with by_day(any_database_url, machines("w", 4)) as on:
        run_id = await on.open(a_ring("w", hours=NIGHT, max_parallel=ONE))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).good == 1)
        thaws = EPOCH + 5 * DAY
        await on.store.replace_freezes(
            "a.yaml", [a_freeze(on.clock.now(), thaws)], on.clock.now(), "daemon"
        )
        on.clock.turn_to(on.clock.now() + timedelta(seconds=3))
        await on.go_on(driver)
        assert (await on.row(run_id))["status"] == "passed"
        first, second, *others = starts(on)
        assert first < EPOCH + DAY + 2 * HOUR
        assert min(others) >= thaws
        assert second >= thaws or second - first < HOUR  # the one that was on its way


async def test_a_freeze_that_the_driver_does_not_know_yet_is_kept_by_the_intent(any_database_url):
    async with by_day(any_database_url, machines("w", 1)) as on:
        run_id = await on.open(a_ring("w"))
        driver = await on.take(run_id)
        thaws = EPOCH + 2 * DAY
        freeze = a_freeze(EPOCH, thaws)
        heed = on.store.heed

        async def before_it_is_heeded(run: Any) -> Any:
            found = await heed(run)
            await on.store.replace_freezes("a.yaml", [freeze], EPOCH, "daemon")
            return replace(found, freezes=())

        driver._store = _Heeding(on.store, before_it_is_heeded)
        await on.go_on(driver, steps=4, until=lambda _view: on.clock.now() > NOON)
        (op,) = driver.view.ops.values()
        assert type(op.state).__name__ == "Queued"
        assert on.installed() == {}
        driver._store = on.store
        on.clock.turn_to(on.clock.now() + timedelta(seconds=3))
        await on.go_on(driver)
        assert (await on.row(run_id))["status"] == "passed"
        assert min(starts(on)) >= thaws


class _Heeding:
    """A store whose `heed` is another's."""

    def __init__(self, store: Any, heed: Any) -> None:
        self._store = store
        self.heed = heed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_a_process_that_slept_through_the_window_starts_nothing_in_the_morning(
    any_database_url,
):
    async with by_day(any_database_url, machines("w", 3)) as on:
        run_id = await on.open(a_ring("w", hours=NIGHT, max_parallel=ONE))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).in_flight == 1)
        on.clock.turn_to(EPOCH + DAY + 9 * HOUR)
        await on.go_on(driver)
        assert all(in_a_window(at) for at in starts(on))
        assert (await on.row(run_id))["status"] == "passed"


async def test_a_resume_in_the_morning_starts_nothing_before_the_next_window(any_database_url):
    """Health came back at nine: others then went on at once, outside their window."""
    async with by_day(any_database_url, machines("w", 3)) as on:
        run_id = await on.open(a_ring("w", hours=NIGHT, max_parallel=ONE))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).in_flight == 1)
        await on.ask(run_id, ActKind.PAUSE)
        await on.go_on(driver, until=lambda _view: at_rest(driver))
        on.clock.turn_to(EPOCH + DAY + 9 * HOUR)
        await on.ask(run_id, ActKind.RESUME)
        await on.go_on(driver)
        assert all(in_a_window(at) for at in starts(on))


async def test_a_vm_that_runs_out_of_its_time_goes_on_the_next_night(any_database_url):
    late = Temper(overruns=True, bad_runs=1)
    async with by_day(any_database_url, (a_machine("w-00", late),)) as on:
        run_id = await on.open(a_ring("w", hours=NIGHT))
        row = await on.drive(run_id)
        assert row["status"] == "passed", await on.operations(run_id)
        first, second = starts(on)
        assert second - first > 20 * HOUR
        assert in_a_window(second)
        attempts = await on.store.rows("v_attempts", run_id=run_id)
        assert next(each["verdict"] for each in attempts) == "carried_over"
        lines = await on.store.rows("v_events", run_id=run_id, event="operation.granted")
        assert "(1 of 2)" in str(lines[0]["why"])


async def test_a_vm_that_never_gets_done_is_carried_over_twice_and_fails_then(any_database_url):
    async with by_day(any_database_url, (a_machine("w-00", Temper(overruns=True)),)) as on:
        run_id = await on.open(a_ring("w", hours=NIGHT))
        row = await on.drive(run_id)
        assert (row["status"], row["failed"]) == ("halted", 1)
        assert len(starts(on)) == 3
        (op,) = (await on.operations(run_id)).values()
        assert op["reason"].startswith("window exceeded")


async def test_without_windows_who_runs_out_of_time_has_failed(any_database_url):
    async with by_day(any_database_url, (a_machine("w-00", Temper(overruns=True)),)) as on:
        run_id = await on.open(a_ring("w"))
        assert (await on.drive(run_id))["failed"] == 1
        assert len(starts(on)) == 1


async def test_vms_that_do_not_fit_before_the_deadline_are_skipped_with_that_reason(
    any_database_url,
):
    async with by_day(any_database_url, machines("w", 5, SLOW)) as on:
        run_id = await on.open(a_ring("w", hours=NIGHT, max_parallel=ONE), deadline=20 * HOUR)
        row = await on.drive(run_id)
        assert (row["status"], row["succeeded"], row["skipped"]) == ("expired", 2, 3)


# ------------------------------------------------------------------------------ emergencies


async def an_emergency(on, **wave: Any) -> Opened | NotOpened:
    """Open an emergency run of another plan over the same ring."""
    run_id = await on.store.open_run_of("monthly")
    plan = (await on.store.load(run_id)).run.plan
    spec = replace(plan, name="zero-day", waves=(a_ring("w", **wave),))
    outcome = await on.service.open(spec, config_hash="0", opened_by="ann", emergency=URGENT)
    assert isinstance(outcome, Opened | NotOpened)
    return outcome


async def test_an_approved_emergency_starts_in_a_freeze_and_the_log_says_who_allowed_it(
    any_database_url,
):
    async with by_day(any_database_url, machines("w", 2)) as on:
        await on.store.replace_freezes("a.yaml", [a_freeze(EPOCH, EPOCH + 9 * DAY)], EPOCH, "d")
        monthly = await on.open(a_ring("w"))
        urgent = await an_emergency(on)
        assert isinstance(urgent, Opened)
        assert (await on.drive(urgent.run_id))["status"] == "passed"
        assert max(starts(on)) < EPOCH + DAY
        (line,) = await on.store.rows("v_events", run_id=urgent.run_id, event="run.approved")
        assert (line["actor"], line["why"]) == ("ann", URGENT.because)
        assert '"approved_by":"the CISO"' in str(line["detail"])
        assert (await on.row(monthly))["queued"] == 2  # nobody drove it yet


async def test_an_emergency_takes_over_the_vms_that_still_wait_in_another_run(any_database_url):
    async with by_day(any_database_url, machines("w", 3)) as on:
        monthly = await on.open(a_ring("w", hours=NIGHT, max_parallel=ONE, allow_empty=True))
        urgent = await an_emergency(on)
        assert isinstance(urgent, Opened)
        driver = await on.take(monthly)
        await on.go_on(driver)
        row = await on.row(monthly)
        assert (row["status"], row["skipped"]) == ("passed", 3)
        for op in (await on.operations(monthly)).values():
            assert op["reason"] == f"taken over by the emergency run {urgent.run_id}"
        assert (await on.drive(urgent.run_id))["succeeded"] == 3
        assert set(on.installed().values()) == {1}


async def test_an_emergency_does_not_take_a_vm_that_is_being_patched(any_database_url):
    async with by_day(any_database_url, machines("w", 2)) as on:
        monthly = await on.open(a_ring("w", max_parallel=ONE))
        driver = await on.take(monthly)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 1)
        urgent = await an_emergency(on)
        assert isinstance(urgent, Opened)
        on.clock.turn_to(on.clock.now() + timedelta(seconds=3))
        await on.go_on(driver)
        row = await on.row(monthly)
        assert (row["succeeded"], row["skipped"]) == (1, 1)


@pytest.mark.parametrize("temper", ["fails"])
async def test_another_failure_in_a_windowed_run_is_not_carried_over(any_database_url, temper):
    async with by_day(any_database_url, (a_machine("w-00", TEMPERS[temper]),)) as on:
        run_id = await on.open(a_ring("w", hours=NIGHT))
        assert (await on.drive(run_id))["failed"] == 1
        assert len(starts(on)) == 1


async def test_a_late_end_that_ran_out_of_its_time_is_not_carried_over_into_a_wave_that_bakes(
    any_database_url,
):
    """Nobody starts in a wave that bakes: the run would wait for that VM until its deadline."""
    late = Temper(
        overruns=True,
        bad_runs=1,
        forgets=timedelta(0),
        view_lag=6 * HOUR,
        graph_lag=6 * HOUR,
    )
    fleet = (a_machine("w-00", late), a_machine("w-01"), a_machine("x-00"))
    async with by_day(any_database_url, fleet) as on:
        two, bears = Share(count=2), Tolerance(count=1)
        first = a_ring("w", hours=NIGHT, max_parallel=two, allow_failures=bears, bake=2 * DAY)
        run_id = await on.open(first, a_ring("x", hours=NIGHT), deadline=9 * DAY)
        row = await on.drive(run_id)
        assert (row["status"], row["failed"], row["succeeded"]) == ("passed", 1, 2)
        assert "window exceeded" in (await on.operations(run_id))["w-00"]["reason"]
