"""Corners where a run could have started too much, lost a VM, or never come to an end."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from orchestrator.clock import WallClock
from orchestrator.domain import answer as a
from orchestrator.domain import states as s
from orchestrator.domain.model import Share, Tolerance
from orchestrator.domain.record import Act, ActKind
from orchestrator.engine.conductor import Conductor
from orchestrator.ports import StoreUnavailableError
from orchestrator.service import Opened
from orchestrator.simulator.faults import TEMPERS
from tests.kit.over import Over
from tests.kit.rows import EPOCH
from tests.kit.stage import a_machine, a_ring, machines, staged

TWO = Share(count=2)


class Live:
    """A clock that goes by itself, from the epoch of the tests: for tasks of a conductor."""

    def __init__(self) -> None:
        self._wall = WallClock()
        self._began = self._wall.now()

    def now(self):
        return EPOCH + timedelta(minutes=1) + (self._wall.now() - self._began)

    def __getattr__(self, name: str):
        return getattr(self._wall, name)


async def ended(task: asyncio.Task, seconds: float) -> bool:
    """Wait so long for a task, then end it; tell whether it ended by itself."""
    done, _ = await asyncio.wait({task}, timeout=seconds)
    task.cancel()
    await asyncio.wait({task}, timeout=5)
    return bool(done)


async def test_stop_while_a_run_is_being_taken_up_returns(sqlite_url):
    async with staged(sqlite_url, machines("w", 3)) as on:
        await on.open(a_ring("w", max_parallel=TWO))
        loading, go = asyncio.Event(), asyncio.Event()

        async def load(run_id):
            loading.set()
            await go.wait()
            return await on.store.load(run_id)

        doors = replace(on.doors, store=Over(on.store, load=load), clock=Live())
        on.clock.turn_to(on.clock.now() + timedelta(minutes=1))
        conductor = Conductor(doors, "d")
        task = asyncio.create_task(conductor.conduct())
        await loading.wait()
        conductor.stop()
        go.set()
        assert await ended(task, 4)
        assert on.posts() == {}


async def test_a_repeated_retry_of_a_passed_run_opens_one_run(sqlite_url):
    fleet = (a_machine("w-00", TEMPERS["fails_once"]), a_machine("w-01"))
    async with staged(sqlite_url, fleet) as on:
        first = await on.open(a_ring("w", max_parallel=TWO, allow_failures=Tolerance(count=1)))
        await on.drive(first)
        act = Act(
            id="again",
            run_id=first,
            kind=ActKind.RETRY,
            actor="ann",
            because="x",
            at=on.clock.now(),
        )
        one = await on.service.act(act)
        driver = await on.take(one.run_id)
        await on.go_on(driver, until=lambda v: v.tally(1).labels["in_progress"] == 1)
        on.clock.turn_to(on.clock.now() + timedelta(minutes=1))
        two = await on.service.act(act)  # the same act id, sent again
        await on.go_on(driver)
        if isinstance(two, Opened):
            await on.drive(two.run_id)
        assert on.installed()["w-00"] == 2, on.installed()


async def test_a_vm_deleted_while_it_is_patched_is_put_before_a_person(sqlite_url):
    async with staged(sqlite_url, machines("w", 2)) as on:
        run_id = await on.open(a_ring("w", max_parallel=TWO))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda v: v.tally(1).labels["in_progress"] == 2)
        await on.store.release(driver.book.lease)
        gone = "w-00"

        async def look(vm_id):
            if vm_id.endswith(gone):
                return a.Gone(reason="404 ResourceNotFound")
            return await on.arm.look(vm_id)

        victim = next(op for op in driver.view.ops.values() if op.target.name == gone)
        tracker = (await on.store.receipts([victim.state.attempt]))[victim.state.attempt].tracker

        async def poll(t):
            return (
                a.Untrackable(reason="404", http_status=404)
                if t == tracker
                else await on.arm.poll(t)
            )

        on.doors = replace(on.doors, arm=Over(on.arm, look=look, poll=poll))
        driver = await on.take(run_id, "daemon-2")
        await on.ask(run_id, ActKind.CANCEL)
        await on.go_on(driver, steps=600)
        row = await on.row(run_id)
        assert (row["status"], row["needs_human"], row["in_progress"]) == ("cancelled", 1, 0)
        assert row["closed_at"] is not None


async def test_stop_returns_while_the_database_refuses_to_write(sqlite_url):
    async with staged(sqlite_url, machines("w", 2)) as on:
        await on.open(a_ring("w"))
        tried = asyncio.Event()

        async def record(lease, change):
            tried.set()
            raise StoreUnavailableError("disk full")

        doors = replace(on.doors, store=Over(on.store, record=record), clock=Live())
        conductor = Conductor(doors, "d")
        task = asyncio.create_task(conductor.conduct())
        await tried.wait()
        conductor.stop()
        assert await ended(task, 5 + 8)


async def test_a_vm_that_answers_409_busy_for_ever_is_skipped_after_four_hours(sqlite_url):
    async with staged(sqlite_url, machines("w", 1)) as on:
        posts = 0

        async def install(order):
            nonlocal posts
            posts += 1
            return a.Conflicted(conflict=s.Conflict.BUSY, code="Conflict", message="busy")

        on.doors = replace(on.doors, arm=Over(on.arm, install=install))
        run_id = await on.open(a_ring("w"))
        driver = await on.take(run_id)
        begun = on.clock.now()
        await on.go_on(
            driver, steps=20_000, until=lambda v: on.clock.now() - begun > timedelta(hours=8)
        )
        row = await on.row(run_id)
        assert row["skipped"] == 1, (posts, row["queued"], row["unknown"])


async def test_one_silent_hourly_look_does_not_pause_a_bake(sqlite_url):
    fleet = (a_machine("w-00", TEMPERS["hang"]), a_machine("w-01"))
    async with staged(sqlite_url, fleet) as on:
        silent = False

        async def look(vm_id):
            nonlocal silent
            if silent:
                silent = False
                return a.Unreadable(reason="connection reset")
            return await on.arm.look(vm_id)

        on.doors = replace(on.doors, arm=Over(on.arm, look=look))
        run_id = await on.open(
            a_ring(
                "w", max_parallel=TWO, allow_failures=Tolerance(count=1), bake=timedelta(hours=24)
            )
        )
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda v: v.waves[1].status == "baking")
        silent = True
        # turn in small steps, as acts are looked for every second in production
        async with asyncio.TaskGroup() as group:
            for _ in range(200):
                await driver.step(group)
                await driver.settle()
                on.clock.turn_to(on.clock.now() + timedelta(minutes=1))
        row = await on.row(run_id)
        assert row["status"] == "open", (row["status"], row["reason"])


async def test_no_start_once_the_budget_is_broken_and_the_halt_is_not_written_yet(sqlite_url):
    async with staged(sqlite_url, machines("w", 3)) as on:
        run_id = await on.open(a_ring("w", max_parallel=TWO))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 2)
        failed, waiting = (
            next(op for op in driver.view.ops.values() if isinstance(op.state, state))
            for state in (s.InProgress, s.Queued)
        )
        why = s.Why("patches_failed", "1 of 1 patches failed")
        driver.view.put(replace(failed, state=s.Failed(EPOCH, s.FailureClass.GUEST, why)))
        await driver._submitter.start(waiting)
        assert waiting.target.name not in on.posts()
        assert isinstance(driver.view.ops[waiting.target.vm_id].state, s.Queued)


async def test_an_intent_whose_commit_answer_is_lost_is_taken_back_as_unsent(sqlite_url):
    async with staged(sqlite_url, machines("w", 1)) as on:
        writer = on.store._write.__self__.writer
        database, cut = writer._database, [False]

        async def write(unit):
            value = await database.write(unit)
            if cut[0]:
                cut[0] = False
                raise StoreUnavailableError("the connection broke at COMMIT")
            return value

        writer._database = Over(database, write=write)
        once = [True]

        async def intend(*given):
            cut[0], once[0] = once[0], False
            return await on.store.intend(*given)

        on.doors = replace(on.doors, store=Over(on.store, intend=intend))
        run_id = await on.open(a_ring("w"))
        driver = await on.take(run_id)
        await on.go_on(driver)
        driver = await on.take(run_id, "daemon-1")
        await on.go_on(driver)
        row = await on.row(run_id)
        ops = await on.operations(run_id)
        assert row["status"] == "passed", (
            row["status"],
            row["needs_human"],
            on.posts(),
            ops["w-00"]["reason"],
        )


async def test_a_start_in_hand_at_a_stop_is_not_sent_and_goes_on_later(sqlite_url):
    async with staged(sqlite_url, machines("w", 1)) as on:
        looking, go_on = asyncio.Event(), asyncio.Event()

        async def look(vm_id):
            looking.set()
            await go_on.wait()
            return await on.arm.look(vm_id)

        sound = on.doors
        on.doors = replace(on.doors, arm=Over(on.arm, look=look), clock=Live())
        run_id = await on.open(a_ring("w"))
        driver = await on.take(run_id)
        task = asyncio.create_task(driver.drive())
        await looking.wait()
        driver.stop()
        go_on.set()
        assert await ended(task, 20)
        assert on.posts() == {}
        on.doors = sound
        on.clock.turn_to(EPOCH + timedelta(hours=1))
        assert (await on.drive(run_id))["status"] == "passed"
        assert on.posts() == {"w-00": 1}
