"""What any store owes about schedules: a nominal time fires once, whoever asks."""

import asyncio
from datetime import timedelta

from orchestrator.domain.record import Fire, FireResult
from tests.contract.store.kit import LATER, NOW

RULE = "a rule"


def a_fire(local="2026-11-22T22:00", **fields):
    given = {
        "plan": "monthly",
        "at": NOW,
        "result": FireResult.MISSED,
        "reason": "the daemon slept",
    }
    return Fire(**{**given, "local": local, **fields})


async def test_of_many_who_fire_one_does(store):
    answers = await asyncio.gather(*(store.fire(a_fire()) for _ in range(10)))
    assert answers.count(True) == 1
    assert await store.fire(a_fire(plan="weekly"))
    assert not await store.fire(a_fire(result=FireResult.SKIPPED, at=LATER))


async def test_fires_are_named_newest_first_and_at_most_a_hundred(store):
    for n in range(105):
        await store.fire(a_fire(f"local-{n:03}", at=NOW + timedelta(days=n)))
    found = await store.fired("monthly")
    assert found[:2] == ["local-104", "local-103"]
    assert len(found) == 100
    assert await store.fired("weekly") == []


async def test_a_schedule_is_first_seen_once(store):
    assert await store.see_schedule("monthly", RULE, LATER, NOW) == NOW
    assert await store.see_schedule("monthly", RULE, None, LATER) == NOW
    assert await store.see_schedule("monthly", "another rule", None, LATER) == LATER
    assert await store.see_schedule("weekly", RULE, None, LATER) == LATER


async def test_a_schedule_shows_its_next_fire_and_what_came_of_the_last(store):
    await store.see_schedule("monthly", RULE, NOW, NOW)
    await store.see_schedule("monthly", RULE, LATER, NOW)
    await store.see_schedule("never", RULE, None, NOW)
    await store.fire(a_fire("a", at=NOW, result=FireResult.SKIPPED))
    await store.fire(a_fire("b", at=LATER))
    assert await store.rows("v_schedules") == [
        {
            "plan": "monthly",
            "next_fire": "2026-11-22T19:00:00.123456Z",
            "last_fire": "2026-11-22T19:00:00.123456Z",
            "last_result": "missed",
        },
        {"plan": "never", "next_fire": None, "last_fire": None, "last_result": None},
    ]


async def test_a_fire_is_a_line_of_the_systems_own_chain(store):
    await store.fire(a_fire())
    (row,) = await store.rows("v_events")
    assert (row["run_id"], row["event"], row["why"]) == (None, "fire.missed", "the daemon slept")
    assert await store.verify_chain("") is None
