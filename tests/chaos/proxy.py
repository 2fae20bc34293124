"""A TCP proxy that breaks connections on purpose: cut, delayed, swallowed, held, refused.

It stands in front of one server on 127.0.0.1 and runs its own loop in a thread, so that whoever
drives a test can go on. It knows neither HTTP nor SQL: a judge is shown what a client sends and
names the fault that the rest of that connection meets. What it did is counted and remembered.
"""

import asyncio
import socket
import struct
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from hashlib import sha256
from types import TracebackType
from typing import Any, Self

from orchestrator.clock import WallClock

_CHUNK = 65_536
_LINGER_NOT = struct.pack("ii", 1, 0)  # close with RST, and drop what is still unsent
_PATIENCE_S = 30.0
"""How long a server may take to answer a client that has gone meanwhile."""
_CLOCK = WallClock()


class Act(Enum):
    """What becomes of the bytes of one direction."""

    PASS = "pass"
    CUT = "cut"
    """Both ends are reset."""
    SWALLOW = "swallow"
    """Read, and never passed on: a black hole."""
    HOLD = "hold"
    """Not even read any more: the connection is half open."""


@dataclass(frozen=True, slots=True)
class Way:
    """One direction of a connection, from the judged bytes on.

    `after` bytes still pass before the act begins; the first piece waits `delay` seconds, and what
    comes behind it waits too.
    """

    act: Act = Act.PASS
    after: int = 0
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What a connection meets: `up` is what the client sends, `down` what the server answers."""

    name: str
    up: Way = Way()
    down: Way = Way()


FINE = Fault("fine")


@dataclass(slots=True)
class Heard:
    """The bytes that made a judge speak: what they were, what came of them, and when."""

    at: datetime
    said: bytes
    fault: Fault
    passed_at: datetime | None = None
    """When the last piece of this connection was handed to the server; None: none ever was."""


Judge = Callable[[bytes], Fault | None]
"""Shown each piece that a client sends until it names a fault. None: of no interest."""


def drawn(seed: int, what: str, rate: float) -> bool:
    """Tell whether this happens: always the same for one seed and one name."""
    lot = sha256(f"{seed}/{what}".encode()).digest()
    return int.from_bytes(lot[:4]) < rate * 2**32


class Proxy:
    """Stands before `127.0.0.1:port`. Use it as a context manager; `port` is then its own."""

    def __init__(self, port: int, judge: Judge = lambda _piece: None) -> None:
        self.judge = judge
        self.counts: Counter[str] = Counter()
        self.heard: list[Heard] = []
        self.port = 0
        self._server_port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy")
        self._lines: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        # Bound and never listening: it keeps the port ours while connections are refused.
        self._claim = _bound(0)

    @property
    def url(self) -> str:
        """Its address, for a client that speaks plain HTTP."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.port = self._claim.getsockname()[1]
        self._thread.start()
        self.accept()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ask(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._claim.close()

    def accept(self) -> None:
        """Listen, as at the beginning."""
        self._ask(self._listen())

    def refuse(self) -> None:
        """Refuse new connections; those that are open live on."""
        self._ask(self._stop_listening())

    def cut_all(self) -> None:
        """Reset every connection that is open."""
        self._ask(self._cut_lines())

    def _ask(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_PATIENCE_S)

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._met, sock=_bound(self.port))

    async def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    async def _cut_lines(self) -> None:
        lines = list(self._lines)
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    async def _close(self) -> None:
        await self._stop_listening()
        await self._cut_lines()

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.ensure_future(self._serve(reader, writer))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)
        await asyncio.wait([line])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts["connections"] += 1
        try:
            server = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            self.counts["server away"] += 1
            await _reset(writer)
            return
        end = _reset
        try:
            if await _Line(self, (reader, writer), server).run():
                end = _finish
        finally:
            await end(writer)
            await end(server[1])


_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _CutError(Exception):
    """A connection is to be reset now."""


class _Line:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, client: _Stream, server: _Stream) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._heard: Heard | None = None
        self._answered = asyncio.Event()
        self._passed = {"up": 0, "down": 0}
        self._waited: set[str] = set()

    async def run(self) -> bool:
        """Pump both ways until one end is gone and nothing is owed any more. False: it was cut."""
        up = asyncio.create_task(self._pump(self._client[0], self._upwards))
        down = asyncio.create_task(self._pump(self._server[0], self._downwards))
        try:
            await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
            if self._heard is not None and self._heard.fault.down.act is Act.SWALLOW:
                await asyncio.wait([up])  # not even the server's farewell comes through
            owed = self._heard is not None and self._heard.passed_at is not None
            if owed and up.done() and up.exception() is None:
                # The client has gone, and what it asked for is on its way: a gateway lets it be.
                with suppress(TimeoutError):
                    async with asyncio.timeout(_PATIENCE_S):
                        await self._answered.wait()
        finally:
            for task in (up, down):
                task.cancel()
            ends = await asyncio.gather(up, down, return_exceptions=True)
        return not any(isinstance(end, _CutError) for end in ends)

    async def _pump(
        self, reader: asyncio.StreamReader, onwards: Callable[[bytes], Awaitable[None]]
    ) -> None:
        try:
            while piece := await reader.read(_CHUNK):
                await onwards(piece)
        except OSError:
            pass
        finally:
            if reader is self._server[0]:
                self._answered.set()

    async def _upwards(self, piece: bytes) -> None:
        if self._heard is None and (fault := self._proxy.judge(piece)) is not None:
            self._heard = Heard(_CLOCK.now(), piece, fault)
            self._proxy.heard.append(self._heard)
            self._proxy.counts[fault.name] += 1
            self._answered.clear()
        way = self._heard.fault.up if self._heard else FINE.up
        if await self._onwards("up", way, piece, self._server[1]) and self._heard:
            self._heard.passed_at = _CLOCK.now()

    async def _downwards(self, piece: bytes) -> None:
        way = self._heard.fault.down if self._heard else FINE.down
        self._answered.set()
        with suppress(OSError):  # a client that has gone does not hold up the server
            await self._onwards("down", way, piece, self._client[1])

    async def _onwards(self, side: str, way: Way, piece: bytes, to: asyncio.StreamWriter) -> bool:
        """Pass on what may pass. Returns whether any of it did."""
        if way.delay and side not in self._waited:
            self._waited.add(side)
            await _CLOCK.sleep(way.delay)
        whole = way.act is Act.PASS
        fits = piece if whole else piece[: max(0, way.after - self._passed[side])]
        if self._heard:
            self._passed[side] += len(fits)
        if fits:
            to.write(fits)
            await to.drain()
        if len(fits) < len(piece):
            await self._break(way.act)
        return bool(fits)

    async def _break(self, act: Act) -> None:
        if act is Act.CUT:
            raise _CutError
        if act is Act.HOLD:
            await asyncio.Event().wait()


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


async def _reset(writer: asyncio.StreamWriter) -> None:
    """Close one end with RST."""
    connection = writer.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


async def _finish(writer: asyncio.StreamWriter) -> None:
    """Close one end after what is still in its buffer."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
