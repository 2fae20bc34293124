"""Sockets: what left, what came back, and that nothing is repeated (design 5)."""

import asyncio
import gzip
import tracemalloc

import pytest

from orchestrator.arm.exchange import ConnectFailed, HttpReply, Lost, Request
from orchestrator.arm.transport import AiohttpTransport
from tests.contract.arm import servers
from tests.contract.arm.asking import (
    ABANDONED,
    BODY,
    IMPATIENCE,
    exchange,
    get,
    post,
    standing,
)
from tests.contract.arm.bench import SIGNATURE


async def test_an_answer_comes_back_with_folded_headers(ask):
    lines = ("X-Ms-Request-Id: 1", "x-ms-request-id: 1", "X-Limit: a", "x-limit: b")
    async with servers.listening(servers.answering(202, b"body", *lines)) as server:
        reply = await exchange(ask(server.url + "/"))
    assert isinstance(reply, HttpReply)
    assert (reply.status, reply.body, reply.whole) == (202, b"body", True)
    assert reply.headers["x-ms-request-id"] == "1"
    assert reply.headers["x-limit"] == "a, b"


async def test_a_url_goes_out_to_the_byte(ask):
    path = "/a%2Fb/%7Ec/d'(e)?$expand=x&q=%41%20+&%24s=%C3%B6" + SIGNATURE
    async with servers.listening(servers.answering(200)) as server:
        await exchange(ask(server.url + path))
    assert server.heard[0].split(b" ")[1] == path.encode()


async def test_a_post_carries_its_body_and_headers_and_says_that_it_closes():
    async with servers.listening(servers.answering(202)) as server:
        await exchange(post(server.url + "/"))
    (request,) = server.heard
    assert request.startswith(b"POST / HTTP/1.1\r\n")
    assert request.endswith(b"\r\n\r\n" + BODY)
    assert b"authorization: Bearer s3cr3t" in request
    assert b"Connection: close" in request
    assert request.lower().count(b"content-type: application/json") == 1


async def test_reads_share_a_connection_and_each_post_has_its_own():
    async with (
        servers.listening(servers.answering(200)) as server,
        AiohttpTransport(standing) as transport,
    ):
        for _ in range(3):
            await transport.exchange(get(server.url + "/"))
        assert server.connections == 1
        for number in (2, 3, 4):
            await transport.exchange(post(server.url + "/"))
            assert server.connections == number


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(ask, status):
    async with servers.listening(servers.answering(200)) as elsewhere:
        location = f"Location: {elsewhere.url}/"
        async with servers.listening(servers.answering(status, b"", location)) as server:
            reply = await exchange(ask(server.url + "/"))
    assert isinstance(reply, HttpReply)
    assert reply.status == status
    assert elsewhere.connections == 0


async def test_no_cookie_is_kept():
    cookie = "Set-Cookie: who=me; Path=/"
    async with (
        servers.listening(servers.answering(200, b"", cookie)) as server,
        AiohttpTransport(standing) as transport,
    ):
        for asked in (get, get, post):
            await transport.exchange(asked(server.url + "/"))
    assert [b"cookie" in request.lower() for request in server.heard] == [False] * 3


# ------------------------------------------------------------------------------ what was not sent


async def test_a_refused_connection_proves_that_nothing_left(ask):
    async with servers.listening(servers.answering(200)) as server:
        pass
    failed = await exchange(ask(server.url + "/?sig=s3cr3t"))
    assert isinstance(failed, ConnectFailed)
    assert not failed.abandoned
    assert failed.reason.startswith("no connection could be made: Connect call failed")


async def test_an_untrusted_certificate_is_a_connection_that_failed(ask, tmp_path):
    tls = servers.certificate(tmp_path, days=9999)
    async with servers.listening(servers.answering(200), tls) as server:
        failed = await exchange(ask(server.url + "/"))
    assert failed == ConnectFailed(reason="the endpoint's certificate is not trusted")
    assert server.heard == []


@pytest.mark.parametrize(("name", "days"), [("127.0.0.2", 9999), ("127.0.0.1", 1)])
async def test_a_wrong_or_expired_certificate_is_a_connection_that_failed(
    ask, tmp_path, name, days
):
    tls = servers.certificate(tmp_path, name=name, days=days)
    async with servers.listening(servers.answering(200), tls) as server:
        failed = await exchange(ask(server.url + "/"), tls=servers.trusting(tmp_path))
    assert failed == ConnectFailed(reason="the endpoint's certificate is not trusted")
    assert server.heard == []


async def test_a_trusted_certificate_is_enough(ask, tmp_path):
    tls = servers.certificate(tmp_path, days=9999)
    async with servers.listening(servers.answering(202), tls) as server:
        reply = await exchange(ask(server.url + "/"), tls=servers.trusting(tmp_path))
    assert isinstance(reply, HttpReply)


@pytest.mark.parametrize(
    "babble", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"\x15\x03\x01\x00\x02"]
)
async def test_a_handshake_that_fails_is_a_connection_that_failed(ask, babble):
    async def serve(wire, listener):
        await wire.reader.read(1)
        await wire.say(babble)

    async with servers.listening(serve) as server:
        failed = await exchange(ask(server.url.replace("http:", "https:") + "/"))
    assert isinstance(failed, ConnectFailed)
    assert not failed.abandoned


async def test_a_handshake_without_end_abandons_the_post_when_its_time_is_over():
    async with servers.listening(servers.deaf) as server:
        url = server.url.replace("http:", "https:") + "/"
        assert await exchange(post(url, send_by=IMPATIENCE)) == ABANDONED


# ------------------------------------------------------------------------- what may have been sent


@pytest.mark.parametrize(
    "serve",
    [
        servers.saying(),
        servers.resetting,
        servers.saying(b"HTTP/1.1 202 Acc"),
        servers.saying(b"HTTP/1.1 202 Accepted\r\nLocation: x\r\n"),
        servers.saying(b"SSH-2.0-OpenSSH_9.2\r\n"),
        servers.saying(b"HTTP/1.1 100 Continue\r\n\r\n"),
        servers.saying(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
        servers.saying(b"HTTP/1.1 202 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        servers.saying(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n"),
    ],
    ids=[
        "cut",
        "reset",
        "half a line",
        "half a head",
        "babble",
        "only 100",
        "bad length",
        "bad chunk",
        "fat",
    ],
)
async def test_a_post_without_an_answer_is_lost_and_was_sent_once(serve):
    async with servers.listening(serve) as server:
        lost = await exchange(post(server.url + "/?sig=s3cr3t"))
    assert isinstance(lost, Lost)
    assert "s3cr3t" not in lost.reason
    assert [request.endswith(BODY) for request in server.heard] == [True]
    assert server.connections == 1


async def test_a_silent_server_is_lost_when_the_time_is_over(ask):
    async with servers.listening(servers.silent) as server:
        request = ask(server.url + "/")
        impatient = Request(
            method=request.method,
            url=request.url,
            body=request.body,
            send_by=request.send_by,
            timeout=IMPATIENCE,
        )
        assert await exchange(impatient) == Lost(reason="no answer came in time")
    assert len(server.heard) == 1


async def test_reads_survive_a_server_that_closes_after_each_answer():
    async def once(wire, listener):
        listener.heard.append(await wire.request())
        await wire.answer(200)

    async with (
        servers.listening(once) as server,
        AiohttpTransport(standing) as transport,
    ):
        for _ in range(5):
            assert isinstance(await transport.exchange(get(server.url + "/")), HttpReply)
    assert len(server.heard) == 5


async def test_a_cancelled_exchange_lets_go_of_its_connection():
    async with servers.listening(servers.silent) as server:
        task = asyncio.create_task(exchange(post(server.url + "/")))
        while not server.connections:
            await asyncio.wait({task}, timeout=0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


# ------------------------------------------------------------------------------------------ bodies


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 202 X\r\nLocation: here\r\nContent-Length: 9\r\n\r\nhalf",),
        (b"HTTP/1.1 202 X\r\nLocation: here\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",),
        (
            b"HTTP/1.1 202 X\r\nLocation: here\r\nContent-Encoding: gzip\r\n",
            b"Content-Length: 4\r\n\r\nnope",
        ),
    ],
    ids=["short", "cut chunk", "not gzip"],
)
async def test_a_body_that_breaks_off_leaves_status_and_headers(ask, pieces):
    async with servers.listening(servers.saying(*pieces)) as server:
        reply = await exchange(ask(server.url + "/"))
    assert isinstance(reply, HttpReply)
    assert (reply.status, reply.headers["location"]) == (202, "here")
    assert (reply.body, reply.whole) == (b"", False)


async def test_a_body_that_drips_for_ever_is_given_up():
    async def dripping(wire, listener):
        listener.heard.append(await wire.request())
        await wire.say(b"HTTP/1.1 202 X\r\nContent-Length: 1000\r\n\r\nx")
        await wire.hang()

    async with servers.listening(dripping) as server:
        reply = await exchange(post(server.url + "/", timeout=IMPATIENCE))
    assert isinstance(reply, HttpReply)
    assert (reply.status, reply.whole) == (202, False)


@pytest.mark.parametrize(("size", "whole"), [(1000, True), (1001, False), (300_000, False)])
async def test_a_body_is_read_up_to_its_limit(size, whole):
    async with servers.listening(servers.answering(200, b"x" * size)) as server:
        reply = await exchange(get(server.url + "/", limit=1000))
    assert isinstance(reply, HttpReply)
    assert (len(reply.body), reply.whole) == (size if whole else 0, whole)


async def test_a_bomb_is_put_away_before_it_unfolds():
    bomb = gzip.compress(bytes(64 << 20))
    async with servers.listening(servers.answering(200, bomb, "Content-Encoding: gzip")) as server:
        tracemalloc.start()
        try:
            reply = await exchange(get(server.url + "/"))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert isinstance(reply, HttpReply)
    assert not reply.whole
    assert peak < 16 << 20


async def test_a_compressed_body_is_read():
    body = gzip.compress(b'{"value": []}')
    async with servers.listening(servers.answering(200, body, "Content-Encoding: gzip")) as server:
        reply = await exchange(get(server.url + "/"))
    assert isinstance(reply, HttpReply)
    assert reply.body == b'{"value": []}'


async def test_a_header_of_16_kb_is_read(ask):
    long_url = "https://management.azure.com/" + "c" * 16_384
    async with servers.listening(servers.answering(202, b"", f"Location: {long_url}")) as server:
        reply = await exchange(ask(server.url + "/"))
    assert isinstance(reply, HttpReply)
    assert reply.headers["location"] == long_url


# ------------------------------------------------------------------------------------------- rest


def test_a_request_and_an_answer_show_no_secret():
    request = post("https://arm.example/?sig=s3cr3t")
    reply = HttpReply(status=202, headers={"location": "https://a?sig=s3cr3t"}, body=b"s3cr3t")
    assert "s3cr3t" not in repr((request, reply))


async def test_a_transport_that_is_not_open_is_a_bug():
    with pytest.raises(RuntimeError, match="not open"):
        await AiohttpTransport(standing).exchange(get("http://127.0.0.1/"))
