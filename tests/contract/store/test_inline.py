"""The same statements inline, in memory, without a task or a thread: as a simulation runs them."""

from datetime import timedelta

import pytest
from sqlalchemy import StaticPool, create_engine, event

from orchestrator.domain.model import RunId
from orchestrator.domain.operation import Passed
from orchestrator.domain.states import Outcome
from orchestrator.ports import Saved
from orchestrator.store import migrate
from orchestrator.store.column_types import moment_text
from orchestrator.store.sql import SqlStore
from tests.contract.store.kit import (
    LATER,
    NOW,
    TTL,
    WHY,
    a_run,
    a_wave,
    an_operation,
    moved,
    opened,
    to_verifying,
)


class Inline:
    """SQLite in memory; its clock is turned by hand."""

    def __init__(self):
        self.now = NOW
        options = {"isolation_level": None}
        self.engine = create_engine("sqlite://", poolclass=StaticPool, connect_args=options)
        event.listen(self.engine, "connect", self.connected)
        event.listen(self.engine, "begin", lambda c: c.exec_driver_sql("BEGIN IMMEDIATE"))

    def connected(self, connection, _record):
        connection.execute("PRAGMA foreign_keys = ON")
        connection.create_function("strftime", 3, self.database_time)

    def database_time(self, _form, _now, shift):
        return moment_text(self.now + timedelta(seconds=float(shift.split()[0])))

    async def write(self, unit):
        with self.engine.begin() as connection:
            return unit(connection)

    read = write


@pytest.fixture
async def inline():
    memory = Inline()
    await memory.write(lambda c: migrate.upgrade_on(c, "in memory"))
    yield memory
    memory.engine.dispose()


async def test_a_run_goes_from_its_opening_to_its_end(inline):
    store = SqlStore(inline)
    lease, (op,) = await opened(store, "vm-1")
    op = await moved(store, lease, op, *to_verifying(), Passed(LATER, Outcome.SUCCEEDED, WHY))
    assert (await store.load(op.run_id)).operations == (op,)
    (row,) = await store.rows("v_runs")
    assert row["succeeded"] == 1
    assert await store.verify_chain("run-1") is None


async def test_a_lease_expires_by_the_clock_of_the_database(inline):
    store = SqlStore(inline)
    ops = [an_operation("run-1", "vm-1")]
    assert await store.open_run(a_run(), [a_wave()], ops, [], None) == Saved()
    first = await store.claim(RunId("run-1"), "a", TTL)
    assert first is not None
    inline.now += TTL - timedelta(milliseconds=1)
    assert await store.claim(RunId("run-1"), "b", TTL) is None
    assert await store.renew(first, TTL)
    inline.now += TTL
    second = await store.claim(RunId("run-1"), "b", TTL)
    assert second is not None
    assert second.epoch == 2
