"""What the command line knocks with: one act to a daemon on this machine, sent once.

The token goes to loopback only, and the command line first asks whether its owner is there; no
proxy, no redirect, no second try.
"""

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from orchestrator.domain.foreign import REDACTED
from orchestrator.http.loopback import is_here
from orchestrator.http.probes import PROOF, QUESTION
from orchestrator.http.token import proof

_PATH: Final = "/api/v1/acts"
_CONNECT_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 630.0
"""A little more than the door allows itself for opening a run (`behind.Patience.opening`)."""
_MOST_BYTES: Final = 1_048_576
_KNOCK_SECONDS: Final = 30.0
"""For a probe to answer, whose loop may be busy."""
_SHORTEST_TOKEN: Final = 16


@dataclass(frozen=True, slots=True)
class Sent:
    """The daemon took it. `body` holds `act_id` and `run_id` of a written act, `said` of an act on
    the whole fleet, or `run_id`, `vms` and `notes` of an opened run; notes and what was said may
    hold foreign text."""

    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Declined:
    """The daemon said no. `code` is stable, `message` is for people and may hold foreign text."""

    status: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No daemon answered. `maybe_taken`: it may have read the act; asking again with the same `id`
    is harmless."""

    reason: str
    maybe_taken: bool = False


async def stranger(address: str, token: str) -> str | None:
    """Tell who answers at an address if that is not the daemon of this token; None: it is, or
    nobody answers. The token is not sent for that.

    Raises `ValueError` as `send` does.
    """
    place, question = _here(address), secrets.token_hex(16)
    limits = aiohttp.ClientTimeout(total=_KNOCK_SECONDS, connect=_CONNECT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=limits, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(
                f"http://{place}/livez", headers={QUESTION: question}, allow_redirects=False
            ) as reply,
        ):
            said = reply.headers.get(PROOF)
    except aiohttp.ClientResponseError:
        return "another program"
    except (aiohttp.ClientError, OSError, TimeoutError):
        return None
    if said is None:
        return "another program"
    known = hmac.compare_digest(said.encode(), proof(token, question).encode())
    return None if known else "the daemon of another database"


def _here(address: str) -> str:
    """Return host and port of an address on this machine."""
    place = urlsplit(address)
    if place.scheme != "http" or not is_here(place.hostname or "", "localhost"):
        raise ValueError(f"{address} is no daemon's address on this machine")
    return place.netloc


async def send(address: str, token: str, body: Mapping[str, Any]) -> Sent | Declined | Unreachable:
    """Send one body of `POST /api/v1/acts` to the daemon at `http://127.0.0.1:8470`.

    What is None or empty is left out: the door refuses it, so that no script means all by none.
    Raises `ValueError` for an address that is not on this machine: the token stays here.
    """
    place = _here(address)
    limits = aiohttp.ClientTimeout(total=_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=limits, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(
                f"http://{place}{_PATH}",
                json={key: value for key, value in body.items() if value not in (None, "", [], ())},
                headers={"Authorization": f"Bearer {token}"},
                allow_redirects=False,
            ) as reply,
        ):
            # Somebody else may have the port, and say back what was said: never the token.
            return _read(reply.status, _without(token, await _bytes(reply)), address)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        return Unreachable(f"no daemon answers at {address}")
    except (aiohttp.ClientError, OSError, TimeoutError):
        return Unreachable(f"the daemon at {address} did not finish its answer", maybe_taken=True)


def _without(token: str, content: bytes) -> bytes:
    """Take a token out of an answer; what is shorter than any of ours is a word like others."""
    long = len(token) >= _SHORTEST_TOKEN
    return content.replace(token.encode(), REDACTED.encode()) if long else content


async def _bytes(reply: aiohttp.ClientResponse) -> bytes:
    """Read no more than an answer of ours can hold."""
    content = bytearray()
    async for chunk in reply.content.iter_any():
        content += chunk
        if len(content) > _MOST_BYTES:
            return b""
    return bytes(content)


def _read(status: int, content: bytes, address: str) -> Sent | Declined | Unreachable:
    strange = Unreachable(f"what answers at {address} is no orchestrator", maybe_taken=True)
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return strange
    match said:
        case {"error": {"code": str(code), "message": str(message)}} if status >= 400:
            return Declined(status, code, message)
        case {"act_id": str(), "run_id": str()} if status == 202:
            return Sent(said)
        case {"said": str()} if status == 200:
            return Sent(said)
        case {"run_id": str(), "vms": int(), "notes": list()} if status == 201:
            return Sent(said)
        case _:
            return strange
