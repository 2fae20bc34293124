"""A proxy between us and Azure: what it proves, and what it gets to see."""

import pytest

from orchestrator.arm.clouds import CLOUDS, custom
from orchestrator.arm.exchange import ConnectFailed, HttpReply
from orchestrator.arm.transport import proxy_for
from tests.contract.arm import servers
from tests.contract.arm.asking import exchange, post


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno!!",),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n",),
        (),
        (b"HTTP/1.1 2",),
        (b"HTTP/1.1 200 OK\r\n\r\n",),
    ],
    ids=["407", "403", "502", "cut", "half", "cut after the tunnel"],
)
async def test_a_proxy_that_makes_no_tunnel_proves_that_nothing_left(pieces):
    async with servers.listening(servers.saying(*pieces)) as proxy:
        failed = await exchange(post("https://arm.example/?sig=s3cr3t"), proxy=proxy.url)
    assert isinstance(failed, ConnectFailed)
    assert not failed.abandoned
    assert "s3cr3t" not in failed.reason
    assert [request.split(b"\r\n")[0] for request in proxy.heard] == [
        b"CONNECT arm.example:443 HTTP/1.1"
    ]
    assert b"s3cr3t" not in proxy.heard[0]


async def test_a_proxy_gets_its_own_credentials_and_not_ours():
    async with servers.listening(servers.answering(407)) as proxy:
        url = proxy.url.replace("//", "//user:word@")
        await exchange(post("https://arm.example/"), proxy=url)
    assert b"Proxy-Authorization: Basic dXNlcjp3b3Jk" in proxy.heard[0]
    assert b"s3cr3t" not in proxy.heard[0]


async def test_the_environment_is_not_asked_for_a_proxy(ask, monkeypatch):
    async with (
        servers.listening(servers.answering(407)) as proxy,
        servers.listening(servers.answering(200)) as server,
    ):
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        reply = await exchange(ask(server.url + "/"))
    assert isinstance(reply, HttpReply)
    assert reply.status == 200
    assert proxy.connections == 0


@pytest.mark.parametrize(
    ("variables", "cloud", "proxy"),
    [
        ({"https_proxy": "http://p:3128"}, CLOUDS["public"], "http://p:3128"),
        ({"https_proxy": "http://p:3128", "no_proxy": ".azure.com"}, CLOUDS["public"], None),
        ({"https_proxy": "http://p:3128", "no_proxy": "*"}, CLOUDS["china"], None),
        ({"http_proxy": "http://p:3128"}, custom("http://127.0.0.1:8471"), None),
        ({"https_proxy": "http://p:3128"}, custom("http://127.0.0.1:8471"), None),
        ({}, CLOUDS["public"], None),
    ],
)
def test_the_environment_names_a_proxy_for_https_only(monkeypatch, variables, cloud, proxy):
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(cloud) == proxy
