"""The composition root: the one module that has met every other, and the one place where they are
put together."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from orchestrator.arm.client import ArmClient
from orchestrator.arm.clouds import CLOUDS, Cloud, custom
from orchestrator.arm.token import open_tokens
from orchestrator.arm.transport import AiohttpTransport, proxy_for
from orchestrator.config.problems import Wrong
from orchestrator.config.settings import AzureSettings, ConfiguredPlan, Overlap, Settings
from orchestrator.domain.model import RunId
from orchestrator.domain.record import Act, Emergency, Fire, FireResult
from orchestrator.domain.schedule import Schedule
from orchestrator.domain.throttle import Throttle
from orchestrator.domain.view import RunView
from orchestrator.engine.conductor import Conductor
from orchestrator.engine.doors import Doors
from orchestrator.engine.timetable import LONGEST_SLEEP, Entry, Timetable
from orchestrator.hooks.gates import HttpGates
from orchestrator.http.app import serving
from orchestrator.http.behind import Door, Health
from orchestrator.http.token import ensure_token, token_path
from orchestrator.logs import Log, Observers
from orchestrator.metrics import Metrics, Standing
from orchestrator.ports import Arm, Clock, Gates, Meter, Observer, Store, StoreUnavailableError
from orchestrator.service import Asked, NotOpened, Opened, Service, one_run_only
from orchestrator.store.notices import listen
from orchestrator.store.opening import open_store

NEEDS_APPROVER = (
    "the plan {} is an emergency: its runs override freezes, and each needs a named approver"
)
LAG_EVERY_S = 0.5
"""How often the loop's lag is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that a command or the daemon works with, opened and ready."""

    settings: Settings
    clock: Clock
    store: Store
    arm: Arm
    service: Service
    observer: Observer
    metrics: Metrics
    throttle: Throttle
    gates: Gates


@asynccontextmanager
async def assembled(
    settings: Settings, *, clock: Clock, durable: bool = True
) -> AsyncIterator[Parts]:
    """Open the database and Azure, and give the parts that need them.

    Raises `StoreUnavailableError` (`DatabaseBusyError` while another process has the SQLite file)
    and `TokenUnavailableError`.
    """
    metrics = Metrics()
    observer = Observers(Log(clock), metrics)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            open_store(
                settings.database,
                clock=clock,
                durable=durable,
                on_commit=metrics.committed,
                high_water=settings.high_water,
            )
        )
        await freeze(settings, store, clock)
        throttle = Throttle(settings.reserve)
        arm = await stack.enter_async_context(azure(settings.azure, clock, observer, throttle))
        gates = await stack.enter_async_context(HttpGates())
        service = Service(
            store=store,
            arm=arm,
            clock=clock,
            new_id=_new_id,
            subscriptions=settings.azure.subscriptions,
        )
        yield Parts(
            settings=settings,
            clock=clock,
            store=store,
            arm=arm,
            service=service,
            observer=observer,
            metrics=metrics,
            throttle=throttle,
            gates=gates,
        )


async def freeze(settings: Settings, store: Store, clock: Clock) -> None:
    """Let the configuration's freezes hold from now on, and those that it had before no more."""
    now = clock.now()
    wanted = settings.freezes.from_(now)
    await store.replace_freezes(str(settings.path), wanted, now, _name())


@asynccontextmanager
async def azure(
    settings: AzureSettings, clock: Clock, observer: Observer, meter: Meter | None = None
) -> AsyncIterator[ArmClient]:
    """Open the client of Azure Resource Manager. Raises `TokenUnavailableError`."""
    cloud = _cloud(settings)
    async with AsyncExitStack() as stack:
        transport = await stack.enter_async_context(
            AiohttpTransport(clock.monotonic, proxy=proxy_for(cloud))
        )
        tokens = open_tokens(settings.credential, cloud, clock)
        stack.push_async_callback(tokens.close)
        yield ArmClient(
            transport, tokens, cloud, clock, observer, settings.api_version, meter=meter
        )


def _cloud(settings: AzureSettings) -> Cloud:
    if settings.endpoint is None:
        return CLOUDS[settings.cloud]
    return custom(settings.endpoint, settings.audience, settings.authority)


def _new_id() -> str:
    return str(uuid4())


class Daemon:
    """Drives runs and keeps schedules until it is stopped."""

    def __init__(
        self,
        parts: Parts,
        *,
        schedules: bool = True,
        only: RunId | None = None,
    ) -> None:
        """Put a daemon together. With `only` it drives this one run, and opens no other: nobody
        would drive it."""
        self.parts = parts
        self._only = only
        self.throttle = parts.throttle
        doors = Doors(
            store=parts.store,
            arm=parts.arm,
            clock=parts.clock,
            observer=parts.observer,
            throttle=self.throttle,
            gates=parts.gates,
            new_id=_new_id,
            name=_name(),
        )
        self.conductor = Conductor(doors, _holder(parts.settings), lambda run: only in {None, run})
        plans = parts.settings.plans if schedules else ()
        self.timetable = Timetable(
            store=parts.store,
            clock=parts.clock,
            observer=parts.observer,
            entries=[self._entry(plan, plan.schedule) for plan in plans if plan.schedule],
        )

        parts.metrics.watch(
            Standing(
                runs=self._views,
                next_fires=lambda: self.timetable.next_fires,
                tokens=lambda: self.throttle.tokens(parts.clock.now()),
                safe_mode=lambda: self.conductor.safe_mode is not None,
                halted=lambda: self.conductor.brake is not None,
            )
        )

    def _views(self) -> Sequence[RunView]:
        """Return the runs that are driven here, as they stand."""
        drivers = (self.conductor.driver(run_id) for run_id in self.conductor.driving)
        return [driver.view for driver in drivers if driver is not None]

    async def open_runs(self) -> Sequence[RunId]:
        """Name the runs that are not closed."""
        return await self.parts.store.open_runs()

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; every request in flight is answered before this returns."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.conductor.conduct(), name="conduct")
            group.create_task(self.timetable.keep(), name="keep the schedules")
            calendar = group.create_task(self._keep_freezes(), name="keep the freezes")
            lag = group.create_task(self._measure_lag(), name="measure the loop's lag")
            database, clock = self.parts.settings.database, self.parts.clock
            hearing = listen(database, clock, self.conductor.nudge)
            ear = group.create_task(hearing, name="hear notices")
            await stopping.wait()
            self.timetable.stop()
            self.conductor.stop()
            lag.cancel()
            calendar.cancel()
            ear.cancel()

    async def open(
        self, plan_name: str, actor: str, emergency: Emergency | None = None
    ) -> Opened | NotOpened:
        """Open a run of a configured plan now. Raises `LookupError` for an unknown plan."""
        plan = self.parts.settings.plan(plan_name)
        if plan is None:
            message = f"there is no plan {plan_name!r} in the configuration"
            raise LookupError(message)
        if self._only is not None:
            return one_run_only(self._only)
        if plan.emergency and emergency is None:
            return NotOpened(code="needs_approver", reason=NEEDS_APPROVER.format(plan_name))
        outcome = await self.parts.service.open(
            plan.spec,
            config_hash=self.parts.settings.config_hash,
            opened_by=actor,
            emergency=emergency,
        )
        self.conductor.nudge()
        return outcome

    async def act(self, act: Act) -> Asked | Opened | NotOpened:
        """Write a person's act (`Service.act`)."""
        alone = None if self._only is None else one_run_only(self._only)
        return await self.parts.service.act(act, opens_none=alone)

    async def halt_all(self, actor: str, because: str) -> str:
        """Halt everything (`Service.halt_all`)."""
        said = await self.parts.service.halt_all(actor, because)
        self.conductor.nudge()
        return said

    async def resume_all(self, actor: str, because: str) -> str:
        """Lift the fleet-wide halt (`Service.resume_all`)."""
        said = await self.parts.service.resume_all(actor, because)
        self.conductor.nudge()
        return said

    async def disable_schedule(
        self, plan: str, until: datetime | None, actor: str, because: str
    ) -> str:
        """Let a plan's schedule rest (`Service.disable_schedule`). Raises `LookupError`."""
        self._must_fire(plan)
        return await self.parts.service.disable_schedule(plan, until, actor, because)

    async def enable_schedule(self, plan: str, actor: str, because: str) -> str:
        """End that rest (`Service.enable_schedule`). Raises `LookupError`."""
        self._must_fire(plan)
        return await self.parts.service.enable_schedule(plan, actor, because)

    def _must_fire(self, plan: str) -> None:
        found = self.parts.settings.plan(plan)
        if found is None or found.schedule is None:
            message = f"there is no plan {plan!r} with a schedule in the configuration"
            raise LookupError(message)

    async def confirm(self, actor: str, because: str) -> str:
        """End the database's safe mode (`Service.confirm`)."""
        said = await self.parts.service.confirm(actor, because)
        self.conductor.nudge()
        return said

    def _entry(self, plan: ConfiguredPlan, schedule: Schedule) -> Entry:
        async def fired(fire: Fire) -> Fire | None:
            return await self._fired(plan, fire)

        first = plan.spec.waves[0]
        return Entry(plan=plan.spec.name, schedule=schedule, open=fired, first_wave=first)

    async def _fired(self, plan: ConfiguredPlan, fire: Fire) -> Fire | None:
        outcome = await self.parts.service.open(
            plan.spec,
            config_hash=self.parts.settings.config_hash,
            opened_by="schedule",
            fire=fire,
        )
        match outcome:
            case Opened() | NotOpened(code="already_fired" | "safe_mode"):  # the latter waits
                self.conductor.nudge()
                return None
            case NotOpened(code="already_open", reason=reason) if plan.overlap is Overlap.QUEUE:
                return replace(fire, result=FireResult.QUEUED, reason=reason)
            case NotOpened(code="empty", reason=reason):
                return replace(fire, result=FireResult.EMPTY, reason=reason)
            case NotOpened(reason=reason):
                return replace(fire, result=FireResult.SKIPPED, reason=reason)

    async def _keep_freezes(self) -> None:
        """Ask the calendars anew once a day: they are asked for a limited time ahead."""
        clock, parts = self.parts.clock, self.parts
        day = clock.now().date()
        while True:
            await clock.sleep(LONGEST_SLEEP.total_seconds())
            if clock.now().date() == day:
                continue
            try:
                await freeze(parts.settings, parts.store, clock)
                day = clock.now().date()
            except (StoreUnavailableError, Wrong) as error:
                parts.observer.troubled("freezes", str(error))
            except Exception as error:  # noqa: BLE001 - a bug here must not end what runs already
                parts.observer.crashed("freezes", error)

    async def _measure_lag(self) -> None:
        """Notice when something holds the loop: a sleep that ends late was kept waiting."""
        clock = self.parts.clock
        while True:
            before = clock.monotonic()
            await clock.sleep(LAG_EVERY_S)
            self.parts.metrics.lagged(clock.monotonic() - before - LAG_EVERY_S)


def _holder(settings: Settings) -> str:
    """Name this daemon in its leases. Who has a SQLite file is alone with it, by the lock of the
    operating system: one name for all of them lets the next one go on at once, with a higher
    epoch."""
    if settings.database.startswith("sqlite"):
        return "sqlite"
    return f"{_name()}:{_new_id()[:8]}"


def _name() -> str:
    """Name this daemon for auditors: the machine and the process."""
    return f"{socket.gethostname()}:{os.getpid()}"


@asynccontextmanager
async def door(daemon: Daemon) -> AsyncIterator[str]:
    """Open the HTTP door of a daemon; yields its address. Raises `OSError` when the port is
    taken."""
    parts = daemon.parts
    health = Health(
        scanned_at=lambda: daemon.conductor.scanned_at,
        started_at=parts.clock.now(),
        ask_database=parts.store.open_runs,
        safe_mode=lambda: daemon.conductor.safe_mode,
    )
    behind = Door(
        acts=daemon,
        health=health,
        metrics=parts.metrics.text,
        token=ensure_token(token_path(parts.settings)),
        nudge=daemon.conductor.nudge,
        clock=parts.clock,
        observer=parts.observer,
        new_id=_new_id,
    )
    async with serving(behind, parts.settings.http_host, parts.settings.http_port) as address:
        yield address
