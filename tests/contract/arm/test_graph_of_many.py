"""One query for the installations of many VMs: of each as much, and read as strictly, as if it had
been asked about alone (azure-facts 7)."""

import json
from datetime import timedelta

import pytest
from hypothesis import given

from orchestrator.arm import graph
from orchestrator.arm.exchange import HttpReply
from orchestrator.domain.answer import Throttled, Traced, TracedMany, Unreadable
from orchestrator.domain.model import vm_id
from orchestrator.simulator.moods import Mood
from tests.contract.arm.bench import LOST, OPERATION, SUBSCRIPTION, UNCONNECTED, VM, Bench, reply
from tests.contract.arm.stages import ENDED, a_machine
from tests.contract.arm.test_graph import OTHER, SINCE, a_row, an_answer, documents, traced

VM_2 = vm_id(f"{VM}-2")


async def asked(*answers, vms=(VM, VM_2)):
    bench = Bench(*answers)
    return await bench.client.trace_many(vms, SINCE), bench


async def read(*answers):
    answer, _ = await asked(*answers)
    return answer


async def test_it_is_one_query_of_the_subscription_whatever_the_vms():
    answer, bench = await asked(an_answer())
    assert answer == TracedMany(answers={VM: Traced(traces=()), VM_2: Traced(traces=())})
    (request,) = bench.transport.asked
    assert (request.method, request.send_by) == ("POST", None)
    body = json.loads(request.body)
    assert body["subscriptions"] == [SUBSCRIPTION]
    assert "virtualmachines/" not in body["query"].replace("virtualmachines/patchinst", "")
    assert "datetime(2026-11-21T18:00:00Z)" in body["query"]
    assert bench.observer.answered == [("trace", "200")]


async def test_each_vm_has_its_own_rows_and_those_of_others_are_passed_over():
    rows = [a_row(), a_row(OTHER, VM_2.upper()), a_row(OTHER, f"{VM}-3"), a_row("x", f"{VM}-4")]
    answer = await read(an_answer(*rows))
    found = {vm: [each.activity for each in told.traces] for vm, told in answer.answers.items()}
    assert found == {VM: [OPERATION], VM_2: [OTHER]}


@pytest.mark.parametrize(
    "row",
    [
        a_row("not-a-guid"),
        a_row(installationActivityId=OTHER),
        a_row(),
        a_row(startDateTime=None, lastModifiedDateTime="2026-11-20T00:00:00Z"),
        a_row(status="NotStarted", startDateTime=None),
        a_row(startedBy="Robot"),
    ],
)
async def test_it_says_of_a_vm_what_a_query_about_it_alone_says(row):
    alone, _ = await traced(an_answer(row))
    many = await read(an_answer(row, a_row(OTHER, VM_2)))
    told = many.answers[VM]
    assert isinstance(told, type(alone))
    assert told == alone or isinstance(told, Unreadable)
    assert [each.activity for each in many.answers[VM_2].traces] == [OTHER], "a bad row is one VM's"


async def test_all_pages_are_read_with_the_same_query_and_counted():
    answer, bench = await asked(
        an_answer(a_row(status="InProgress"), token="a b"),
        an_answer(a_row(status="Failed"), a_row(OTHER, VM_2)),
    )
    assert answer.pages == 2
    assert [each.result.status for each in answer.answers[VM].traces] == ["Failed"]
    bodies = [json.loads(request.body) for request in bench.transport.asked]
    assert [body["options"].get("$skipToken") for body in bodies] == [None, "a b"]
    assert len({body["query"] for body in bodies}) == 1


async def test_pages_without_end_are_no_answer():
    answer, bench = await asked(*[an_answer(token="a")] * 20)
    assert isinstance(answer, Unreadable)
    assert len(bench.transport.asked) == graph.MOST_PAGES


async def test_azures_clock_is_compared_with_ours():
    answer = await read(an_answer(date="Sun, 22 Nov 2026 18:00:07 GMT"))
    assert answer.answers[VM].skew == timedelta(seconds=7)


@pytest.mark.parametrize(
    "heard",
    [
        LOST,
        UNCONNECTED,
        HttpReply(status=200, whole=False),
        reply(200, "{}"),
        reply(200, '{"data": [3], "resultTruncated": "false"}'),
        an_answer({"name": OPERATION, "properties": {}}),
        an_answer(a_row(), {"id": 7, "properties": {}}),
        an_answer(truncated="true"),
        reply(403, '{"error": {"code": "AuthorizationFailed", "message": "x"}}'),
        reply(503, "<html>"),
    ],
)
async def test_what_may_lack_a_row_of_any_vm_is_no_answer(heard):
    assert isinstance(await read(heard), Unreadable)
    assert isinstance(await read(an_answer(a_row(), token="a"), heard), Unreadable)


async def test_a_429_says_how_long_to_wait():
    answer = await read(reply(429, '{"error": {"code": "x", "message": "y"}}', retry_after="3"))
    assert isinstance(answer, Throttled)
    assert answer.retry_after == timedelta(seconds=3)


@given(documents)
def test_any_answer_is_read(document):
    said = graph.page_of_many(reply(200, json.dumps(document)), {VM}, SINCE)
    assert isinstance(said, graph.PageOfMany | Throttled | Unreadable)
    repr(said).encode()


async def test_against_azure_it_says_the_same_as_a_query_about_each(stage):
    machines = tuple(a_machine(f"VM-{n}") for n in range(12))
    on = await stage(*machines, mood=Mood(graph_page_size=5))
    for machine in machines[:9]:
        await on.taken(machine)
    on.clock.wait(ENDED)
    for machine in machines[6:]:
        await on.taken(machine)
    on.clock.wait(60)
    since = on.clock.now() - timedelta(days=1)
    vms = [vm_id(machine.vm_id) for machine in machines]
    many = await on.arm.trace_many(vms, since)
    assert isinstance(many, TracedMany)
    assert many.pages == 3
    for vm in vms:
        alone = await on.arm.trace(vm, since)
        told = many.answers[vm]
        assert isinstance(alone, Traced)
        assert isinstance(told, Traced)
        assert set(told.traces) == set(alone.traces)
        assert len(alone.traces) >= 1
