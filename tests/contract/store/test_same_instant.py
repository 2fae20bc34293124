"""Two runs of two daemons that intend for the same VM at the same instant, on PostgreSQL.

The other daemon is a transaction that stands still: it has taken the VM and has not committed.
"""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from orchestrator.domain.bounds import UNBOUNDED
from orchestrator.domain.operation import Began
from orchestrator.ports import Refused, Saved
from orchestrator.store import intents
from orchestrator.store.address import parse
from orchestrator.store.database import Database
from orchestrator.store.unit import Alike, UndoneError
from orchestrator.store.writer import Writer
from tests.contract.store.kit import NOW, a_run, an_attempt, an_intent, moved, opened
from tests.kit.clock import HandClock

BLOCKED = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE wait_event_type = 'Lock' AND datname = current_database()"
)
ATTEMPT = (
    "INSERT INTO attempt (id, run_id, vm_id, number, intent_at, holder, epoch)"
    " SELECT :id, run_id, vm_id, attempt, :at, 'daemon-b', 1 FROM operation WHERE run_id = :run"
)
TAKE = (
    "UPDATE operation SET state = 'submitting', attempt_id = :id, intent_at = :at,"
    " version = version + 1 WHERE run_id = :run"
)


@pytest.fixture
def url(migrated_postgres_url):
    return migrated_postgres_url


@pytest.fixture
async def rival(url):
    """Give a connection of another daemon."""
    engine = create_async_engine(parse(url).url)
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


@pytest.fixture
async def alone(url):
    """Give a database without the writer that repeats."""
    beside = Database(parse(url))
    yield beside
    await beside.close()


async def prepared(store, name, run_id):
    lease, (op,) = await opened(store, name, run_id=run_id, plan=run_id)
    return lease, await moved(store, lease, op, Began(NOW))


async def take(rival, run_id):
    """Take the VM of a run's one operation, and do not commit."""
    values = {"id": an_attempt(), "at": NOW, "run": run_id}
    await rival.execute(text(ATTEMPT), values)
    await rival.execute(text(TAKE), values)


async def blocked(raw):
    """Wait until somebody waits for a lock of somebody else's."""
    while not (await raw(BLOCKED))[0]["count"]:
        continue


async def test_the_loser_is_told_busy_and_its_neighbours_are_saved(store, rival, raw):
    await prepared(store, "vm-1", "run-rival")
    lease, op = await prepared(store, "vm-1", "run-1")
    neighbours = [await prepared(store, f"vm-n{n}", f"run-n{n}") for n in range(3)]
    await take(rival, "run-rival")
    asked = [(lease, op), *neighbours]
    asking = asyncio.gather(*(store.intend(each, an_intent(its)) for each, its in asked))
    await blocked(raw)
    await rival.commit()
    loser, *others = await asking
    assert isinstance(loser, Refused)
    assert loser.code == "busy"
    assert others == [Saved()] * 3


@pytest.mark.parametrize("commits", [True, False])
async def test_who_loses_the_race_when_alone_is_told_busy_too(store, rival, raw, alone, commits):
    """Nobody looks a second time here: the index itself refuses."""
    await prepared(store, "vm-1", "run-rival")
    lease, op = await prepared(store, "vm-1", "run-1")
    await take(rival, "run-rival")

    asking = asyncio.create_task(
        alone.write(Alike(intents.intend, (lease, an_intent(op), UNBOUNDED)))
    )
    await blocked(raw)
    await (rival.commit() if commits else rival.rollback())
    if not commits:
        assert await asking == Saved()
        return
    with pytest.raises(UndoneError) as undone:
        await asking
    assert undone.value.answer.code == "busy"
    assert (await store.load(op.run_id)).operations == (op,)


HALT = text("UPDATE brake SET halted = true, at = now(), actor = 'eve', because = 'stop'")


@pytest.mark.parametrize("what", ["a run", "an intent"])
@pytest.mark.parametrize("commits", [True, False])
async def test_what_begins_waits_for_a_halt_of_everything_that_is_being_written(
    store, rival, raw, what, commits
):
    lease, op = await prepared(store, "vm-1", "run-1")
    await rival.execute(HALT)
    doing = (
        store.intend(lease, an_intent(op))
        if what == "an intent"
        else store.open_run(a_run("run-2"), [], [], [], None)
    )
    asking = asyncio.create_task(doing)
    async with asyncio.timeout(10):
        await blocked(raw)
    await (rival.commit() if commits else rival.rollback())
    answer = await asking
    assert answer == (
        Refused("halted_all", answer.reason) if commits else Saved()  # the reason is told elsewhere
    )


async def test_a_unit_that_is_undone_answers_and_writes_nothing(migrated_sqlite_url):
    database = Database(parse(migrated_sqlite_url), durable=False)
    writer = Writer(database, HandClock())

    def undone(connection):
        connection.execute(text("INSERT INTO event_head VALUES ('gone', 1, '')"))
        raise UndoneError("an answer")

    def kept(connection):
        connection.execute(text("INSERT INTO event_head VALUES ('kept', 1, '')"))

    asking = asyncio.gather(writer.write(undone), writer.write(kept))
    await asyncio.wait([asking], timeout=0)
    writer.close()
    await writer.run()
    answers: list[str | None] = list(await asking)
    assert answers == ["an answer", None]
    heads = await database.read(lambda c: c.execute(text("SELECT run_id FROM event_head")).all())
    assert heads == [("kept",)]
    await database.close()
