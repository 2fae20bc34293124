"""Whole runs in which only Resource Graph knows what became of a request, or knows it too late."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.domain import answer as a
from orchestrator.domain.model import Share, Tolerance, Tracking
from orchestrator.domain.record import Receipt
from orchestrator.domain.states import Unknown
from orchestrator.domain.throttle import Call
from orchestrator.simulator.faults import TEMPERS
from orchestrator.simulator.moods import CALM
from orchestrator.simulator.tempers import Busy, PostFault, Temper
from tests.kit.over import Over
from tests.kit.rows import a_target
from tests.kit.stage import a_machine, a_ring, machines, staged

SETTLE = timedelta(minutes=15)
FOUR = Share(count=4)
FOUR_BAD = Tolerance(count=4)


async def driven(on, *waves, **plan):
    """Run a plan; return the run's row and that of its first VM."""
    run_id = await on.open(*waves, **plan)
    run = await on.drive(run_id)
    return run, (await on.operations(run_id))["w-00"]


def queries(on):
    return sum(kind == "trace" for kind, _ in on.witness.asks)


def settled_after(on):
    """Return how long the first VM was unknown."""
    (move,) = (move for move in on.witness.moves if isinstance(move.before.state, Unknown))
    return move.event.at - move.before.state.since


# ------------------------------------------------------------------------------------------ adopted


async def test_what_the_view_never_shows_is_adopted_and_followed_to_its_end(any_database_url):
    fleet = (a_machine("w-00", TEMPERS["traceless"]),)
    async with staged(any_database_url, fleet) as on:
        run, row = await driven(on, a_ring("w"))
        assert (run["status"], row["state"], row["attempt"]) == ("passed", "succeeded", 1)
        assert on.posts() == on.installed() == {"w-00": 1}
        (installation,) = on.azure.ledger(on.clock.now())["installations"]
        assert row["activity_id"] == installation["activity_id"]
        assert row["installed"] is not None
        assert row["reboot_status"] in {"NotNeeded", "Completed"}
        (attempt,) = await on.store.rows("v_attempts")
        assert (attempt["end"], attempt["activity_id"]) == ("accepted", row["activity_id"])
        assert settled_after(on) < timedelta(minutes=5)


async def test_a_bad_end_that_only_resource_graph_tells_is_a_failure(sqlite_url):
    temper = replace(TEMPERS["fails"], posts=(PostFault.TAKEN_CUT,), blind=True)
    async with staged(sqlite_url, (a_machine("w-00", temper),)) as on:
        run, row = await driven(on, a_ring("w"))
        assert (run["status"], row["state"], row["failed"]) == ("halted", "failed", 1)
        assert on.posts() == {"w-00": 1}


@pytest.mark.parametrize("temper", ["swallowed_reply", "accepted_then_503", "accepted_elsewhere"])
@pytest.mark.parametrize("reboots", [True, False])
async def test_an_adopted_installation_learns_its_reboot(sqlite_url, temper, reboots):
    machine = a_machine("w-00", replace(TEMPERS[temper], needs_reboot=reboots, patches=3))
    async with staged(sqlite_url, (machine,)) as on:
        run, row = await driven(on, a_ring("w"))
        assert run["status"] == "passed"
        expected = "Completed" if reboots else "NotNeeded"
        assert (row["reboot_status"], row["installed"]) == (expected, 3)
        assert "did not say" not in row["reason"]


async def test_one_that_nobody_tells_about_ends_well_with_the_reason_of_the_gap(sqlite_url):
    temper = replace(TEMPERS["swallowed_reply"], blind_graph=True)
    async with staged(sqlite_url, (a_machine("w-00", temper),)) as on:
        run, row = await driven(on, a_ring("w"))
        assert (run["status"], row["reboot_status"]) == ("passed", None)
        assert row["reason"].endswith("Azure did not say whether it rebooted")
        assert row["installed"] is not None


async def test_a_vm_without_a_right_to_its_operations_learns_its_reboot_too(sqlite_url):
    temper = replace(TEMPERS["forbidden_polls"], needs_reboot=True, patches=3)
    async with staged(sqlite_url, (a_machine("w-00", temper),)) as on:
        run, row = await driven(on, a_ring("w"))
        assert (run["status"], row["reboot_status"]) == ("passed", "Completed")


async def test_without_any_right_to_resource_graph_views_decide_as_ever(sqlite_url):
    fleet = (a_machine("w-00", TEMPERS["swallowed_reply"]), a_machine("w-01", TEMPERS["silence"]))

    async def trace(vm_id, since):
        return a.Unreadable(reason="Azure answered 403 AuthorizationFailed", http_status=403)

    async with staged(sqlite_url, fleet) as on:
        on.doors = replace(on.doors, arm=Over(on.arm, trace=trace))
        run_id = await on.open(a_ring("w", max_parallel=FOUR, allow_failures=FOUR_BAD))
        run = await on.drive(run_id)
        rows = await on.operations(run_id)
        assert run["status"] == "passed"
        assert {name: row["state"] for name, row in rows.items()} == {
            "w-00": "succeeded",
            "w-01": "needs_human",
        }
        assert on.posts() == {"w-00": 1, "w-01": 1}


async def test_an_installation_of_an_earlier_run_that_shows_late_is_not_taken_for_this_ones(
    sqlite_url,
):
    """Two runs within a minute, and views that trail by longer than that."""
    temper = Temper(
        takes=timedelta(seconds=20),
        posts=(PostFault.FINE, PostFault.ERROR_503),
        view_lag=timedelta(minutes=2),
    )
    async with staged(sqlite_url, (a_machine("w-00", temper),)) as on:
        poll = Tracking(poll=timedelta(seconds=5))
        await driven(on, a_ring("w"), tracking=poll, min_interval=timedelta(0))
        run, row = await driven(on, a_ring("w"), tracking=poll, min_interval=timedelta(0))
        assert (run["status"], row["state"]) == ("halted", "needs_human")
        assert "no new installation was seen" in row["reason"]
        assert (on.posts(), on.installed()) == ({"w-00": 2}, {"w-00": 1})


async def test_a_202_that_is_written_down_late_ends_the_doubt(sqlite_url):
    """The sender was only frozen: another daemon had called its intent unknown meanwhile."""
    async with staged(sqlite_url, (a_machine("w-00", TEMPERS["untraceable"]),)) as on:
        run_id = await on.open(a_ring("w"))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["unknown"] == 1)
        (op,) = driver.view.ops.values()
        (installation,) = on.azure.ledger(on.clock.now())["installations"]
        tracker = a.Tracker(status_url="", location_url="https://azure.simulated.example/elsewhere")
        await on.store.receive(
            Receipt(
                attempt=op.state.attempt,
                at=on.clock.now(),
                tracker=tracker,
                activity=installation["activity_id"],
            )
        )
        await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 1)
        (op,) = driver.view.ops.values()
        assert (op.state.tracked, op.state.activity) == (True, installation["activity_id"])
        assert on.posts() == {"w-00": 1}


# --------------------------------------------------------------------------------- two, and Azure's


async def test_azures_own_run_in_the_slot_does_not_hide_ours(sqlite_url):
    """Ours is superseded by Azure's at once, so the view only ever shows Azure's."""
    temper = replace(TEMPERS["superseded"], posts=(PostFault.TAKEN_CUT,), view_lag=SETTLE / 5)
    machine = a_machine("w-00", replace(temper, takes=timedelta(minutes=2)))
    async with staged(sqlite_url, (machine,)) as on:
        _, row = await driven(on, a_ring("w"))
        ours = [
            each["activity_id"]
            for each in on.azure.ledger(on.clock.now())["installations"]
            if each["started_by"] == "User"
        ]
        assert [row["activity_id"]] == ours
        assert (row["state"], row["failure_class"]) == ("failed", "guest")
        assert on.posts() == {"w-00": 1}


async def test_a_run_of_azures_in_place_of_ours_is_never_adopted_and_nothing_is_sent(sqlite_url):
    async with staged(sqlite_url, (a_machine("w-00", TEMPERS["platform_first"]),)) as on:
        _, row = await driven(on, a_ring("w"))
        assert row["state"] == "needs_human"
        assert "Azure's own installation" in row["reason"]
        assert on.posts() == {"w-00": 1}
        assert on.installed() == {}


@pytest.mark.parametrize("busy", [Busy.OPERATION_NOT_ALLOWED, Busy.CONFLICT])
@pytest.mark.parametrize("blind", [True, False])
async def test_a_run_of_azures_before_which_ours_was_refused_is_no_success_of_ours(
    sqlite_url, busy, blind
):
    """Azure answers 409, and Resource Graph does not tell in time whose the run on the VM is."""
    temper = replace(TEMPERS["platform_first"], busy=busy, blind_graph=blind)
    late = replace(CALM, graph_lag=timedelta(hours=5))
    async with staged(sqlite_url, (a_machine("w-00", temper),), late) as on:
        run, row = await driven(on, a_ring("w"))
        (own,) = on.azure.ledger(on.clock.now())["installations"]
        assert own["started_by"] == "Platform"
        assert (run["status"], row["state"], row["activity_id"]) == ("halted", "needs_human", None)
        assert f"installation {own['activity_id']} appeared on the VM" in row["reason"]
        assert SETTLE <= settled_after(on) <= SETTLE + timedelta(seconds=30)
        assert on.posts() == {"w-00": 1}


async def test_two_new_installations_are_put_before_a_person(sqlite_url):
    """Something on the way repeated our request: the second took precedence in the guest."""
    temper = Temper(posts=(PostFault.TAKEN_CUT,), busy=TEMPERS["superseding"].busy)
    async with staged(sqlite_url, (a_machine("w-00", temper),)) as on:
        sound = on.arm._transport
        sent = []

        async def exchange(request):
            heard = await sound.exchange(request)
            if "/installPatches" in request.url and not sent:
                sent.append(request)
                on.clock.turn_to(on.clock.now() + timedelta(seconds=1))
                await sound.exchange(request)
            return heard

        on.arm._transport = Over(sound, exchange=exchange)
        run, row = await driven(on, a_ring("w"))
        assert on.installed() == {"w-00": 2}
        assert (run["status"], row["state"]) == ("halted", "needs_human")
        assert row["reason"].count("appeared on the VM") == 2


# ------------------------------------------------------------------------------------- too late


async def test_a_graph_that_trails_beyond_settle_leaves_it_to_a_person_and_never_sends(sqlite_url):
    temper = replace(TEMPERS["traceless"], graph_lag=timedelta(hours=2))
    async with staged(sqlite_url, (a_machine("w-00", temper),)) as on:
        run, row = await driven(on, a_ring("w"))
        assert (run["status"], row["state"]) == ("halted", "needs_human")
        assert "no new installation was seen" in row["reason"]
        assert SETTLE <= settled_after(on) <= SETTLE + timedelta(seconds=30)
        assert on.posts() == on.installed() == {"w-00": 1}
        on.clock.turn_to(on.clock.now() + timedelta(hours=12))
        await on.drive(run["run_id"])
        assert on.posts() == {"w-00": 1}


async def test_a_lost_request_is_asked_about_a_few_times_and_once_after_the_settle_instant(
    sqlite_url,
):
    async with staged(sqlite_url, (a_machine("w-00", TEMPERS["silence"]),)) as on:
        times = []

        async def trace(vm_id, since):
            times.append(on.clock.now())
            return await on.arm.trace(vm_id, since)

        on.doors = replace(on.doors, arm=Over(on.arm, trace=trace))
        _, row = await driven(on, a_ring("w"))
        assert row["state"] == "needs_human"
        assert 4 <= len(times) <= 8
        settle_at = on.witness.moves[-1].before.state.settle_at
        assert times[-2] < settle_at <= times[-1]
        assert queries(on) == len(times)


async def test_a_late_end_is_found_hourly_by_its_exact_id(sqlite_url):
    """Overdue and before a person, its end is heard of by Resource Graph alone."""
    temper = replace(TEMPERS["forbidden_polls"], blind=True, graph_lag=timedelta(hours=5))
    async with staged(sqlite_url, (a_machine("w-00", temper), a_machine("w-01"))) as on:
        wave = a_ring("w", max_parallel=FOUR, allow_failures=FOUR_BAD, bake=timedelta(days=1))
        run_id = await on.open(wave)
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["needs_human"] == 1)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["needs_human"] == 0)
        row = (await on.operations(run_id))["w-00"]
        assert row["state"] in {"succeeded", "verifying"}
        assert on.posts()["w-00"] == 1


# ----------------------------------------------------------------------------------- in the crowd


async def test_many_doubts_at_once_stay_within_the_quota_and_are_all_settled(sqlite_url):
    fleet = machines("w", 40, TEMPERS["traceless"])
    forty = Share(count=40)
    tracking = Tracking(max_unknown=100)
    async with staged(sqlite_url, fleet) as on:
        run_id = await on.open(a_ring("w", max_parallel=forty), tracking=tracking)
        run = await on.drive(run_id, steps=20_000)
        assert (run["status"], run["succeeded"] + run["nothing_to_do"]) == ("passed", 40)
        assert set(on.posts().values()) == {1}
        assert ("trace", "429") not in on.witness.asks


async def test_a_quota_that_others_use_up_delays_nothing_but_the_queries(sqlite_url):
    fleet = (a_machine("w-00", TEMPERS["silence"]),)
    async with staged(sqlite_url, fleet) as on:
        on.doors.throttle.refused(Call.TRACE, a_target(0), timedelta(hours=2), on.clock.now())
        _, row = await driven(on, a_ring("w"))
        assert row["state"] == "needs_human"
        assert settled_after(on) <= SETTLE + timedelta(minutes=1.5)
        assert queries(on) == 0
