"""Keeping the schedules: what is due is opened or written down as missed. When that is,
`domain.schedule` says."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orchestrator.domain.model import RunId, WaveSpec
from orchestrator.domain.record import Fact, Fire, FireResult, Rest
from orchestrator.domain.schedule import Decision, Due, Schedule, due, fires
from orchestrator.domain.states import Why
from orchestrator.domain.window import shut
from orchestrator.engine.waiting import changed_or_slept
from orchestrator.ports import Clock, InventoryError, Observer, Store, StoreUnavailableError

LONGEST_SLEEP = timedelta(seconds=30)
"""A clock may jump and a machine may sleep: nothing is waited for in one piece (reliability A5)."""

_WAITED = "it waited for the plan's earlier run to end"
_ONE_WAITS = "an earlier fire of this plan waits already"

Open = Callable[[Fire], Awaitable[Fire | None]]
"""Opens the run of a fire in the transaction that notes it, and returns None; or returns the fire
as it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One plan with a schedule."""

    plan: str
    schedule: Schedule
    open: Open
    first_wave: WaveSpec | None = None
    """Whose hours decide whether a missed fire may still be run late; None: any time will do."""


class Timetable:
    """Fires the schedules of a configuration. Several daemons may keep the same one: the database
    lets one fire."""

    def __init__(
        self, *, store: Store, clock: Clock, observer: Observer, entries: Sequence[Entry]
    ) -> None:
        self._store = store
        self._clock = clock
        self._observer = observer
        self._entries = tuple(entries)
        self._stopped = asyncio.Event()
        self.next_fires: dict[str, datetime] = {}
        """The next fire of each plan in UTC, for the metrics."""

    def stop(self) -> None:
        """Fire nothing more."""
        self._stopped.set()

    async def keep(self) -> None:
        """Fire what is due until `stop`."""
        async with asyncio.TaskGroup() as group:
            while not self._stopped.is_set():
                await self.check()
                await changed_or_slept(group, self._stopped, self._clock, self._seconds_to_sleep())

    async def check(self) -> None:
        """Look at every schedule once. One that cannot be fired now is tried again at the next
        check; while the database is not believed, none is."""
        try:
            if await self._store.safe_mode() is not None:
                return
        except StoreUnavailableError as error:
            self._observer.troubled("schedule", str(error))
            return
        for entry in self._entries:
            if self._stopped.is_set():
                return
            try:
                await self._check(entry)
            except (StoreUnavailableError, InventoryError) as error:
                self._observer.troubled(f"schedule of plan {entry.plan}", str(error))
            except Exception as error:  # noqa: BLE001 - a bug here must not end what runs already
                self._observer.crashed(f"schedule of plan {entry.plan}", error)

    async def _check(self, entry: Entry) -> None:
        now = self._clock.now()
        coming = next(fires(entry.schedule, now), None)
        if coming is not None:
            self.next_fires[entry.plan] = coming.at
        rule = _written(entry.schedule)
        next_fire = coming.at if coming else None
        first_seen = await self._store.see_schedule(entry.plan, rule, next_fire, now)
        state = await self._store.schedule_state(entry.plan)
        rest = state.rest if state.rest is not None and state.rest.holds(now) else None
        fired = [*await self._store.fired(entry.plan)]
        if state.queued is not None:
            fired.append(state.queued.local)
            await self._open_queued(entry, state.queued, rest, now)
        closed = await self._shut(entry, now)
        for item in due(entry.schedule, first_seen=first_seen, fired=fired, now=now, shut=closed):
            await self._fire(entry, item, rest, now)

    async def _shut(self, entry: Entry, now: datetime) -> str | None:
        """Say why nothing could start now, if so."""
        if entry.first_wave is None:
            return None
        why = shut(entry.first_wave, await self._store.freezes(), now)
        return why.text if why is not None else None

    async def _open_queued(
        self, entry: Entry, queued: Fire, rest: Rest | None, now: datetime
    ) -> None:
        """Open the run of a fire that waits, if the plan's open run has ended."""
        fire = replace(queued, at=now, result=FireResult.OPENED, reason=_WAITED)
        ended = await self._opened(entry, fire, rest)
        if ended is not None and ended.result is not FireResult.QUEUED:
            await self._store.fire(ended)
            self._tell(ended)

    async def _opened(self, entry: Entry, fire: Fire, rest: Rest | None) -> Fire | None:
        if rest is not None:
            return replace(fire, result=FireResult.SKIPPED, reason=rest.text)
        return await entry.open(fire)

    async def _fire(self, entry: Entry, item: Due, rest: Rest | None, now: datetime) -> None:
        fire = Fire(
            plan=entry.plan,
            local=item.nominal.local,
            at=now,
            result=FireResult.OPENED,
            reason=item.reason,
        )
        if item.decision is Decision.MISSED:
            await self._store.fire(replace(fire, result=FireResult.MISSED))
            self._observer.troubled(f"schedule of plan {entry.plan}", item.reason)
            return
        ended = await self._opened(entry, fire, rest)
        if ended is not None and ended.result is FireResult.QUEUED:
            if await self._store.queue_fire(ended):
                self._tell(ended)
                return
            ended = replace(ended, result=FireResult.SKIPPED, reason=_ONE_WAITS)
        if ended is not None and await self._store.fire(ended):
            self._tell(ended)

    def _tell(self, fire: Fire) -> None:
        """A fire that an open run or a fleet-wide halt skipped is as it should be: a notice, and no
        trouble."""
        if fire.result not in {FireResult.SKIPPED, FireResult.QUEUED}:
            self._observer.troubled(f"schedule of plan {fire.plan}", fire.reason)
            return
        detail = {"plan": fire.plan, "local": fire.local}
        why = Why(fire.result, fire.reason)
        fact = Fact(
            at=fire.at, event=f"fire.{fire.result}", actor="schedule", why=why, detail=detail
        )
        self._observer.noted(RunId(""), fact)

    def _seconds_to_sleep(self) -> float:
        soonest = min(self.next_fires.values(), default=None)
        if soonest is None:
            return LONGEST_SLEEP.total_seconds()
        until = (soonest - self._clock.now()).total_seconds()
        return min(max(until, 0.05), LONGEST_SLEEP.total_seconds())


def _written(schedule: Schedule) -> str:
    """Write down what decides when a schedule fires: who changes it starts anew."""
    return f"{schedule.rule!r} {schedule.timezone} {schedule.offset}"
