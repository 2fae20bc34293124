"""Tokens for ARM: azure-identity behind one small door.

The only module that imports it, and only when it is needed.

A token lives here and in request headers, and nowhere else: no representation, no error and no log
line holds one.
"""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from orchestrator.arm.clouds import Cloud
from orchestrator.domain.foreign import harmless, redact
from orchestrator.ports import Clock, Credential, CredentialKind, OutOfReachError

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential

EARLY: Final = timedelta(minutes=5)
"""A token this near its end is renewed while it still serves."""
LAST: Final = timedelta(minutes=1)
"""A token this near its end serves no more."""
PAUSE: Final = 10.0
"""Seconds between a failed acquisition and the next one."""
DROP_EVERY: Final = 60.0
"""Seconds between two tokens given up because Azure refused them."""

_ATTEMPTS: Final = 3
_TOKEN = re.compile(r"[\x21-\x7e]+")


class TokenUnavailableError(OutOfReachError):
    """No token is to be had. The message is a sentence for people, and holds no secret."""


class Tokens(Protocol):
    """Where the bearer token comes from."""

    async def get(self) -> str:
        """Return a token that is good now. Raises `TokenUnavailableError`."""

    def held(self) -> str | None:
        """Return the token at once where nothing must be asked for it; None: `get` must ask."""

    def drop(self, token: str) -> None:
        """Forget this token, which Azure refused; harmless when it is not the one that is held."""

    async def close(self) -> None:
        """Give back what the source holds open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A token and its end."""

    value: str = field(repr=False)
    expires_at: datetime


class FixedToken:
    """One token for ever: for a simulator, or an endpoint of one's own."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get(self) -> str:
        """Return the token."""
        return self._token

    def held(self) -> str | None:
        """Return the token."""
        return self._token

    def drop(self, token: str) -> None:
        """There is no other."""

    async def close(self) -> None:
        """Nothing is open."""


class CachedTokens:
    """Keeps a token until it is near its end, and has it renewed once, whoever asks.

    `acquire` raises `TokenUnavailableError`. A renewal goes on when the caller who began it is
    cancelled; when it fails, the held token serves to its end, and the next try waits `PAUSE`
    seconds.
    """

    def __init__(
        self,
        acquire: Callable[[], Awaitable[Issued]],
        clock: Clock,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._acquire = acquire
        self._clock = clock
        self._close = close
        self._held: Issued | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._problem = ""
        self._not_before = float("-inf")
        self._no_drop_before = float("-inf")

    async def get(self) -> str:
        """Return a token with more than `LAST` to live. Raises `TokenUnavailableError`."""
        token = self.held()
        if token is not None:
            return token
        self._renew()
        token = self._good_for(LAST)
        if token is not None:
            return token
        renewal = self._renewal  # meanwhile another caller may begin the next one
        if renewal is not None:
            await asyncio.wait({renewal})
            if renewal.cancelled():
                raise TokenUnavailableError("the credential was closed")
            renewal.result()
        token = self._good_for(timedelta(0))
        if token is None:
            raise TokenUnavailableError(self._problem)
        return token

    def held(self) -> str | None:
        """Return the token while nobody has to think of its renewal."""
        return self._good_for(EARLY)

    def drop(self, token: str) -> None:
        """Forget this token, at most once in `DROP_EVERY` seconds."""
        now = self._clock.monotonic()
        if self._held is not None and self._held.value == token and now >= self._no_drop_before:
            self._held = None
            self._no_drop_before = now + DROP_EVERY

    async def close(self) -> None:
        """Stop a renewal and close the credential."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait({self._renewal})
        if self._close is not None:
            await self._close()

    def _good_for(self, left: timedelta) -> str | None:
        if self._held is not None and self._held.expires_at - self._clock.now() > left:
            return self._held.value
        return None

    def _renew(self) -> None:
        running = self._renewal is not None and not self._renewal.done()
        if not running and self._clock.monotonic() >= self._not_before:
            self._renewal = asyncio.create_task(self._acquired())

    async def _acquired(self) -> None:
        try:
            self._held = await self._acquire()
            self._problem = "the token that was issued had ended already"
        except TokenUnavailableError as error:
            self._problem = str(error)
        if self._good_for(EARLY) is None:  # what cannot renew hands out what it has, to its end
            self._not_before = self._clock.monotonic() + PAUSE


def open_tokens(
    credential: Credential,
    cloud: Cloud,
    clock: Clock,
    environ: Mapping[str, str] = os.environ,
) -> Tokens:
    """Return the source of tokens that a credential names; call it inside the running loop.

    Raises `TokenUnavailableError` when the credential can be seen at once to give none.
    """
    if credential.kind is CredentialKind.FIXED_TOKEN:
        return _fixed(credential.variable or "", environ)
    opened = _opened(credential, cloud)
    return CachedTokens(lambda: _issue(opened, cloud.scope, clock), clock, opened.close)


def _fixed(variable: str, environ: Mapping[str, str]) -> FixedToken:
    token = environ.get(variable, "").strip()
    if not token:
        message = f"the environment variable {variable!r} holds no token"
        raise TokenUnavailableError(message)
    if not _TOKEN.fullmatch(token):
        message = f"the environment variable {variable!r} holds something that is no token"
        raise TokenUnavailableError(message)
    return FixedToken(token)


def _opened(credential: Credential, cloud: Cloud) -> "AsyncTokenCredential":
    """Build the credential. Raises `TokenUnavailableError` when its settings are missing."""
    from azure.identity import aio  # noqa: PLC0415 - half a second that `--help` need not pay

    try:
        match credential.kind:
            case CredentialKind.MANAGED_IDENTITY:
                return aio.ManagedIdentityCredential(client_id=credential.client_id)
            case CredentialKind.WORKLOAD_IDENTITY:
                return aio.WorkloadIdentityCredential(
                    authority=cloud.authority, **_named(credential)
                )
            case CredentialKind.AZURE_CLI:
                return aio.AzureCliCredential()
            case CredentialKind.ENVIRONMENT:
                return aio.EnvironmentCredential(authority=cloud.authority)
            case _:
                return aio.DefaultAzureCredential(authority=cloud.authority)
    except ValueError as error:
        raise TokenUnavailableError(_sentence(credential.kind, error)) from error


def _named(credential: Credential) -> dict[str, str]:
    return {} if credential.client_id is None else {"client_id": credential.client_id}


async def _issue(opened: "AsyncTokenCredential", scope: str, clock: Clock) -> Issued:
    """Ask for a token, again when the network failed. Raises `TokenUnavailableError`."""
    from azure.core import exceptions  # noqa: PLC0415 - it comes with azure.identity

    passing = (exceptions.ServiceRequestError, exceptions.ServiceResponseError, OSError)
    again = AsyncRetrying(
        retry=retry_if_exception_type(passing),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_exponential(max=4),
        sleep=clock.sleep,
        reraise=True,
    )
    try:
        token: AccessToken = await again(opened.get_token, scope)
    except (exceptions.AzureError, OSError, ValueError) as error:
        raise TokenUnavailableError(_sentence(type(opened).__name__, error)) from error
    return Issued(value=token.token, expires_at=datetime.fromtimestamp(token.expires_on, UTC))


def _sentence(who: str, error: Exception) -> str:
    """Say who gave no token and why, in one line: azure-identity's own words run over many."""
    why = harmless(redact(" ".join(str(error).split())))
    return f"{who} gave no token: {why[:400]}"
