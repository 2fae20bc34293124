"""Who writes on PostgreSQL tells who listens; who listens goes on after a lost connection."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from orchestrator.clock import WallClock
from orchestrator.domain.model import RunId
from orchestrator.domain.record import Brake
from orchestrator.ports import Refused
from orchestrator.store.notices import listen
from tests.contract.store.kit import NOW, a_run, a_wave, an_operation
from tests.contract.store.test_acts import an_act

PATIENCE_S = 30


@pytest.fixture
def url(migrated_postgres_url):
    return migrated_postgres_url


@asynccontextmanager
async def hearing(url):
    """Listen; give a function that waits for the next notice."""
    heard: asyncio.Queue[RunId | None] = asyncio.Queue()
    task = asyncio.create_task(listen(url, WallClock(), heard.put_nowait))

    async def next_one():
        async with asyncio.timeout(PATIENCE_S):
            return await heard.get()

    try:
        assert await next_one() is None  # connected: look at everything
        yield next_one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def a_run_opens(store):
    ops = [an_operation("run-1", "vm-1")]
    return await store.open_run(a_run(), [a_wave()], ops, [], None)


async def test_an_opened_run_and_an_act_are_told_by_the_run_s_name(store, url):
    async with hearing(url) as next_one:
        await a_run_opens(store)
        assert await next_one() == "run-1"
        await store.ask(an_act("1", run_id="run-1"))
        assert await next_one() == "run-1"


async def test_a_fleet_wide_halt_and_its_end_are_told_to_all(store, url):
    async with hearing(url) as next_one:
        await store.halt_all(Brake(at=NOW, actor="ann", because="stop"))
        assert await next_one() is None
        await store.resume_all(NOW, "ann", "go on")
        assert await next_one() is None


async def test_what_changed_nothing_is_not_told(store, url):
    await a_run_opens(store)
    await store.ask(an_act("1", run_id="run-1"))
    async with hearing(url) as next_one:
        assert isinstance(await store.open_run(a_run("run-2"), [], [], [], None), Refused)
        await store.ask(an_act("1", run_id="run-1"))
        assert not await store.resume_all(NOW, "ann", "nothing to lift")
        await store.ask(an_act("2", run_id="run-1"))
        assert await next_one() == "run-1"  # the first notice is the second act's
        await store.halt_all(Brake(at=NOW, actor="ann", because="stop"))
        assert await next_one() is None


async def test_a_lost_connection_is_made_anew_and_then_everything_is_looked_at(store, raw, url):
    async with hearing(url) as next_one:
        await raw(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query = 'SELECT 1' AND pid <> pg_backend_pid()"
            " AND datname = current_database() AND state = 'idle'"
        )
        assert await next_one() is None
        await a_run_opens(store)
        assert await next_one() == "run-1"


async def test_a_server_that_was_away_is_listened_to_again(postgres_server, url):
    async with hearing(url) as next_one:
        postgres_server.stop("fast")
        postgres_server.start()
        assert await next_one() is None


async def test_who_listens_before_there_is_a_server_waits_for_it(postgres_server, url):
    postgres_server.stop("fast")
    heard: asyncio.Queue[RunId | None] = asyncio.Queue()
    task = asyncio.create_task(listen(url, WallClock(), heard.put_nowait))
    await asyncio.wait([task], timeout=0.1)  # it has met nobody
    postgres_server.start()
    async with asyncio.timeout(PATIENCE_S):
        assert await heard.get() is None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_file_has_nobody_to_listen_to(migrated_sqlite_url):
    await listen(migrated_sqlite_url, WallClock(), lambda _run: pytest.fail("a notice"))
