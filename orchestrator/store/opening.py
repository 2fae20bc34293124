"""How a store is opened and closed: lock, first connection, schema, writer. It owns what it
starts."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection, text
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from orchestrator.ports import Clock, StoreUnavailableError
from orchestrator.store import health, lockfile, migrate
from orchestrator.store.address import parse
from orchestrator.store.database import Database
from orchestrator.store.high_water import HighWater, beside
from orchestrator.store.sql import SqlStore
from orchestrator.store.trouble import may_pass
from orchestrator.store.unit import Unit
from orchestrator.store.writer import Hook, ReadsBeside, Writer

T = TypeVar("T")
ATTEMPTS: Final = 5
"""How often the first connection is tried: over about three seconds."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """Nothing is written."""

    database: Database

    async def write(self, unit: Unit[T]) -> T:
        raise StoreUnavailableError(
            f"The database {self.database.address.label} was opened for reading."
        )

    async def read(self, unit: Unit[T]) -> T:
        return await self.database.read(unit)


@asynccontextmanager
async def open_store(
    url: str,
    *,
    clock: Clock,
    durable: bool = True,
    on_commit: Hook | None = None,
    attempts: int = ATTEMPTS,
    high_water: Path | None = None,
) -> AsyncIterator[SqlStore]:
    """Open a store to work with: its schema is brought up to date, and a SQLite file is locked.

    `url` is `sqlite:///FILE` or `postgresql://USER@HOST/DATABASE`; without `durable` SQLite does
    not wait for the disk; `on_commit` is told the units and seconds of each commit; `attempts` is
    how often the first connection is tried. A file at `high_water` remembers how far a PostgreSQL
    database had come (beside a SQLite file there always is one): one that went back in time is
    put into safe mode here. On the way out what waits is written, even when cancelled.
    The tables of a SQLite file that decide anything are checked here, all of it meanwhile: once
    damage is found there, every method raises `StoreUnavailableError`.
    Raises `DatabaseBusyError` when another process has the file, `SchemaError` for a schema of
    another version, `StoreUnavailableError` when the database is out of reach, damaged, or a file
    on a network file system.
    """
    address = parse(url)
    async with AsyncExitStack() as stack:
        if address.file is not None:
            health.refuse_network(address)
            stack.enter_context(lockfile.only_one(address.file))
            _create(address.file)
            high_water = beside(address.file)
        database = Database(address, durable=durable)
        stack.push_async_callback(database.close)
        await _reach(database.write, clock, attempts)
        await _prepare(database)
        keeper = HighWater(high_water, clock)
        stack.callback(keeper.close)
        keeper.keep(await database.write(keeper.first))
        writer = Writer(database, clock, on_commit, keeper)
        await stack.enter_async_context(_running(writer))
        if address.file is not None:
            await stack.enter_async_context(_checking(database, address.file))
        yield SqlStore(ReadsBeside(writer, database))


async def _prepare(database: Database) -> None:
    """See that the database is whole and of today's schema."""
    label = database.address.label
    if database.address.file is None:
        await migrate.upgrade(database)
        return
    await database.read(lambda c: health.refuse_damaged(c, label))
    await migrate.upgrade(database)
    await database.write(lambda c: health.refuse_strange(c, label))


@asynccontextmanager
async def open_reading(
    url: str, *, clock: Clock, attempts: int = ATTEMPTS
) -> AsyncIterator[SqlStore]:
    """Open a store only to read it: no lock, no upgrade, beside whoever works with it.

    Raises as `open_store` does, and `SchemaError` for an older schema too.
    """
    address = parse(url)
    if address.file is not None and not address.file.is_file():
        raise StoreUnavailableError(f"There is no database {address.label}.")
    async with AsyncExitStack() as stack:
        database = Database(address)
        stack.push_async_callback(database.close)
        await _reach(database.read, clock, attempts)
        await migrate.require_current(database)
        yield SqlStore(_Reading(database))


@asynccontextmanager
async def _running(writer: Writer) -> AsyncIterator[None]:
    """Own the writer's task: it is never cancelled, and waited for whatever happens to us."""
    task = asyncio.create_task(writer.run(), name="store.writer")
    try:
        yield
    finally:
        writer.close()
        await _until_done(task)
        task.result()


@asynccontextmanager
async def _checking(database: Database, file: Path) -> AsyncIterator[None]:
    """Check the whole file while it is worked with: one of years takes longer than anybody should
    wait who has installations to follow."""
    check = health.WholeCheck(file)

    async def work() -> None:
        damage = await asyncio.to_thread(check.run)
        if damage is not None:
            database.refuse(damage.format(database.address.label))

    task = asyncio.create_task(work(), name="store.check")
    try:
        yield
    finally:
        check.stop()
        await _until_done(task)
        task.result()


async def _until_done(task: asyncio.Task[None]) -> None:
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


async def _reach(run: Callable[[Unit[None]], Awaitable[None]], clock: Clock, attempts: int) -> None:
    """Make the first connection, patiently where the server may only be starting."""
    retrying = AsyncRetrying(
        stop=stop_after_attempt(attempts),
        wait=wait_exponential(multiplier=0.2),
        retry=retry_if_exception(_may_pass),
        sleep=clock.sleep,
        reraise=True,
    )
    await retrying(run, _greet)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, StoreUnavailableError) and may_pass(error)


def _greet(connection: Connection) -> None:
    connection.execute(text("SELECT 1"))


def _create(file: Path) -> None:
    """Create an empty file that only its owner reads: signed URLs will lie in it."""
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        reason = f"cannot be written: {error.strerror}"
        raise StoreUnavailableError(f"The database {file} {reason}.") from error
