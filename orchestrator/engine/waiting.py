"""Waiting for whichever comes first: something changed, or time has passed."""

import asyncio

from orchestrator.ports import Clock


async def changed_or_slept(
    group: asyncio.TaskGroup, changed: asyncio.Event, clock: Clock, seconds: float
) -> None:
    """Return when the event is set, or after that many seconds. Leaves no task behind."""
    told = group.create_task(changed.wait())
    slept = group.create_task(clock.sleep(seconds))
    await asyncio.wait({told, slept}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    slept.cancel()
