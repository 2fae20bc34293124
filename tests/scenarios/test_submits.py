"""The submit protocol in whole runs: lost answers, doubt, conflicts, and never a second request."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.domain.model import Share, Tolerance
from orchestrator.domain.record import ActKind, Resolution
from orchestrator.simulator.faults import TEMPERS
from orchestrator.simulator.moods import FLAKY, THROTTLED
from tests.kit.stage import a_machine, a_ring, machines, staged

TAKEN = [
    "swallowed_reply",
    "accepted_then_500",
    "accepted_then_503",
    "accepted_then_504",
    "accepted_in_silence",
    "accepted_without_url",
    "accepted_elsewhere",
]
NOT_TAKEN = [
    "swallowed_request",
    "refused_500",
    "refused_503",
    "refused_504",
    "silence",
    "proxy_page",
]


@pytest.mark.parametrize("temper", TAKEN)
async def test_a_lost_answer_is_found_and_adopted_without_a_second_post(sqlite_url, temper):
    async with staged(sqlite_url, (a_machine("w-00", TEMPERS[temper]),)) as on:
        run_id = await on.open(a_ring("w"))
        run = await on.drive(run_id)
        (attempt,) = await on.store.rows("v_attempts", run_id=run_id)
        assert run["status"] == "passed"
        assert on.posts() == {"w-00": 1}
        assert on.installed() == {"w-00": 1}
        assert attempt["end"] == "accepted"
        assert attempt["activity_id"] is not None


@pytest.mark.parametrize("temper", NOT_TAKEN)
async def test_a_request_without_a_trace_is_put_before_a_person_and_not_resent(sqlite_url, temper):
    async with staged(sqlite_url, (a_machine("w-00", TEMPERS[temper]), *machines("w-1", 1))) as on:
        run_id = await on.open(a_ring("w", max_parallel=Share(count=2)))
        run = await on.drive(run_id)
        assert (run["status"], run["needs_human"]) == ("halted", 1)
        assert on.posts()["w-00"] == 1
        (row,) = await on.store.rows("v_operations", run_id=run_id, state="needs_human")
        assert "no new installation was seen" in row["reason"]


async def test_resolved_as_not_started_it_is_sent_once_more_and_counted_as_a_grant(
    any_database_url,
):
    async with staged(any_database_url, (a_machine("w-00", TEMPERS["refused_503"]),)) as on:
        run_id = await on.open(a_ring("w"))
        await on.drive(run_id)
        await on.resolve(run_id, Resolution.NOT_STARTED, "w-00")
        await on.ask(run_id, ActKind.RESUME)
        run = await on.drive(run_id)
        row = (await on.operations(run_id))["w-00"]
        assert (run["status"], row["attempt"]) == ("passed", 2)
        assert on.posts() == {"w-00": 2}
        assert on.installed() == {"w-00": 1}
        ends = [each["end"] for each in await on.store.rows("v_attempts", run_id=run_id)]
        assert sorted(ends) == ["accepted", "unknown"]


@pytest.mark.parametrize(
    ("found", "state"), [(Resolution.SUCCEEDED, "succeeded"), (Resolution.FAILED, "failed")]
)
async def test_a_person_says_what_became_of_a_vm(sqlite_url, found, state):
    fleet = (a_machine("w-00", TEMPERS["untraceable"]), a_machine("w-01"))
    wave = a_ring("w", max_parallel=Share(count=2), allow_failures=Tolerance(count=1))
    async with staged(sqlite_url, fleet) as on:
        run_id = await on.open(wave)
        run = await on.drive(run_id)
        assert (run["status"], run["needs_human"]) == ("passed", 1)
        await on.resolve(run_id, found, "w-00")
        await on.drive(run_id)  # acts are applied after the end, too
        row = (await on.operations(run_id))["w-00"]
        assert (row["state"], row["attempt"]) == (state, 1)
        assert on.posts()["w-00"] == 1


async def test_throttled_starts_wait_and_cost_no_attempt(any_database_url):
    async with staged(any_database_url, machines("w", 30), THROTTLED) as on:
        run_id = await on.open(a_ring("w", max_parallel=Share(count=30)))
        run = await on.drive(run_id)
        assert run["status"] == "passed"
        assert {row["attempt"] for row in (await on.operations(run_id)).values()} == {1}
        assert set(on.installed().values()) == {1}
        assert ("submit", "429") in on.witness.asks


async def test_a_flaky_azure_is_never_asked_twice_for_the_same_installation(sqlite_url):
    wave = a_ring("w", max_parallel=Share(count=10), allow_failures=Tolerance(percent=100))
    async with staged(sqlite_url, machines("w", 60), FLAKY, seed=3) as on:
        run_id = await on.open(wave)
        run = await on.drive(run_id, steps=6_000)
        intents = await on.store.rows("v_attempts", run_id=run_id)
        sent = [each for each in intents if each["end"] in {"accepted", "unknown"}]
        assert run["status"] == "passed"
        assert max(on.installed().values()) == 1
        assert len(sent) == len({each["vm_id"] for each in sent})
        assert not on.witness.crashes


async def test_azures_own_installation_before_ours_is_never_called_ours(sqlite_url):
    async with staged(sqlite_url, (a_machine("w-00", TEMPERS["platform_first"]),)) as on:
        run_id = await on.open(a_ring("w"))
        await on.drive(run_id)
        row = (await on.operations(run_id))["w-00"]
        assert row["state"] in {"needs_human", "skipped", "succeeded"}
        assert on.installed().get("w-00", 0) <= 1


async def test_a_vm_patched_tonight_by_somebody_else_is_skipped(sqlite_url):
    fleet = (a_machine("w-00"), a_machine("w-01"))
    async with staged(sqlite_url, fleet) as on:
        await on.drive(await on.open(a_ring("w")))
    # The same world with another, empty database: it knows nothing of those installations.
    azure, clock = on.azure, on.clock
    async with staged(sqlite_url.replace("orchestrator.db", "other.db"), fleet) as other:
        other.arm._transport._azure = azure
        other.clock.turn_to(clock.now() + timedelta(hours=1))
        run_id = await other.open(a_ring("w"))
        await other.drive(run_id)
        reasons = {row["reason"] for row in (await other.operations(run_id)).values()}
        assert len(reasons) == 2
        assert all("is unknown to this database" in reason for reason in reasons)


async def test_a_vm_that_we_patched_tonight_ourselves_may_be_patched_again(sqlite_url):
    async with staged(sqlite_url, machines("w", 1)) as on:
        await on.drive(await on.open(a_ring("w")))
        on.clock.turn_to(on.clock.now() + timedelta(minutes=5))
        run = await on.drive(await on.open(a_ring("w")))
        assert run["status"] == "passed"
        assert on.installed() == {"w-00": 2}


async def test_three_traceless_requests_trip_the_breaker_of_their_place(sqlite_url):
    fleet = tuple(a_machine(f"w-{n:02d}", TEMPERS["silence"]) for n in range(12))
    wave = a_ring("w", max_parallel=Share(count=12), allow_failures=Tolerance(count=11))
    async with staged(sqlite_url, fleet) as on:
        run_id = await on.open(wave)
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["unknown"] >= 3)
        begun = sum(on.posts().values())
        await on.go_on(driver, until=lambda view: view.tally(1).labels["needs_human"] >= begun)
        assert sum(on.posts().values()) - begun <= 1


async def test_a_busy_vm_waits_and_is_skipped_after_four_hours(sqlite_url):
    hanging = (replace(a_machine("w-00", TEMPERS["hang"])),)
    async with staged(sqlite_url, hanging) as on:
        first = await on.open(a_ring("w"), name="first", allow_failures=Tolerance(count=9))
        driver = await on.take(first)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 1)
        second = await on.open(a_ring("w"), name="second", deadline=timedelta(days=1))
        await on.drive(second)
        row = (await on.operations(second))["w-00"]
        assert (row["state"], row["outcome"]) == ("skipped", "skipped")
        assert "waited 4:" in row["reason"]
        assert on.posts() == {"w-00": 1}
