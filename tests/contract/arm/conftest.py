"""What more than one of these tests asks for."""

from contextlib import AsyncExitStack

import pytest

from orchestrator.arm.client import ArmClient
from orchestrator.arm.clouds import custom
from orchestrator.arm.exchange import Transport
from orchestrator.arm.token import FixedToken
from orchestrator.arm.transport import AiohttpTransport
from orchestrator.simulator.app import serving
from orchestrator.simulator.world import Azure
from tests.contract.arm.asking import get, post
from tests.contract.arm.bench import Clock, Memory
from tests.contract.arm.stages import Stage
from tests.kit.memory import MemoryTransport


@pytest.fixture(params=["read", "submit"])
def ask(request):
    """Ask once, by a read and by a request with effects."""
    return {"read": get, "submit": post}[request.param]


@pytest.fixture(params=["memory", "sockets"])
async def stage(request):
    """Build stages; whatever they need is closed after the test."""
    async with AsyncExitStack() as stack:

        async def build(*machines, **settings):
            """Build one: `settings` are the simulator's, `token` the only one it takes."""
            clock, observer = Clock(), Memory()
            azure = Azure(machines, **settings)
            transport: Transport
            if request.param == "memory":
                cloud = custom("https://azure.test")
                transport = MemoryTransport(azure, clock)
            else:
                server = await stack.enter_async_context(serving(azure, clock.now))
                cloud = custom(server.url)
                transport = await stack.enter_async_context(AiohttpTransport(clock.monotonic))
            arm = ArmClient(transport, FixedToken("a-token"), cloud, clock, observer)
            return Stage(azure, clock, arm, observer, machines)

        yield build
