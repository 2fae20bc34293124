"""One HTTP exchange as values: what is asked, what came of it, and who carries it.

It knows neither Azure nor sockets; `transport.py` turns these values into bytes, and a test may
carry them itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

SMALL: Final = 1 << 20
"""Bytes of an answer, decompressed, that are read unless the request says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. Its URL may be a capability and its headers hold a token: neither is ever shown.

    `timeout` is in seconds. `send_by` is an instant on the monotonic clock and marks a request with
    effects: it gets a connection of its own, is sent once, and not one byte of it is written after
    that instant (design 5.2).
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = b""
    timeout: float = 30.0
    send_by: float | None = None
    limit: int = SMALL


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """An answer. `headers` is made by `fold`.

    `whole` is False when the body broke off, could not be decoded, or exceeded the request's limit;
    `body` is then empty, while status and headers stay good.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectFailed:
    """No byte of the request left this process. `abandoned`: because its time was over."""

    reason: str
    abandoned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Bytes may have left, and no answer came back."""

    reason: str


Exchanged = HttpReply | ConnectFailed | Lost


class Transport(Protocol):
    """Carries one request.

    It repeats nothing that has effects, follows no redirect and keeps no cookie.
    """

    async def exchange(self, request: Request) -> Exchanged:
        """Send the request and return what came of it; only cancellation is raised."""


def fold(lines: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return header lines under lower-case names.

    A repeated line counts once. Different lines of one name are joined with a comma, as HTTP has
    it: a list stays a list, and a URL given twice is no URL any more.
    """
    folded: dict[str, str] = {}
    repeated: dict[str, list[str]] = {}
    for spelled, value in lines:
        name = spelled.lower()
        first = folded.setdefault(name, value)
        if value is not first and value not in repeated.setdefault(name, [first]):
            repeated[name].append(value)
    return folded | {name: ", ".join(values) for name, values in repeated.items()}
