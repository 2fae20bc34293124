"""The group-commit writer: many units, one commit, and each answers for itself."""

import asyncio

import pytest
from sqlalchemy import text

from orchestrator.ports import StoreSlowError, StoreUnavailableError
from orchestrator.store.opening import open_store
from orchestrator.store.writer import MOST_UNITS, Writer
from tests.contract.store.kit import a_run
from tests.kit.clock import HandClock


@pytest.fixture
def commits():
    return []


@pytest.fixture
async def writer(url, database, commits):
    """Give a writer that nobody runs yet."""
    return Writer(database, HandClock(), lambda units, _seconds: commits.append(units))


@pytest.fixture
async def running(writer):
    """Give a function that lets the writer run until all that waits is written and answered."""

    async def run(*callers):
        writer.close()
        await writer.run()
        if callers:
            await asyncio.wait(callers)

    return run


def note(word):
    """Return a unit that inserts a row."""

    def unit(connection):
        values = {"run_id": word, "seq": 1, "hash": ""}
        connection.execute(text("INSERT INTO event_head VALUES (:run_id, :seq, :hash)"), values)
        return word

    return unit


async def waiting(writer, *units):
    """Let units wait for the writer; return their tasks."""
    tasks = [asyncio.create_task(writer.write(unit)) for unit in units]
    await asyncio.wait(tasks, timeout=0)
    assert len(writer._jobs) == len(units)
    return tasks


async def noted(raw):
    return [row["run_id"] for row in await raw("SELECT run_id FROM event_head ORDER BY run_id")]


async def test_units_that_wait_together_are_committed_together(writer, running, commits, raw):
    tasks = await waiting(writer, *(note(f"{n:02}") for n in range(50)))
    await running(*tasks)
    assert [task.result() for task in tasks] == [f"{n:02}" for n in range(50)]
    assert commits == [50]
    assert len(await noted(raw)) == 50


async def test_a_group_has_its_bound(writer, running, commits):
    await waiting(writer, *(note(str(n)) for n in range(MOST_UNITS + 1)))
    await running()
    assert commits == [MOST_UNITS, 1]


async def test_a_unit_that_fails_fails_alone(writer, running, commits, raw):
    def guilty(connection):
        note("never")(connection)
        raise KeyError("guilty")

    def careless(connection):
        note("a")(connection)
        return note("a")(connection)

    tasks = await waiting(writer, note("a"), guilty, note("b"), careless, note("c"))
    await running(*tasks)
    outcomes = [task.exception() for task in tasks]
    assert [type(error).__name__ for error in outcomes] == [
        "NoneType",
        "KeyError",
        "NoneType",
        "IntegrityError",
        "NoneType",
    ]
    assert await noted(raw) == ["a", "b", "c"]
    assert commits == [1, 1, 1]


async def test_a_unit_that_takes_too_long_holds_up_none_of_its_neighbours(writer, running, raw):
    """Its row is locked by somebody else, say; the database is well."""

    def slow(_connection):
        raise StoreSlowError("it took too long")

    tasks = await waiting(writer, note("a"), slow, note("b"))
    await running(*tasks)
    assert [type(task.exception()) for task in tasks] == [type(None), StoreSlowError, type(None)]
    assert await noted(raw) == ["a", "b"]


async def test_two_units_that_take_too_long_say_that_the_database_is_away(writer, running, raw):
    """Else a group of two hundred would wait for each time-out in turn."""

    def slow(_connection):
        raise StoreSlowError("it took too long")

    tasks = await waiting(writer, slow, slow, note("a"))
    await running(*tasks)
    assert all(isinstance(task.exception(), StoreUnavailableError) for task in tasks)
    assert await noted(raw) == []


async def test_a_kind_of_unit_that_took_too_long_comes_last_the_next_time(writer, running, raw):
    order = []

    def slow(_connection):
        order.append("slow")
        raise StoreSlowError("it took too long")

    def quick(_connection):
        order.append("quick")

    writer._slow = slow.__qualname__
    tasks = await waiting(writer, slow, quick)
    await running(*tasks)
    assert order[-2:] == ["quick", "slow"]


async def test_cancelling_a_caller_does_not_cancel_the_write(writer, running, raw):
    tasks = await waiting(writer, note("a"), note("b"))
    tasks[0].cancel()
    await asyncio.wait(tasks[:1])
    await running(*tasks)
    assert tasks[0].cancelled()
    assert tasks[1].result() == "b"
    assert await noted(raw) == ["a", "b"]


async def test_cancelling_callers_in_the_middle_of_a_commit_loses_none(url, raw):
    async with open_store(url, clock=HandClock(), durable=False) as store:
        for n in range(40):
            run = a_run(f"run-{n}", plan=f"plan-{n}")
            task = asyncio.create_task(store.open_run(run, [], [], [], None))
            for _ in range(n):  # into the commit, step by step
                await asyncio.wait([task], timeout=0)
            task.cancel()
            await asyncio.wait([task])
    runs = await raw("SELECT id FROM run")
    begun = 39  # the very first was cancelled before it asked
    assert len(runs) == begun


async def test_a_closed_writer_takes_nothing(writer, running):
    await running()
    with pytest.raises(StoreUnavailableError, match="closed"):
        await writer.write(note("a"))


async def test_leaving_the_store_writes_what_waits(url, raw):
    async with open_store(url, clock=HandClock(), durable=False) as store:
        run = store.open_run(a_run(), [], [], [], None)
        task = asyncio.create_task(run)
        await asyncio.wait([task], timeout=0)
    assert task.done()
    assert [row["id"] for row in await raw("SELECT id FROM run")] == ["run-1"]


async def test_cancelling_the_owner_of_a_store_writes_what_waits(url, raw):
    started = asyncio.Event()

    async def own():
        async with open_store(url, clock=HandClock(), durable=False) as store:
            task = asyncio.create_task(store.open_run(a_run(), [], [], [], None))
            started.set()
            await asyncio.gather(task, asyncio.Event().wait())

    owner = asyncio.create_task(own())
    await started.wait()
    for _ in range(3):
        owner.cancel()
        await asyncio.wait([owner], timeout=0)
    with pytest.raises(asyncio.CancelledError):
        await owner
    assert [row["id"] for row in await raw("SELECT id FROM run")] == ["run-1"]


async def test_a_writer_that_is_killed_leaves_nobody_waiting(writer):
    callers = await waiting(writer, note("a"), note("b"))
    task = asyncio.create_task(writer.run())
    asyncio.get_running_loop().call_soon(task.cancel)  # right after it began to commit
    await asyncio.wait([task, *callers])
    for caller in callers:
        assert isinstance(caller.exception(), StoreUnavailableError)


async def test_each_commit_is_told_with_its_time(url):
    told = []
    clock = HandClock()

    def tell(units, seconds):
        told.append((units, seconds))

    async with open_store(url, clock=clock, durable=False, on_commit=tell) as store:
        await store.open_run(a_run(), [], [], [], None)
    assert told == [(1, 0.0)]


async def test_reads_that_are_cancelled_take_no_connection_with_them(store, caplog):
    for n in range(200):
        task = asyncio.create_task(store.open_runs())
        for _ in range(n % 25):  # into the read, step by step
            await asyncio.wait([task], timeout=0)
        task.cancel()
        await asyncio.wait([task])
    assert await asyncio.gather(*(store.open_runs() for _ in range(20))) == [[]] * 20
    assert caplog.records == []
