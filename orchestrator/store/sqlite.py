"""A SQLite file: one connection that writes, others that only read, each in a thread of its own.

A unit runs in its thread from begin to commit: an asynchronous driver would hand each statement to
a thread and back, which costs several times what the statement does, and it could be cancelled in
the middle. Writers say `BEGIN IMMEDIATE`: a read lock cannot be upgraded, whatever `busy_timeout`
says. SQLite before 3.51.3 may corrupt a file that two connections write: there is one.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL

from orchestrator.store.unit import Unit

T = TypeVar("T")
_BUSY_MILLISECONDS: Final = 15_000
_READERS: Final = 4
_TRIES: Final = 10


def writing(url: URL, *, durable: bool) -> "Threads":
    """Return the connection that writes. Without `durable` it does not wait for the disk.

    FULL keeps the last intent over a power cut; group commit makes it cheap.
    """
    pragmas = ["journal_mode = WAL", f"synchronous = {'FULL' if durable else 'OFF'}"]
    return Threads(url, 1, pragmas, "BEGIN IMMEDIATE")


def reading(url: URL) -> "Threads":
    """Return the connections that read: nothing that they say can write."""
    return Threads(url, _READERS, ["query_only = ON"], "BEGIN")


class Threads:
    """Connections to one file, and as many threads."""

    def __init__(self, url: URL, size: int, pragmas: list[str], begin: str) -> None:
        self._engine = create_engine(
            url,
            connect_args={"isolation_level": None, "timeout": _BUSY_MILLISECONDS / 1000},
            pool_size=size,
            max_overflow=0,
            hide_parameters=True,  # signed URLs are among them
        )
        always = [f"busy_timeout = {_BUSY_MILLISECONDS}", "foreign_keys = ON"]
        event.listen(self._engine, "connect", _with([*always, *pragmas]))
        event.listen(self._engine, "begin", _saying(begin))
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="store")

    async def run(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction. A caller that is cancelled gives up only the answer."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._transact, unit)

    async def close(self) -> None:
        """Finish what runs and close every connection."""
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()

    def _transact(self, unit: Unit[T]) -> T:
        with self._engine.begin() as connection:
            return unit(connection)


def _with(pragmas: list[str]) -> Callable[[sqlite3.Connection, object], None]:
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in pragmas:
            _set(connection, pragma)

    return configure


def _set(connection: sqlite3.Connection, pragma: str) -> None:
    """Set a pragma. Of two who make a new file WAL at the same moment one is told "busy" at once,
    whatever the time-out: it asks again."""
    for last in (*[False] * _TRIES, True):
        try:
            connection.execute(f"PRAGMA {pragma}").close()
        except sqlite3.OperationalError as error:
            if last or error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
        else:
            return


def _saying(begin: str) -> Callable[[Connection], None]:
    def say(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return say
