"""Questions to Resource Graph that come together are asked together, and each gets an answer."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.domain import answer as a
from orchestrator.domain.model import Share, Tracking
from orchestrator.domain.throttle import Call
from orchestrator.engine.inquiry import PATIENCE, Inquiry
from orchestrator.simulator.faults import TEMPERS
from tests.kit.over import Over
from tests.kit.rows import EPOCH, a_target
from tests.kit.stage import a_ring, machines, staged

LOST = a.Unreadable(reason="the connection broke before an answer came")
SINCE = EPOCH - timedelta(days=1)
NOBODY = tuple(machines("w", 1))


class Graph:
    """Answers when it is told to, with the VM's name as the reason."""

    def __init__(self):
        self.asked = []
        self.go = asyncio.Event()
        self.many = lambda vms: a.TracedMany(
            answers={vm: a.Unreadable(reason=f"about {vm}") for vm in vms}
        )

    async def trace(self, vm_id, since):
        self.asked.append(([vm_id], since))
        await self.go.wait()
        return a.Unreadable(reason=f"about {vm_id}")

    async def trace_many(self, vm_ids, since):
        self.asked.append((sorted(vm_ids), since))
        await self.go.wait()
        return self.many(vm_ids)


def asking(on, graph):
    arm = Over(on.arm, trace=graph.trace, trace_many=graph.trace_many)
    return Inquiry(replace(on.doors, arm=arm))


async def answers(inquiry, graph, vms, since=lambda n: SINCE):
    """Ask about all of them at once; return what each was told."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(inquiry.ask(a_target(n), since(n))) for n in vms]
        while not graph.asked:
            await asyncio.wait(tasks, timeout=0)
        graph.go.set()
    return [task.result() for task in tasks]


async def test_who_comes_while_a_query_is_under_way_is_asked_about_with_all_others(sqlite_url):
    async with staged(sqlite_url, NOBODY) as on:
        graph = Graph()
        told = await answers(asking(on, graph), graph, range(80))
        assert [each.reason for each in told] == [f"about {a_target(n).vm_id}" for n in range(80)]
        (first, _), (rest, _) = graph.asked
        assert len(first) == 1
        assert len(rest) == 79


async def test_the_query_for_all_goes_back_as_far_as_the_oldest_of_them(sqlite_url):
    async with staged(sqlite_url, NOBODY) as on:
        graph = Graph()
        await answers(asking(on, graph), graph, range(5), lambda n: SINCE - timedelta(hours=n % 3))
        assert [since for _, since in graph.asked] == [SINCE, SINCE - timedelta(hours=2)]


async def test_nobody_is_given_an_answer_that_is_older_than_the_question(sqlite_url):
    async with staged(sqlite_url, NOBODY) as on:
        graph = Graph()
        inquiry = asking(on, graph)
        await answers(inquiry, graph, range(3))
        await inquiry.ask(a_target(1), SINCE)
        assert len(graph.asked) == 3


async def test_subscriptions_do_not_wait_for_each_other(sqlite_url):
    async with staged(sqlite_url, NOBODY) as on:
        graph = Graph()
        inquiry = asking(on, graph)
        there = replace(a_target(1), subscription_id="00000000-0000-4000-8000-00000000beef")
        async with asyncio.TaskGroup() as group:
            for target in (a_target(0), there):
                group.create_task(inquiry.ask(target, SINCE))
            while len(graph.asked) < 2:
                await on.store.rows("v_runs")
            graph.go.set()


@pytest.mark.parametrize("said", [LOST, a.Throttled(retry_after=timedelta(minutes=7), reason="x")])
async def test_no_answer_for_all_is_none_for_each(sqlite_url, said):
    async with staged(sqlite_url, NOBODY) as on:
        graph = Graph()
        graph.many = lambda vms: said
        told = await answers(asking(on, graph), graph, range(4))
        assert told[1:] == [said] * 3
        blocked = on.doors.throttle.blocked(Call.TRACE, a_target(0), on.clock.now())
        assert (blocked is not None) is isinstance(said, a.Throttled)


async def test_an_answer_of_many_pages_costs_as_many_queries_and_is_for_as_many_vms(sqlite_url):
    async with staged(sqlite_url, NOBODY) as on:
        graph = Graph()
        one_page = graph.many
        graph.many = lambda vms: replace(one_page(vms), pages=9)
        inquiry = asking(on, graph)
        await answers(inquiry, graph, range(20))
        assert on.doors.throttle.blocked(Call.TRACE, a_target(0), on.clock.now()) is not None
        graph.asked.clear()
        graph.go.clear()
        await answers(inquiry, graph, range(4))
        assert [len(vms) for vms, _ in graph.asked] == [1, 1, 1, 1], "single queries are cheaper"


async def test_a_query_that_is_held_back_for_a_moment_is_waited_for_and_no_longer(sqlite_url):
    async with staged(sqlite_url, NOBODY) as on:
        graph = Graph()
        graph.go.set()
        inquiry = asking(on, graph)
        throttle = on.doors.throttle
        throttle.refused(Call.TRACE, a_target(0), PATIENCE / 2, on.clock.now())
        assert isinstance(await inquiry.ask(a_target(0), SINCE), a.Unreadable)
        throttle.refused(Call.TRACE, a_target(0), PATIENCE * 20, on.clock.now())
        began = on.clock.now()
        held = await inquiry.ask(a_target(0), SINCE)
        assert isinstance(held, a.Throttled)
        assert held.retry_after > PATIENCE
        assert (on.clock.now(), len(graph.asked)) == (began, 1)


async def test_an_error_of_one_query_leaves_the_others_their_own(sqlite_url):
    """A bug must not hand a neighbour no answer at all."""
    async with staged(sqlite_url, NOBODY) as on:
        graph = Graph()

        def broken(vms):
            graph.many = one_page
            raise ZeroDivisionError

        one_page, graph.many = graph.many, broken
        inquiry = asking(on, graph)
        tasks = [asyncio.create_task(inquiry.ask(a_target(n), SINCE)) for n in range(6)]
        while not graph.asked:
            await asyncio.wait(tasks, timeout=0)
        graph.go.set()
        told = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(each) for each in told].count(ZeroDivisionError) == 1
        good = [each.reason for each in told if isinstance(each, a.Unreadable)]
        assert len(good) == 5
        assert all(reason.startswith("about /sub") for reason in good)


async def test_doubts_that_come_at_once_are_asked_about_at_once(sqlite_url):
    async def trace(vm_id, since):
        queries.append(1)
        await pause()
        return await on.arm.trace(vm_id, since)

    async def trace_many(vm_ids, since):
        queries.append(len(vm_ids))
        await pause()
        return await on.arm.trace_many(vm_ids, since)

    async def pause():
        await on.store.rows("v_runs")

    queries = []
    async with staged(sqlite_url, machines("w", 40, TEMPERS["traceless"])) as on:
        on.doors = replace(on.doors, arm=Over(on.arm, trace=trace, trace_many=trace_many))
        wave = a_ring("w", max_parallel=Share(count=40))
        run_id = await on.open(wave, tracking=Tracking(max_unknown=100))
        run = await on.drive(run_id, steps=20_000)
        assert (run["status"], run["succeeded"] + run["nothing_to_do"]) == ("passed", 40)
        assert set(on.posts().values()) == {1}
        assert max(queries) > 10
        assert ("trace", "429") not in on.witness.asks
