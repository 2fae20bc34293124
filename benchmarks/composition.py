"""The product as the benchmarks run it: the shipped daemon's parts on a database and an endpoint.

With its own limits off where Azure's are not what is measured; what is off is written here and
nowhere else. Database, client, engine, log and metrics are those of the daemon.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from uuid import uuid4

from orchestrator.clock import WallClock
from orchestrator.config.settings import AzureSettings, Settings
from orchestrator.daemon import Parts, assembled
from orchestrator.domain import polling
from orchestrator.domain.buckets import Limit
from orchestrator.domain.pools import AZURE, Limits
from orchestrator.domain.throttle import Throttle
from orchestrator.engine.conductor import Conductor
from orchestrator.engine.doors import Doors
from orchestrator.logs import configure
from orchestrator.logs.observers import Observers
from orchestrator.ports import Credential, CredentialKind, Observer

TOKEN: Final = "BENCHMARK_TOKEN"  # noqa: S105 - the name of an environment variable
_PLENTY: Final = 10_000
"""So many times Azure's figures: nothing that these machines can send is held back."""


def open_throttle() -> Throttle:
    """Return the shipped model of Azure's buckets, each so large that it never refuses: it costs
    what it costs, and holds nothing back."""
    return Throttle(reserve=0.0, limits=_times(AZURE, _PLENTY))


def sole_throttle() -> Throttle:
    """Return the shipped model of Azure's buckets without a reserve: nobody else is there."""
    return Throttle(reserve=0.0)


def _times(limits: Limits, factor: int) -> Limits:
    def grown(limit: Limit) -> Limit:
        return replace(limit, capacity=limit.capacity * factor, refill=limit.refill * factor)

    return Limits(
        shared={pool: grown(limit) for pool, limit in limits.shared.items()},
        of_one={pool: grown(limit) for pool, limit in limits.of_one.items()},
    )


@contextmanager
def unpaced() -> Iterator[None]:
    """Let polls take all the reads there are: the pace that spares Azure's buckets is not what the
    load tests measure."""
    names = vars(polling)
    before = names["POLLS_PER_SECOND"]
    names["POLLS_PER_SECOND"] = 1e9
    try:
        yield
    finally:
        names["POLLS_PER_SECOND"] = before


@dataclass(frozen=True, slots=True)
class Product:
    """The product, ready to drive."""

    parts: Parts
    conductor: Conductor

    async def drive_until(self, done: asyncio.Event) -> None:
        """Drive every open run until `done`, then stop as on SIGTERM."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.conductor.conduct(), name="conduct")
            await done.wait()
            self.conductor.stop()


@asynccontextmanager
async def product(
    database: str, origin: str, folder: Path, watcher: Observer, *, limited: bool
) -> AsyncIterator[Product]:
    """Open the product; its log goes to a file in `folder`. Without `limited` Azure's buckets are
    believed to be endless."""
    settings = Settings(
        path=folder,
        database=database,
        http_host="127.0.0.1",
        http_port=0,
        config_hash="bench",
        azure=_azure(origin),
        plans=(),
    )
    async with AsyncExitStack() as stack:
        if not limited:
            stack.enter_context(unpaced())
        log = stack.enter_context((folder / "daemon.log").open("w"))
        configure("info", json=True, stream=log)
        parts = await stack.enter_async_context(assembled(settings, clock=WallClock()))
        doors = Doors(
            store=parts.store,
            arm=parts.arm,
            clock=parts.clock,
            observer=Observers(parts.observer, watcher),
            throttle=Throttle() if limited else open_throttle(),
            gates=parts.gates,
            new_id=lambda: str(uuid4()),
            name="bench",
        )
        yield Product(parts, Conductor(doors, "bench"))


def _azure(origin: str) -> AzureSettings:
    """Return the settings of an endpoint of one's own with a fixed token."""
    credential = Credential(kind=CredentialKind.FIXED_TOKEN, variable=TOKEN)
    return AzureSettings(
        cloud="custom", endpoint=origin, credential=credential, api_version="2025-04-01"
    )
