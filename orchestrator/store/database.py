"""A database of either kind: what writes and what reads, and errors that people understand."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from orchestrator.ports import StoreUnavailableError
from orchestrator.store import sqlite
from orchestrator.store.address import Address
from orchestrator.store.trouble import translate
from orchestrator.store.unit import Connections, Unit

T = TypeVar("T")


class Database:
    """The connections of one process to one database; the first one is made by the first unit."""

    def __init__(self, address: Address, *, durable: bool = True) -> None:
        """Prepare to connect. Without `durable` SQLite does not wait for the disk: for tests and
        demos. What PostgreSQL waits for is its own setting."""
        self.address = address
        self._refused: str | None = None
        self._writing: Connections
        self._reading: Connections
        self._altering: Callable[[], Connections] | None = None
        if address.file is None:
            from orchestrator.store import postgres  # noqa: PLC0415 - slow, and of no use for SQLite

            self._writing = postgres.writing(address.url)
            self._reading = postgres.reading(address.url)
            self._altering = partial(postgres.altering, address.url)
        else:
            self._writing = sqlite.writing(address.url, durable=durable)
            self._reading = sqlite.reading(address.url)

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction of its own, on the connection that writes.

        Raises `StoreUnavailableError` when the database is the reason, else what the unit raises.
        """
        return await self._run(self._writing, unit)

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that only reads, on one consistent picture. Raises as `write` does."""
        return await self._run(self._reading, unit)

    async def alter(self, unit: Unit[T]) -> T:
        """Run a unit that may take its time, in a transaction of its own; raises as `write`."""
        if self._altering is None:
            return await self.write(unit)
        connections = self._altering()
        try:
            return await self._run(connections, unit)
        finally:
            await connections.close()

    def refuse(self, reason: str) -> None:
        """Do nothing any more but say why."""
        self._refused = reason

    async def close(self) -> None:
        """Close every connection."""
        await self._reading.close()
        await self._writing.close()

    async def _run(self, connections: Connections, unit: Unit[T]) -> T:
        if self._refused is not None:
            raise StoreUnavailableError(self._refused)
        try:
            return await connections.run(unit)
        except Exception as error:
            translated = translate(self.address.label, error, self.address.secrets)
            if translated is error:
                raise
            raise translated from error
