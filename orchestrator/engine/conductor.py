"""Who drives which run: claims leases, loads runs, keeps their drivers, renews. It knows no run
from the inside."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from orchestrator.domain.durations import PAST
from orchestrator.domain.model import RunId
from orchestrator.domain.record import Brake, Fact, Lease, SafeMode
from orchestrator.domain.states import Why
from orchestrator.engine.doors import Doors
from orchestrator.engine.driver import Driver
from orchestrator.engine.sweeper import Sweeper
from orchestrator.engine.waiting import changed_or_slept
from orchestrator.ports import DamagedError, StoreUnavailableError

AFTER_A_CRASH = timedelta(minutes=1)
"""How long a run is left alone whose rows could not be loaded."""
AFTER_A_LOSS = timedelta(seconds=5)
"""How long a run is left alone after its driver had to give it up."""

LATE_EVERY = timedelta(seconds=30)
"""How often ended runs are asked for: their looks come hourly."""
AFTER_A_LATE_LOOK = timedelta(minutes=5)
"""How long an ended run is left alone after it was taken up for a look that was due."""


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def _braked(brake: Brake) -> Fact:
    why = Why("", brake.text)
    return Fact(at=brake.at, event="fleet.halted", actor=brake.actor, why=why)


def _released(now: datetime) -> Fact:
    why = Why("", "the halt of the whole fleet was lifted; v_events says by whom and why")
    return Fact(at=now, event="fleet.resumed", actor="daemon", why=why)


@dataclass(slots=True)
class _Driven:
    lease: Lease
    driver: Driver


class Conductor:
    """Drives every open run that this daemon holds a lease for, and ended ones for as long as it
    takes to look at a VM that still needs a person."""

    def __init__(
        self, doors: Doors, holder: str, only: Callable[[RunId], bool] = lambda _run: True
    ) -> None:
        self._doors = doors
        self._rhythm = doors.rhythm
        self._holder = holder
        self._only = only
        self._driven: dict[RunId, _Driven] = {}
        self._resting: dict[RunId, datetime] = {}
        self._late: dict[RunId, datetime] = {}
        self._late_at = doors.clock.now()
        self._sweeper = Sweeper(doors, lambda: [each.driver for each in self._driven.values()])
        self._stopping = False
        self._awake = asyncio.Event()
        self.scanned_at: datetime | None = None
        """When the open runs were last looked for, also in vain; None before the first time."""
        self.safe_mode: SafeMode | None = None
        self.brake: Brake | None = None
        """Whether the database was believed then; it is told once, when that changes."""

    @property
    def driving(self) -> tuple[RunId, ...]:
        """The runs that are driven here."""
        return tuple(self._driven)

    def driver(self, run_id: RunId) -> Driver | None:
        """Return the driver of a run that is driven here."""
        found = self._driven.get(run_id)
        return found.driver if found else None

    def nudge(self, run_id: RunId | None = None) -> None:
        """Look now: a run was opened, or an act was written for this one; without a name, something
        that concerns all of them."""
        for each, found in self._driven.items():
            if run_id in {None, each}:
                found.driver.nudge()
        self._awake.set()

    def stop(self) -> None:
        """Start nothing more. `conduct` returns when every request in flight is answered."""
        self._stopping = True
        for driven in self._driven.values():
            driven.driver.stop()
        self._awake.set()

    async def conduct(self) -> None:
        """Take up runs, drive them and renew their leases until `stop`."""
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(self._renew_always(), name="renew leases")
            sweeping = group.create_task(self._sweeper.sweep_always(), name="sweep")
            while not self._stopping:
                self._awake.clear()
                await self.scan(group)
                await changed_or_slept(
                    group, self._awake, self._doors.clock, self._rhythm.scan.total_seconds()
                )
            while self._driven:
                self._awake.clear()
                await self._awake.wait()
            renewing.cancel()
            sweeping.cancel()

    async def scan(self, group: asyncio.TaskGroup) -> None:
        """Take up every open run that nobody holds."""
        try:
            seen = await self._doors.store.overview(besides=self._holder)
            self._distrust(seen.safe_mode)
            self._heed(seen.brake)
            self._doors.throttle.divide(1 + seen.others, self._doors.clock.now())
            for run_id in (*seen.free_runs, *await self._late_runs()):
                if self._stopping:
                    return
                if run_id not in self._driven and self._only(run_id) and self._rested(run_id):
                    await self._try_to_take_up(group, run_id)
        except StoreUnavailableError as error:
            self._doors.observer.troubled("database", str(error))
        self.scanned_at = self._doors.clock.now()

    async def _late_runs(self) -> Sequence[RunId]:
        """Name the ended runs in which a look is due; a look that was not permitted is not asked
        for again at once."""
        now = self._doors.clock.now()
        if timedelta(0) < self._late_at - now <= LATE_EVERY:  # more, where the clock was set back
            return ()
        self._late_at = now + LATE_EVERY
        self._late = {run_id: until for run_id, until in self._late.items() if until > now}
        found = [each for each in await self._doors.store.late_runs(now) if each not in self._late]
        self._late |= dict.fromkeys(found, now + AFTER_A_LATE_LOOK)
        return found

    def _distrust(self, safe_mode: SafeMode | None) -> None:
        if safe_mode is not None and safe_mode != self.safe_mode:
            self._doors.observer.troubled("database", safe_mode.text)
        self.safe_mode = safe_mode

    def _heed(self, brake: Brake | None) -> None:
        """Tell of the fleet-wide halt once, and once that it is over. The runs heed it themselves,
        in the database; whoever watches this daemon's log would see only that nothing starts."""
        if brake == self.brake:
            return
        self.brake = brake
        now = self._doors.clock.now()
        self._doors.observer.noted(RunId(""), _braked(brake) if brake else _released(now))

    async def _try_to_take_up(self, group: asyncio.TaskGroup, run_id: RunId) -> None:
        """Take a run up; one that is too much for the database at this time is not in the way of
        the others."""
        try:
            await self._take_up(group, run_id)
        except StoreUnavailableError as error:
            self._doors.observer.troubled(f"run {run_id}", str(error))
            self._resting[run_id] = self._doors.clock.now() + AFTER_A_LOSS

    async def _take_up(self, group: asyncio.TaskGroup, run_id: RunId) -> None:
        lease = await self._doors.store.claim(run_id, self._holder, self._rhythm.lease)
        if lease is None:
            return
        driver = await self._loaded(lease)
        if driver is None:
            return
        if self._stopping:  # it was stopped while the run was loaded
            await self._doors.store.release(lease)
            return
        self._driven[run_id] = _Driven(lease, driver)
        group.create_task(self._drive(run_id, driver, lease), name=f"drive {run_id}")

    async def _loaded(self, lease: Lease) -> Driver | None:
        """Load a run; one whose rows cannot be understood must not stop all the others."""
        try:
            return await self._load(lease)
        except StoreUnavailableError:
            raise
        except DamagedError as error:
            self._doors.observer.troubled(f"run {lease.run_id}", str(error))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with these rows
            self._doors.observer.crashed(f"run {lease.run_id}", error)
        self._resting[lease.run_id] = self._doors.clock.now() + AFTER_A_CRASH
        return None

    async def _load(self, lease: Lease) -> Driver:
        driver = Driver(self._doors, lease, await self._doors.store.load(lease.run_id))
        past = await self._doors.store.durations(PAST)
        driver.view.outlook.remember(past, driver.view.ops)
        return driver

    async def _drive(self, run_id: RunId, driver: Driver, lease: Lease) -> None:
        try:
            await driver.drive()
            if driver.book.lost is None:
                await self._doors.store.release(lease)
            else:
                self._resting[run_id] = self._doors.clock.now() + AFTER_A_LOSS
                self._doors.observer.troubled(f"run {run_id}", driver.book.lost)
        except StoreUnavailableError as error:
            self._doors.observer.troubled("database", str(error))
        finally:
            del self._driven[run_id]
            self._awake.set()

    def _rested(self, run_id: RunId) -> bool:
        """Tell whether a run was left alone for long enough, also where the clock was set back."""
        left = self._resting.get(run_id, _LONG_AGO) - self._doors.clock.now()
        return not timedelta(0) < left <= AFTER_A_CRASH

    async def _renew_always(self) -> None:
        while True:
            await self._doors.clock.sleep(self._rhythm.renew.total_seconds())
            # Together: they share a commit, however many runs there are.
            await asyncio.gather(*map(self._renew, list(self._driven.values())))

    async def _renew(self, driven: _Driven) -> None:
        try:
            if not await self._doors.store.renew(driven.lease, self._rhythm.lease):
                driven.driver.book.lose("another daemon holds the lease")
        except StoreUnavailableError as error:
            self._doors.observer.troubled("database", str(error))
