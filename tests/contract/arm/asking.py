"""Requests as the transport's tests ask them: a read, and a request with effects."""

from collections.abc import Callable
from typing import Any

from orchestrator.arm.exchange import ConnectFailed, Request
from orchestrator.arm.transport import AiohttpTransport

FOR_EVER = 3600 * 24 * 365
PATIENCE = 20.0
IMPATIENCE = 0.5
BODY = b'{"rebootSetting": "IfRequired"}'
ABANDONED = ConnectFailed(reason="its time was over before it could be sent", abandoned=True)


def get(url: str, **members: Any) -> Request:
    return Request(method="GET", url=url, timeout=PATIENCE, **members)


def post(url: str, *, send_by: float = PATIENCE, timeout: float = PATIENCE) -> Request:
    headers = {"authorization": "Bearer s3cr3t", "content-type": "application/json"}
    return Request(
        method="POST", url=url, headers=headers, body=BODY, timeout=timeout, send_by=send_by
    )


def instants(*seconds: float) -> Callable[[], float]:
    """Return a clock that shows these instants, one at each look, and then stays."""
    left = list(seconds)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def standing() -> float:
    return 0.0


async def exchange(request, monotonic=standing, **settings):
    async with AiohttpTransport(monotonic, **settings) as transport:
        return await transport.exchange(request)
