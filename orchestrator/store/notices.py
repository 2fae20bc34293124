"""Notices on PostgreSQL: somebody has just written what a daemon should see, so look now.

A hint and no more (design 12): each daemon looks every few seconds anyway, and what it does never
depends on a notice. A SQLite file has one daemon, which is told through its own door.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select

from orchestrator.domain.model import RunId
from orchestrator.ports import Clock
from orchestrator.store.address import Address, parse

CHANNEL: Final = "orchestrator"
Told = Callable[[RunId | None], None]
"""Called with the run that a notice names, or None: look at all of them."""

_NOTIFY: Final = select(func.pg_notify(bindparam("channel"), bindparam("payload")))
_ALIVE_EVERY_S: Final = 60.0
"""How often a silent connection is asked whether it lives: a network may swallow its end."""
_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 30.0


def tell(connection: Connection, run_id: str = "") -> None:
    """Tell whoever listens, once this transaction commits. An empty id means all runs."""
    if connection.dialect.name == "postgresql":
        connection.execute(_NOTIFY, {"channel": CHANNEL, "payload": run_id})


async def listen(url: str, clock: Clock, told: Told) -> None:
    """Listen until cancelled, on a connection of its own that is made anew as often as it is lost.
    After each time everything is looked at: a notice may have been missed.

    Returns at once for a SQLite file.
    """
    address = parse(url)
    if address.file is not None:
        return
    wait = _FIRST_WAIT_S
    while True:
        heard = _Ear(told)
        with suppress(Exception):  # no hint is no trouble: who needs the database says so
            await _listen(address, clock, heard)
        wait = _FIRST_WAIT_S if heard.open else min(2 * wait, _LONGEST_WAIT_S)
        await clock.sleep(wait)


class _Ear:
    """One connection's worth of listening."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self.lost = asyncio.Event()
        self.open = False

    def begin(self) -> None:
        self.open = True
        self._told(None)

    def hear(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        self._told(RunId(str(payload)) if payload else None)

    def lose(self, _connection: object) -> None:
        self.lost.set()


async def _listen(address: Address, clock: Clock, ear: _Ear) -> None:
    from orchestrator.store import postgres  # noqa: PLC0415 - slow, and of no use for SQLite

    async with postgres.listening(address.url) as connection:
        connection.add_termination_listener(ear.lose)
        await connection.add_listener(CHANNEL, ear.hear)
        ear.begin()
        while not ear.lost.is_set():
            await connection.execute("SELECT 1")
            await _lost_or_slept(ear.lost, clock)


async def _lost_or_slept(lost: asyncio.Event, clock: Clock) -> None:
    tasks: set[asyncio.Task[Any]] = {
        asyncio.create_task(lost.wait()),
        asyncio.create_task(clock.sleep(_ALIVE_EVERY_S)),
    }
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
