"""The secrets themselves, and what a way out is.

Every secret of this house stands here with a mark in it that nothing else holds.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest

from orchestrator.store.opening import open_store
from tests.kit.clock import HandClock

MARK = "SiSkIn7"
TOKEN = f"{MARK}-t0ken.of-Azure_{'x' * 40}"
"""The bearer token for Azure; no pattern tells it from other words."""
PASSWORD = f"{MARK}+pass/word=of the%database"
LOCAL = f"{MARK}-local-{'l' * 43}"
"""The token of the daemon's own door."""
SIGNATURE = f"{MARK}SiGnAtUrE{'s' * 342}"
CLIENT_SECRET = f"{MARK}~client.secret~of~Entra"
PROXY = f"{MARK}-proxy-password"

DSN = f"postgresql://kim:{quote(PASSWORD, safe='')}@127.0.0.1:1/fleet"
SIGNED = (
    "https://management.azure.com/subscriptions/s/providers/Microsoft.Compute/locations/w"
    f"/operations/1?p=a&api-version=2025-04-01&t=638&c={SIGNATURE}&s={SIGNATURE}&h={SIGNATURE}"
)
VARIABLES = {
    "CANARY_TOKEN": TOKEN,
    "CANARY_DSN": DSN,
    "CANARY_PASSWORD": PASSWORD,
    "AZURE_CLIENT_SECRET": CLIENT_SECRET,
}
SECRETS = (TOKEN, PASSWORD, LOCAL, SIGNATURE, CLIENT_SECRET, PROXY)

_SUNG = {MARK.lower().encode()} | {
    base64.b64encode(b"x" * shift + secret.encode())[4:24].lower()
    for secret in SECRETS
    for shift in range(3)
}
"""The mark in any case, and a piece of each secret as base64 would write it."""


@cache
def _empty_database() -> bytes:
    """Make the database once: most of a short run's time would go there."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "status.db"
        with ThreadPoolExecutor(1) as beside:  # whoever asks may have a loop already
            beside.submit(asyncio.run, _make(f"sqlite:///{file}")).result()
        return file.read_bytes()


async def _make(url: str) -> None:
    async with open_store(url, clock=HandClock(), durable=False):
        pass


@dataclass
class Here:
    """Where a way is walked, and what came out of it. `patch` is undone after it."""

    folder: Path
    patch: pytest.MonkeyPatch
    heard: list[bytes] = field(default_factory=list)

    def database(self) -> str:
        """Put an empty status database here, as a fresh start makes it; return its URL."""
        file = self.folder / "status.db"
        file.write_bytes(_empty_database())
        return f"sqlite:///{file}"

    def keep(self, *said: object) -> None:
        """Keep what came out: bytes, text, or how an object shows itself."""
        for each in said:
            if isinstance(each, bytes):
                self.heard.append(each)
            else:
                self.heard.append((each if isinstance(each, str) else repr(each)).encode())


Walk = Callable[[Here], Awaitable[None] | None]


@dataclass(frozen=True)
class Way:
    """One way on which a secret might get out. `walk` goes it to its end; it must reach it."""

    name: str
    walk: Walk = field(repr=False)


def songs(heard: Iterable[bytes]) -> list[bytes]:
    """Return the surroundings of every secret in what was heard."""
    found = []
    for each in heard:
        low = each.lower()
        for sung in _SUNG:
            at = low.find(sung)
            if at >= 0:
                found.append(each[max(0, at - 120) : at + 120])
    return found
