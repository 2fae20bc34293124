"""Not one byte of a request with effects is written after its time (design 5.2)."""

from typing import Any

import aiohttp
import pytest
from aiohttp.helpers import TimeoutHandle

from orchestrator.arm.exchange import HttpReply
from orchestrator.arm.gate import Gate, GatedConnector, TooLateError
from orchestrator.arm.transport import _times
from tests.contract.arm import servers
from tests.contract.arm.asking import ABANDONED, BODY, FOR_EVER, exchange, instants, post


async def test_a_post_whose_time_is_over_opens_no_connection():
    async with servers.listening(servers.deaf) as server:
        assert await exchange(post(server.url + "/", send_by=5.0), instants(5.0)) == ABANDONED
        assert await exchange(post(server.url + "/", send_by=5.0), instants(FOR_EVER)) == ABANDONED
    assert server.connections == 0


@pytest.mark.parametrize(
    "looks", [(0.0, 5.1), (0.0, 5.0, 5.1)], ids=["connecting took long", "the loop was busy"]
)
async def test_not_one_byte_is_written_after_the_time_is_over(looks):
    async with servers.listening(servers.deaf) as server:
        assert await exchange(post(server.url + "/", send_by=5.0), instants(*looks)) == ABANDONED
    assert server.connections <= 1
    assert b"".join(server.heard) == b""


async def test_not_one_byte_is_written_late_inside_tls_either(tmp_path):
    tls = servers.certificate(tmp_path, days=9999)
    async with servers.listening(servers.deaf, tls) as server:
        request = post(server.url + "/", send_by=5.0)
        late = instants(0.0, 5.0, 5.1)
        assert await exchange(request, late, tls=servers.trusting(tmp_path)) == ABANDONED
    assert b"".join(server.heard) == b""


async def test_a_connection_that_came_too_late_is_closed_unused():
    async with servers.listening(servers.deaf) as server:
        late = GatedConnector(Gate(5.0, instants(5.1)), tls=True)
        async with aiohttp.ClientSession(connector=late) as session:
            with pytest.raises(TooLateError):
                await session.post(server.url, data=BODY)
    assert b"".join(server.heard) == b""


async def test_a_post_in_time_is_sent_at_the_last_instant():
    async with servers.listening(servers.answering(202)) as server:
        reply = await exchange(post(server.url + "/", send_by=5.0), instants(0.0, 5.0, 5.0))
    assert isinstance(reply, HttpReply)
    assert len(server.heard) == 1


class Standing:
    """A loop on which no time passes, and that says when it was asked to wake."""

    def time(self):
        return 100.25

    def call_at(self, when, wake):
        assert callable(wake)
        return when


def test_a_time_out_is_not_rounded_up():
    """aiohttp rounds what reaches its threshold up to whole seconds."""
    times = _times(35.5, connect=5.0)
    loop: Any = Standing()
    timer = TimeoutHandle(loop, times.total, ceil_threshold=times.ceil_threshold)
    assert timer.start() == 100.25 + 35.5
