"""Sockets: the one place that speaks HTTP to Azure. It knows nothing of ARM and repeats nothing.

Reads share a pool of kept-alive connections. A request with effects gets a connection of its own,
opened and secured within what is left of its time; the last statement before its first byte asks
whether there is any time left. aiohttp itself repeats a request when its connection breaks, once,
and only for idempotent methods (`ClientSession._request`): a read, never a request with effects.
Redirects are answers like any other, and cookies are not kept.
"""

import ssl
from collections.abc import Callable
from functools import lru_cache
from types import TracebackType
from typing import Final, Self
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from orchestrator.arm.clouds import Cloud
from orchestrator.arm.exchange import ConnectFailed, Exchanged, HttpReply, Lost, Request, fold
from orchestrator.arm.gate import Gate, GatedBody, GatedConnector, Phase, TooLateError

CONNECT_SECONDS: Final = 10.0
"""How long a read may wait for a free connection, DNS, TCP and TLS together."""
_CONNECTIONS: Final = 100
_HEADER_BYTES: Final = 65_536
"""The longest header line we read: ARM's URLs are 3.4 KB and may grow (azure-facts 2.4)."""
_CHUNK: Final = 65_536

_BEFORE_SENDING = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)
"""Errors that aiohttp raises only while it connects: DNS, TCP, TLS, the proxy's CONNECT."""
_BROKEN = (aiohttp.ClientError, OSError, TimeoutError, TooLateError)

_TOO_LATE = ConnectFailed(reason="its time was over before it could be sent", abandoned=True)


class AiohttpTransport:
    """A `Transport` over real sockets. Use it as a context manager inside the running loop.

    `monotonic` is the clock of `Request.send_by`. `proxy` is the URL of an http proxy (`proxy_for`
    takes it from the environment). `tls` replaces the system's certificate authorities;
    verification cannot be switched off.
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        *,
        proxy: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._monotonic = monotonic
        self._tls: ssl.SSLContext | bool = tls or True
        self._proxy, self._proxy_headers = _proxy(proxy)
        self._reads: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._reads = _session(aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=self._tls))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._reads is not None:
            await self._reads.close()

    async def exchange(self, request: Request) -> Exchanged:
        """Send one request and return what came of it. It raises nothing but cancellation."""
        if request.send_by is None:
            return await self._read(request)
        return await self._send_once(request, Gate(request.send_by, self._monotonic))

    async def _read(self, request: Request) -> Exchanged:
        if self._reads is None:
            raise RuntimeError("the transport is not open")
        times = _read_times(request.timeout)
        try:
            return await self._ask(self._reads, request, request.body or None, times)
        except _BEFORE_SENDING as error:
            return ConnectFailed(reason=_sentence(error))
        except _BROKEN as error:
            return Lost(reason=_sentence(error))

    async def _send_once(self, request: Request, gate: Gate) -> Exchanged:
        """Send a request with effects; the exchange ends within its time-out after `send_by`."""
        left = gate.left()
        if left <= 0:
            return _TOO_LATE
        times = _times(left + request.timeout, connect=left, read=request.timeout)
        try:
            async with _session(GatedConnector(gate, self._tls)) as session:
                return await self._ask(session, request, GatedBody(request.body, gate), times)
        except _BROKEN as error:
            if gate.closed or isinstance(error, aiohttp.ConnectionTimeoutError):
                return _TOO_LATE
            if isinstance(error, _BEFORE_SENDING) or gate.phase is Phase.CONNECTING:
                return ConnectFailed(reason=_sentence(error))
            return Lost(reason=_sentence(error))

    async def _ask(
        self,
        session: aiohttp.ClientSession,
        request: Request,
        body: bytes | aiohttp.Payload | None,
        times: aiohttp.ClientTimeout,
    ) -> HttpReply:
        async with session.request(
            request.method,
            URL(request.url, encoded=True),
            headers=request.headers,
            data=body,
            timeout=times,
            allow_redirects=False,
            proxy=self._proxy,
            proxy_headers=self._proxy_headers,
        ) as response:
            content = await _content(response, request.limit)
            return HttpReply(
                status=response.status,
                headers=fold(response.headers.items()),
                body=content or b"",
                whole=content is not None,
            )


def proxy_for(cloud: Cloud) -> str | None:
    """Return the proxy that `HTTPS_PROXY` and `NO_PROXY` name for a cloud; none for plain http."""
    host = URL(cloud.endpoint).host or ""
    if cloud.scheme != "https" or proxy_bypass(host):
        return None
    return getproxies().get("https")


def _proxy(given: str | None) -> tuple[URL | None, dict[str, str] | None]:
    """Part a proxy's URL from the credentials in it."""
    if not given:
        return None, None
    url = URL(given)
    if url.user is None:
        return url, None
    basic = aiohttp.encode_basic_auth(url.user, url.password or "")
    return url.with_user(None), {"Proxy-Authorization": basic}


def _session(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        max_field_size=_HEADER_BYTES,
    )


@lru_cache(maxsize=8)
def _read_times(timeout: float) -> aiohttp.ClientTimeout:
    return _times(timeout, connect=min(CONNECT_SECONDS, timeout))


def _times(total: float, *, connect: float, read: float | None = None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=total,
        connect=connect,
        sock_read=read,
        ceil_threshold=total + 1,  # aiohttp rounds times from there on up to whole seconds
    )


async def _content(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """Read a body, decompressed, up to the limit; None when it is larger or breaks off."""
    content = bytearray()
    try:
        if _is_short(response, limit):
            return await response.read()
        async for chunk in response.content.iter_chunked(_CHUNK):
            content += chunk
            if len(content) > limit:
                response.close()
                return None
    except (aiohttp.ClientError, OSError, TimeoutError):
        response.close()
        return None
    return bytes(content)


def _is_short(response: aiohttp.ClientResponse, limit: int) -> bool:
    """Tell whether an answer promises to be within the limit: its bytes are those that we keep."""
    length = response.content_length
    return length is not None and length <= limit and "content-encoding" not in response.headers


def _sentence(error: Exception) -> str:
    """Say what went wrong without the error's own words, which may hold a URL."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "the endpoint's name could not be resolved"
        case aiohttp.ClientConnectorCertificateError():
            return "the endpoint's certificate is not trusted"
        case aiohttp.ClientHttpProxyError(status=status):
            return f"the proxy refused the connection ({status})"
        case aiohttp.ClientConnectorError(os_error=OSError(strerror=str(words))):
            return f"no connection could be made: {words}"
        case aiohttp.ClientConnectorError() | aiohttp.InvalidURL():
            return f"no connection could be made ({type(error).__name__})"
        case aiohttp.ConnectionTimeoutError():
            return "no connection could be made in time"
        case TimeoutError():
            return "no answer came in time"
        case _:
            return f"the connection broke before an answer came ({type(error).__name__})"
