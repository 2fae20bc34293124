"""A bad network and a bad region: what one spoiled answer must not cost, in whole runs."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.domain import answer as a
from orchestrator.domain.model import Tracking
from orchestrator.domain.states import InProgress, Unknown
from orchestrator.engine.sweeper import AGAIN, LONG_LAG, Sweeper
from orchestrator.simulator.faults import TEMPERS
from orchestrator.simulator.moods import FLAKY, Mood
from orchestrator.simulator.tempers import PollFault, PostFault, Temper
from tests.kit.over import Over
from tests.kit.stage import a_machine, a_ring, staged
from tests.scenarios.test_sweeps import (
    ALL,
    ANY,
    EVERY,
    BeatingClock,
    a_fleet,
    asked,
    followed,
    lateness,
    with_sweeps,
)
from tests.scenarios.test_sweeps import PROMPT as AT_ONCE
from tests.scenarios.test_traces import driven, settled_after

GONE = a.Gone(reason="Azure answered 404 NotFound: The entity was not found.")
LOST = a.Unreadable(reason="the connection broke before an answer came")
SLOW = timedelta(minutes=4)


def looks(on, spoil):
    """Let looks come through `spoil(number, answer)`; return the instants at which they were."""
    times = []

    async def look(vm_id):
        times.append(on.clock.now())
        return spoil(len(times), await on.arm.look(vm_id))

    on.doors = replace(on.doors, arm=Over(on.arm, look=look))
    return times


# ------------------------------------------------------------------------------- a 404 on the VM


async def test_one_404_before_the_start_is_no_skip(sqlite_url):
    async with staged(sqlite_url, (a_machine("w-00"),)) as on:
        times = looks(on, lambda number, answer: GONE if number == 1 else answer)
        run, row = await driven(on, a_ring("w"))
        assert (run["status"], row["outcome"], on.posts()) == ("passed", "succeeded", {"w-00": 1})
        assert times[1] - times[0] <= timedelta(seconds=10), "it was looked at again soon"


async def test_a_vm_that_stays_away_is_skipped_within_a_minute_and_nothing_is_sent(sqlite_url):
    async with staged(sqlite_url, (a_machine("w-00"), a_machine("w-01"))) as on:
        times = looks(on, lambda number, answer: GONE)
        run_id = await on.open(a_ring("w", max_parallel=ALL, allow_failures=ANY))
        await on.drive(run_id)
        rows = (await on.operations(run_id)).values()
        assert {row["outcome"] for row in rows} == {"skipped"}
        assert all("404" in row["reason"] for row in rows)
        assert on.posts() == {}
        assert timedelta(seconds=30) <= times[-1] - times[0] <= timedelta(minutes=1)


async def test_a_404_at_the_settle_instant_does_not_make_a_doubtful_vm_gone(sqlite_url):
    """Its trace is there, for whoever looks again."""

    def spoil(number, answer):
        due = on.clock.now() >= settle_at[0]
        settle_at[1] += due
        return GONE if due and settle_at[1] == 1 else LOST if number > 1 and not due else answer

    async with staged(sqlite_url, (a_machine("w-00", TEMPERS["traceless"]),)) as on:
        settle_at = [on.clock.now() + Tracking().settle, 0]

        async def trace(vm_id, since):
            return LOST

        looks(on, spoil)
        on.doors = replace(on.doors, arm=Over(on.doors.arm, trace=trace))
        _, row = await driven(on, a_ring("w"))
        assert row["state"] == "needs_human"
        assert "no new installation was seen" in row["reason"]


# ------------------------------------------------------------------------------ a spoiled poll


@pytest.mark.parametrize("fault", [each.value for each in PollFault if each.value in FLAKY.reads])
async def test_a_poll_that_was_spoiled_is_made_again_within_seconds(sqlite_url, fault):
    temper = Temper(takes=timedelta(minutes=20), polls=(PollFault(fault),) * 2)
    polled = []

    async def poll(tracker):
        polled.append(on.clock.now())
        return await on.arm.poll(tracker)

    async with staged(sqlite_url, (a_machine("w-00", temper),)) as on:
        on.doors = replace(on.doors, arm=Over(on.arm, poll=poll))
        run, _ = await driven(on, a_ring("w"))
        assert run["status"] == "passed"
        assert polled[1] - polled[0] <= timedelta(seconds=5)
        assert polled[2] - polled[1] <= timedelta(seconds=10)


@pytest.mark.parametrize(("faults", "by_view"), [(2, False), (9, True)])
async def test_two_404_on_a_poll_leave_its_url_in_use_and_more_do_not(sqlite_url, faults, by_view):
    temper = Temper(takes=timedelta(minutes=20), polls=(PollFault.NOT_FOUND,) * faults)
    async with staged(sqlite_url, (a_machine("w-00", temper),)) as on:
        times = looks(on, lambda number, answer: answer)
        run, row = await driven(on, a_ring("w"))
        assert run["status"] == "passed"
        assert row["installed"] is not None
        assert (len(times) > 3) is by_view


# ------------------------------------------------------------------------------- sweeps that trail


async def test_where_resource_graph_is_slow_and_reads_are_many_ends_are_read(sqlite_url):
    async with staged(sqlite_url, a_fleet(150), Mood(graph_lag=SLOW)) as on:
        run = await followed(on, 150)
        assert (run["status"], run["succeeded"] + run["nothing_to_do"]) == ("passed", 150)
        late = sorted(lateness(on).values())
        assert late[75] < 75
        assert late[-1] < SLOW.total_seconds() + 60


async def test_where_it_is_relied_on_each_end_is_noticed_as_soon_as_it_is_shown(sqlite_url):
    """Reads so rare that a slow Resource Graph is sooner."""
    rare = Tracking(poll=timedelta(minutes=5))
    async with staged(sqlite_url, a_fleet(150), Mood(graph_lag=SLOW)) as on:
        run = await followed(on, 150, tracking=rare)
        assert run["status"] == "passed"
        late = sorted(lateness(on).values())
        assert late[75] <= (SLOW + 2 * EVERY).total_seconds()
        assert late[142] <= (SLOW + 3 * EVERY).total_seconds()
        assert asked(on, "poll") < 3 * 150


async def test_what_is_indexed_later_than_any_sweep_looks_back_is_found_by_a_deep_one(sqlite_url):
    late = timedelta(minutes=12)
    hidden = Temper(takes=timedelta(minutes=6), graph_lag=late)
    fleet = (*a_fleet(140), *(a_machine(f"w-x{n:02d}", hidden) for n in range(10)))
    async with staged(sqlite_url, fleet, AT_ONCE) as on:
        run = await followed(on, 150, tracking=Tracking(poll=timedelta(minutes=5)))
        assert run["status"] == "passed"
        delays = [delay for name, delay in lateness(on).items() if name.startswith("w-x")]
        assert late > LONG_LAG
        assert max(delays) <= (late + 11 * EVERY).total_seconds()


async def test_a_sweep_that_failed_is_repeated_before_its_time(sqlite_url):
    class Noting(BeatingClock):
        async def sleep(self, seconds):
            waits.append(seconds)
            on.clock.turn_to(on.clock.now() + timedelta(seconds=seconds))
            if len(waits) > 9:
                raise asyncio.CancelledError

    async def sweep(subscriptions, since, *, running):
        told.append(running)
        return LOST if 2 <= len(told) <= 6 else a.Swept(hints=())

    waits, told = [], []
    async with staged(sqlite_url, a_fleet(60), AT_ONCE) as on:
        run_id = await on.open(a_ring("w", max_parallel=ALL, allow_failures=ANY))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 60)
        doors = replace(on.doors, clock=Noting(on.clock), arm=Over(on.arm, sweep=sweep))
        with pytest.raises(asyncio.CancelledError):
            await Sweeper(doors, lambda: [driver]).sweep_always()
        every = EVERY.total_seconds()
        soon = every / AGAIN
        assert waits == [every, every, soon, 2 * soon, 4 * soon, *[every] * 5]
        assert len(told) == 9
        await on.store.release(driver.book.lease)


async def test_more_ends_than_pages_begin_the_sweeps_anew(sqlite_url):
    async def sweep(subscriptions, since, *, running):
        told = await on.arm.sweep(subscriptions, since, running=running)
        asked_running.append(running)
        cut = not running and len(asked_running) == 8
        return replace(told, whole=False) if cut else told

    asked_running = []
    async with staged(sqlite_url, a_fleet(80), AT_ONCE) as on:
        with_sweeps(on, sweep)
        run = await followed(on, 80)
        assert run["status"] == "passed"
        assert asked_running[7:9] == [False, True]
        assert max(lateness(on).values()) <= 300


# ------------------------------------------------------------------------------ a lost answer


async def test_a_lost_answer_is_adopted_as_soon_as_the_view_shows_it(sqlite_url):
    """Not at the next of the queries that are minutes apart."""
    temper = Temper(posts=(PostFault.TAKEN_CUT,), view_lag=timedelta(minutes=2))
    async with staged(sqlite_url, (a_machine("w-00", temper),), Mood(graph_lag=SLOW)) as on:
        run, _ = await driven(on, a_ring("w"))
        assert run["status"] == "passed"
        assert settled_after(on) <= timedelta(minutes=2.75)


async def test_a_query_that_was_spoiled_is_put_again_at_the_next_look(sqlite_url):
    async def trace(vm_id, since):
        times.append(on.clock.now())
        return LOST if len(times) == 1 else await on.arm.trace(vm_id, since)

    times = []
    async with staged(sqlite_url, (a_machine("w-00", TEMPERS["traceless"]),)) as on:
        on.doors = replace(on.doors, arm=Over(on.arm, trace=trace))
        await driven(on, a_ring("w"))
        assert times[1] - times[0] <= timedelta(seconds=30)
        assert settled_after(on) <= timedelta(minutes=2)


# ------------------------------------------------------------------------------------- the whole


async def test_in_a_flaky_region_only_requests_that_never_arrived_are_put_before_a_person(
    sqlite_url,
):
    """The simulator's ledger tells which did."""
    fleet = tuple(a_machine(f"w-{n:03d}", None) for n in range(120))
    tracking = Tracking(max_unknown=1_000)
    async with staged(sqlite_url, fleet, FLAKY, seed=3) as on:
        run_id = await on.open(a_ring("w", max_parallel=ALL, allow_failures=ANY), tracking=tracking)
        await on.drive(run_id, steps=60_000)
        rows = await on.operations(run_id)
        states = Counter(row["state"] for row in rows.values())
        human = {name for name, row in rows.items() if row["state"] == "needs_human"}
        assert set(states) <= {"succeeded", "needs_human"}, states
        assert human == set(on.posts()) - set(on.installed())
        assert set(on.posts()) == set(rows), "each was sent, once"
        assert set(on.posts().values()) == {1}
        unknown = [move for move in on.witness.moves if isinstance(move.before.state, Unknown)]
        adopted = [
            (move.event.at - move.before.state.since).total_seconds()
            for move in unknown
            if isinstance(move.after.state, InProgress)
        ]
        assert sorted(adopted)[len(adopted) // 2] <= 240
