"""The Arm port's sweeps against the simulated Resource Graph, in memory and over real sockets."""

from datetime import timedelta

import pytest

from orchestrator.domain.answer import Swept, Throttled, Unreadable
from orchestrator.domain.model import vm_id
from orchestrator.simulator.faults import TEMPERS
from orchestrator.simulator.moods import Mood
from tests.contract.arm.bench import SUBSCRIPTION
from tests.contract.arm.stages import ENDED, a_machine

DAY = timedelta(days=1)


async def told(on, since=DAY, subscriptions=(SUBSCRIPTION,), *, running=True):
    answer = await on.arm.sweep(subscriptions, on.clock.now() - since, running=running)
    assert isinstance(answer, Swept), answer
    return {(each.vm_id, each.activity): each.ended for each in answer.hints}


async def ends(on, since=DAY, subscriptions=(SUBSCRIPTION,)):
    found = await told(on, since, subscriptions, running=False)
    assert all(found.values())
    return set(found)


def of(machine, taken):
    return (vm_id(machine.vm_id), taken.activity)


@pytest.mark.parametrize("temper", ["steady", "fails", "needs_reboot"])
async def test_an_installation_is_told_of_once_it_has_ended_however_it_did(stage, temper):
    machine = a_machine(temper=TEMPERS[temper])
    on = await stage(machine, mood=Mood(graph_lag=timedelta(0)))
    taken = await on.taken()
    assert await ends(on) == set()
    assert await told(on) == {of(machine, taken): False}
    on.clock.wait(60)
    assert await ends(on) == set()
    assert await told(on) == {of(machine, taken): False}
    on.clock.wait(ENDED)
    assert await ends(on) == {of(machine, taken)}
    assert await told(on) == {of(machine, taken): True}


async def test_it_trails_by_its_lag(stage):
    machine = a_machine(temper=TEMPERS["steady"])
    on = await stage(machine, mood=Mood(graph_lag=timedelta(hours=4)))
    taken = await on.taken()
    on.clock.wait(ENDED)
    assert await ends(on) == set()
    on.clock.wait(4 * 3600)
    assert await ends(on) == {of(machine, taken)}


async def test_what_changed_before_is_not_told_again(stage):
    machines = (a_machine("VM-1"), a_machine("VM-2"))
    on = await stage(*machines, mood=Mood(graph_lag=timedelta(0)))
    first = await on.taken(machines[0])
    on.clock.wait(ENDED)
    second = await on.taken(machines[1])
    on.clock.wait(ENDED)
    assert await ends(on) == {of(machines[0], first), of(machines[1], second)}
    assert await ends(on, timedelta(seconds=ENDED)) == {of(machines[1], second)}


async def test_only_the_subscriptions_asked_about_are_told_of(stage):
    on = await stage(a_machine(), mood=Mood(graph_lag=timedelta(0)))
    await on.taken()
    on.clock.wait(ENDED)
    assert await ends(on, subscriptions=["00000000-0000-0000-0000-00000000beef"]) == set()


async def test_all_pages_are_read(stage):
    machines = tuple(a_machine(f"VM-{n}") for n in range(7))
    on = await stage(*machines, mood=Mood(graph_page_size=3, graph_lag=timedelta(0)))
    all_of_them = {of(machine, await on.taken(machine)) for machine in machines}
    on.clock.wait(ENDED)
    assert await ends(on) == all_of_them
    assert on.observer.answered.count(("trace", "200")) == 3


async def test_beyond_its_quota_it_says_when_to_come_back(stage):
    on = await stage(a_machine())
    for _ in range(15):
        await ends(on)
    answer = await on.arm.sweep([SUBSCRIPTION], on.clock.now(), running=False)
    assert isinstance(answer, Throttled)
    on.clock.wait(answer.retry_after.total_seconds())
    await ends(on)


async def test_an_answer_that_is_lost_is_no_answer(stage):
    on = await stage(a_machine(), mood=Mood(reads={"cut": 1.0}))
    answer = await on.arm.sweep([SUBSCRIPTION], on.clock.now(), running=False)
    assert isinstance(answer, Unreadable)
