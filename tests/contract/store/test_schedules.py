"""What any store owes about schedules: a nominal time fires once, whoever asks."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from orchestrator.domain.record import Fire, FireResult, Rest
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
            **AWAKE,
        },
        {"plan": "never", "next_fire": None, "last_fire": None, "last_result": None, **AWAKE},
    ]


AWAKE = dict.fromkeys(
    ("disabled_at", "disabled_until", "disabled_by", "disabled_because", "queued_fire")
)


async def test_a_disabled_schedule_shows_who_disabled_it_until_when_and_why(store):
    await store.see_schedule("monthly", RULE, LATER, NOW)
    rest = Rest(plan="monthly", at=NOW, until=LATER, actor="ada", because="Christmas")
    await store.disable_schedule(rest)
    assert (await store.schedule_state("monthly")).rest == rest
    assert (await store.schedule_state("weekly")).rest is None
    (row,) = await store.rows("v_schedules")
    assert (row["disabled_by"], row["disabled_because"]) == ("ada", "Christmas")
    assert row["disabled_until"] == "2026-11-22T19:00:00.123456Z"
    assert await store.enable_schedule(rest)
    assert not await store.enable_schedule(rest)
    (row,) = await store.rows("v_schedules")
    assert AWAKE.items() <= row.items()
    lines = [row["event"] for row in await store.rows("v_events", actor="ada")]
    assert lines == ["schedule.disabled", "schedule.enabled"]


async def test_a_newer_word_about_a_schedule_replaces_an_older(store):
    rest = Rest(plan="monthly", at=NOW, until=LATER, actor="ada", because="Christmas")
    await store.disable_schedule(rest)
    await store.disable_schedule(replace(rest, until=None, actor="eve"))
    assert (await store.schedule_state("monthly")).rest == replace(rest, until=None, actor="eve")


async def test_one_fire_of_a_plan_waits_until_it_is_decided(store):
    await store.see_schedule("monthly", RULE, LATER, NOW)
    answers = await asyncio.gather(*(store.queue_fire(a_fire()) for _ in range(5)))
    assert answers.count(True) == 1
    assert not await store.queue_fire(a_fire("2026-12-22T22:00"))
    assert await store.queue_fire(a_fire(plan="weekly"))
    queued = (await store.schedule_state("monthly")).queued
    assert queued is not None
    assert (queued.local, queued.result) == ("2026-11-22T22:00", FireResult.QUEUED)
    (row,) = await store.rows("v_schedules", plan="monthly")
    assert row["queued_fire"] == "2026-11-22T22:00"
    assert await store.fire(a_fire(result=FireResult.OPENED))
    assert (await store.schedule_state("monthly")).queued is None
    assert not await store.queue_fire(a_fire())
    assert (await store.schedule_state("weekly")).queued is not None


async def test_a_fire_is_a_line_of_the_systems_own_chain(store):
    await store.fire(a_fire())
    (row,) = await store.rows("v_events")
    assert (row["run_id"], row["event"], row["why"]) == (None, "fire.missed", "the daemon slept")
    assert await store.verify_chain("") is None
