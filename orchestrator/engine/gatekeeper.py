"""Reading the gates of waves. It decides nothing: what an answer means, the plan says."""

import asyncio

from orchestrator.domain.gating import ReadGate
from orchestrator.engine.book import Book
from orchestrator.engine.doors import Doors


class Gatekeeper:
    """Asks each gate that is due, one task for each."""

    def __init__(self, doors: Doors, book: Book) -> None:
        self._book = book
        self._doors = doors.gates
        self._clock = doors.clock
        self._observer = doors.observer

    def send(self, group: asyncio.TaskGroup, reading: ReadGate) -> None:
        """Have a gate read; the group owns whoever does it."""
        self._book.view.gates.in_hand.add(reading.key)
        group.create_task(self._read(reading), name="read a gate")

    async def _read(self, reading: ReadGate) -> None:
        watch = self._book.view.gates
        try:
            answer = await self._doors.read(reading.gate)
            watch.heard(reading.key, answer, self._clock.now())
        except Exception as error:  # noqa: BLE001 - a bug here must not cut a neighbour's request
            self._observer.crashed("read a gate", error)
            self._book.lose("a bug, see the log")
        finally:
            watch.in_hand.discard(reading.key)
            self._book.changed.set()
