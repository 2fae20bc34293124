"""The HTTP door of a daemon, on loopback: probes, metrics, and what a person may ask (design 16).

It decides nothing: a wish goes to the service, and the run's driver applies it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler

from orchestrator.http.answering import refusal
from orchestrator.http.behind import Door
from orchestrator.http.guarding import NOWHERE, Guards, shut_up
from orchestrator.http.loopback import is_here
from orchestrator.http.probes import Probes
from orchestrator.http.steering import MOST_BYTES, Steering

ACTS: Final = "/api/v1/acts"


def routes(door: Door) -> tuple[tuple[str, str, Handler], ...]:
    """Return (method, path, handler) of everything that is there."""
    probes = Probes(door)
    return (
        ("GET", "/livez", probes.livez),
        ("GET", "/readyz", probes.readyz),
        ("GET", "/metrics", probes.metrics),
        ("POST", ACTS, Steering(door).post),
    )


def build(door: Door, host: str) -> web.Application:
    """Build the application that is served at `host`."""
    guards = Guards(door, host)
    app = web.Application(middlewares=guards.middlewares(), client_max_size=MOST_BYTES)
    app.on_response_prepare.append(shut_up)
    there: dict[str, list[str]] = {}
    for method, path, handler in routes(door):
        methods = ["GET", "HEAD"] if method == "GET" else [method]
        there.setdefault(path, []).extend(methods)
        for each in methods:
            app.router.add_route(each, path, handler, expect_handler=_expect)

    async def nowhere(request: web.Request) -> web.Response:
        methods = there.get(request.path)
        if methods is None:
            return refusal(404, "not_found", "there is nothing here")
        refused = refusal(405, "method_not_allowed", f"this takes {', '.join(methods)}")
        refused.headers["Allow"] = ", ".join(methods)
        return refused

    app.router.add_route("*", NOWHERE.replace("}", ":.*}"), nowhere, expect_handler=_expect)
    return app


@asynccontextmanager
async def serving(door: Door, host: str, port: int) -> AsyncIterator[str]:
    """Serve the door while the block runs; yields its address, `http://127.0.0.1:8470`.

    Port 0 takes a free one. At the end requests in hand get `patience.closing` seconds. Raises
    `ValueError` for a host beyond loopback, `OSError` when the port is taken.
    """
    bare = host.strip("[]").lower()
    if not is_here(bare, "localhost"):
        raise ValueError(f"the door opens on loopback only, not on {host}")
    patience = door.patience
    loop = asyncio.get_running_loop()
    runner = web.AppRunner(build(door, bare), shutdown_timeout=patience.closing, access_log=None)
    await runner.setup()
    try:
        server = await loop.create_server(_accepting(runner, door), bare, port)
        try:
            bound = server.sockets[0].getsockname()[1]
            yield f"http://[{bare}]:{bound}" if ":" in bare else f"http://{bare}:{bound}"
        finally:
            server.close()
    finally:
        await runner.cleanup()


def _accepting(runner: web.AppRunner, door: Door) -> Any:  # noqa: ANN401 - asyncio's protocol factory
    """Return what makes a connection; when there are too many already, it is closed at once."""
    manager = runner.server
    loop = asyncio.get_running_loop()

    def accept() -> asyncio.Protocol:
        if manager is None or len(manager.connections) >= door.patience.connections:
            return _Closed()
        return _Connection(
            manager,
            loop=loop,
            keepalive_timeout=door.patience.request,
            lingering_time=door.patience.linger,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's way to say: none
        )

    return accept


class _Closed(asyncio.Protocol):
    """A connection that is none."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


class _Connection(web.RequestHandler):
    """aiohttp's connection, but that it does not show its name, a parser's message or what was sent
    to who does not speak HTTP, nor fill the log with it. One that sends no whole request in time is
    closed by aiohttp's keep-alive timer; no connection serves two requests."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what never reached a route, or broke outside of all of them."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        code, said = ("malformed", "this is not HTTP") if status < 500 else ("internal", "a bug")
        refused = refusal(status, code, said)
        refused.headers["Server"] = "orchestrator"  # else aiohttp writes its own name here
        return refused


async def _expect(request: web.Request) -> web.StreamResponse | None:
    """Say `100 Continue` to who waits for it; what else is expected is not repeated."""
    if request.headers.get("Expect", "").lower() != "100-continue":
        return refusal(417, "expectation_failed", "only 100-continue can be expected")
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # the answer itself has not begun
    return None
