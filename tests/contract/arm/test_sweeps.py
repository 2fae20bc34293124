"""Sweeps of Resource Graph: the query that is asked, and its rows as hints (azure-facts 7)."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given

from orchestrator.arm import sweeps
from orchestrator.domain.answer import Hint, Swept, Throttled, Unreadable
from tests.contract.arm.bench import EVENING, LOST, OPERATION, SUBSCRIPTION, VM, Bench, reply
from tests.contract.arm.test_graph import OTHER, SINCE, an_answer, documents
from tests.contract.arm.test_graph import a_row as a_whole_row

ELSEWHERE = "00000000-0000-0000-0000-00000000beef"


def a_row(activity=OPERATION, vm=VM, status="Succeeded"):
    return {"id": a_whole_row(activity, vm)["id"], "status": status}


def hint(activity=OPERATION, vm=VM, *, ended=True):
    return Hint(vm_id=vm, activity=activity, ended=ended)


async def swept(*answers, running=False):
    bench = Bench(*answers)
    asked = bench.client.sweep([SUBSCRIPTION, ELSEWHERE], SINCE, running=running)
    return await asked, bench


async def read(*answers):
    answer, _ = await swept(*answers)
    return answer


async def test_a_sweep_is_one_read_of_all_the_subscriptions_for_what_has_ended():
    answer, bench = await swept(an_answer())
    assert answer == Swept(hints=())
    (request,) = bench.transport.asked
    path = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
    assert (request.method, request.send_by) == ("POST", None)
    assert request.url == f"https://management.azure.com{path}"
    body = json.loads(request.body)
    assert body["subscriptions"] == [SUBSCRIPTION, ELSEWHERE]
    assert body["options"] == {"$top": 1000, "resultFormat": "objectArray"}
    assert "!~ 'NotStarted'" in body["query"]
    assert "!~ 'InProgress'" in body["query"]
    assert "datetime(2026-11-21T18:00:00Z)" in body["query"]
    assert "project id," in body["query"], "without the id there would be no next page"
    assert bench.observer.answered == [("trace", "200")]


def test_the_time_is_asked_in_utc():
    there = SINCE.astimezone(timezone(timedelta(hours=9)))
    assert sweeps.query(there, running=False) == sweeps.query(SINCE, running=False)


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        ("NotStarted", False),
        ("inprogress", False),
        ("Succeeded", True),
        ("Failed", True),
        ("CompletedWithWarnings", True),
        ("Unknown", True),
    ],
)
async def test_what_runs_is_asked_about_where_it_is_to_be_seen_at_all(status, ended):
    answer, bench = await swept(an_answer(a_row(status=status)), running=True)
    assert answer.hints == (hint(ended=ended),)
    (request,) = bench.transport.asked
    assert "InProgress" not in json.loads(request.body)["query"]


async def test_a_row_says_when_it_was_changed_if_it_can():
    rows = [
        {**a_row(), "changed": "2026-11-22T18:20:00.0000000Z"},
        {**a_row(OTHER), "changed": "yesterday"},
    ]
    answer = await read(an_answer(*rows))
    known = replace(hint(), changed_at=datetime(2026, 11, 22, 18, 20, tzinfo=UTC))
    assert answer.hints == (known, hint(OTHER))


async def test_a_row_names_a_vm_and_an_installation_in_any_case():
    shouted = a_row(OTHER.upper(), VM.upper())
    assert (await read(an_answer(a_row(), shouted))).hints == (hint(), hint(OTHER))


async def test_a_row_that_says_nothing_is_passed_over_and_the_others_count():
    broken = (
        {"id": 7},
        {"name": OPERATION},
        a_row("not-a-guid"),
        {"id": VM},
        {"id": "x" * 5000},
        a_row(status=None),
    )
    answer = await read(an_answer(*broken, a_row()))
    assert answer == Swept(hints=(hint(),))


async def test_all_pages_are_read_with_the_same_query_and_counted():
    answer, bench = await swept(
        an_answer(a_row(), token="a b"), an_answer(a_row(), a_row(OTHER), token="c"), an_answer()
    )
    assert (answer.hints, answer.pages, answer.whole) == ((hint(), hint(OTHER)), 3, True)
    bodies = [json.loads(request.body) for request in bench.transport.asked]
    assert [body["options"].get("$skipToken") for body in bodies] == [None, "a b", "c"]
    assert len({body["query"] for body in bodies}) == 1


async def test_pages_without_end_are_hints_that_are_not_whole():
    answer, bench = await swept(*[an_answer(a_row(), token="a")] * 20)
    assert (answer.hints, answer.pages, answer.whole) == ((hint(),), sweeps.MOST_PAGES, False)
    assert len(bench.transport.asked) == sweeps.MOST_PAGES


@pytest.mark.parametrize("second", [LOST, reply(503), reply(200, "{"), an_answer(truncated="true")])
async def test_half_an_answer_is_none(second):
    assert isinstance(await read(an_answer(a_row(), token="a"), second), Unreadable)


@pytest.mark.parametrize("status", [202, 302, 400, 401, 403, 404, 500, 503])
async def test_what_is_no_answer_says_so(status):
    assert isinstance(await read(reply(status)), Unreadable)


async def test_a_429_says_how_long_to_wait():
    body = '{"error": {"code": "RateLimiting", "message": "x"}}'
    answer = await read(reply(429, body, retry_after="3"))
    assert isinstance(answer, Throttled)
    assert answer.retry_after == timedelta(seconds=3)


async def test_azures_clock_is_compared_with_ours():
    ahead = f"{EVENING + timedelta(seconds=7):%a, %d %b %Y %H:%M:%S} GMT"
    assert (await read(an_answer(date=ahead))).skew == timedelta(seconds=7)


@given(documents)
def test_any_answer_is_read(document):
    said = sweeps.page(reply(200, json.dumps(document)))
    assert isinstance(said, sweeps.Page | Unreadable)
    repr(said).encode()
