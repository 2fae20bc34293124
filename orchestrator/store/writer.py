"""The one writer: whatever waits is written in one transaction and committed together.

It is never cancelled: a caller that is gives up the answer, not the write. It decides nothing.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from sqlalchemy import Connection

from orchestrator.ports import Clock, StoreSlowError, StoreUnavailableError
from orchestrator.store.database import Database
from orchestrator.store.high_water import HighWater
from orchestrator.store.incarnation import Stand
from orchestrator.store.unit import Alike, UndoneError, Unit, run_together

T = TypeVar("T")
Hook = Callable[[int, float], None]
"""Told after each commit: how many units it held, and how many seconds it took."""

MOST_UNITS: Final = 200
"""So many units share a transaction at most: none waits long, and a repeat stays short."""


MOST_SLOW: Final = 2
"""So many units of a group that take too long say that the database itself is away."""


@dataclass(frozen=True, slots=True)
class _Job(Generic[T]):
    unit: Unit[T]
    answer: asyncio.Future[T]


class Writer:
    """Group commit over one connection.

    Its owner runs `run()` as a task and ends it with `close()`, which lets it finish what waits.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        on_commit: Hook | None = None,
        high_water: HighWater | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._on_commit = on_commit or _ignore
        self._high_water = high_water
        self._jobs: deque[_Job[Any]] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._slow = ""
        """The kind of unit that took too long when it was last repeated alone."""
        self._loop: asyncio.AbstractEventLoop | None = None
        """Asked for once: that costs a system call each time."""

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction and return its value once that is on disk.

        The unit may run more than once; only its last run counts. What it raises is raised here,
        and undoes nothing of its neighbours. Raises `StoreUnavailableError` when the database is
        out of reach or cannot write, and after `close`.
        """
        if self._closing:
            raise self._closed()
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = self._loop.create_future()
        self._jobs.append(_Job(unit, answer))
        self._wake.set()
        return await answer

    async def run(self) -> None:
        """Write until closed. Whatever ends it, nobody is left waiting."""
        group: Sequence[_Job[Any]] = []
        try:
            while self._jobs or not self._closing:
                await self._wake.wait()
                group = [self._jobs.popleft() for _ in range(min(MOST_UNITS, len(self._jobs)))]
                if not self._jobs and not self._closing:
                    self._wake.clear()
                if group:
                    await self._write_all(group)
        finally:
            self._closing = True
            for job in (*group, *self._jobs):
                _fail(job, self._closed())

    def close(self) -> None:
        """Take no more work; `run` returns once what waits is written."""
        self._closing = True
        self._wake.set()

    async def _write_all(self, group: Sequence[_Job[Any]]) -> None:
        try:
            values, seconds = await self._commit([job.unit for job in group])
        except Exception:  # noqa: BLE001 - whatever it is, it belongs to one unit: find out whose
            await self._write_each(group)
            return
        for job, value in zip(group, values, strict=True):
            _answer(job, value)
        self._on_commit(len(group), seconds)

    async def _write_each(self, group: Sequence[_Job[Any]]) -> None:
        """Repeat units one by one, so that only the guilty one fails; those of a kind that took too
        long the last time come last."""
        gone: StoreUnavailableError | None = None
        slow = 0
        for job in sorted(group, key=lambda job: _kind(job) == self._slow):
            if gone is not None:
                _fail(job, StoreUnavailableError(str(gone)))
                continue
            try:
                (value,), seconds = await self._commit([job.unit])
            except StoreUnavailableError as error:
                if isinstance(error, StoreSlowError):
                    slow, self._slow = slow + 1, _kind(job)
                if slow >= MOST_SLOW or not isinstance(error, StoreSlowError):
                    gone = error
                _fail(job, error)
            except UndoneError as undone:  # alone in its transaction, it undoes no neighbour's
                _answer(job, undone.answer)
            except Exception as error:  # noqa: BLE001 - the caller's to see
                _fail(job, error)
            else:
                _answer(job, value)
                self._on_commit(1, seconds)

    async def _commit(self, units: Sequence[Unit[Any]]) -> tuple[Sequence[Any], float]:
        high_water = self._high_water

        def together(connection: Connection) -> tuple[Sequence[Any], Stand | None]:
            if high_water is None:
                return run_together(connection, units), None
            high_water.begin(connection)
            return run_together(connection, units), high_water.end(connection)

        begun = self._clock.monotonic()
        values, stand = await self._database.write(together)
        if high_water is not None and stand is not None:
            high_water.keep(stand)
        return values, self._clock.monotonic() - begun

    def _closed(self) -> StoreUnavailableError:
        return StoreUnavailableError(f"The database {self._database.address.label} is closed.")


class Reads(Protocol):
    """Runs units that only read, each on one consistent picture."""

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit."""


@dataclass(frozen=True, slots=True)
class ReadsBeside:
    """Writes go through the writer, reads beside it (`sql.Transactions`)."""

    writer: Writer
    database: Reads

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit together with whatever else waits (`Writer.write`)."""
        return await self.writer.write(unit)

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that only reads."""
        return await self.database.read(unit)


def _answer(job: _Job[Any], value: object) -> None:
    if not job.answer.done():
        job.answer.set_result(value)


def _fail(job: _Job[Any], error: Exception) -> None:
    if not job.answer.done():
        job.answer.set_exception(error)


def _kind(job: _Job[Any]) -> str:
    """Name what a unit does, as near as its code tells: a renewal is no record."""
    unit = job.unit
    work = unit.all_at_once if isinstance(unit, Alike) else unit
    return str(getattr(work, "__qualname__", ""))


def _ignore(_units: int, _seconds: float) -> None:
    pass
