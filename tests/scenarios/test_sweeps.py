"""A fleet that is followed by sweeps of Resource Graph: few reads, nothing decided by a hint, and
nothing lost when they fail, lie or come late."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest

from orchestrator.domain import answer as a
from orchestrator.domain.model import ActivityId, Share, Tolerance, Tracking
from orchestrator.domain.states import InProgress
from orchestrator.domain.throttle import Call
from orchestrator.engine.conductor import Conductor
from orchestrator.engine.sweeper import SWEPT_FROM, Sweeper
from orchestrator.simulator.faults import TEMPERS
from orchestrator.simulator.moods import Mood
from orchestrator.simulator.tempers import Temper
from tests.kit.over import Over
from tests.kit.rows import a_target
from tests.kit.stage import a_machine, a_ring, at_rest, machines, staged
from tests.scenarios.test_notices import StillClock, until

PROMPT = Mood(graph_lag=timedelta(seconds=20))
ALL = Share(count=1_000)
ANY = Tolerance(percent=100)
EVERY = timedelta(seconds=25)


def a_fleet(number, **temper):
    """Return VMs whose installations take 20 minutes, give or take a quarter."""
    luck = Random(7)
    return tuple(
        a_machine(
            f"w-{n:03d}",
            Temper(takes=timedelta(minutes=20 * luck.lognormvariate(0, 0.2)), **temper),
        )
        for n in range(number)
    )


async def followed(on, number, *, sweeps=True, steps=60_000, **plan):
    """Drive a run of one wave to its rest, sweeping as a daemon does; return its row."""
    run_id = await on.open(a_ring("w", max_parallel=ALL, allow_failures=ANY), **plan)
    driver = await on.take(run_id)
    sweeper = Sweeper(on.doors, lambda: [driver])
    sweep_at = on.clock.now() + EVERY
    async with asyncio.TaskGroup() as group:
        for _ in range(steps):
            if sweeps and on.clock.now() >= sweep_at:
                await sweeper.sweep()
                sweep_at = on.clock.now() + EVERY
            todo = await driver.step(group)
            await driver.settle()
            if driver.over or at_rest(driver):
                break
            if not (todo.commands or todo.decisions):
                on.clock.turn_to(min(todo.wake_at, sweep_at) if sweeps else todo.wake_at)
    assert driver.over or at_rest(driver), driver.view.indexes()
    await on.store.release(driver.book.lease)
    run = await on.row(run_id)
    assert run["vms"] == number
    return run


def asked(on, kind):
    return sum(each == kind for each, _ in on.witness.asks)


def lateness(on):
    """Return, by VM name, how long after its real end each installation was seen to have ended, in
    seconds."""
    ends = {
        each["vm_id"].lower(): datetime.fromisoformat(each["ends_at"])
        for each in on.azure.ledger(on.clock.now())["installations"]
    }
    return {
        move.after.target.name: (move.event.at - ends[move.after.target.vm_id]).total_seconds()
        for move in on.witness.moves
        if isinstance(move.before.state, InProgress)
    }


def with_sweeps(on, sweep):
    on.doors = replace(on.doors, arm=Over(on.arm, sweep=sweep))


async def test_a_fleet_is_followed_with_a_read_each_and_each_end_is_noticed_within_a_minute(
    sqlite_url,
):
    async with staged(sqlite_url, a_fleet(300), PROMPT) as on:
        run = await followed(on, 300)
        assert (run["status"], run["succeeded"] + run["nothing_to_do"]) == ("passed", 300)
        assert set(on.posts().values()) == {1}
        calls = asked(on, "poll") + asked(on, "trace")
        assert calls <= 1.6 * 300, "one read each, and a query every 25 s whatever their number"
        late = sorted(lateness(on).values())
        assert late[150] <= 45
        assert late[296] <= 80
        assert ("trace", "429") not in on.witness.asks


async def test_without_sweeps_nothing_is_lost_and_the_reads_are_planned(sqlite_url):
    async def sweep(subscriptions, since, *, running):
        return a.Unreadable(reason="Azure answered 403 AuthorizationFailed", http_status=403)

    async with staged(sqlite_url, a_fleet(150), PROMPT) as on:
        with_sweeps(on, sweep)
        run = await followed(on, 150)
        assert (run["status"], run["succeeded"] + run["nothing_to_do"]) == ("passed", 150)
        assert asked(on, "poll") < 25 * 150, "every 30 s would be 40 each"
        assert max(lateness(on).values()) <= 300


async def test_sweeps_that_cease_are_made_up_for_by_single_reads(sqlite_url):
    """They work for ten minutes, and all that was put off is then read in time."""

    async def sweep(subscriptions, since, *, running):
        if on.clock.now() >= ends_at:
            return a.Unreadable(reason="the connection broke before an answer came")
        return await on.arm.sweep(subscriptions, since, running=running)

    async with staged(sqlite_url, a_fleet(150), PROMPT) as on:
        ends_at = on.clock.now() + timedelta(minutes=10)
        with_sweeps(on, sweep)
        run = await followed(on, 150)
        assert (run["status"], run["succeeded"] + run["nothing_to_do"]) == ("passed", 150)
        assert max(lateness(on).values()) <= 300


async def test_a_graph_that_never_shows_anything_is_not_relied_on(sqlite_url):
    """So it is without a right to the results: every answer is empty, and none is an error."""
    async with staged(sqlite_url, a_fleet(80, blind_graph=True), PROMPT) as on:
        run = await followed(on, 80)
        assert (run["status"], run["succeeded"] + run["nothing_to_do"]) == ("passed", 80)
        assert asked(on, "trace") > 10
        assert max(lateness(on).values()) <= 300


async def test_a_right_that_is_taken_away_is_noticed_by_the_ends_that_nobody_told_of(sqlite_url):
    """From the tenth minute on all answers are empty."""

    async def sweep(subscriptions, since, *, running):
        told = await on.arm.sweep(subscriptions, since, running=running)
        return told if on.clock.now() < ends_at else replace(told, hints=())

    async with staged(sqlite_url, a_fleet(400), PROMPT) as on:
        ends_at = on.clock.now() + timedelta(minutes=10)
        with_sweeps(on, sweep)
        run = await followed(on, 400)
        assert (run["status"], run["succeeded"] + run["nothing_to_do"]) == ("passed", 400)
        late = sorted(lateness(on).values())
        assert late[200] <= 600, "the first few take as long as the safety net, no more do"
        assert late[-1] <= 1_200


@pytest.mark.parametrize("truth", ["steady", "fails"])
async def test_a_hint_that_lies_costs_a_few_reads_and_decides_nothing(sqlite_url, truth):
    """It says of all that they have ended, a minute after they began."""

    async def sweep(subscriptions, since, *, running):
        (driver_ops,) = seen
        ends = tuple(
            a.Hint(vm_id=vm, activity=op.state.activity)
            for vm, op in driver_ops().items()
            if isinstance(op.state, InProgress)
        )
        return a.Swept(hints=ends)

    temper = replace(TEMPERS[truth], takes=timedelta(minutes=20))
    async with staged(sqlite_url, machines("w", 60, temper), PROMPT) as on:
        with_sweeps(on, sweep)
        taken, seen = on.take, []

        async def take(run_id):
            driver = await taken(run_id)
            seen.append(lambda: driver.view.ops)
            return driver

        on.take = take
        run = await followed(on, 60)
        good = run["succeeded"] + run["nothing_to_do"]
        assert (run["failed"] if truth == "fails" else good) == 60
        assert min(lateness(on).values()) >= 0, "nothing ended before it ended"
        assert asked(on, "poll") < 15 * 60


async def test_hints_about_others_and_about_nobody_are_passed_over(sqlite_url):
    async def sweep(subscriptions, since, *, running):
        told = await on.arm.sweep(subscriptions, since, running=running)
        strangers = [a.Hint(vm_id=a_target(n).vm_id, activity=ActivityId("x")) for n in range(50)]
        mistaken = [replace(each, activity=ActivityId("another")) for each in told.hints]
        return replace(told, hints=(*strangers, *mistaken, *told.hints))

    async with staged(sqlite_url, a_fleet(60), PROMPT) as on:
        with_sweeps(on, sweep)
        run = await followed(on, 60)
        assert run["status"] == "passed"
        assert Counter(on.posts().values()) == {1: 60}


async def test_a_quota_that_others_use_up_is_left_alone_and_single_reads_go_on(sqlite_url):
    async with staged(sqlite_url, a_fleet(60), PROMPT) as on:
        on.doors.throttle.refused(Call.TRACE, a_target(0), timedelta(hours=12), on.clock.now())
        run = await followed(on, 60)
        assert run["status"] == "passed"
        assert asked(on, "trace") == 0
        assert max(lateness(on).values()) <= 300


async def test_a_small_fleet_and_one_that_is_watched_closely_are_not_swept(sqlite_url):
    async with staged(sqlite_url, a_fleet(SWEPT_FROM - 1), PROMPT) as on:
        await followed(on, SWEPT_FROM - 1)
        assert asked(on, "trace") == 0


async def test_who_wants_each_end_at_once_is_read_as_often_as_that(sqlite_url):
    fleet = machines("w", 60, Temper(takes=timedelta(seconds=40)))
    async with staged(sqlite_url, fleet, PROMPT) as on:
        await followed(on, 60, tracking=Tracking(poll=timedelta(seconds=5)))
        assert asked(on, "trace") == 0
        assert max(lateness(on).values()) <= 10


class BeatingClock(StillClock):
    """Stands still, but for the time between two sweeps, which ends when the test says so."""

    def __init__(self, clock):
        super().__init__(clock)
        self.beat = asyncio.Event()

    async def sleep(self, seconds):
        if seconds != EVERY.total_seconds():
            await super().sleep(seconds)
        await self.beat.wait()
        self.beat.clear()


async def test_a_daemon_sweeps_for_its_runs_and_remembers_earlier_ones(sqlite_url):
    fleet = machines("w", 60, Temper(takes=timedelta(minutes=40)))
    async with staged(sqlite_url, fleet, PROMPT) as on:
        await followed(on, 60)
        run_id = await on.open(
            a_ring("w", max_parallel=ALL), name="again", min_interval=timedelta(0)
        )
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 60)
        await driver.book.checkpoint()
        await on.store.release(driver.book.lease)
        on.clock.turn_to(on.clock.now() + timedelta(minutes=2))
        clock, before = BeatingClock(on.clock), asked(on, "trace")
        conductor = Conductor(replace(on.doors, clock=clock), "daemon-1")
        async with asyncio.TaskGroup() as group:
            group.create_task(conductor.conduct())
            await until(lambda: run_id in conductor.driving)
            view = conductor.driver(run_id).view
            op = next(iter(view.ops.values()))
            assert view.pacing(op).curve.survives(30 * 60) > 0.8, "they took 40 minutes before"
            assert not view.pacing(op).swept
            clock.beat.set()
            await until(lambda: view.pacing(op).swept)
            assert asked(on, "trace") == before + 1
            conductor.stop()
