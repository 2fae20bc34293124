"""Workers that do what is handed to them, a bounded number at a time. They know nothing of it.

A worker lives only as long as there is work: thousands of operations wait in rows and in a heap,
none of them in a task of its own.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Hands(Generic[T]):
    """At most `most` pieces of work go on together; more wait in their order."""

    def __init__(self, name: str, most: int, work: Callable[[T], Awaitable[None]]) -> None:
        self._name = name
        self._most = most
        self._do = work
        self._waiting: deque[T] = deque()
        self._working = 0

    def give(self, group: asyncio.TaskGroup, piece: T) -> None:
        """Take a piece of work; the group owns whoever does it."""
        self._waiting.append(piece)
        if self._working < self._most:
            self._working += 1
            group.create_task(self._work(), name=self._name)

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._do(self._waiting.popleft())
        finally:
            self._working -= 1
