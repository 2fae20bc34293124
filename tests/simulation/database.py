"""The one database of a schedule: SQLite in memory, inline, under the shipped statements.

Each incarnation of a daemon reaches it through a door of its own, where it can die before a
transaction and after it, where the database can be away, and where the answer to a COMMIT can be
lost. Transactions are serial here; how PostgreSQL interleaves them is tried with real servers.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Engine, StaticPool, create_engine, event
from sqlalchemy.exc import IntegrityError

from orchestrator.ports import StoreUnavailableError
from orchestrator.store import migrate
from orchestrator.store.address import parse
from orchestrator.store.column_types import moment_text
from orchestrator.store.unit import Unit
from tests.simulation.host import Host
from tests.simulation.loop import pause
from tests.simulation.witness import TRIGGERS, Seen, Witness
from tests.simulation.world import World

T = TypeVar("T")
_AWAY = "The database does not answer."


class Memory:
    """SQLite in memory whose clock is the schedule's, watched from within by triggers."""

    def __init__(self, world: World, witness: Witness) -> None:
        self._world = world
        self._witness = witness
        raw = sqlite3.connect(":memory:", isolation_level=None)
        raw.deserialize(_template())
        raw.execute("PRAGMA foreign_keys = ON")
        raw.create_function("strftime", 3, self._database_time)
        raw.executescript(TRIGGERS)
        self.raw = raw
        _Engines.current = raw
        engine = _Engines.one()
        engine.dispose()  # what it compiled stays; the connection is this schedule's
        self._connection = engine.connect()

    @property
    def turns(self) -> int:
        """How many intents and grants were committed so far: what a daemon forgets that dies just
        then is what a VM would be patched twice by."""
        counts = self._witness.counts
        return counts["intent"] + counts["needs_human>queued"] + counts["failed>queued"]

    def run(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction; what the triggers saw goes to the witness."""
        with self._watched():
            return self._transact(unit)

    def _transact(self, unit: Unit[T]) -> T:
        self.raw.execute("BEGIN IMMEDIATE")  # said here: SQLAlchemy takes ten times as long to
        try:
            value = unit(self._connection)
        except BaseException:
            self.raw.execute("ROLLBACK")
            raise
        self.raw.execute("COMMIT")
        return value

    def see(self, query: str, *given: str) -> list[dict[str, Any]]:
        """Read as people do, with a client of their own."""
        found = self.raw.execute(query, given)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]

    def close(self) -> None:
        """Forget everything."""
        self._connection.close()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        before = self.raw.total_changes
        try:
            yield
        except IntegrityError as error:
            self._witness.refused(error)
            raise
        if self.raw.total_changes != before:
            seen = self.raw.execute("SELECT * FROM seen").fetchall()
            if seen:
                self.raw.execute("DELETE FROM seen")
                self._tell(seen)

    def _tell(self, seen: Sequence[Seen]) -> None:
        """What goes wrong with the witness is not for the engine to meet."""
        try:
            self._witness.committed(seen)
        except Exception as error:  # noqa: BLE001 - a bug of the simulation's own
            self._witness.breach("the witness itself", f"{type(error).__name__}: {error}")

    def _database_time(self, _form: str, _now: str, shift: str) -> str:
        return moment_text(self._world.now() + timedelta(seconds=float(shift.split(maxsplit=1)[0])))


class _Engines:
    """One engine for all schedules of a process: compiling the statements anew costs more than
    running them."""

    current: sqlite3.Connection
    _one: Engine | None = None

    @classmethod
    def one(cls) -> Engine:
        if cls._one is None:
            cls._one = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: cls.current)
        return cls._one


@cache
def _template() -> bytes:
    """Return an empty database with the schema of today."""
    options = {"isolation_level": None}
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args=options)
    event.listen(engine, "begin", lambda c: c.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.begin() as connection:
        migrate.upgrade_on(connection, "in memory")
    raw = engine.raw_connection().driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw.serialize()


class Calm:
    """Transactions for those who stand outside: nothing happens to them."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit."""
        return self._memory.run(unit)

    read = write


class DatabaseDoor:
    """The database as one incarnation reaches it: the shipped writer's `Database`."""

    address = parse("sqlite:///simulated.db")

    def __init__(self, memory: Memory, host: Host, world: World) -> None:
        self._memory = memory
        self._host = host
        self._world = world

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit on the connection that writes."""
        return await self._transact("write", unit, self._world.luck.share("write.takes") * 0.02)

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that only reads."""
        return await self._transact("read", unit, 0.0)

    async def _transact(self, kind: str, unit: Unit[T], seconds: float) -> T:
        host, world = self._host, self._world
        await host.point(f"{kind}.begin")
        world.database_may_go()
        if world.database_is_away():
            raise StoreUnavailableError(_AWAY)
        if seconds:
            await pause(seconds)
            await host.point(f"{kind}.queued")
        turns = self._memory.turns
        value = self._memory.run(unit)
        if kind == "write" and world.strikes("database.commit_lost"):
            raise StoreUnavailableError("The answer to the COMMIT was lost.")
        turned = self._memory.turns > turns
        await host.point("post.turn" if turned else f"{kind}.end")
        return value
