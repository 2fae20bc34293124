"""Resource Graph's answers, read strictly, and the query that is asked (azure-facts 7)."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.arm import graph, guard
from orchestrator.arm.exchange import HttpReply
from orchestrator.domain.answer import Throttled, Trace, Traced, Unreadable
from orchestrator.domain.model import vm_id
from orchestrator.domain.result import Result
from orchestrator.simulator.kusto import parse
from orchestrator.simulator.kusto_run import pinned
from tests.contract.arm.bench import (
    EVENING,
    LOST,
    OPERATION,
    PUBLIC,
    SUBSCRIPTION,
    UNCONNECTED,
    VM,
    Bench,
    reply,
)

SINCE = EVENING - timedelta(days=1)
OTHER = "11111111-2222-4333-8444-555555555555"
COLUMNS = ("id", "name", "type", "properties")


def a_row(activity=OPERATION, vm=VM, **properties):
    shown = {
        "installationActivityId": activity,
        "status": "Succeeded",
        "startedBy": "User",
        "startDateTime": "2026-11-22T18:00:01.1234567Z",
        "lastModifiedDateTime": "2026-11-22T18:20:00.0000000Z",
        "rebootStatus": "Completed",
        "maintenanceWindowExceeded": False,
        "installedPatchCount": 3,
        "failedPatchCount": 0,
        "errorDetails": {"code": "0", "message": "0 error/s reported.", "details": []},
    }
    path = f"{vm.replace('virtualmachines', 'virtualMachines')}/patchInstallationResults/{activity}"
    return {"id": path, "name": activity, "properties": {**shown, **properties}}


def an_answer(*rows, token="", truncated="false", **headers):
    document = {"totalRecords": len(rows), "count": len(rows), "data": list(rows), "facets": []}
    document["resultTruncated"] = truncated
    if token:
        document["$skipToken"] = token
    return reply(200, json.dumps(document), **headers)


async def traced(*answers, vm=VM):
    bench = Bench(*answers)
    return await bench.client.trace(vm, SINCE), bench


async def read(*answers):
    answer, _ = await traced(*answers)
    return answer


# ---------------------------------------------------------------------------------------- the query


async def test_a_query_is_one_post_to_resource_graph_that_may_be_repeated():
    answer, bench = await traced(an_answer())
    assert answer == Traced(traces=())
    (request,) = bench.transport.asked
    assert (request.method, request.send_by) == ("POST", None)
    path = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
    assert request.url == f"https://management.azure.com{path}"
    assert request.headers["content-type"] == "application/json"
    body = json.loads(request.body)
    assert body["subscriptions"] == [SUBSCRIPTION]
    assert body["options"] == {"$top": 1000, "resultFormat": "objectArray"}
    assert f"id startswith '{VM}/patchinstallationresults/'" in body["query"]
    assert "datetime(2026-11-21T18:00:00Z)" in body["query"]
    assert bench.observer.answered == [("trace", "200")]


def test_the_time_is_asked_in_utc():
    there = SINCE.astimezone(timezone(timedelta(hours=-5)))
    assert graph.query(VM, there) == graph.query(VM, SINCE)


HOSTILE = [
    "vm'1",
    "vm\\'1",
    "vm\\",
    "vm' or '1' == '1",
    "vm'/patchinstallationresults/' or id has '",
    "vm' | project id | take 1000 //",
    'vm"1',
    "vm'; drop table vms",
    "@'vm",
    "vm''",
    "vm%27",
    "vm{0}",
    "vm-ü-漢字",
    "vm(1)|where true",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_goes_into_the_query_as_a_text_and_nothing_else(name):
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute"
    hostile = vm_id(f"{group}/virtualMachines/{name}")
    asked = graph.query(hostile, SINCE)
    usual = graph.query(VM, SINCE)
    assert asked is not None
    assert usual is not None
    understood = parse(asked, COLUMNS)
    assert pinned(understood, "id") == f"{hostile}/patchinstallationresults/"
    plain = parse(usual, COLUMNS)
    others = [stage for at, stage in enumerate(understood.stages) if at != 1]
    assert others == [stage for at, stage in enumerate(plain.stages) if at != 1]


@pytest.mark.parametrize("character", ["\n", "\x00", "\u2028", "\u202e", "\x1b"])
async def test_a_name_that_could_end_a_text_is_not_asked_about(character):
    answer, bench = await traced(vm=vm_id(f"{VM}{character}x"))
    assert isinstance(answer, Unreadable)
    assert bench.transport.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "/providers/Microsoft.ResourceGraph/resources/",
        "/providers/Microsoft.ResourceGraph/resourcesHistory",
        "/providers/Microsoft.ResourceGraph/resources/../operations",
        "/providers/Microsoft.ResourceGraph",
        "/providers/Microsoft.Authorization/elevateAccess",
        f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ResourceGraph/resources",
    ],
)
def test_the_token_goes_to_the_exact_path_of_the_queries_only(path):
    url = f"{PUBLIC.endpoint}{path}?api-version=2021-03-01"
    assert isinstance(guard.check(url, PUBLIC, guard.GRAPH), guard.Refused)


# ----------------------------------------------------------------------------------------- the rows


async def test_a_row_tells_who_began_an_installation_when_and_how_it_went():
    answer = await read(an_answer(a_row()))
    (trace,) = answer.traces
    assert trace == Trace(
        activity=OPERATION,
        started_at=datetime(2026, 11, 22, 18, 0, 1, 123456, UTC),
        started_by="User",
        result=Result(
            status="Succeeded", installed=3, failed=0, reboot="Completed", window_exceeded=False
        ),
    )


async def test_ids_are_the_same_in_any_case():
    row = a_row(OPERATION.upper(), VM.upper())
    answer = await read(an_answer(row))
    assert [trace.activity for trace in answer.traces] == [OPERATION]


async def test_what_has_not_begun_is_in_progress_without_a_start():
    row = a_row(status="NotStarted", startDateTime=None)
    (trace,) = (await read(an_answer(row))).traces
    assert (trace.result.status, trace.started_at) == ("InProgress", None)


@pytest.mark.parametrize(
    ("word", "by"),
    [("User", "User"), ("platform", "Platform"), ("Robot", ""), (None, ""), (3, "")],
)
async def test_only_two_words_say_who_began_it(word, by):
    (trace,) = (await read(an_answer(a_row(startedBy=word)))).traces
    assert trace.started_by == by


async def test_the_error_of_a_row_is_read_like_that_of_a_result():
    row = a_row(status="Failed", errorDetails={"code": "1", "message": "no space left"})
    (trace,) = (await read(an_answer(row))).traces
    assert (trace.result.error_code, trace.result.error_message) == ("1", "no space left")


async def test_rows_of_other_vms_and_of_earlier_days_are_passed_over():
    early = "2026-11-21T17:59:59Z"
    answer = await read(
        an_answer(
            a_row(OTHER, f"{VM}1"),
            a_row(OTHER, startDateTime=early),
            a_row(OTHER, startDateTime=None, lastModifiedDateTime=early),
            a_row(),
        )
    )
    assert [trace.activity for trace in answer.traces] == [OPERATION]


async def test_azures_clock_is_compared_with_ours():
    ahead = "Sun, 22 Nov 2026 18:00:07 GMT"
    assert (await read(an_answer(date=ahead))).skew == timedelta(seconds=7)


# ---------------------------------------------------------------------------------------- the pages


async def test_all_pages_are_read_with_the_same_query():
    answer, bench = await traced(
        an_answer(a_row(), token="a b"), an_answer(a_row(OTHER), token="c"), an_answer()
    )
    assert [trace.activity for trace in answer.traces] == [OPERATION, OTHER]
    bodies = [json.loads(request.body) for request in bench.transport.asked]
    assert [body["options"].get("$skipToken") for body in bodies] == [None, "a b", "c"]
    assert len({body["query"] for body in bodies}) == 1


async def test_a_row_on_two_pages_counts_once_as_it_was_read_last():
    answer = await read(
        an_answer(a_row(status="InProgress"), token="a"), an_answer(a_row(status="Failed"))
    )
    assert [trace.result.status for trace in answer.traces] == ["Failed"]


async def test_pages_without_end_are_no_answer():
    answer, bench = await traced(*[an_answer(token="a")] * 20)
    assert isinstance(answer, Unreadable)
    assert len(bench.transport.asked) == graph.MOST_PAGES


@pytest.mark.parametrize("second", [LOST, reply(503), reply(429), reply(200, "{")])
async def test_half_an_answer_is_none(second):
    answer = await read(an_answer(a_row(), token="a"), second)
    assert isinstance(answer, Unreadable | Throttled)


# --------------------------------------------------------------------------------------- no answers


@pytest.mark.parametrize(
    "heard",
    [
        LOST,
        UNCONNECTED,
        HttpReply(status=200, whole=False),
        reply(200),
        reply(200, "[]"),
        reply(200, "{}"),
        reply(200, '{"data": {"columns": [], "rows": []}}'),
        reply(200, '{"data": [], "$skipToken": 7, "resultTruncated": "false"}'),
        reply(200, '{"data": [3], "resultTruncated": "false"}'),
        reply(200, '{"data": []}'),
        reply(200, '{"data": [], "resultTruncated": true}'),
        an_answer(truncated="true"),
        an_answer(truncated="perhaps"),
        an_answer({"name": OPERATION, "properties": {}}),
        an_answer(a_row("not-a-guid")),
        an_answer(a_row(installationActivityId=OTHER)),
        reply(202),
        reply(204),
        reply(302, location="https://evil.example/"),
        reply(400, '{"error": {"code": "BadRequest", "message": "x"}}'),
        reply(401),
        reply(403, '{"error": {"code": "AuthorizationFailed", "message": "x"}}'),
        reply(404),
        reply(500),
        reply(503, "<html>"),
    ],
)
async def test_what_may_lack_a_row_is_no_answer(heard):
    assert isinstance(await read(heard), Unreadable)


async def test_a_429_says_how_long_to_wait():
    body = '{"error": {"code": "RateLimiting", "message": "x"}}'
    answer = await read(reply(429, body, retry_after="3"))
    assert isinstance(answer, Throttled)
    assert answer.retry_after == timedelta(seconds=3)
    assert "RateLimiting" in answer.reason


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
strange_rows = st.builds(
    lambda row, changed, properties: {**row, **changed, "properties": properties},
    st.just(a_row()),
    st.dictionaries(st.sampled_from(["id", "name"]), values),
    values | st.dictionaries(st.sampled_from(list(a_row()["properties"])), values),
)
documents = st.fixed_dictionaries(
    {},
    optional={
        "data": st.lists(strange_rows | values, max_size=3) | values,
        "$skipToken": values,
        "resultTruncated": st.just("false") | values,
    },
)


@given(documents, st.sampled_from([200, 200, 200, 429, 500]))
def test_any_answer_is_read(document, status):
    said = graph.page(reply(status, json.dumps(document)), VM, SINCE)
    assert isinstance(said, graph.Page | Throttled | Unreadable)
    repr(said).encode()
