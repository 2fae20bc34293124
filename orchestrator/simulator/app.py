"""The simulator's HTTP face: bytes in, bytes out, everything else is `world.py`'s.

It reads no clock (`now` is the caller's) and decides nothing. A `HangUp` becomes a reset
connection.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from orchestrator.simulator.exchange import HangUp, Reply, Request
from orchestrator.simulator.world import Azure

_LINGER_NOT = struct.pack("ii", 1, 0)  # close with RST, and drop what is still unsent


@dataclass(frozen=True, slots=True)
class Server:
    """A simulator that listens. `url` is its origin, without a slash at the end."""

    url: str


class Simulator:
    """Serves one world."""

    def __init__(self, azure: Azure, now: Callable[[], datetime]) -> None:
        self._azure = azure
        self._now = now

    def app(self) -> web.Application:
        """Build the web application."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        return app

    async def _answer(self, http: web.Request) -> web.StreamResponse:
        request = Request(
            method=http.method,
            url=f"{http.scheme}://{http.host}{http.raw_path}",
            headers={name.lower(): value for name, value in http.headers.items()},
            body=await http.read(),
        )
        answer = self._azure.respond(request, self._now())
        if answer.delay > 0:
            await _pause(answer.delay)
        if isinstance(answer, HangUp):
            return _hung_up(http)
        return _response(answer)


@asynccontextmanager
async def serving(
    azure: Azure, now: Callable[[], datetime], host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Server]:
    """Serve the world while the block runs; port 0 takes a free one.

    Requests still waiting at the end (silent ones) are dropped. Raises OSError if the port is
    taken.
    """
    runner = web.AppRunner(
        Simulator(azure, now).app(),
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=0.1,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield Server(f"http://{host}:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


async def _pause(seconds: float) -> None:
    """Wait on the loop's own timer: this is Azure being slow, not the product waiting."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    timer = loop.call_later(seconds, over.set_result, None)
    try:
        await over
    finally:
        timer.cancel()


def _hung_up(http: web.Request) -> web.Response:
    """Reset the connection; what is returned goes nowhere."""
    transport = http.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        transport.abort()
    return web.Response()


def _response(reply: Reply) -> web.Response:
    response = web.Response(status=reply.status, body=reply.body)
    for name, value in reply.headers:
        if name == "content-type":
            response.headers[name] = value
        elif name != "content-length":  # aiohttp counts the bytes itself
            response.headers.add(name, value)
    return response
