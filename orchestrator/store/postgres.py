"""A PostgreSQL server over asyncpg: who writes, who reads, how long anything may take."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from sqlalchemy import NullPool
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine

from orchestrator.ports import StoreUnavailableError
from orchestrator.store.unit import Unit

T = TypeVar("T")
STATEMENT_SECONDS: Final = 5
"""How long the server works on one statement, or waits for the next one of a transaction."""
_ALWAYS: Final = {
    "application_name": "orchestrator",
    "timezone": "UTC",
    # Tables of one row are never analysed, so a statement that joins two of them looks dear enough
    # to be compiled: a third of a second for each intent.
    "jit": "off",
    # An intent must be on disk before its request is sent, whatever the server's default.
    "synchronous_commit": "on",
}
_LIMITS: Final = {
    "idle_in_transaction_session_timeout": str(STATEMENT_SECONDS * 1000),
    "statement_timeout": str(STATEMENT_SECONDS * 1000),
}
_CONNECT_SECONDS: Final = 10
_READERS: Final = 4


def writing(url: URL) -> "Sessions":
    """Return the session that writes."""
    return Sessions(url, 1, _LIMITS, command_timeout=2 * STATEMENT_SECONDS)


def reading(url: URL) -> "Sessions":
    """Return the sessions that read: each transaction sees one consistent picture."""
    only = {**_LIMITS, "default_transaction_read_only": "on"}
    return Sessions(url, _READERS, only, command_timeout=2 * STATEMENT_SECONDS, snapshot=True)


def altering(url: URL) -> "Sessions":
    """Return a session for what may take its time: an upgrade, or waiting for another's."""
    return Sessions(url, 1, {}, command_timeout=None)


@asynccontextmanager
async def listening(url: URL) -> AsyncIterator[Any]:
    """Give asyncpg's own connection, in no transaction: for who waits for notices. Raises whatever
    the driver raises."""
    options = {
        "server_settings": {"application_name": "orchestrator"},
        "target_session_attrs": "primary",
        "timeout": _CONNECT_SECONDS,
        "command_timeout": 2 * STATEMENT_SECONDS,
    }
    engine = create_async_engine(url, poolclass=NullPool, connect_args=options)
    try:
        async with engine.connect() as connection:
            yield (await connection.get_raw_connection()).driver_connection
    finally:
        await engine.dispose()


class Sessions:
    """Sessions on one server. Raises `StoreUnavailableError` where asyncpg is not installed."""

    def __init__(
        self,
        url: URL,
        size: int,
        settings: Mapping[str, str],
        *,
        command_timeout: float | None,
        snapshot: bool = False,
    ) -> None:
        """Prepare to connect. `command_timeout` (seconds) is our own patience: the network may
        swallow an answer."""
        connect = {
            "server_settings": {**_ALWAYS, **settings},
            "target_session_attrs": "primary",  # what a standby says is old
            "timeout": _CONNECT_SECONDS,
            "command_timeout": command_timeout,
        }
        # Named, since a server may have a default of its own. Who writes waits for a lock and must
        # then see what was committed before it came free.
        level = "REPEATABLE READ" if snapshot else "READ COMMITTED"
        options: dict[str, Any] = {"isolation_level": level}
        options |= {"connect_args": connect, "pool_size": size, "max_overflow": 0}
        options["hide_parameters"] = True  # signed URLs are among them
        try:
            self._engine = create_async_engine(url, **options)
        except ModuleNotFoundError as error:
            reason = "PostgreSQL needs the extra `postgres` (asyncpg), which is not installed"
            raise StoreUnavailableError(f"{reason}.") from error
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction. A caller that is cancelled gives up only the answer: a
        query that was cancelled would take its session with it."""
        task = asyncio.create_task(self._transact(unit))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Finish what runs and close every session."""
        if self._running:
            await asyncio.wait(self._running)
        await self._engine.dispose()

    async def _transact(self, unit: Unit[T]) -> T:
        async with self._engine.begin() as connection:
            return await connection.run_sync(unit)
