"""The one HTTP to gates, over real sockets: what is green, what is red, and what is never sent."""

import json
import socket

import aiohttp
import pytest

from orchestrator.domain.gate import Bound, GateKind, Relation
from orchestrator.hooks import gates
from orchestrator.hooks.gates import HttpGates
from orchestrator.hooks.prometheus import read
from tests.contract.arm.servers import answering, listening, resetting, saying
from tests.kit.rows import a_gate

LOW = Bound(relation=Relation.BELOW, value=0.01)


def asking(url, **given):
    return a_gate(url=f"{url}/healthz?key=x", **given)


def prometheus(url, query="errors"):
    return a_gate(kind=GateKind.PROMETHEUS, url=url, query=query, bound=LOW)


def vector(*figures):
    samples = [{"metric": {}, "value": [1.5, figure]} for figure in figures]
    data = {"resultType": "vector", "result": samples}
    return json.dumps({"status": "success", "data": data}).encode()


@pytest.mark.parametrize(
    ("status", "expect", "green"),
    [(200, 200, True), (204, 204, True), (503, 200, False), (204, 200, False), (302, 200, False)],
)
async def test_the_status_says_it_and_no_redirect_is_followed(status, expect, green):
    async with (
        listening(answering(status, b"", "Location: http://127.0.0.1:1/")) as there,
        HttpGates() as door,
    ):
        reading = await door.read(asking(there.url, expect=expect))
    assert reading.green is green
    assert reading.said.startswith(f"status {status}")
    assert there.connections == 1


async def test_nothing_is_sent_that_could_open_a_door():
    async with listening(answering(200, b"", "Set-Cookie: a=b")) as there, HttpGates() as door:
        for _ in range(2):
            await door.read(asking(there.url))
    for heard in there.heard:
        head = heard.decode().lower()
        assert head.startswith("get /healthz?key=x http/1.1")
        assert not {"authorization", "cookie", "proxy"} & {
            line.partition(":")[0] for line in head.splitlines()
        }


@pytest.mark.parametrize(
    ("serve", "said"),
    [
        (resetting, "no answer that can be read"),
        (saying(b"not http\r\n\r\n"), "no answer that can be read"),
        (saying(b""), "no answer that can be read"),
    ],
)
async def test_what_cannot_be_read_is_red(serve, said):
    async with listening(serve) as there, HttpGates() as door:
        reading = await door.read(asking(there.url))
        assert (reading.green, said in reading.said) == (False, True)
        assert "key" not in reading.said


async def test_a_gate_that_does_not_answer_in_time_is_red():
    async def hanging(wire, _listener):
        await wire.request()
        await wire.hang()

    async with listening(hanging) as there, HttpGates(seconds=0.05) as door:
        reading = await door.read(asking(there.url))
    assert (reading.green, reading.said) == (False, "no answer came in time")


async def test_nobody_there_is_red():
    async with HttpGates() as door:
        reading = await door.read(asking("http://127.0.0.1:1"))
    assert (reading.green, reading.said) == (False, "no connection could be made")


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[::ffff:169.254.169.254]", "168.63.129.16", "224.0.0.1"]
)
async def test_an_address_that_is_none_of_a_gate_is_not_asked(host):
    async with HttpGates() as door:
        reading = await door.read(asking(f"http://{host}"))
    assert (reading.green, "none that a gate may be read from" in reading.said) == (False, True)


@pytest.mark.parametrize("addresses", [["169.254.169.254"], ["fe80::1", "168.63.129.16"]])
async def test_a_name_that_leads_to_such_an_address_is_not_asked(monkeypatch, addresses):
    class Rebound:
        async def resolve(self, host, port=0, family=socket.AF_INET):
            return [
                {"hostname": host, "host": each, "port": port, "family": family, "proto": 0,
                 "flags": 0}
                for each in addresses
            ]  # fmt: skip

        async def close(self):
            """Hold nothing."""

    monkeypatch.setattr(aiohttp, "ThreadedResolver", Rebound)
    async with HttpGates(seconds=2) as door:
        reading = await door.read(asking("http://innocent.example"))
    assert not reading.green
    assert "none that a gate may be read from" in reading.said


async def test_prometheus_is_asked_for_its_query():
    async with listening(answering(200, vector("0.002"))) as there, HttpGates() as door:
        reading = await door.read(prometheus(there.url, "rate(errors[5m]) / 2 + 'ä&x=1'"))
    assert (reading.green, reading.said) == (True, "0.002 is < 0.01")
    line = there.heard[0].split(b"\r\n")[0].decode()
    assert line.startswith(
        "GET /api/v1/query?query=rate%28errors%5B5m%5D%29+%2F+2+%2B+%27%C3%A4%26x%3D1%27"
    )


async def test_an_answer_without_an_end_is_cut(monkeypatch):
    monkeypatch.setattr(gates, "MOST_BYTES", 1_000)
    async with listening(answering(200, b"x" * 5_000)) as there, HttpGates() as door:
        reading = await door.read(prometheus(there.url))
    assert (reading.green, reading.said) == (False, "the answer is longer than 1000 bytes")


@pytest.mark.parametrize(
    ("content", "green", "said"),
    [
        (vector("0.001", "0.009"), True, "0.001 is < 0.01"),
        (vector("0.001", "0.5", "1"), False, "0.5 is not < 0.01 (and 1 more)"),
        (vector("NaN"), False, "nan is not"),
        (vector("+Inf"), False, "inf is not"),
        (vector(), False, "no value"),
        (vector(0.001), False, "nan is not"),
        (b'{"status":"success","data":{"resultType":"scalar","result":[1,"0"]}}', True, "0 is"),
        (b'{"status":"success","data":{"resultType":"matrix","result":[]}}', False, "none of Pro"),
        (b'{"status":"error","error":"parse error"}', False, "Prometheus says parse error"),
        (b'{"status":"error","error":"\\ud800\\u001b[31m"}', False, "Prometheus says"),
        (b"[]", False, "none of Prometheus"),
        (b"{", False, "none of Prometheus"),
        (b"", False, "none of Prometheus"),
        (b"[" * 100_000, False, "none of Prometheus"),
    ],
)
def test_what_prometheus_may_answer(content, green, said):
    reading = read(content, LOW)
    assert (reading.green, said in reading.said) == (green, True), reading
    assert reading.said.isprintable()
