"""The client and its transport together, with aiohttp answering from a script."""

import aiohttp
import pytest
from aioresponses import aioresponses

from orchestrator.arm.client import ArmClient
from orchestrator.arm.token import FixedToken
from orchestrator.arm.transport import AiohttpTransport
from orchestrator.domain.answer import (
    Conflicted,
    Finished,
    InDoubt,
    NotSent,
    Rejected,
    Taken,
    Throttled,
    Unreadable,
)
from tests.contract.arm.bench import (
    EVIL,
    OPERATION,
    PUBLIC,
    STATUS_URL,
    TRACKER,
    VM_URL,
    Clock,
    Memory,
    an_order,
    recorded,
)

# ------------------------------------------------------------------- with aioresponses and aiohttp


@pytest.fixture
async def both():
    async with AiohttpTransport(Clock().monotonic) as transport:
        yield ArmClient(transport, FixedToken("a-token"), PUBLIC, Clock(), Memory())


POST_URL = f"{VM_URL}/installPatches?api-version=2025-04-01"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"status": 202, "headers": {"Azure-AsyncOperation": STATUS_URL}}, Taken),
        ({"status": 202}, InDoubt),
        ({"status": 409, "payload": {"error": {"code": "Conflict", "message": ""}}}, Conflicted),
        (
            {
                "status": 400,
                "payload": {"error": {"code": "InvalidParameter", "message": "no"}},
                "headers": {"x-ms-request-id": OPERATION},
            },
            Rejected,
        ),
        ({"status": 500}, InDoubt),
        ({"status": 503, "headers": {"Retry-After": "1"}}, InDoubt),
        ({"status": 429, "headers": {"Retry-After": "1"}}, Throttled),
        ({"status": 307, "headers": {"Location": EVIL}}, InDoubt),
        ({"exception": aiohttp.ServerDisconnectedError()}, InDoubt),
        ({"exception": aiohttp.ClientOSError(104, "reset")}, InDoubt),
        ({"exception": aiohttp.SocketTimeoutError()}, InDoubt),
        ({"exception": TimeoutError()}, InDoubt),
        ({"exception": aiohttp.ConnectionTimeoutError()}, NotSent),
        ({"exception": aiohttp.ClientPayloadError()}, InDoubt),
    ],
)
async def test_every_end_of_the_post_is_a_value_and_comes_after_one_request(both, answer, kind):
    with aioresponses() as azure:
        azure.post(POST_URL, **answer)
        assert isinstance(await both.install(an_order()), kind)
        assert sum(len(calls) for calls in azure.requests.values()) == 1


async def test_a_signed_url_is_asked_through_the_whole_stack(both):
    with aioresponses() as azure:
        azure.get(STATUS_URL, body=recorded("succeeded_windows.json"))
        answer = await both.poll(TRACKER)
    assert isinstance(answer, Finished)
    assert answer.report is not None
    assert answer.report.result.installed == 2


async def test_a_cut_read_is_unreadable_through_the_whole_stack(both):
    with aioresponses() as azure:
        azure.get(STATUS_URL, exception=aiohttp.ServerDisconnectedError())
        answer = await both.poll(TRACKER)
    assert isinstance(answer, Unreadable)
