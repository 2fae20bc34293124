"""The wires between one incarnation and the simulated Azure: what is sent may be lost, late, or
answered by somebody else. What has left the machine goes on when the machine dies."""

import asyncio
from typing import Final

from orchestrator.arm.exchange import ConnectFailed, Exchanged, Lost, Request
from orchestrator.simulator import errors
from orchestrator.simulator.exchange import Answer, HangUp, Reply
from tests.kit.memory import asked, heard
from tests.simulation.host import Host
from tests.simulation.loop import pause
from tests.simulation.witness import Witness
from tests.simulation.world import World

_POSTS: Final = (
    "lost", "reply_lost", "429", "500", "503", "taken_500", "taken_503", "slow", "repeated",
    "bare",
)  # fmt: skip
_READS: Final = ("lost", "503", "404", "slow")
_LONG: Final = 1_000
_INSTEAD: Final = {
    "429": lambda: Reply(429, (errors.JSON, ("retry-after", "7"))),
    "404": lambda: errors.error(404, "NotFound", "Not here."),
    "500": lambda: errors.gateway_trouble(500),
    "503": lambda: errors.gateway_trouble(503),
    "taken_500": lambda: errors.gateway_trouble(500),
    "taken_503": lambda: errors.gateway_trouble(503),
}


class Wires:
    """The `Transport` of one incarnation."""

    def __init__(self, host: Host, world: World, witness: Witness) -> None:
        self._host = host
        self._world = world
        self._witness = witness

    async def exchange(self, request: Request) -> Exchanged:
        """Carry one request."""
        kind = "read" if request.send_by is None else "post"
        point = "restart" if "/restart?" in request.url else kind
        await self._host.point(f"{point}.connect")
        if self._world.strikes(f"{kind}.connect"):
            return ConnectFailed(reason="no connection could be made")
        await pause(self._world.luck.between("latency", 0.01, 0.3))
        await self._host.point(f"{point}.send")
        if request.send_by is not None and self._host.monotonic() >= request.send_by:
            return ConnectFailed(reason="its time was over before it could be sent", abandoned=True)
        came = await self._send(kind, request)
        await self._host.point(f"{point}.answer")
        self._world.note(f"{self._host.name} {kind} {getattr(came, 'status', 'nothing')}")
        return came

    def _send(self, kind: str, request: Request) -> asyncio.Future[Exchanged]:
        """Let the bytes leave. The answer, if one comes, belongs to the network."""
        loop = asyncio.get_running_loop()
        came: asyncio.Future[Exchanged] = loop.create_future()
        if kind == "post":
            self._witness.sent(self._host, request)
        fault = self._fault(kind)
        delay = self._world.luck.between("latency", 0.01, 0.2)
        if fault == "slow":
            delay = self._world.luck.between("slow.lasts", 1.0, 80.0)
        loop.call_later(request.timeout, _settle, came, Lost(reason="no answer came in time"))
        if fault != "lost":
            loop.call_later(delay, self._arrive, request, fault, came)
        return came

    def _fault(self, kind: str) -> str | None:
        words = _POSTS if kind == "post" else _READS
        rates = tuple(self._world.weather.rate(f"{kind}.{word}") for word in words)
        index = self._world.luck.fate(f"{kind}.way", rates)
        return None if index is None else words[index]

    def _arrive(self, request: Request, fault: str | None, came: asyncio.Future[Exchanged]) -> None:
        if fault in {"429", "404", "500", "503"}:
            answer: Answer = _INSTEAD[fault]()
        else:
            if fault == "repeated" and self._world.shows_at_once(request.url):
                # Somebody on the way sends it again: the answer is the second one's, mostly a 409.
                self._world.azure.respond(asked(request), self._world.now())
            answer = self._world.azure.respond(asked(request), self._world.now())
            if fault in {"taken_500", "taken_503"}:
                answer = _INSTEAD[fault]()
        if fault == "bare" and isinstance(answer, Reply):
            answer = _without_urls(answer)
        if fault == "reply_lost":
            if self._world.luck.share("cut") < 0.5:  # noticed at once, or never
                _settle(came, heard(HangUp(), request.limit))
            return
        loop = asyncio.get_running_loop()
        delay = answer.delay + self._world.luck.between("latency", 0.01, 0.2)
        loop.call_later(delay, _settle, came, heard(answer, request.limit))


def _without_urls(reply: Reply) -> Reply:
    """Return an answer as a proxy leaves it that drops headers of 3 KB."""
    short = tuple(pair for pair in reply.headers if len(pair[1]) < _LONG)
    return Reply(reply.status, short, reply.body, reply.delay)


def _settle(came: asyncio.Future[Exchanged], what: Exchanged) -> None:
    if not came.done():
        came.set_result(what)
