"""The Arm port's traces against the simulated Resource Graph, in memory and over real sockets."""

from datetime import timedelta

import pytest

from orchestrator.domain.answer import Throttled, Traced, Unreadable
from orchestrator.domain.model import vm_id
from orchestrator.simulator.faults import TEMPERS
from orchestrator.simulator.moods import Mood
from orchestrator.simulator.tempers import PostFault
from tests.contract.arm.stages import ENDED, a_machine, behaving


async def traces(on, machine=None):
    answer = await on.arm.trace(
        vm_id((machine or on.machines[0]).vm_id), on.clock.now() - timedelta(days=1)
    )
    assert isinstance(answer, Traced), answer
    return answer


@pytest.mark.parametrize("os", ["Windows", "Linux"])
async def test_an_installation_is_traced_from_its_acceptance_to_its_reboot(stage, os):
    on = await stage(
        a_machine(os=os, temper=TEMPERS["needs_reboot"]), mood=Mood(graph_lag=timedelta(0))
    )
    taken = await on.taken()
    (accepted,) = (await traces(on)).traces
    assert (accepted.activity, accepted.result.status) == (taken.activity, "InProgress")
    assert accepted.started_at is None
    on.clock.wait(60)
    (begun,) = (await traces(on)).traces
    assert begun.started_by == "User"
    assert begun.started_at is not None
    on.clock.wait(ENDED)
    answer = await traces(on)
    (ended,) = answer.traces
    assert (ended.result.status, ended.result.reboot) == ("Succeeded", "Completed")
    assert ended.result.installed is not None
    assert abs(answer.skew) < timedelta(seconds=1)


async def test_it_trails_and_then_shows_what_the_slot_does_not(stage):
    on = await stage(behaving(posts=(PostFault.TAKEN_CUT,), blind=True))
    await on.install()
    assert (await traces(on)).traces == ()
    on.clock.wait(60)
    assert (await on.seen()).last is None
    (trace,) = (await traces(on)).traces
    (installation,) = on.installations()
    assert trace.activity == installation["activity_id"]


async def test_azures_own_run_and_ours_are_both_there(stage):
    on = await stage(a_machine(temper=TEMPERS["superseded"]))
    taken = await on.taken()
    on.clock.wait(ENDED)
    by = {trace.started_by: trace.activity for trace in (await traces(on)).traces}
    assert by["User"] == taken.activity
    assert (await on.seen()).last.activity == by["Platform"]


async def test_all_pages_of_a_vm_are_read_and_no_other_vms_rows(stage):
    machines = (a_machine("VM-1"), a_machine("VM-10"))
    on = await stage(*machines, mood=Mood(graph_page_size=2))
    ids = []
    for _ in range(5):
        ids.append((await on.taken()).activity)
        await on.taken(machines[1])
        on.clock.wait(2 * 3600)
    found = (await traces(on)).traces
    assert {trace.activity for trace in found} == set(ids)
    assert on.observer.answered.count(("trace", "200")) == 3


async def test_beyond_its_quota_it_says_when_to_come_back(stage):
    on = await stage(a_machine())
    for _ in range(15):
        await traces(on)
    answer = await on.arm.trace(vm_id(on.machines[0].vm_id), on.clock.now())
    assert isinstance(answer, Throttled)
    on.clock.wait(answer.retry_after.total_seconds())
    await traces(on)


async def test_an_answer_that_is_lost_is_no_answer(stage):
    on = await stage(a_machine(), mood=Mood(reads={"cut": 1.0}))
    answer = await on.arm.trace(vm_id(on.machines[0].vm_id), on.clock.now())
    assert isinstance(answer, Unreadable)
