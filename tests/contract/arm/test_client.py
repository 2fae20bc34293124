"""The client: what it asks, what it tells, and what it never does (design 5)."""

import asyncio
import json
from datetime import timedelta

import pytest

from orchestrator.arm.client import ArmClient
from orchestrator.arm.clouds import CLOUDS
from orchestrator.arm.exchange import ConnectFailed
from orchestrator.arm.token import FixedToken, TokenUnavailableError
from orchestrator.domain.answer import (
    InDoubt,
    NotSent,
    Taken,
    Throttled,
    Tracker,
    Unauthenticated,
    Unreadable,
)
from orchestrator.domain.model import VmId
from tests.contract.arm.bench import (
    ACCEPTED,
    ATTEMPT,
    EVIL,
    LOCATION_URL,
    LOST,
    PUBLIC,
    SEND_BY,
    TAKEN,
    TRACKER,
    UNCONNECTED,
    VM,
    VM_URL,
    Bench,
    Clock,
    Memory,
    an_order,
    reply,
)


class NoToken:
    """A source that has none."""

    async def get(self):
        raise TokenUnavailableError("ManagedIdentityCredential gave no token: it is down")

    def held(self):
        return None

    def drop(self, token):
        raise NotImplementedError

    async def close(self):
        raise NotImplementedError


class SlowToken(NoToken):
    """A source that never answers."""

    async def get(self):
        await asyncio.get_running_loop().create_future()


class Dropping(FixedToken):
    """A source that remembers what was given up."""

    def __init__(self):
        super().__init__("a-token")
        self.dropped = []

    def held(self):
        return None

    def drop(self, token):
        self.dropped.append(token)


# ----------------------------------------------------------------------------------------- install


async def test_an_installation_is_one_post_with_all_that_azure_wants():
    bench = Bench(ACCEPTED)
    assert await bench.client.install(an_order()) == TAKEN
    (request,) = bench.transport.asked
    assert request.method == "POST"
    assert request.url == f"{VM_URL}/installPatches?api-version=2025-04-01"
    assert request.send_by == SEND_BY
    assert request.timeout == 30
    assert json.loads(request.body) == {
        "maximumDuration": "PT1H30M",
        "rebootSetting": "IfRequired",
        "linuxParameters": {},
    }
    assert request.headers["authorization"] == "Bearer a-token"
    assert request.headers["x-ms-client-request-id"] == ATTEMPT
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept-language"] == "en"
    assert bench.observer.answered == [("submit", "202")]


@pytest.mark.parametrize(
    ("heard", "answer", "code"),
    [
        (ACCEPTED, TAKEN, "202"),
        (
            LOST,
            InDoubt(reason="the connection broke; Azure may have taken the request"),
            "lost",
        ),
        (UNCONNECTED, NotSent(reason="no connection could be made"), "not_connected"),
        (
            ConnectFailed(reason="too late", abandoned=True),
            NotSent(reason="too late", abandoned=True),
            "abandoned",
        ),
        (reply(401), Unauthenticated(reason="Azure answered 401"), "401"),
        (
            reply(429, retry_after="7"),
            Throttled(retry_after=timedelta(seconds=7), reason="Azure answered 429"),
            "429",
        ),
        (
            reply(503, retry_after="7"),
            InDoubt(reason="Azure answered 503; it may have taken the request", http_status=503),
            "503",
        ),
    ],
)
async def test_whatever_comes_back_the_post_is_sent_once(heard, answer, code):
    bench = Bench(heard)
    assert await bench.client.install(an_order()) == answer
    assert len(bench.transport.asked) == 1
    assert bench.observer.answered == [("submit", code)]


async def test_without_a_token_nothing_is_sent():
    bench = Bench(tokens=NoToken())
    answer = await bench.client.install(an_order())
    assert answer == Unauthenticated(reason="ManagedIdentityCredential gave no token: it is down")
    assert bench.transport.asked == []
    assert bench.observer.answered == [("submit", "no_token")]


async def test_a_token_that_comes_too_late_abandons_the_intent():
    bench = Bench(tokens=SlowToken())
    bench.clock.wait(4.95)
    answer = await bench.client.install(an_order())
    assert answer == NotSent(reason="no token came in time", abandoned=True)
    assert bench.transport.asked == []


@pytest.mark.parametrize(
    "vm",
    [
        "/subscriptions/../tenants",
        "/subscriptions/s/providers/microsoft.authorization/x",
        "vm-1",
        "",
        VM.replace("rg-web", ".."),
        VM.replace("rg-web", "a%2fb"),
        VM + "?x=",
    ],
)
async def test_an_id_that_is_no_vms_is_not_asked_about(vm):
    bench = Bench()
    assert isinstance(await bench.client.install(an_order(vm_id=VmId(vm))), NotSent)
    assert isinstance(await bench.client.look(VmId(vm)), Unreadable)
    assert bench.transport.asked == []
    assert {where for where, _ in bench.observer.troubles} == {"arm"}


async def test_a_status_url_that_may_not_be_asked_is_reported_though_the_other_serves():
    bench = Bench(reply(202, azure_asyncoperation=EVIL, location=LOCATION_URL))
    answer = await bench.client.install(an_order())
    assert isinstance(answer, Taken)
    assert answer.tracker == Tracker(status_url="", location_url=LOCATION_URL)
    assert bench.observer.troubles == [("arm", "Azure sent a status URL that may not be asked")]


class Held:
    """A transport that answers when it is let."""

    def __init__(self):
        self.asked = asyncio.Event()
        self.free = asyncio.Event()
        self.finished = 0

    async def exchange(self, request):
        self.asked.set()
        await self.free.wait()
        self.finished += 1
        return ACCEPTED


async def test_a_cancelled_caller_gets_the_answer_all_the_same():
    held = Held()
    client = ArmClient(held, FixedToken("t"), PUBLIC, Clock(), Memory())
    caller = asyncio.create_task(client.install(an_order()))
    await held.asked.wait()
    for _ in range(3):
        caller.cancel()
        await asyncio.wait({caller}, timeout=0.01)
    assert not caller.done()
    held.free.set()
    assert await caller == TAKEN
    assert caller.cancelling() == 3
    assert held.finished == 1


async def test_a_process_that_is_stopped_is_in_doubt():
    held = Held()
    client = ArmClient(held, FixedToken("t"), PUBLIC, Clock(), Memory())
    caller = asyncio.create_task(client.install(an_order()))
    await held.asked.wait()
    for task in asyncio.all_tasks() - {asyncio.current_task(), caller}:
        task.cancel()
    assert isinstance(await caller, InDoubt)


# ------------------------------------------------------------------------------------------ tokens


@pytest.mark.parametrize("status", [200, 401, 403, 503])
async def test_only_a_401_gives_the_token_up(status):
    tokens = Dropping()
    answers = [reply(status)] * 3
    bench = Bench(*answers, tokens=tokens)
    await bench.client.look(VM)
    await bench.client.poll(TRACKER)
    await bench.client.install(an_order())
    assert tokens.dropped == (["a-token"] * 3 if status == 401 else [])


async def test_a_401_on_a_read_tells_nothing():
    bench = Bench(reply(401), reply(401))
    assert isinstance(await bench.client.look(VM), Unreadable)
    assert isinstance(await bench.client.poll(TRACKER), Unreadable)


async def test_without_a_token_a_read_tells_nothing():
    bench = Bench(tokens=NoToken())
    assert isinstance(await bench.client.look(VM), Unreadable)
    assert isinstance(await bench.client.poll(TRACKER), Unreadable)


@pytest.mark.parametrize(
    "heard", [ACCEPTED, LOST, reply(401), reply(503), reply(202, location=EVIL)]
)
async def test_nothing_that_is_told_holds_the_token_or_a_query(heard):
    bench = Bench(heard, heard, heard, tokens=FixedToken("s3cr3t"))
    answer = await bench.client.install(an_order())
    told = [
        None if isinstance(answer, Taken) else answer,  # a tracker is a capability: the store's
        await bench.client.look(VM),
        await bench.client.poll(Tracker(status_url=EVIL)),
        bench.client,
        bench.transport.asked,
        bench.observer.troubles,
    ]
    assert "s3cr3t" not in repr(told)
    assert "t=6386" not in repr(told)


async def test_the_cloud_and_the_version_are_configured():
    bench = Bench(reply(503), cloud=CLOUDS["usgov"])
    await bench.client.look(VM)
    assert bench.transport.asked[0].url.startswith("https://management.usgovcloudapi.net/")
