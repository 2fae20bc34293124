"""The Arm port against the simulated Azure: the same claims in memory and over real sockets."""

from datetime import timedelta

import pytest

from orchestrator.domain.answer import (
    Collapsed,
    Finished,
    Gone,
    Running,
    Throttled,
    Unreadable,
    Untrackable,
)
from orchestrator.domain.model import vm_id
from orchestrator.simulator.moods import Mood
from orchestrator.simulator.tempers import Mishap, PollFault
from tests.contract.arm.bench import ATTEMPT, SUBSCRIPTION
from tests.contract.arm.stages import ENDED, a_machine, behaving

# ------------------------------------------------------------------------------------- all is well


@pytest.mark.parametrize("os", ["Windows", "Linux"])
async def test_an_installation_is_taken_followed_and_reported(stage, os):
    on = await stage(a_machine(os=os))
    answer = await on.taken()
    assert await on.arm.poll(answer.tracker) == Running()
    on.clock.wait(ENDED)
    finished = await on.arm.poll(answer.tracker)
    assert isinstance(finished, Finished)
    assert finished.report is not None
    assert finished.report.activity == answer.activity
    assert finished.report.result.status == "Succeeded"
    assert finished.report.result.installed == len(
        [patch for patch in finished.report.patches if patch.state == "Installed"]
    )
    assert finished.report.result.error_code == ""
    assert all(
        patch.kb_id.startswith("KB") == (os == "Windows") for patch in finished.report.patches
    )
    (installation,) = on.installations()
    assert installation["activity_id"] == answer.activity
    assert installation["client_request_id"] == ATTEMPT


async def test_the_location_alone_is_enough_to_follow(stage):
    on = await stage(a_machine())
    answer = await on.taken()
    tracker = type(answer.tracker)(status_url="", location_url=answer.tracker.location_url)
    assert await on.arm.poll(tracker) == Running()
    on.clock.wait(ENDED)
    finished = await on.arm.poll(tracker)
    assert isinstance(finished, Finished)
    assert finished.report is not None
    assert finished.report.activity == answer.activity


async def test_a_look_shows_power_agent_and_the_newest_installation(stage):
    on = await stage(a_machine(os="Windows", region="northeurope"))
    before = await on.seen()
    assert (before.os, before.region, before.power) == ("Windows", "northeurope", "running")
    assert before.agent_ready
    assert before.last is None
    assert abs(before.skew) < timedelta(seconds=1)
    answer = await on.taken()
    on.clock.wait(60)
    during = await on.seen()
    assert during.last is not None
    assert during.last.activity == answer.activity
    assert during.last.result.status == "InProgress"
    assert during.last.started_at is not None
    assert abs(during.last.started_at - on.clock.now()) < timedelta(minutes=2)
    on.clock.wait(ENDED)
    after = await on.seen()
    assert after.last is not None
    assert after.last.result.status == "Succeeded"
    assert after.last.result.reboot is None


async def test_all_machines_are_listed_page_by_page(stage):
    machines = [a_machine(f"VM-{number}", tags={"Ring": "canary"}) for number in range(7)]
    on = await stage(*machines, mood=Mood(page_size=3))
    for group in (None, "rg-web"):
        found = await on.arm.list_machines(SUBSCRIPTION, group)
        assert {machine.vm_id for machine in found} == {vm_id(m.vm_id) for m in machines}
        assert {machine.resource_group for machine in found} == {"rg-web"}
        assert all(machine.tags == {"Ring": "canary"} for machine in found)
    assert on.observer.answered == [("list", "200")] * 6


# -------------------------------------------------------------------- what a poll may come back as


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (PollFault.NOT_FOUND, Untrackable),
        (PollFault.FORBIDDEN, Untrackable),
        (PollFault.THROTTLED, Throttled),
        (PollFault.EXPIRED, Unreadable),
        (PollFault.CLAIMS_CHALLENGE, Unreadable),
        (PollFault.ERROR_500, Unreadable),
        (PollFault.ERROR_502, Unreadable),
        (PollFault.ERROR_503, Unreadable),
        (PollFault.ERROR_504, Unreadable),
        (PollFault.HTML, Unreadable),
        (PollFault.BROKEN_JSON, Unreadable),
        (PollFault.EMPTY, Unreadable),
        (PollFault.CUT, Unreadable),
        (PollFault.WRONG_TYPE, Running),
        (PollFault.ODD_WORD, Running),
        (PollFault.FINE, Running),
    ],
)
async def test_no_trouble_of_a_poll_ends_the_operation(stage, fault, kind):
    on = await stage(behaving(every_poll=fault))
    answer = await on.taken()
    assert isinstance(await on.arm.poll(answer.tracker), kind)


async def test_a_result_outlives_the_troubles_before_it(stage):
    faults = (PollFault.ERROR_503, PollFault.BROKEN_JSON, PollFault.HTML)
    on = await stage(behaving(polls=faults))
    answer = await on.taken()
    on.clock.wait(ENDED)
    kinds = [type(await on.arm.poll(answer.tracker)) for _ in range(4)]
    assert kinds == [Unreadable, Unreadable, Unreadable, Finished]


async def test_a_deleted_machine_is_gone_and_its_operation_collapsed(stage):
    on = await stage(behaving(mishap=Mishap.DELETED))
    answer = await on.taken()
    on.clock.wait(ENDED)
    assert isinstance(await on.look(), Gone)
    assert isinstance(await on.arm.poll(answer.tracker), Collapsed | Untrackable)


async def test_a_forgotten_operation_is_untrackable_while_the_view_still_knows(stage):
    on = await stage(behaving(forgets=timedelta(0)))
    answer = await on.taken()
    on.clock.wait(ENDED)
    assert isinstance(await on.arm.poll(answer.tracker), Untrackable)
    seen = await on.seen()
    assert seen.last is not None
    assert seen.last.activity == answer.activity
