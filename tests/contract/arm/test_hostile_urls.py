"""Wherever Azure's answers point, the token goes to Azure alone (reliability S1 to S3, F22).

Each family of URLs comes in by each way that URLs come in, over real sockets, in a world where
every other address is a stranger's.
"""

import gc
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import pytest

from orchestrator.arm import graph, guard
from orchestrator.arm.client import ArmClient
from orchestrator.arm.token import FixedToken
from orchestrator.arm.transport import AiohttpTransport
from orchestrator.domain.answer import InDoubt, Taken, Tracker, Unreadable, Untrackable
from orchestrator.ports import InventoryError
from tests.contract.arm import servers
from tests.contract.arm.bench import (
    PUBLIC,
    STATUS_URL,
    SUBSCRIPTION,
    VM,
    Clock,
    Memory,
    an_order,
)
from tests.contract.arm.internet import Internet, online
from tests.contract.arm.strangers import AT_AZURE, GOOD, HOST, HOSTILE

TOKEN = "eyJ.s3cr3t.t0ken"
LIST = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/virtualMachines"
INSTALL = f"{VM}/installPatches"
NAMES = (HOST, "azure.com", "*.azure.com", "evil.example", "*.evil.example", f"{HOST}.evil.example")
SUCCEEDED = b'{"status": "Succeeded"}'
SINCE = datetime(2026, 11, 22, tzinfo=UTC)
REDIRECTS = (301, 302, 303, 307, 308)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def certificate(folder) -> ssl.SSLContext:
    names = (*NAMES, *(f"evil{name}" for name in (HOST,)))
    return servers.certificate(folder, days=9999, hosts=names)


class Azure:
    """Answers as Azure does, and says a hostile URL in one place."""

    def __init__(self, *lines: str, following: str | None = None) -> None:
        self.lines = lines
        self.following = following
        self.asked: list[str] = []

    async def __call__(self, wire: servers.Wire, listener: servers.Listener) -> None:
        while request := await wire.request():
            listener.heard.append(request)
            path = request.split(b" ", 2)[1].decode().partition("?")[0]
            self.asked.append(path)
            if path == INSTALL:
                await self._accept(wire)
            elif path in {LIST, "/subscriptions"}:
                page = json.dumps({"value": [], "nextLink": self.following})
                await wire.answer(200, page.encode())
            else:
                await wire.answer(200, SUCCEEDED)

    async def _accept(self, wire: servers.Wire) -> None:
        head = "\r\n".join(["HTTP/1.1 202 X", "Content-Length: 0", *self.lines, "", ""])
        await wire.say(head.encode("utf-8", "surrogatepass"))


Using = Callable[..., object]


@pytest.fixture
def using(folder, certificate, monkeypatch) -> Using:
    """Give a client on the net, with the world around it."""

    @asynccontextmanager
    async def open_client(azure: servers.Serve) -> AsyncIterator[tuple[ArmClient, Internet]]:
        async with online(azure, certificate) as net:
            with monkeypatch.context() as patch:
                net.lead(patch)
                trust = servers.trusting(folder)
                async with AiohttpTransport(Clock().monotonic, tls=trust) as transport:
                    yield ArmClient(transport, FixedToken(TOKEN), PUBLIC, Clock(), Memory()), net

    return open_client


def unmolested(net: Internet) -> bool:
    """Tell whether the stranger was never even called upon."""
    return not net.dialled and net.visits == 0 and TOKEN.encode() not in net.overheard


# ------------------------------------------------------------------------------- by a 202's header


TRIMMED = {
    *("a line end", "a lone newline at the end", "a leading space", "a space behind"),
    *("another header", "a query with a line end"),
}
"""HTTP itself trims these, or takes their second line for another header: a good URL is left."""
OPERATION_PATH = GOOD.partition("?")[0]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("header", ["Azure-AsyncOperation", "Location"])
async def test_a_202_leads_nowhere_but_to_azure(using, header, name):
    azure = Azure(f"{header}: {HOSTILE[name]}")
    async with using(azure) as (arm, net):
        answer = await arm.install(an_order())
        if isinstance(answer, Taken):
            await arm.poll(answer.tracker)
    assert unmolested(net)
    left = isinstance(answer, Taken)
    assert azure.asked == [INSTALL, *([OPERATION_PATH] if left else [])]
    assert not left or name in TRIMMED, "there is no good URL to follow it by"


@pytest.mark.parametrize("name", HOSTILE)
async def test_beside_a_good_url_a_hostile_one_is_left_alone(using, name):
    """A repeated header is no choice between two URLs, and a bad status URL no reason to lose the
    good one."""
    lines = (f"Azure-AsyncOperation: {HOSTILE[name]}", f"Location: {STATUS_URL}")
    azure = Azure(*lines, f"Azure-AsyncOperation: {HOSTILE[name]}")
    async with using(azure) as (arm, net):
        answer = await arm.install(an_order())
        assert isinstance(answer, Taken | InDoubt)
        if isinstance(answer, Taken):
            assert not answer.tracker.status_url or name in TRIMMED
            await arm.poll(answer.tracker)
    assert unmolested(net)
    assert set(azure.asked) <= {INSTALL, OPERATION_PATH}


@pytest.mark.parametrize("header", ["Azure-AsyncOperation", "Location"])
async def test_two_headers_of_one_name_are_no_url(using, header):
    azure = Azure(f"{header}: {STATUS_URL}", f"{header}: https://evil.example{GOOD}")
    async with using(azure) as (arm, net):
        assert isinstance(await arm.install(an_order()), InDoubt)
    assert unmolested(net)


# ------------------------------------------------------------------------ by a receipt, years later


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in AT_AZURE])
async def test_a_url_that_somebody_put_into_the_database_is_not_polled(using, name):
    """The guard asks again before each request: what let a URL in may have been another version."""
    azure = Azure()
    async with using(azure) as (arm, net):
        for tracker in (
            Tracker(status_url=HOSTILE[name]),
            Tracker(status_url="", location_url=HOSTILE[name]),
        ):
            assert isinstance(await arm.poll(tracker), Untrackable)
        assert azure.asked == []
        await arm.poll(Tracker(status_url=STATUS_URL, location_url=HOSTILE[name]))
    assert unmolested(net)
    assert azure.asked == [OPERATION_PATH]


# -------------------------------------------------------------------------------- by a list's page


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_list_has_no_page_elsewhere(using, name):
    azure = Azure(following=HOSTILE[name])
    async with using(azure) as (arm, net):
        for read in (arm.list_machines(SUBSCRIPTION, None), arm.list_subscriptions()):
            with suppress(InventoryError):  # an empty link ends a list well
                assert list(await read) == []
                assert HOSTILE[name] == ""
    assert unmolested(net)
    assert azure.asked == [LIST, "/subscriptions"]


@pytest.mark.parametrize("name", HOSTILE)
def test_resource_graph_pages_by_a_token_that_is_no_address(name):
    """Its next page is a word in the body: the URL is always the same."""
    asked = graph.asking(PUBLIC, [SUBSCRIPTION], "x", HOSTILE[name], 30.0, 1000)
    assert asked.url == graph.asking(PUBLIC, [SUBSCRIPTION], "x", "", 30.0, 1000).url
    assert isinstance(guard.check(asked.url, PUBLIC, guard.GRAPH), guard.Allowed)
    query = graph.query(VM, SINCE)
    assert query is not None
    assert HOST not in query


# --------------------------------------------------------------------------------------- redirects


@pytest.mark.parametrize("status", REDIRECTS)
@pytest.mark.parametrize("target", [f"https://evil.example{GOOD}", STATUS_URL, "//evil.example/x"])
@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda arm: arm.install(an_order()), id="submit"),
        pytest.param(lambda arm: arm.poll(Tracker(status_url=STATUS_URL)), id="status"),
        pytest.param(
            lambda arm: arm.poll(Tracker(status_url="", location_url=STATUS_URL)), id="location"
        ),
        pytest.param(lambda arm: arm.look(VM), id="look"),
        pytest.param(lambda arm: arm.trace(VM, SINCE), id="trace"),
        pytest.param(lambda arm: arm.trace_many([VM], SINCE), id="trace many"),
        pytest.param(lambda arm: arm.sweep([SUBSCRIPTION], SINCE, running=False), id="sweep"),
        pytest.param(lambda arm: arm.list_machines(SUBSCRIPTION, None), id="machines"),
        pytest.param(lambda arm: arm.list_machines(SUBSCRIPTION, "rg"), id="group"),
        pytest.param(lambda arm: arm.list_subscriptions(), id="subscriptions"),
    ],
)
async def test_no_redirect_is_followed(
    using, ask: Callable[[ArmClient], Awaitable[object]], target, status
):
    answers = servers.answering(status, b"", f"Location: {target}", f"URI: {target}", "Refresh: 0")
    async with using(answers) as (arm, net):
        try:
            answer = await ask(arm)
        except InventoryError:
            answer = None
    assert unmolested(net)
    assert answer is None or isinstance(answer, InDoubt | Unreadable)
    assert len(net.azure.heard) == 1, "not even at Azure itself"


# -------------------------------------------------------------------------------- what it is worth


def test_there_are_more_than_sixty_families_and_each_is_one():
    assert len(HOSTILE) >= 200
    assert len(set(HOSTILE.values())) == len(HOSTILE)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_the_stranger_would_be_told_the_token_if_nobody_kept_watch(using, monkeypatch):
    """The trap bites: without the guard the same requests reach the stranger, or leave for him."""
    monkeypatch.setattr(guard, "check", lambda url, _cloud, _paths: guard.Allowed(url))
    dialled, told, astray = set(), set(), set()
    async with using(Azure()) as (arm, net):
        for name, url in HOSTILE.items():
            net.dialled.clear()
            net.azure.heard.clear()
            for each in (net.stranger, net.secure):
                each.heard.clear()
            net.tls = url.lower().startswith("https")
            with suppress(Exception):  # some are too much for the client itself
                await arm.poll(Tracker(status_url=url))
            dialled |= {name} if net.dialled else set()
            told |= {name} if TOKEN.encode() in net.overheard else set()
            astray |= {name} if any(TOKEN.encode() in each for each in net.azure.heard) else set()
    gc.collect()  # sockets that the client forgot: it never meant to dial such names
    assert len(dialled) >= 70
    assert len(told) >= 20
    assert len(astray) >= 90, "at Azure's own host, on paths that are none of ours"
