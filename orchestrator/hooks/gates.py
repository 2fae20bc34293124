"""The one HTTP to gates: a GET with a time-out, without redirects, credentials, cookies or proxies.

What cannot be read is red. It repeats nothing: the next reading comes by plan.
"""

import asyncio
import socket
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlencode

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from orchestrator.domain.addresses import is_allowed, is_literal
from orchestrator.domain.gate import GateKind, GateSpec, Reading
from orchestrator.hooks import prometheus

WHOLE_SECONDS: Final = 10.0
"""For a whole answer; a gate that takes longer is red."""
MOST_BYTES: Final = 1_048_576
_CONNECTIONS: Final = 20
_REFUSED: Final = "its address is none that a gate may be read from"


class HttpGates:
    """The `Gates` port over sockets. Use it as a context manager inside the running loop."""

    def __init__(self, *, seconds: float = WHOLE_SECONDS) -> None:
        self._seconds = seconds
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def read(self, gate: GateSpec) -> Reading:
        """Ask once how a gate stands. It raises nothing but cancellation."""
        try:
            return await self._read(gate)
        except _RefusedError:
            return Reading(False, _REFUSED)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return Reading(False, _sentence(error))

    async def _read(self, gate: GateSpec) -> Reading:
        url = URL(_address(gate), encoded=gate.kind is GateKind.PROMETHEUS)
        if is_literal(url.host or "") and not is_allowed(url.host or ""):
            raise _RefusedError
        async with (
            asyncio.timeout(self._seconds),
            self._opened().get(url, allow_redirects=False) as answer,
        ):
            if gate.kind is GateKind.HTTP:
                green = answer.status == gate.expect
                wanted = "" if green else f", not {gate.expect}"
                return Reading(green, f"status {answer.status}{wanted}")
            if answer.status >= 500 or 300 <= answer.status < 400:
                return Reading(False, f"status {answer.status}")
            content = await _content(answer)
        if content is None:
            return Reading(False, f"the answer is longer than {MOST_BYTES} bytes")
        return prometheus.read(content, gate.bound)

    def _opened(self) -> aiohttp.ClientSession:
        """Open the connections when the first gate is read: most plans have none."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=_Guarded(), limit=_CONNECTIONS, force_close=True
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "orchestrator", "Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=self._seconds),
            )
        return self._session


class _RefusedError(aiohttp.ClientError):
    """The name leads where no gate is."""


class _Guarded(AbstractResolver):
    """Resolves names, and leaves out what may not be asked: a name is judged by the address that is
    then connected to, not by one that it had before."""

    def __init__(self) -> None:
        self._names = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses that may be asked."""
        found = await self._names.resolve(host, port, family)
        allowed = [each for each in found if is_allowed(str(each["host"]))]
        if found and not allowed:
            raise _RefusedError
        return allowed

    async def close(self) -> None:
        """Close nothing."""
        await self._names.close()


def _address(gate: GateSpec) -> str:
    if gate.kind is GateKind.HTTP:
        return gate.url
    return f"{gate.url.rstrip('/')}/api/v1/query?{urlencode({'query': gate.query})}"


async def _content(answer: aiohttp.ClientResponse) -> bytes | None:
    content = bytearray()
    async for chunk in answer.content.iter_any():
        content += chunk
        if len(content) > MOST_BYTES:
            answer.close()
            return None
    return bytes(content)


def _sentence(error: Any) -> str:  # noqa: ANN401 - any of several errors
    """Say what went wrong without the error's own words, which may hold the URL."""
    match error:
        case TimeoutError():
            return "no answer came in time"
        case aiohttp.ClientConnectorDNSError():
            return "its name could not be resolved"
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not trusted"
        case aiohttp.ClientConnectorError():
            return "no connection could be made"
        case _:
            return f"no answer that can be read ({type(error).__name__})"
