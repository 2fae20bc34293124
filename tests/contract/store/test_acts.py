"""What any store owes about people's acts: insert-only, in order, once."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from orchestrator.domain.model import RunId, Share, VmId
from orchestrator.domain.record import Act, ActKind, Resolution
from tests.contract.store.kit import NOW, a_run

RUN = RunId("run-1")


def an_act(act_id: str, **fields) -> Act:
    return Act(
        **{
            "id": act_id,
            "run_id": RUN,
            "kind": ActKind.HALT,
            "actor": "ada",
            "because": "enough",
            "at": NOW,
            **fields,
        }
    )


async def test_an_act_is_read_as_it_was_asked(store):
    await store.open_run(a_run(), [], [], [], None)
    act = an_act(
        "a-1",
        kind=ActKind.RESOLVE,
        vms=(VmId("vm-1"), VmId("/subscriptions/x")),
        wave="canary",
        code="no_trace",
        resolution=Resolution.NOT_STARTED,
        max_parallel=Share(percent=12.5),
    )
    await store.ask(act)
    assert (await store.heed(RUN)).acts == (act,)


async def test_acts_wait_oldest_first(store):
    await store.open_run(a_run(), [], [], [], None)
    newer, older = an_act("a-1", at=NOW + timedelta(seconds=1)), an_act("a-2")
    for act in (newer, older):
        await store.ask(act)
    assert (await store.heed(RUN)).acts == (older, newer)
    assert (await store.heed(RunId("run-2"))).acts == ()


async def test_the_same_id_twice_is_one_act_and_one_line(store):
    await store.open_run(a_run(), [], [], [], None)
    await asyncio.gather(*(store.ask(an_act("a-1")) for _ in range(5)))
    await store.ask(replace(an_act("a-1"), because="something else"))
    assert (await store.heed(RUN)).acts == (an_act("a-1"),)
    asked = await store.rows("v_events", event="act.asked")
    assert [(row["actor"], row["why"]) for row in asked] == [("ada", "enough")]
