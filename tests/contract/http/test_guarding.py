"""Who comes in, and what hostile visitors get (reliability E, S14 and S15)."""

import asyncio
import gzip
import json
from contextlib import AsyncExitStack

import pytest

from orchestrator.http.app import ACTS, build, routes, serving
from orchestrator.http.behind import Patience
from orchestrator.http.guarding import OPEN
from orchestrator.http.steering import MOST_BYTES
from tests.contract.http.bench import HALT, TOKEN, Bench, Visitor

EVIL = "evil\x1b[2J\u202e<script>alert(1)</script>"
OPEN_PATHS = ("/livez", "/readyz", "/metrics")


def request(path: str, *headers: str, method: str = "GET") -> bytes:
    """Write a request by hand."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", *headers, "", ""]).encode("latin-1")


def status(raw: bytes) -> int:
    return int(raw.split(b" ", 2)[1])


# ---------------------------------------------------------------------------------------- token


async def test_every_route_but_the_probes_needs_the_token(bench: Bench):
    """A route added tomorrow is closed until somebody opens it here and in `OPEN`."""
    closed = {(method, path) for method, path, _ in routes(bench.door())} - OPEN
    assert {("GET", path) for path in OPEN_PATHS} == OPEN
    assert closed == {("POST", ACTS)}
    async with bench.served() as visitor:
        for method, path in closed:
            assert (await visitor.ask(method, path)).status == 401
            headers = {"Authorization": "Bearer wrong"}
            assert (await visitor.ask(method, path, headers=headers)).status == 403


async def test_every_registered_method_is_in_the_list_of_routes(bench: Bench):
    listed = {(method, path) for method, path, _ in routes(bench.door())}
    there = {
        (route.method, route.resource.canonical)
        for route in build(bench.door(), "127.0.0.1").router.routes()
        if route.resource is not None and route.method not in {"HEAD", "*"}
    }
    assert there == listed


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        (f"Basic {TOKEN}", 401),
        (TOKEN, 401),
        ("Bearer x", 403),
        (f"Bearer {TOKEN}x", 403),
        (f"Bearer {TOKEN[:-1]}", 403),
        (f"Bearer {TOKEN.lower()}", 403),
        ("Bearer \xff\xfe", 403),
        (f"Bearer {TOKEN} {TOKEN}", 403),
        (f"bearer  {TOKEN}", 202),
    ],
)
async def test_only_the_token_itself_opens(bench: Bench, given, status):
    headers = {} if given is None else {"Authorization": given}
    async with bench.served() as visitor:
        reply = await visitor.post(HALT, token=None, headers=headers)
    assert reply.status == status
    assert len(bench.desk.acts) == (status == 202)
    assert TOKEN.encode() not in reply.content


async def test_two_tokens_are_none(bench: Bench):
    lines = ("Host: localhost", f"Authorization: Bearer {TOKEN}", "Authorization: Bearer x")
    async with bench.served() as visitor:
        assert status(await visitor.raw(request(ACTS, *lines, method="POST"))) in {400, 401}


async def test_a_hundred_wrong_tokens_are_told_of_and_lock_nobody_out(bench: Bench):
    async with bench.served() as visitor:
        replies = [await visitor.post(HALT, token=f"guess-{n}") for n in range(100)]
        assert (await visitor.post(HALT)).status == 202
    assert {reply.status for reply in replies} == {403}
    assert len(bench.desk.acts) == 1
    assert len(bench.memory.troubles) == 100
    assert "guess" not in str(bench.memory.troubles)


async def test_the_door_does_not_show_its_token(bench: Bench):
    assert TOKEN not in repr(bench.door())


async def test_who_lacks_the_token_is_refused_before_the_body_is_read(bench: Bench):
    bench.patience = Patience(linger=0.05)
    head = request(ACTS, "Host: localhost", "Content-Length: 60000", method="POST")
    async with bench.served() as visitor:
        assert status(await visitor.raw(head + b"{")) == 401


# ---------------------------------------------------------------------------------------- host


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8470", "127.8.9.1", "[::1]", "[::1]:8470"],
)
async def test_this_machine_is_served_under_its_own_names(bench: Bench, host):
    async with bench.served() as visitor:
        assert status(await visitor.raw(request("/livez", f"Host: {host}"))) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8470",
        "localhost.evil.example",
        "127.0.0.1.nip.example",
        "localhost@evil.example",
        "10.0.0.7",
        "[::ffff:10.0.0.7]",
        "[::1].evil.example",
        "",
        ":8470",
        "0.0.0.0",  # noqa: S104 - nothing is bound to it
    ],
)
@pytest.mark.parametrize("path", ["/livez", "/metrics", ACTS, "/nowhere"])
async def test_a_rebound_name_gets_nothing(bench: Bench, host, path):
    async with bench.served() as visitor:
        raw = await visitor.raw(request(path, f"Host: {host}"))
    assert status(raw) in {400, 421}
    assert b"evil" not in raw
    assert b"orchestrator_runs_driven" not in raw


async def test_a_rebound_name_does_not_even_learn_that_there_is_a_token(bench: Bench):
    async with bench.served() as visitor:
        assert status(await visitor.raw(request(ACTS, "Host: evil.example", method="POST"))) == 421


@pytest.mark.parametrize(
    "sent",
    [
        request("/livez", "Host: localhost", "Host: evil.example"),
        request("http://evil.example/livez", "Host: localhost"),
        request("http://evil.example/livez", "Host: evil.example"),
        b"GET /livez HTTP/1.0\r\n\r\n",
    ],
)
async def test_there_is_one_host_and_it_is_this_one(bench: Bench, sent):
    async with bench.served() as visitor:
        assert status(await visitor.raw(sent)) in {400, 421}


async def test_the_door_opens_on_loopback_only(bench: Bench):
    everywhere = "0.0.0.0"  # noqa: S104 - it is refused
    for host in (everywhere, "::", "10.0.0.7", "example.com", ""):
        with pytest.raises(ValueError, match="loopback only"):
            async with serving(bench.door(), host, 0):
                pytest.fail("it must not open")


async def test_the_door_opens_on_the_other_loopback_too(bench: Bench):
    async with serving(bench.door(), "127.0.0.2", 0) as address:
        assert address.startswith("http://127.0.0.2:")


async def test_a_taken_port_is_an_oserror(bench: Bench):
    async with bench.served() as visitor:
        with pytest.raises(OSError, match="in use"):
            async with serving(bench.door(), "127.0.0.1", visitor.port):
                pytest.fail("it must not open")


# ---------------------------------------------------------------------------------------- answers


async def _all_kinds_of_replies(visitor: Visitor) -> dict[str, bytes]:
    long = request("/" + "x" * 20_000, "Host: localhost")
    return {
        "200": await visitor.raw(request("/livez", "Host: localhost")),
        "401": await visitor.raw(request(ACTS, "Host: localhost", method="POST")),
        "404": await visitor.raw(request("/nowhere", "Host: localhost")),
        "405": await visitor.raw(request("/livez", "Host: localhost", method="DELETE")),
        "417": await visitor.raw(request("/x", "Host: localhost", "Expect: <script>")),
        "421": await visitor.raw(request("/livez", "Host: evil.example")),
        "garbage": await visitor.raw(b"\x16\x03\x01<script>\r\n\r\n"),
        "no version": await visitor.raw(b"GET /<script>\r\n\r\n"),
        "long line": await visitor.raw(long),
        "bad header": await visitor.raw(b"GET / HTTP/1.1\r\n<script>: \x00\r\n\r\n"),
        "bad length": await visitor.raw(request("/", "Host: localhost", "Content-Length: -1")),
    }


async def test_every_answer_is_bare_uncached_and_useless_to_a_browser(bench: Bench):
    async with bench.served() as visitor:
        replies = await _all_kinds_of_replies(visitor)
    for kind, raw in replies.items():
        head, _, body = raw.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")[1:]
        headers = dict(line.split(b": ", 1) for line in lines)
        assert headers[b"content-security-policy"].startswith(b"default-src 'none'"), kind
        assert headers[b"x-content-type-options"] == b"nosniff", kind
        assert headers[b"cache-control"] == b"no-store", kind
        assert not head.startswith(b"HTTP/1.1") or b"connection" in headers, kind
        assert headers.get(b"connection", b"close") == b"close", kind
        assert headers[b"content-type"].startswith(b"application/json"), kind
        assert headers.get(b"server", b"orchestrator") == b"orchestrator", kind
        assert isinstance(json.loads(body), dict), kind
        for foreign in (b"aiohttp", b"python", b"<script>", b"traceback", b"xxxx"):
            assert foreign not in raw.lower(), kind


async def test_what_is_no_http_does_not_fill_the_log(bench: Bench, caplog):
    async with bench.served() as visitor:
        await _all_kinds_of_replies(visitor)
    assert caplog.records == []
    assert bench.memory.crashes == []


async def test_the_wrong_method_is_told_the_right_one(bench: Bench):
    async with bench.served() as visitor:
        reply = await visitor.ask("GET", ACTS)
        assert (reply.status, reply.headers["Allow"]) == (405, "POST")
        reply = await visitor.ask("OPTIONS", ACTS, headers={"Origin": "https://evil.example"})
        assert reply.status == 405
        assert not [name for name in reply.headers if name.startswith("Access-Control")]


# ---------------------------------------------------------------------------------------- bodies


@pytest.mark.parametrize("extra", [1, 900_000])
async def test_a_body_beyond_64_kib_is_not_read(bench: Bench, extra):
    async with bench.served() as visitor:
        reply = await visitor.post(b" " * (MOST_BYTES + extra))
    assert (reply.status, reply.code) == (413, "too_large")
    assert bench.desk.acts == []


async def test_a_body_without_a_length_is_cut_off_as_well(bench: Bench):
    async def endless():
        for _ in range(1000):
            yield b" " * 1000

    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    async with bench.served() as visitor:
        reply = await visitor.ask("POST", ACTS, data=endless(), headers=headers)
    assert (reply.status, reply.code) == (413, "too_large")


async def test_a_body_of_64_kib_is_read(bench: Bench):
    body = json.dumps(HALT).encode()
    async with bench.served() as visitor:
        assert (await visitor.post(body + b" " * (MOST_BYTES - len(body)))).status == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/json, text/plain"},
        {"Content-Type": ""},
    ],
)
async def test_what_a_form_of_a_foreign_page_could_send_is_refused(bench: Bench, headers):
    async with bench.served() as visitor:
        assert (await visitor.post(HALT, headers=headers)).status == 415
    assert bench.desk.acts == []


@pytest.mark.parametrize("body", [json.dumps(HALT).encode(), b" " * 5_000_000])
async def test_a_packed_body_is_not_unpacked(bench: Bench, body):
    async with bench.served() as visitor:
        reply = await visitor.post(gzip.compress(body), headers={"Content-Encoding": "gzip"})
    assert (reply.status, reply.code) == (415, "not_json")
    assert bench.desk.acts == []


@pytest.mark.parametrize("key", ["run", "actor", "wave", EVIL])
async def test_foreign_words_come_back_escaped_or_not_at_all(bench: Bench, key):
    async with bench.served() as visitor:
        reply = await visitor.post({"act": "retry", "because": "x", key: EVIL})
    assert reply.status == 400
    assert reply.content.strip().decode("ascii").isprintable()


# ---------------------------------------------------------------------------------------- time


async def test_who_never_finishes_the_head_is_closed(bench: Bench):
    bench.patience = Patience(request=0.1)
    async with bench.served() as visitor:
        assert await visitor.raw(b"") == b""
        assert await visitor.raw(b"GET /livez HTTP/1.1\r\nHost: local") == b""


async def test_who_never_finishes_the_body_is_told_and_closed(bench: Bench):
    bench.patience = Patience(request=0.1, linger=0.05)
    lines = ("Host: localhost", f"Authorization: Bearer {TOKEN}", "Content-Type: application/json")
    head = request(ACTS, *lines, "Content-Length: 100", method="POST")
    async with bench.served() as visitor:
        assert status(await visitor.raw(head + b"{")) == 408
    assert bench.desk.acts == []


async def test_a_connection_serves_one_request(bench: Bench):
    twice = request("/livez", "Host: localhost") * 2
    async with bench.served() as visitor:
        assert (await visitor.raw(twice)).count(b"HTTP/1.1") == 1


async def test_too_many_connections_are_closed_and_the_rest_is_served(bench: Bench):
    bench.patience = Patience(connections=5)
    async with bench.served() as visitor, AsyncExitStack() as stack:
        held = [await asyncio.open_connection("127.0.0.1", visitor.port) for _ in range(5)]
        for _, writer in held:
            stack.callback(writer.close)
        assert await visitor.raw(b"") == b""
        reader, writer = held[0]
        writer.write(request("/livez", "Host: localhost"))
        assert status(await reader.read()) == 200
        raw = await visitor.raw(request("/livez", "Host: localhost"))
        assert status(raw) == 200, "one of the five has left: the next may come in"


def halt() -> bytes:
    """Write a whole act by hand."""
    body = json.dumps(HALT).encode()
    lines = ("Host: localhost", f"Authorization: Bearer {TOKEN}", "Content-Type: application/json")
    return request(ACTS, *lines, f"Content-Length: {len(body)}", method="POST") + body


async def test_an_act_in_hand_is_finished_when_the_door_closes(bench: Bench):
    bench.desk.hangs = True
    async with AsyncExitStack() as stack:
        visitor = await stack.enter_async_context(bench.served())
        asking = asyncio.create_task(visitor.raw(halt()))
        await bench.desk.waiting.wait()
        closing = asyncio.create_task(stack.pop_all().aclose())
        await asyncio.wait([closing], timeout=0.05)
        assert not closing.done()
        bench.desk.never.set()
        await closing
    assert status(await asking) == 202


async def test_an_act_of_somebody_who_hangs_up_is_finished_all_the_same(bench: Bench):
    bench.desk.hangs = True
    async with bench.served() as visitor:
        _, writer = await asyncio.open_connection("127.0.0.1", visitor.port)
        writer.write(halt())
        await bench.desk.waiting.wait()
        writer.transport.abort()
        assert status(await visitor.raw(request("/livez", "Host: localhost"))) == 200
        bench.desk.never.set()
    assert len(bench.desk.acts) == 1
    assert bench.memory.crashes == []
