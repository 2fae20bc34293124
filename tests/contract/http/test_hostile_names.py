"""Hostile names at the door: JSON that parses, and nothing that steers who reads it with `curl`."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from orchestrator.domain.model import RunId
from orchestrator.http import asking
from orchestrator.http.app import ACTS
from orchestrator.ports import InventoryError
from orchestrator.service import NotOpened, Opened
from tests.contract.http.bench import HALT, TOKEN, Bench, Reply, Visitor
from tests.kit.hostile import NAMES, steering


def plain(reply: Reply) -> Any:
    """Return what an answer says, after a look at its bytes."""
    assert reply.content.isascii()
    assert steering(reply.content.decode("ascii"), ours="\n") == set()
    assert reply.content.count(b"\n") == 1
    assert all(steering(value) == set() for value in reply.headers.values())
    assert reply.headers["Content-Type"].startswith("application/json")
    return reply.said


WISHES: Mapping[str, Callable[[str], object]] = {
    "because": lambda name: {**HALT, "because": name},
    "actor": lambda name: {**HALT, "actor": name},
    "run": lambda name: {**HALT, "run": name},
    "plan": lambda name: {"act": "run", "plan": name},
    "vm": lambda name: {**HALT, "act": "retry", "vms": [name]},
    "wave": lambda name: {**HALT, "act": "retry", "wave": name},
    "reason code": lambda name: {**HALT, "act": "retry", "reason_code": name},
    "act": lambda name: {**HALT, "act": name},
    "id": lambda name: {**HALT, "id": name},
    "key": lambda name: {**HALT, name: 1},
}
"""Where a name stands in a wish."""


@pytest.mark.parametrize("field", WISHES)
async def test_a_wish_with_a_hostile_name_is_answered_in_plain_json(bench: Bench, field):
    async with bench.served() as visitor:
        for name in NAMES.values():
            reply = await visitor.post(json.dumps(WISHES[field](name)).encode())
            plain(reply)
            assert reply.status in {200, 201, 202, 400}
    for act in bench.desk.acts:
        written = (act.actor, act.because, act.wave or "", act.code or "", act.run_id, *act.vms)
        assert not any(set(each) & set("\x1b\n\r\x07\x9b\u202e\u2028\ud800\0") for each in written)


@pytest.mark.parametrize("field", WISHES)
def test_a_wish_is_read_or_refused_and_what_is_read_is_one_line(field):
    for name in NAMES.values():
        body = json.dumps(WISHES[field](name)).encode()
        match asking.read(body):
            case asking.Unclear(problems):
                assert problems
            case read:
                shown = repr(read)
                assert not set(shown) & set("\x1b\n\r\x07\x9b\u202e\u2028\ud800\0")


async def _opens(bench: Bench, name: str) -> None:
    bench.desk.answer = Opened(run_id=RunId(name), vms=1, notes=(name, name))


async def _refuses(bench: Bench, name: str) -> None:
    bench.desk.answer = NotOpened(code="already_open", reason=name)


async def _fails(bench: Bench, name: str) -> None:
    bench.desk.error = InventoryError(name)


async def _is_unknown(bench: Bench, name: str) -> None:
    bench.desk.error = LookupError(name)


SOURCES = {"notes": _opens, "reason": _refuses, "inventory": _fails, "lookup": _is_unknown}


@pytest.mark.parametrize("source", SOURCES)
async def test_what_stands_behind_the_door_comes_out_in_plain_json(bench: Bench, source):
    async with bench.served() as visitor:
        for name in NAMES.values():
            await SOURCES[source](bench, name)
            said = plain(await visitor.post({"act": "run", "plan": "monthly"}))
            if source == "notes":  # JSON joins two halves of a character
                assert said["notes"] == json.loads(json.dumps([name, name]))


async def test_open_runs_are_named_in_one_line(bench: Bench):
    async with bench.served() as visitor:
        for name in NAMES.values():
            bench.desk.runs = (RunId(name), RunId("x"))
            plain(await visitor.post({"act": "halt", "because": "x"}))


async def test_a_hostile_request_is_refused_in_plain_json(bench: Bench):
    async with bench.served() as visitor:
        for name in NAMES.values():
            for raw in _requests(name):
                await _sent(visitor, raw)
    assert bench.memory.crashes == []


def _requests(name: str) -> list[bytes]:
    """Put a name where HTTP has a place for one, to the byte."""
    said = name.encode("utf-8", "surrogatepass")[:2_000]
    auth = f"Authorization: Bearer {TOKEN}".encode()
    return [
        b"GET /" + said + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST " + ACTS.encode() + b" HTTP/1.1\r\nHost: " + said + b"\r\n" + auth + b"\r\n\r\n",
    ]


async def _sent(visitor: Visitor, raw: bytes) -> None:
    answer = await visitor.raw(raw)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert answer == b"" or head.startswith(b"HTTP/1.")
    assert steering(head.decode("ascii"), ours="\r\n") == set()
    assert b"evil" not in head
    assert steering(body.decode("ascii"), ours="\n") == set()
    assert not head.startswith(b"HTTP/1.1 2")
