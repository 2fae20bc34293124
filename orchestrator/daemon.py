"""The composition root: the one module that has met every other, and the one place where they are
put together."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from uuid import uuid4

from orchestrator.arm.client import ArmClient
from orchestrator.arm.clouds import CLOUDS, Cloud, custom
from orchestrator.arm.token import open_tokens
from orchestrator.arm.transport import AiohttpTransport, proxy_for
from orchestrator.config.settings import AzureSettings, ConfiguredPlan, Settings
from orchestrator.domain.model import RunId
from orchestrator.domain.record import Act, Fire, FireResult
from orchestrator.domain.throttle import Throttle
from orchestrator.engine.conductor import Conductor
from orchestrator.engine.doors import Doors
from orchestrator.engine.timetable import Entry, Timetable
from orchestrator.logs import Observers
from orchestrator.metrics import Metrics
from orchestrator.ports import Arm, Clock, Observer, Store
from orchestrator.service import Asked, NotOpened, Opened, Service
from orchestrator.store.opening import open_store

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


@asynccontextmanager
async def assembled(
    settings: Settings, *, clock: Clock, log: Observer, durable: bool = True
) -> AsyncIterator[Parts]:
    """Open the database and Azure, and give the parts that need them.

    Raises `StoreUnavailableError` (`DatabaseBusyError` while another process has the SQLite file)
    and `TokenUnavailableError`.
    """
    metrics = Metrics()
    observer = Observers(log, metrics)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            open_store(settings.database, clock=clock, durable=durable, on_commit=metrics.committed)
        )
        arm = await stack.enter_async_context(_azure(settings.azure, clock, observer))
        service = Service(store=store, arm=arm, clock=clock, new_id=_new_id)
        yield Parts(
            settings=settings,
            clock=clock,
            store=store,
            arm=arm,
            service=service,
            observer=observer,
            metrics=metrics,
        )


@asynccontextmanager
async def _azure(
    settings: AzureSettings, clock: Clock, observer: Observer
) -> AsyncIterator[ArmClient]:
    cloud = _cloud(settings)
    async with AsyncExitStack() as stack:
        transport = await stack.enter_async_context(
            AiohttpTransport(clock.monotonic, proxy=proxy_for(cloud))
        )
        tokens = open_tokens(settings.credential, cloud, clock)
        stack.push_async_callback(tokens.close)
        yield ArmClient(transport, tokens, cloud, clock, observer, settings.api_version)


def _cloud(settings: AzureSettings) -> Cloud:
    named = CLOUDS.get(settings.cloud)
    return named or custom(settings.endpoint, settings.audience, settings.authority)


def _new_id() -> str:
    return str(uuid4())


class Daemon:
    """Drives runs and keeps schedules until it is stopped."""

    def __init__(
        self,
        parts: Parts,
        *,
        schedules: bool = True,
        only: Callable[[RunId], bool] = lambda _run: True,
    ) -> None:
        self.parts = parts
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{_new_id()[:8]}"
        throttle = Throttle()
        doors = Doors(
            store=parts.store,
            arm=parts.arm,
            clock=parts.clock,
            observer=parts.observer,
            throttle=throttle,
            new_id=_new_id,
        )
        self.throttle = throttle
        self.conductor = Conductor(doors, self._holder, only)
        plans = parts.settings.plans if schedules else ()
        self.timetable = Timetable(
            store=parts.store,
            clock=parts.clock,
            observer=parts.observer,
            entries=[self._entry(plan) for plan in plans if plan.schedule is not None],
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; every request in flight is answered before this returns."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.conductor.conduct(), name="conduct")
            group.create_task(self.timetable.keep(), name="keep the schedules")
            lag = group.create_task(self._measure_lag(), name="measure the loop's lag")
            await stopping.wait()
            self.timetable.stop()
            self.conductor.stop()
            lag.cancel()

    async def open(self, plan_name: str, actor: str) -> Opened | NotOpened:
        """Open a run of a configured plan now. Raises `LookupError` for an unknown plan."""
        plan = self.parts.settings.plan(plan_name)
        if plan is None:
            message = f"there is no plan {plan_name!r} in the configuration"
            raise LookupError(message)
        outcome = await self.parts.service.open(
            plan.spec, config_hash=self.parts.settings.config_hash, opened_by=actor
        )
        self.conductor.nudge()
        return outcome

    async def act(self, act: Act) -> Asked | Opened | NotOpened:
        """Write a person's act and let the run's driver look at once."""
        outcome = await self.parts.service.act(act)
        self.conductor.nudge(act.run_id)
        return outcome

    def _entry(self, plan: ConfiguredPlan) -> Entry:
        assert plan.schedule is not None

        async def fired(fire: Fire) -> Fire | None:
            return await self._fired(plan, fire)

        return Entry(plan=plan.spec.name, schedule=plan.schedule, open=fired)

    async def _fired(self, plan: ConfiguredPlan, fire: Fire) -> Fire | None:
        outcome = await self.parts.service.open(
            plan.spec,
            config_hash=self.parts.settings.config_hash,
            opened_by="schedule",
            fire=fire,
        )
        match outcome:
            case Opened() | NotOpened(code="already_fired"):
                self.conductor.nudge()
                return None
            case NotOpened(code="empty", reason=reason):
                return replace(fire, result=FireResult.EMPTY, reason=reason)
            case NotOpened(reason=reason):
                return replace(fire, result=FireResult.SKIPPED, reason=reason)

    async def _measure_lag(self) -> None:
        """Notice when something holds the loop: a sleep that ends late was kept waiting."""
        clock = self.parts.clock
        while True:
            before = clock.monotonic()
            await clock.sleep(LAG_EVERY_S)
            self.parts.metrics.lagged(clock.monotonic() - before - LAG_EVERY_S)
