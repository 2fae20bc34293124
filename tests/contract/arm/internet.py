"""A world in which Azure has one address, and every other address is the stranger's.

Names are looked up and connections are made by the real client; only where they lead is ours to
say. The stranger has a certificate for every name that he needs.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from tests.contract.arm import servers
from tests.contract.arm.servers import Listener, Serve
from tests.contract.arm.strangers import HOST

_AZURE: Final = ("203.0.113.1", 443)
_ELSEWHERE: Final = "203.0.113.66"


@dataclass
class Internet:
    """Where connections go. `dialled` names every address beyond Azure's that was tried."""

    azure: Listener
    stranger: Listener
    secure: Listener
    """The stranger once more, for who speaks TLS to him."""
    tls: bool = True
    """Which of the two answers next."""
    dialled: list[tuple[Any, ...]] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)

    @property
    def overheard(self) -> bytes:
        """Return all that the stranger was told."""
        return b"".join((*self.stranger.heard, *self.secure.heard))

    @property
    def visits(self) -> int:
        """Return how many connections the stranger had."""
        return self.stranger.connections + self.secure.connections

    def lead(self, patch: pytest.MonkeyPatch) -> None:
        """Lead every connection of this loop to one of the servers."""
        loop = asyncio.get_running_loop()
        connect = loop.sock_connect

        async def look_up(host: Any, port: Any, **_given: Any) -> list[Any]:
            name = host.decode() if isinstance(host, bytes) else str(host)
            self.looked_up.append(name)
            found = _AZURE[0] if name.lower().rstrip(".") == HOST else _ELSEWHERE
            return [(2, 1, 6, "", (found, int(port)))]

        async def sock_connect(sock: Any, address: Any) -> None:
            if tuple(address[:2]) == _AZURE:
                await connect(sock, ("127.0.0.1", self.azure.port))
                return
            self.dialled.append(tuple(address))
            if len(address) > 2:
                raise ConnectionRefusedError("this machine may have no IPv6")
            there = self.secure if self.tls else self.stranger
            await connect(sock, ("127.0.0.1", there.port))

        patch.setattr(loop, "getaddrinfo", look_up)
        patch.setattr(loop, "sock_connect", sock_connect)


@asynccontextmanager
async def online(serve: Serve, tls: ssl.SSLContext) -> AsyncIterator[Internet]:
    """Put Azure, who answers by `serve`, and the stranger on the net while the block runs."""
    async with (
        servers.listening(serve, tls) as azure,
        servers.listening(servers.answering(200, b"{}")) as stranger,
        servers.listening(servers.answering(200, b"{}"), tls) as secure,
    ):
        yield Internet(azure, stranger, secure)
