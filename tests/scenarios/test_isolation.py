"""Trouble stays where it is: a bug, a broken row, or a database that is away."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.domain.model import AttemptId, Share
from orchestrator.domain.record import ActKind
from orchestrator.engine.conductor import Conductor
from orchestrator.ports import StoreSlowError, StoreUnavailableError
from tests.kit.stage import a_ring, machines, staged


class Flawed:
    """A port of which one method fails, the first so many times."""

    def __init__(self, port: object, name: str, error: Exception, times: int = 1_000) -> None:
        self._port = port
        self._name = name
        self._error = error
        self.left = times

    def __getattr__(self, name: str):
        if name == self._name and self.left > 0:
            return self._fail
        return getattr(self._port, name)

    async def _fail(self, *_given, **_named):
        self.left -= 1
        raise self._error


@pytest.mark.parametrize(("door", "call"), [("arm", "poll"), ("store", "trackers")])
async def test_a_bug_gives_the_run_up_without_cutting_its_neighbours(sqlite_url, door, call):
    async with staged(sqlite_url, machines("w", 3)) as on:
        run_id = await on.open(a_ring("w", max_parallel=Share(count=3)))
        sound = on.doors
        flawed = Flawed(getattr(sound, door), call, ZeroDivisionError("a bug"))
        on.doors = replace(sound, **{door: flawed})
        driver = await on.take(run_id)
        await on.go_on(driver)
        assert driver.book.lost == "a bug, see the log"
        assert isinstance(on.witness.crashes[0][1], ZeroDivisionError)
        on.doors = sound
        assert (await on.drive(run_id))["status"] == "passed"
        assert on.installed() == {"w-00": 1, "w-01": 1, "w-02": 1}


async def test_a_database_that_is_away_is_asked_again_at_a_pace(sqlite_url):
    async with staged(sqlite_url, machines("w", 1)) as on:
        run_id = await on.open(a_ring("w"))
        away = Flawed(on.store, "trackers", StoreUnavailableError("away"), times=20)
        on.doors = replace(on.doors, store=away)
        began = on.clock.now()
        assert (await on.drive(run_id))["status"] == "passed"
        assert away.left == 0
        assert (on.clock.now() - began).total_seconds() >= 20
        assert on.posts() == {"w-00": 1}


async def test_what_happened_is_written_down_once_the_database_is_back(any_database_url):
    """The 202 came while the database was away: its receipt must not be lost."""
    async with staged(any_database_url, machines("w", 1)) as on:
        run_id = await on.open(a_ring("w"))
        away = Flawed(on.store, "accept", StoreUnavailableError("away"), times=7)
        on.doors = replace(on.doors, store=away)
        assert (await on.drive(run_id))["status"] == "passed"
        (attempt,) = await on.store.rows("v_attempts", run_id=run_id)
        assert (attempt["end"], away.left) == ("accepted", 0)


async def test_a_bug_in_what_follows_from_a_202_does_not_cost_its_receipt(any_database_url):
    async with staged(any_database_url, machines("w", 1)) as on:
        run_id = await on.open(a_ring("w"))
        on.doors = replace(on.doors, store=Flawed(on.store, "accept", ValueError("a bug"), times=1))
        driver = await on.take(run_id)
        await on.go_on(driver)
        assert driver.book.lost is not None
        (attempt,) = await on.store.rows("v_attempts", run_id=run_id)
        receipts = await on.store.receipts([AttemptId(attempt["client_request_id"])])
        assert len(receipts) == 1
        assert (await on.drive(run_id))["status"] == "passed"
        assert on.posts() == {"w-00": 1}


async def test_an_intent_whose_commit_is_in_doubt_is_never_sent(any_database_url):
    async with staged(any_database_url, machines("w", 1)) as on:
        run_id = await on.open(a_ring("w"))
        away = Flawed(on.store, "intend", StoreUnavailableError("away"), times=1)
        on.doors = replace(on.doors, store=away)
        driver = await on.take(run_id)
        await on.go_on(driver)
        assert driver.book.lost is not None  # it was not written: the rows know better
        assert on.posts() == {}
        assert (await on.drive(run_id))["status"] == "passed"
        assert on.posts() == {"w-00": 1}


async def test_an_intent_that_was_written_without_our_knowing_is_taken_back_unsent(sqlite_url):
    async with staged(sqlite_url, machines("w", 1)) as on:
        run_id = await on.open(a_ring("w"))
        on.doors = replace(on.doors, store=WrittenUnheard(on.store))
        assert (await on.drive(run_id))["status"] == "passed"
        ends = [row["end"] for row in await on.store.rows("v_attempts", run_id=run_id)]
        assert ends == ["abandoned", "accepted"]
        assert on.posts() == {"w-00": 1}


class WrittenUnheard:
    """A store whose first intent is committed, and the answer to it lost."""

    def __init__(self, store: object) -> None:
        self._store = store
        self._heard = False

    def __getattr__(self, name: str):
        return getattr(self._store, name)

    async def intend(self, *given):
        outcome = await self._store.intend(*given)
        if not self._heard:
            self._heard = True
            raise StoreUnavailableError("the answer to COMMIT was lost")
        return outcome


async def test_a_run_whose_rows_cannot_be_read_does_not_stop_the_others(sqlite_url):
    async with staged(sqlite_url, machines("w", 1)) as on:
        await on.open(a_ring("w"))
        poisoned = Flawed(on.store, "load", ValueError("no such state"), times=1)
        conductor = Conductor(replace(on.doors, store=poisoned), "daemon-1")
        async with asyncio.TaskGroup() as group:
            await conductor.scan(group)
        assert conductor.driving == ()
        assert on.witness.crashes


async def test_a_run_that_is_too_much_for_the_database_keeps_no_other_from_being_driven(sqlite_url):
    async with staged(sqlite_url, (*machines("w", 1), *machines("x", 1))) as on:
        big = await on.open(a_ring("w"), name="big")
        small = await on.open(a_ring("x"), name="small")
        load = on.store.load

        async def slow(run_id):
            if run_id == big:
                raise StoreSlowError("it took too long")
            return await load(run_id)

        flawed = Flawed(on.store, "load", ZeroDivisionError())
        flawed._fail = slow
        conductor = Conductor(replace(on.doors, store=flawed), "daemon-1")
        async with asyncio.TaskGroup() as group:
            await conductor.scan(group)
            assert conductor.driving == (small,)
            assert (f"run {big}", "it took too long") in on.witness.troubles
            conductor.stop()


async def test_a_credential_that_breaks_costs_no_attempt_and_sends_nothing(sqlite_url):
    """A bug in it comes after the intent; it is certain all the same that nothing was sent."""
    async with staged(sqlite_url, machines("w", 2)) as on:
        run_id = await on.open(a_ring("w", max_parallel=Share(count=2)))
        tokens, looks = on.arm._tokens, 0

        class Breaking:
            def __getattr__(self, name):
                return getattr(tokens, name)

            def held(self):
                nonlocal looks
                looks += 1
                return None if looks in {3, 4} else tokens.held()

            async def get(self):
                raise asyncio.InvalidStateError("Result is not set.")

        on.arm._tokens = Breaking()
        row = await on.drive(run_id)
        assert (row["status"], row["succeeded"]) == ("passed", 2)
        assert on.posts() == {"w-00": 1, "w-01": 1}
        assert {type(error) for _, error in on.witness.crashes} == {asyncio.InvalidStateError}


async def test_when_the_clock_is_set_back_acts_and_polls_do_not_rest_for_as_long(any_database_url):
    async with staged(any_database_url, machines("w", 4)) as on:
        on.clock.turn_to(on.clock.now() + timedelta(days=30))
        run_id = await on.open(a_ring("w", max_parallel=Share(count=2)))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 2)
        on.clock.set_back(timedelta(hours=1))
        await on.ask(run_id, ActKind.HALT, because="stop")
        async with asyncio.TaskGroup() as group:
            todo = await driver.step(group)
            await driver.settle()
        assert driver.run.status == "halted"
        assert driver._seconds_until(todo.wake_at) <= 60
        near = on.clock.now() + timedelta(minutes=30)
        assert all(watch.next_at < near for watch in driver.view.watches.values())
        assert on.witness.troubles == [("clock", "it was set back by 1h")]


async def test_a_driver_that_is_told_to_stop_begins_none_of_the_reads_that_wait(sqlite_url):
    async with staged(sqlite_url, machines("w", 3)) as on:
        run_id = await on.open(a_ring("w", max_parallel=Share(count=3)))
        driver = await on.take(run_id)
        await on.go_on(driver, until=lambda view: view.tally(1).labels["in_progress"] == 3)
        asked = len(on.witness.asks)
        on.clock.turn_to(on.clock.now() + timedelta(hours=1))
        async with asyncio.TaskGroup() as group:
            await driver.step(group)  # hands out three polls
            driver.stop()
            await driver.settle()
        assert len(on.witness.asks) == asked
