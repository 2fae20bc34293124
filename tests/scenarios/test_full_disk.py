"""A full disk while a run is under way: no intent is made, nothing that happened is lost, and the
work goes on by itself when there is room."""

import asyncio
from dataclasses import replace

import pytest

from orchestrator.domain.model import Share
from orchestrator.engine.driver import Driver
from orchestrator.ports import StoreUnavailableError
from tests.kit.stage import a_ring, machines, staged

NAPS = 25
"""How often the engine waits for room before there is some."""


async def say(store, pragma: str) -> None:
    """Say a pragma on the connection that writes, outside of any transaction."""
    threads = store._write.__self__.database._writing

    def work() -> None:
        connection = threads._engine.raw_connection()
        connection.driver_connection.execute(f"PRAGMA {pragma}").close()
        connection.close()

    await asyncio.wrap_future(threads._threads.submit(work))


FULL = {
    "no_room_for_a_page": ("max_page_count = 1", "max_page_count = 1000000"),
    "not_one_byte": ("query_only = ON", "query_only = OFF"),
}
"""How SQLite comes to refuse as it does on a full disk, and how that ends: the first lets a page
that has room take more; the second refuses every write."""


class Waiting:
    """A clock that makes room once it was slept on often enough."""

    def __init__(self, on, room: str) -> None:
        self._on = on
        self._room = room
        self.naps = 0
        self.seen: list[tuple[int, int]] = []
        """(intents, requests) at each nap, while nothing can be written."""

    def __getattr__(self, name: str):
        return getattr(self._on.clock, name)

    async def sleep(self, seconds: float) -> None:
        assert self.naps < 1_000, "there is room, and nobody uses it"
        if self.naps < NAPS:
            self.seen.append(await counted(self._on))
        self.naps += 1
        if self.naps == NAPS:
            await say(self._on.store, self._room)
        await self._on.clock.sleep(seconds)


async def counted(on) -> tuple[int, int]:
    return len(await on.store.rows("v_attempts")), sum(on.posts().values())


async def to_its_end(on, driver) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(3_000):
            try:
                todo = await driver.step(group)
            except StoreUnavailableError:
                await driver.book._clock.sleep(1)
                continue
            await driver.settle()
            if driver.over:
                return
            if not (todo.commands or todo.decisions):
                on.clock.turn_to(todo.wake_at or on.clock.now())
    raise AssertionError("never at its end")


@pytest.mark.parametrize("full", FULL)
@pytest.mark.parametrize("after", ["opened", "in_progress", "succeeded"])
async def test_nothing_is_sent_or_lost_while_nothing_can_be_written(sqlite_url, after, full):
    async with staged(sqlite_url, machines("w", 12)) as on:
        run_id = await on.open(a_ring("w", max_parallel=Share(count=3)))
        first = await on.take(run_id)
        if after != "opened":
            await on.go_on(first, until=lambda view: view.tally(1).labels[after] >= 2)
        fill, room = FULL[full]
        await say(on.store, fill)
        clock = Waiting(on, room)
        doors = replace(on.doors, clock=clock)
        lost = True
        while lost:  # an intent of which it is not known whether it was written: load, go on
            driver = Driver(doors, first.book.lease, await on.store.load(run_id))
            await to_its_end(on, driver)
            lost = driver.book.lost is not None
        assert clock.naps >= NAPS
        assert all(requests <= intents for intents, requests in clock.seen)
        if full == "not_one_byte":
            assert len(set(clock.seen)) == 1
        row = await on.row(run_id)
        assert (row["status"], row["succeeded"] + row["nothing_to_do"]) == ("passed", 12)
        assert set(on.installed().values()) == {1}
        assert await on.store.verify_chain(run_id) is None
        assert await on.store.safe_mode() is None
        assert on.witness.crashes == []
