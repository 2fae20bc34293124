"""Trouble stays where it is: a bug, a broken row, or a database that is away."""

import asyncio
from dataclasses import replace

import pytest

from orchestrator.domain.model import AttemptId, Share
from orchestrator.engine.conductor import Conductor
from orchestrator.ports import StoreUnavailableError
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
