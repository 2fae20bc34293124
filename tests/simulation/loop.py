"""An event loop without threads, sockets or waiting: time jumps, and order is a matter of the seed.

What would wait for the operating system has no place here: a thread or a selector would bring a
second clock and an order of its own, and a seed would not replay.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from random import Random
from typing import Any, Final

MOST_STEPS: Final = 1_500_000
"""So many turns of the loop are enough for any schedule: more is a loop that never ends."""


class LivelockError(AssertionError):
    """Something goes round and round: virtual time does not get on."""


class DeadlockError(AssertionError):
    """Nothing will ever happen again, and somebody still waits."""


class _Task(asyncio.Task[Any]):
    """A task that lies in sets in the order of its making, not in that of its address."""

    def __init__(self, number: int, *given: Any, **named: Any) -> None:
        self._number = number
        super().__init__(*given, **named)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class SimLoop(asyncio.BaseEventLoop):
    """The loop is its own selector: instead of waiting it turns its clock on.

    With `order` given, callbacks that are ready at the same instant run in a shuffled order.
    """

    def __init__(self, order: Random | None = None) -> None:
        super().__init__()
        self._selector = self
        self._clock_resolution = 1e-9
        self._now = 0.0
        self._order = order
        self._tasks_made = 0
        self.steps = 0
        factory: Any = self._task
        self.set_task_factory(factory)

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._now

    def select(self, timeout: float | None) -> list[Any]:
        """Jump over the time in which nothing happens."""
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise LivelockError(f"{self.steps} turns of the loop by second {self._now:.3f}")
        if timeout is None:
            raise DeadlockError(f"nothing is scheduled at second {self._now:.3f}")
        if timeout > 0:
            self._now += timeout
        ready = self._ready  # type: ignore[attr-defined]  # BaseEventLoop's own queue
        if self._order is not None and len(ready) > 1:
            handles = list(ready)
            self._order.shuffle(handles)
            ready.clear()
            ready.extend(handles)
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no events but timers."""

    def _write_to_self(self) -> None:
        """There is no other thread that could want to wake this one."""

    def _task(
        self,
        loop: asyncio.AbstractEventLoop,
        coro: Coroutine[Any, Any, Any],
        context: Context | None = None,
    ) -> asyncio.Task[Any]:
        self._tasks_made += 1
        return _Task(self._tasks_made, coro, loop=loop, context=context)


async def pause(seconds: float) -> None:
    """Let so much virtual time pass."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    handle = loop.call_later(max(seconds, 0.0), _ring, over)
    try:
        await over
    finally:
        handle.cancel()


def _ring(over: asyncio.Future[None]) -> None:
    if not over.done():
        over.set_result(None)


Later = Callable[[float, Callable[[], None]], object]
"""`loop.call_later`, as those need it who only want something to happen later."""
