"""A request with effects leaves in time or not at all: its one connection and its first byte.

It builds on three things of aiohttp's: a connector's `connect`, a payload's `write_with_length`,
and that headers wait in a buffer until the payload's first write (`StreamWriter.write_headers`).
The tests hold aiohttp to them.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    import ssl

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace


class TooLateError(Exception):
    """The request's time was over before its first byte was written.

    It never leaves `transport.py`.
    """


class Phase(Enum):
    """How far a request has come."""

    WAITING = auto()
    CONNECTING = auto()
    CONNECTED = auto()
    WRITING = auto()
    """Its first byte may have been written."""


class Gate:
    """Follows one request to its first byte. `send_by` is on the monotonic clock that is given."""

    def __init__(self, send_by: float, monotonic: Callable[[], float]) -> None:
        self._send_by = send_by
        self._monotonic = monotonic
        self.phase = Phase.WAITING
        self.closed = False

    def left(self) -> float:
        """Return the seconds until `send_by`."""
        return self._send_by - self._monotonic()

    def check(self) -> None:
        """Raise `TooLateError` when nothing may be written any more."""
        if self.left() < 0:
            self.closed = True
            raise TooLateError


class GatedConnector(aiohttp.TCPConnector):
    """Opens one fresh connection, which is never kept, and gives it up when it came too late."""

    def __init__(self, gate: Gate, tls: "ssl.SSLContext | bool") -> None:
        super().__init__(limit=1, force_close=True, use_dns_cache=False, ssl=tls)
        self._gate = gate

    async def connect(
        self,
        req: "ClientRequest",
        traces: "list[Trace]",
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the signature is aiohttp's
    ) -> "Connection":
        """Connect, with TLS, and look at the clock again."""
        self._gate.phase = Phase.CONNECTING
        connection = await super().connect(req, traces, timeout)
        self._gate.phase = Phase.CONNECTED
        try:
            self._gate.check()
        except TooLateError:
            connection.close()
            raise
        return connection


class GatedBody(aiohttp.BytesPayload):
    """A body whose first write, which takes the headers along, happens in time or not at all."""

    def __init__(self, value: bytes, gate: Gate) -> None:
        super().__init__(value, content_type="application/json")
        self._gate = gate

    async def write_with_length(
        self, writer: "AbstractStreamWriter", content_length: int | None
    ) -> None:
        """Check the clock; what follows runs to the socket without a pause."""
        self._gate.check()
        self._gate.phase = Phase.WRITING
        await super().write_with_length(writer, content_length)
