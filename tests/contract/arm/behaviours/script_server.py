"""A server on a real socket that follows a script, byte for byte, and counts what comes."""

import asyncio
import gzip
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from tests.contract.arm.behaviours.row import at, bytes_at
from tests.contract.arm.behaviours.script import (
    Answer,
    Babble,
    Cut,
    Framing,
    Hung,
    NobodyThere,
    Pace,
    Play,
    Tear,
    Torn,
)
from tests.contract.arm.servers import Listener, Wire

LATE: Final = 0.05
"""Seconds that a slow answer takes."""
_DROP: Final = 200
_LINGER_NOT: Final = struct.pack("ii", 1, 0)
_BODILESS: Final = {204, 304}


class ScriptServer:
    """Answers each request by the next play; the last one answers all that come after it."""

    def __init__(self, plays: Sequence[Play]) -> None:
        self._plays = list(plays)
        self.here = ""
        self.posts = 0
        self.unread = 0
        """Connections that were ended before anything was read."""

    async def serve(self, wire: Wire, _: Listener) -> None:
        """Serve one connection."""
        first = self._plays[0]
        if isinstance(first, Cut) and first.unread:
            self._next()
            self.unread += 1
            await self._end(wire, reset=first.reset)
            return
        while request := await wire.request():
            self.posts += request.startswith(b"POST ")
            if not await self._play(wire, self._next()):
                return

    def _next(self) -> Play:
        return self._plays.pop(0) if len(self._plays) > 1 else self._plays[0]

    async def _play(self, wire: Wire, play: Play) -> bool:
        """Play one answer; tell whether the connection stays open."""
        match play:
            case Answer():
                return await self._answer(wire, play)
            case Torn(answer=answer, tear=tear):
                await wire.say(*self._torn(answer, tear))
                if tear is Tear.STALLED:
                    await wire.hang()
                await self._end(wire, reset=tear is Tear.RESET)
            case Cut(said=said, reset=reset):
                await wire.say(said)
                await self._end(wire, reset=reset)
            case Babble(said=said):
                await wire.say(said)
                await wire.hang()
            case Hung(said=said):
                await wire.say(said)
                await wire.hang()
            case NobodyThere():
                raise AssertionError("somebody is there")
        return False

    async def _answer(self, wire: Wire, answer: Answer) -> bool:
        if answer.pace is Pace.NEVER:
            await wire.hang()
            return False
        whole = self._bytes(answer)
        if answer.pace is Pace.SLOW:
            await silence(wire, LATE)
        if answer.pace is Pace.DRIPPING:
            for start in range(0, len(whole), _DROP):
                await wire.say(whole[start : start + _DROP])
                await silence(wire, 0)
        else:
            await wire.say(whole)
        return answer.framing is not Framing.TO_THE_END

    def _bytes(self, answer: Answer) -> bytes:
        body = bytes_at(self.here, answer.body)
        lines = []
        if answer.gzip:
            body = gzip.compress(body)
            lines.append("Content-Encoding: gzip")
        if answer.framing is Framing.CHUNKED:
            lines.append("Transfer-Encoding: chunked")
            body = b"".join(_chunk(part) for part in (body[:1], body[1:]) if part) + b"0\r\n\r\n"
        elif answer.framing is Framing.LENGTH and answer.status not in _BODILESS:
            lines.append(f"Content-Length: {len(body)}")
        return self._head(answer, *lines) + body

    def _torn(self, answer: Answer, tear: Tear) -> Sequence[bytes]:
        body = bytes_at(self.here, answer.body) or b"half"
        length = f"Content-Length: {len(body) + 9}"
        match tear:
            case Tear.SHORT | Tear.RESET | Tear.STALLED:
                return (self._head(answer, length) + body,)
            case Tear.NO_LAST_CHUNK:
                return (self._head(answer, "Transfer-Encoding: chunked") + _chunk(body),)
            case Tear.NOT_GZIP:
                head = self._head(answer, "Content-Encoding: gzip", "Content-Length: 4")
                return (head + b"nope",)
            case Tear.HALF_A_GZIP:
                half = gzip.compress(body)[:-12]
                lines = ("Content-Encoding: gzip", f"Content-Length: {len(half)}")
                return (self._head(answer, *lines) + half,)

    def _head(self, answer: Answer, *lines: str) -> bytes:
        ahead = "".join(f"HTTP/1.1 {number} Wait\r\n\r\n" for number in answer.ahead)
        given = [f"{name}: {at(self.here, value)}" for name, value in answer.lines]
        head = "\r\n".join([f"HTTP/1.1 {answer.status} Said", *given, *lines])
        return f"{ahead}{head}\r\n\r\n".encode()

    async def _end(self, wire: Wire, *, reset: bool) -> None:
        """End the connection by FIN, or by RST, which `abort` alone would not send."""
        if reset:
            connection: socket.socket = wire.writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            wire.reset()


def _chunk(part: bytes) -> bytes:
    return f"{len(part):x}\r\n".encode() + part + b"\r\n"


async def silence(wire: Wire, seconds: float) -> None:
    """Say nothing for that long, or until the client goes away."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wire.reader.read(1)
