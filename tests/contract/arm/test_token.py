"""Tokens: cached, renewed once, never shown (design 13 and 14, reliability A8 96, E S5)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import CredentialUnavailableError
from azure.identity import aio as identity

from orchestrator.arm import token as tokens
from orchestrator.arm.clouds import CLOUDS
from orchestrator.arm.token import (
    CachedTokens,
    Issued,
    TokenUnavailableError,
    open_tokens,
)
from orchestrator.ports import Credential, CredentialKind
from tests.contract.arm.bench import PUBLIC, Clock

HOUR = timedelta(hours=1)


class Mint:
    """Issues tokens `one`, `two`, … of an hour; or fails, or waits to be let."""

    def __init__(self, clock):
        self.clock = clock
        self.asked = 0
        self.fails = False
        self.free = asyncio.Event()
        self.free.set()

    async def issue(self):
        self.asked += 1
        number = self.asked
        await self.free.wait()
        if self.fails:
            raise TokenUnavailableError(f"no token at try {number}")
        return Issued(value=f"token-{number}", expires_at=self.clock.now() + HOUR)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def mint(clock):
    return Mint(clock)


@pytest.fixture
async def cached(mint, clock):
    source = CachedTokens(mint.issue, clock)
    yield source
    await source.close()


async def test_a_token_is_asked_for_once_and_kept(cached, mint, clock):
    for minutes in (0, 30, 20):
        clock.wait(minutes * 60)
        assert await cached.get() == "token-1"
    assert mint.asked == 1


async def test_callers_at_once_share_one_acquisition(cached, mint):
    mint.free.clear()
    callers = [asyncio.create_task(cached.get()) for _ in range(50)]
    await asyncio.wait(callers, timeout=0.01)
    mint.free.set()
    assert set(await asyncio.gather(*callers)) == {"token-1"}
    assert mint.asked == 1


async def test_a_cancelled_caller_does_not_stop_the_acquisition(cached, mint):
    mint.free.clear()
    first = asyncio.create_task(cached.get())
    second = asyncio.create_task(cached.get())
    await asyncio.wait({first, second}, timeout=0.01)
    first.cancel()
    mint.free.set()
    assert await second == "token-1"
    assert first.cancelled()
    assert mint.asked == 1


async def test_near_its_end_a_token_serves_while_the_next_one_comes(cached, mint, clock):
    await cached.get()
    clock.wait(56 * 60)
    mint.free.clear()
    assert await cached.get() == "token-1"
    mint.free.set()
    await asyncio.wait({cached._renewal})
    assert await cached.get() == "token-2"
    assert mint.asked == 2


async def test_in_its_last_minute_a_token_is_not_used(cached, clock):
    await cached.get()
    clock.wait(59 * 60 + 1)
    assert await cached.get() == "token-2"


async def test_a_token_serves_to_its_end_when_no_other_is_to_be_had(cached, mint, clock):
    await cached.get()
    mint.fails = True
    clock.wait(58 * 60)
    assert await cached.get() == "token-1"
    clock.wait(110)
    assert await cached.get() == "token-1"
    clock.wait(11)
    with pytest.raises(TokenUnavailableError):
        await cached.get()


async def test_a_token_that_cannot_be_renewed_serves_all_who_ask_in_its_last_minute(clock):
    """While Entra is down azure-identity hands out what it has, again and again."""
    asked = 0
    end = clock.now() + timedelta(seconds=40)

    async def last_one():
        nonlocal asked
        asked += 1
        return Issued(value="the-last", expires_at=end)

    source = CachedTokens(last_one, clock)
    for _ in range(3):
        assert set(await asyncio.gather(*(source.get() for _ in range(20)))) == {"the-last"}
    assert asked == 1
    clock.wait(tokens.PAUSE)
    assert await source.get() == "the-last"
    assert asked == 2
    await source.close()


async def test_who_waited_for_a_renewal_is_served_though_the_next_one_has_begun(clock):
    let = asyncio.Event()

    async def last_one():
        await let.wait()
        return Issued(value="the-last", expires_at=clock.now() + timedelta(seconds=40))

    def next_one(_done):
        let.clear()
        clock.wait(tokens.PAUSE)
        source._renew()

    source: Any = CachedTokens(last_one, clock)
    waits = asyncio.create_task(source.get())
    await asyncio.wait({waits}, timeout=0)
    source._renewal.add_done_callback(next_one)
    let.set()
    assert await waits == "the-last"
    assert not source._renewal.done()
    await source.close()


async def test_a_failure_is_told_for_a_while_without_asking_again(cached, mint, clock):
    mint.fails = True
    for _ in range(5):
        with pytest.raises(TokenUnavailableError, match="no token at try 1"):
            await cached.get()
    assert mint.asked == 1
    clock.wait(tokens.PAUSE)
    mint.fails = False
    assert await cached.get() == "token-2"


async def test_a_refused_token_is_given_up_once_whoever_says_so(cached, mint, clock):
    token = await cached.get()
    for _ in range(5):
        cached.drop(token)
    assert await cached.get() == "token-2"
    clock.wait(tokens.DROP_EVERY)
    cached.drop(token)
    assert await cached.get() == "token-2"
    assert mint.asked == 2


async def test_tokens_that_are_all_refused_are_not_asked_for_without_end(cached, mint, clock):
    for _ in range(10):
        cached.drop(await cached.get())
    assert mint.asked == 2
    clock.wait(tokens.DROP_EVERY)
    cached.drop(await cached.get())
    assert await cached.get() == "token-3"


async def test_closing_stops_a_renewal_and_closes_the_credential(mint, clock):
    closed = []

    async def close():
        closed.append(True)

    source = CachedTokens(mint.issue, clock, close)
    mint.free.clear()
    caller = asyncio.create_task(source.get())
    await asyncio.wait({caller}, timeout=0.01)
    await source.close()
    with pytest.raises(TokenUnavailableError, match="was closed"):
        await caller
    assert closed == [True]


async def test_a_token_that_is_issued_too_old_is_none(clock):
    async def stale():
        return Issued(value="old", expires_at=clock.now())

    with pytest.raises(TokenUnavailableError, match="had ended already"):
        await CachedTokens(stale, clock).get()


async def test_a_bug_in_a_credential_is_not_hidden(clock):
    async def broken():
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        await CachedTokens(broken, clock).get()


def test_a_token_is_never_shown(clock):
    issued = Issued(value="s3cr3t", expires_at=clock.now())
    assert "s3cr3t" not in repr((issued, tokens.FixedToken("s3cr3t")))


# ------------------------------------------------------------------------------------- credentials


@pytest.mark.parametrize(
    ("credential", "kind"),
    [
        (Credential(), identity.DefaultAzureCredential),
        (Credential(kind=CredentialKind.MANAGED_IDENTITY), identity.ManagedIdentityCredential),
        (
            Credential(kind=CredentialKind.MANAGED_IDENTITY, client_id="11"),
            identity.ManagedIdentityCredential,
        ),
        (Credential(kind=CredentialKind.AZURE_CLI), identity.AzureCliCredential),
        (Credential(kind=CredentialKind.ENVIRONMENT), identity.EnvironmentCredential),
    ],
)
async def test_each_kind_is_azure_identitys_own(credential, kind):
    opened = tokens._opened(credential, PUBLIC)
    assert type(opened) is kind
    await opened.close()


async def test_a_workload_identity_reads_its_own_variables(monkeypatch, tmp_path):
    monkeypatch.setenv("AZURE_TENANT_ID", "t")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.delenv("AZURE_CLIENT_ID", raising=False)
    workload = Credential(kind=CredentialKind.WORKLOAD_IDENTITY, client_id="11")
    opened = tokens._opened(workload, CLOUDS["china"])
    assert type(opened) is identity.WorkloadIdentityCredential
    await opened.close()


async def test_settings_that_are_missing_are_said_in_one_sentence(monkeypatch, clock):
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(TokenUnavailableError, match="workload_identity gave no token") as told:
        open_tokens(Credential(kind=CredentialKind.WORKLOAD_IDENTITY), PUBLIC, clock)
    assert "\n" not in str(told.value)


async def test_an_environment_without_credentials_is_said_when_a_token_is_asked_for(
    monkeypatch, clock
):
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    source = open_tokens(Credential(kind=CredentialKind.ENVIRONMENT), PUBLIC, clock)
    with pytest.raises(TokenUnavailableError, match="EnvironmentCredential gave no token"):
        await source.get()
    await source.close()


async def test_a_fixed_token_comes_from_its_variable(clock):
    fixed = Credential(kind=CredentialKind.FIXED_TOKEN, variable="MY_TOKEN")
    source = open_tokens(fixed, PUBLIC, clock, {"MY_TOKEN": " abc.def \n"})
    assert await source.get() == "abc.def"
    source.drop("abc.def")
    assert await source.get() == "abc.def"
    await source.close()


@pytest.mark.parametrize(
    "environ", [{}, {"MY_TOKEN": ""}, {"MY_TOKEN": " "}, {"MY_TOKEN": "a\r\nHost: b"}]
)
def test_a_fixed_token_that_is_none_is_refused_without_showing_it(clock, environ):
    fixed = Credential(kind=CredentialKind.FIXED_TOKEN, variable="MY_TOKEN")
    with pytest.raises(TokenUnavailableError, match="'MY_TOKEN' holds") as told:
        open_tokens(fixed, PUBLIC, clock, environ)
    assert "Host" not in str(told.value)


class Fickle(identity.AzureCliCredential):
    """A credential that fails as it is told to, and then issues a token."""

    def __init__(self, *failures):
        super().__init__()
        self.failures = list(failures)
        self.scopes = []

    async def get_token(self, *scopes, **_):
        self.scopes.append(scopes)
        if self.failures:
            raise self.failures.pop(0)
        return AccessToken("good", int(datetime(2026, 11, 22, 19, tzinfo=UTC).timestamp()))


async def test_a_network_that_fails_is_tried_again(clock):
    fickle = Fickle(ServiceRequestError("down"), OSError("down"))
    issued = await tokens._issue(fickle, "scope", clock)
    assert issued == Issued(value="good", expires_at=datetime(2026, 11, 22, 19, tzinfo=UTC))
    assert fickle.scopes == [("scope",)] * 3
    assert clock.slept == [1, 2]


@pytest.mark.parametrize(
    ("failure", "asked"),
    [
        (ClientAuthenticationError("AADSTS7000215:\n  bad\tsecret"), 1),
        (CredentialUnavailableError("no\nIMDS"), 1),
        (ValueError("bad scope"), 1),
        (ServiceRequestError("down"), 3),
    ],
)
async def test_a_failure_that_lasts_is_a_sentence(clock, failure, asked):
    fickle = Fickle(*[failure] * 9)
    with pytest.raises(TokenUnavailableError, match="Fickle gave no token: ") as told:
        await tokens._issue(fickle, "scope", clock)
    assert str(told.value).isprintable()
    assert len(fickle.scopes) == asked
