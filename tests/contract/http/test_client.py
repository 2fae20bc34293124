"""What the command line knocks with, at our door and at strangers'."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from orchestrator.http.client import Declined, Sent, Unreachable, send, stranger
from orchestrator.ports import StoreUnavailableError
from orchestrator.service import NotOpened
from tests.contract.http.bench import HALT, NEW_ID, RUN, TOKEN, Bench

RUN_IT = {"act": "run", "plan": "monthly"}
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def impostor(handler: Handler) -> AsyncIterator[str]:
    """Serve something on this machine that is no orchestrator."""
    async with RawTestServer(handler, host="127.0.0.1") as server:
        yield f"http://127.0.0.1:{server.port}"


async def test_an_act_comes_back_with_its_ids(bench: Bench):
    async with bench.served() as visitor:
        came = await send(visitor.address, TOKEN, HALT)
    assert came == Sent({"run_id": RUN, "act_id": NEW_ID})


async def test_an_opened_run_comes_back_with_its_notes(bench: Bench):
    async with bench.served() as visitor:
        came = await send(visitor.address + "/", TOKEN, RUN_IT)
    assert came == Sent({"run_id": RUN, "vms": 3, "notes": ["vm-1 is in two waves"]})


async def test_what_was_not_typed_is_not_sent(bench: Bench):
    body: dict[str, object] = {
        "act": "pause",
        "run": None,
        "because": "",
        "vms": [],
        "wave": None,
        "as": None,
    }
    async with bench.served() as visitor:
        assert isinstance(await send(visitor.address, TOKEN, body), Sent)
    assert [act.run_id for act in bench.desk.acts] == [RUN]


async def test_a_no_comes_back_with_its_code(bench: Bench):
    bench.desk.answer = NotOpened(code="already_open", reason="monthly-1 is open")
    async with bench.served() as visitor:
        assert await send(visitor.address, TOKEN, RUN_IT) == Declined(
            409, "already_open", "monthly-1 is open"
        )
        assert (await send(visitor.address, "wrong", RUN_IT)) == Declined(
            403, "wrong_token", "this is not the token of this daemon"
        )
        bench.desk.error = StoreUnavailableError("gone")
        came = await send(visitor.address, TOKEN, HALT)
    assert isinstance(came, Declined)
    assert (came.status, came.code) == (503, "database_unreachable")


async def test_without_a_daemon_nothing_was_sent():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        came = await send(f"http://127.0.0.1:{taken.getsockname()[1]}", TOKEN, HALT)
    assert isinstance(came, Unreachable)
    assert not came.maybe_taken


async def test_a_daemon_that_dies_before_it_answers_may_have_taken_it():
    async def die(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with impostor(die) as address:
        came = await send(address, TOKEN, HALT)
    assert isinstance(came, Unreachable)
    assert came.maybe_taken


@pytest.mark.parametrize(
    "strange",
    [
        (200, b"<html>hello</html>"),
        (200, b"{}"),
        (202, b'{"run_id": "x"}'),
        (202, b'{"run_id": 7, "act_id": 8}'),
        (200, b'{"run_id": "x", "act_id": "y"}'),
        (200, b'{"error": {"code": "x", "message": "y"}}'),
        (500, b'{"error": "boom"}'),
        (500, b"[" * 50_000),
        (202, b'{"run_id": "x", "act_id": "y"}' + b" " * 2_000_000),
        (502, b""),
    ],
)
async def test_something_else_at_the_port_is_no_orchestrator(strange):
    status, body = strange

    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(_request)
        await response.write(body)
        return response

    async with impostor(answer) as address:
        came = await send(address, TOKEN, HALT)
    assert isinstance(came, Unreachable)
    assert "no orchestrator" in came.reason
    assert TOKEN not in came.reason


async def test_the_token_follows_no_redirect_and_nothing_is_sent_twice():
    asked: list[str] = []

    async def redirect(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    async with impostor(redirect) as address:
        assert isinstance(await send(address, TOKEN, HALT), Unreachable)
    assert asked == ["/api/v1/acts"]


async def test_the_token_passes_no_proxy(bench: Bench, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with bench.served() as visitor:
        assert isinstance(await send(visitor.address, TOKEN, HALT), Sent)


@pytest.mark.parametrize(
    "address",
    [
        "http://evil.example:8470",
        "http://10.0.0.7:8470",
        "https://127.0.0.1:8470",
        "http://127.0.0.1@evil.example:8470",
        "127.0.0.1:8470",
        "",
    ],
)
async def test_the_token_stays_on_this_machine(address):
    with pytest.raises(ValueError, match="on this machine"):
        await send(address, TOKEN, HALT)


async def test_many_who_ask_at_once_are_all_answered(bench: Bench):
    async with bench.served() as visitor:
        came = await asyncio.gather(*(send(visitor.address, TOKEN, HALT) for _ in range(30)))
    assert all(isinstance(each, Sent) for each in came)
    assert len(bench.desk.acts) == 30


async def test_a_daemon_proves_that_it_holds_the_token_before_it_is_sent(bench: Bench):
    async with bench.served() as visitor:
        assert await stranger(visitor.address, TOKEN) is None
        other = await stranger(visitor.address, "0ther-" + "B" * 40)
    assert other == "the daemon of another database"


async def test_another_program_at_the_port_is_known_without_the_token():
    heard: list[str] = []

    async def echo(request: web.BaseRequest) -> web.StreamResponse:
        heard.append(str(request.headers))
        return web.Response(text="hello", headers=request.headers)

    async with impostor(echo) as address:
        assert await stranger(address, TOKEN) == "another program"
    assert len(heard) == 1
    assert TOKEN not in heard[0]


async def test_where_nobody_answers_there_is_no_stranger():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        assert await stranger(f"http://127.0.0.1:{taken.getsockname()[1]}", TOKEN) is None
