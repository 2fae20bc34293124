"""The one restart as the Arm port asks for it: the same claims in memory and over real sockets."""

import asyncio
from datetime import timedelta

import pytest

from orchestrator.domain.answer import (
    Collapsed,
    Conflicted,
    Finished,
    InDoubt,
    NotSent,
    Rejected,
    Running,
    Taken,
    Throttled,
    Unauthenticated,
)
from orchestrator.domain.model import AttemptId, vm_id
from orchestrator.ports import RestartOrder
from orchestrator.simulator.tempers import PostFault, Reboot
from tests.contract.arm.stages import ENDED, a_machine, behaving

ATTEMPT = AttemptId("00000000-0000-4000-8000-00000000cafe")


async def restarted(on, *, late=False):
    """Ask for a restart of the first machine, within five seconds or too late."""
    order = RestartOrder(
        vm_id=vm_id(on.machines[0].vm_id),
        attempt=ATTEMPT,
        send_by=on.clock.monotonic() + (-1 if late else 5),
        timeout=timedelta(seconds=30),
    )
    return await on.arm.restart(order)


def asked(on):
    """How many restarts reached Azure, whatever became of them."""
    return sum(on.ledger()["requests"].get("POST restart", {}).values())


async def test_a_restart_is_taken_once_with_its_id_and_followed_to_its_end(stage):
    on = await stage(a_machine())
    answer = await restarted(on)
    assert isinstance(answer, Taken)
    (made,) = on.ledger()["restarts"]
    assert (made["client_request_id"], asked(on)) == (ATTEMPT, 1)
    assert await on.arm.poll(answer.tracker) == Running()
    assert not (await on.seen()).agent_ready
    on.clock.wait(ENDED)
    assert await on.arm.poll(answer.tracker) == Finished(report=None)
    assert (await on.seen()).agent_ready


async def test_a_restart_that_fails_says_so_at_its_operation(stage):
    on = await stage(behaving(reboot=Reboot.FAILS))
    answer = await restarted(on)
    assert isinstance(answer, Taken)
    on.clock.wait(ENDED)
    ended = await on.arm.poll(answer.tracker)
    assert isinstance(ended, Collapsed)
    assert (ended.status, ended.code) == ("Failed", "InternalExecutionError")


@pytest.mark.parametrize(
    ("fault", "kind", "made"),
    [
        (PostFault.THROTTLED, Throttled, 0),
        (PostFault.EXPIRED, Unauthenticated, 0),
        (PostFault.FORBIDDEN, Rejected, 0),
        (PostFault.LOCKED, Conflicted, 0),
        (PostFault.ERROR_503, InDoubt, 0),
        (PostFault.PROXY_PAGE, InDoubt, 0),
        (PostFault.TAKEN_503, InDoubt, 1),
        (PostFault.TAKEN_CUT, InDoubt, 1),
        (PostFault.TAKEN_BARE, InDoubt, 1),
        (PostFault.TAKEN_FOREIGN_URL, InDoubt, 1),
    ],
)
async def test_whatever_the_answer_a_restart_is_sent_once(stage, fault, kind, made):
    on = await stage(behaving(restarts=(fault,)))
    answer = await restarted(on)
    assert isinstance(answer, kind), answer
    assert (asked(on), len(on.ledger()["restarts"])) == (1, made)


async def test_no_restart_leaves_after_its_time(stage):
    on = await stage(a_machine())
    answer = await restarted(on, late=True)
    assert isinstance(answer, NotSent)
    assert answer.abandoned
    assert asked(on) == 0


async def test_a_second_restart_while_the_first_goes_on_is_refused_by_azure(stage):
    on = await stage(a_machine())
    assert isinstance(await restarted(on), Taken)
    assert isinstance(await restarted(on), Conflicted)
    assert len(on.ledger()["restarts"]) == 1


async def test_a_caller_that_is_cancelled_gets_the_answer_all_the_same(stage):
    on = await stage(a_machine())
    asking = asyncio.create_task(restarted(on))
    await asyncio.wait({asking}, timeout=0)
    asking.cancel()
    assert isinstance(await asking, Taken)
