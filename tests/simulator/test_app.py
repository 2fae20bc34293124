"""The HTTP face over a real socket."""

from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest

from orchestrator.simulator.app import serving
from orchestrator.simulator.tempers import PostFault, Temper
from orchestrator.simulator.world import Azure
from tests.simulator.kit import EVENING, VERSION, an_order, vm

HEADERS = {"Authorization": "Bearer a-token"}
FLEET = (
    vm("vm-well"),
    vm("vm-cut", temper="swallowed_request"),
    vm("vm-swallowed", temper="swallowed_reply"),
    vm("vm-silent", temper="silence"),
    vm("vm-bare", temper=Temper(posts=(PostFault.TAKEN_PROXY_PAGE,))),
)


class Hand:
    """A clock turned by hand."""

    def __init__(self) -> None:
        self.now = EVENING

    def __call__(self):
        return self.now


class Wire:
    """A plain HTTP client at a simulator."""

    def __init__(self, session: aiohttp.ClientSession, url: str, hand: Hand) -> None:
        self.session = session
        self.url = url
        self.hand = hand

    def post(self, name: str) -> "aiohttp.client._RequestContextManager":
        url = f"{self.url}{vm(name).vm_id}/installPatches?api-version={VERSION}"
        return self.session.post(url, json=an_order(), headers=HEADERS)

    async def ledger(self):
        async with self.session.get(f"{self.url}/_sim/ledger") as response:
            return await response.json()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    hand = Hand()
    async with (
        serving(Azure(FLEET), hand) as server,
        aiohttp.ClientSession() as session,
    ):
        yield Wire(session, server.url, hand)


async def test_a_202_has_no_body_and_urls_at_the_address_that_was_asked(wire):
    async with wire.post("vm-well") as response:
        assert response.status == 202
        assert response.headers["Content-Length"] == "0"
        assert await response.read() == b""
        assert response.headers["azure-asyncoperation"].startswith(f"{wire.url}/subscriptions/")
        raw = [name for name, _ in response.raw_headers]
        assert b"azure-asyncoperation" in raw
        assert response.headers.getall("Date") == ["Sun, 22 Nov 2026 18:00:00 GMT"]


async def test_a_signed_url_survives_the_wire(wire):
    async with wire.post("vm-well") as response:
        url = response.headers["azure-asyncoperation"]
    async with wire.session.get(url, headers=HEADERS) as response:
        assert (await response.json())["status"] == "InProgress"
    wire.hand.now += timedelta(hours=3)
    async with wire.session.get(url, headers=HEADERS) as response:
        assert response.headers["Content-Type"] == "application/json; charset=utf-8"
        assert (await response.json())["status"] == "Succeeded"


@pytest.mark.parametrize(("name", "started"), [("vm-cut", 0), ("vm-swallowed", 1)])
async def test_a_lost_answer_is_a_cut_connection(wire, name, started):
    with pytest.raises(aiohttp.ClientConnectionError):
        await wire.post(name)
    ledger = await wire.ledger()
    assert len(ledger["installations"]) == started
    assert ledger["posts"] == {vm(name).key: 1}


async def test_a_silent_answer_does_not_hold_up_the_end_of_the_server(wire):
    timeout = aiohttp.ClientTimeout(total=0.05)
    url = f"{wire.url}{vm('vm-silent').vm_id}/installPatches?api-version={VERSION}"
    with pytest.raises(TimeoutError):
        await wire.session.post(url, json=an_order(), headers=HEADERS, timeout=timeout)


async def test_a_proxys_page_has_none_of_azures_headers(wire):
    async with wire.post("vm-bare") as response:
        assert (response.status, response.headers["Content-Type"]) == (502, "text/html")
        assert not [name for name in response.headers if name.startswith("x-ms-")]


async def test_our_own_pages_are_json_without_a_token(wire):
    async with wire.session.get(f"{wire.url}/_sim/machines") as response:
        assert [one["id"] for one in await response.json()] == [one.vm_id for one in FLEET]


async def test_a_request_without_a_token_is_401(wire):
    async with wire.session.get(f"{wire.url}{vm().vm_id}?api-version={VERSION}") as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer ")
