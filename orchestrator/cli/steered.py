"""What an act works with when no daemon has the database: the database, and Azure only once it is
asked. A brake must not fail for want of a token, or for a plan that was edited wrongly."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from uuid import uuid4

from orchestrator.cli.sessions import log_at_once
from orchestrator.config.settings import Access, Settings
from orchestrator.domain.inventory import Machine
from orchestrator.ports import Clock, Inventory, InventoryError
from orchestrator.service import Service
from orchestrator.store.opening import open_store


@asynccontextmanager
async def steered(access: Access, *, clock: Clock) -> AsyncIterator[Service]:
    """Open the database and give the service that steers.

    Raises `StoreUnavailableError` (`DatabaseBusyError` while another process has the SQLite file).
    """
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            open_store(access.database, clock=clock, high_water=access.high_water)
        )
        yield Service(
            store=store,
            arm=_WhenAsked(access, clock, stack),
            clock=clock,
            new_id=lambda: str(uuid4()),
            subscriptions=access.azure.subscriptions if isinstance(access, Settings) else (),
        )


class _WhenAsked:
    """Azure's inventory, opened by the first question: only a retry in a new run asks one."""

    def __init__(self, access: Access, clock: Clock, stack: AsyncExitStack) -> None:
        self._access = access
        self._clock = clock
        self._stack = stack
        self._opened: Inventory | None = None

    async def list_subscriptions(self) -> Sequence[str]:
        """List the subscriptions that the credential can read."""
        return await (await self._inventory()).list_subscriptions()

    async def list_machines(
        self, subscription: str, resource_group: str | None
    ) -> Sequence[Machine]:
        """List the VMs of a subscription or of one resource group."""
        return await (await self._inventory()).list_machines(subscription, resource_group)

    async def _inventory(self) -> Inventory:
        if not isinstance(self._access, Settings):
            raise InventoryError(
                "A new run is needed here, and none can be opened while the configuration has"
                " errors; `orchestrator validate` shows them."
            )
        if self._opened is None:
            self._opened = await self._stack.enter_async_context(_azure(self._access, self._clock))
        return self._opened


def _azure(settings: Settings, clock: Clock) -> AbstractAsyncContextManager[Inventory]:
    """Load what talks to Azure only now: most acts have no use for it."""
    from orchestrator.daemon import azure
    from orchestrator.logs import Log

    log_at_once(settings)
    return azure(settings.azure, clock, Log(clock))
