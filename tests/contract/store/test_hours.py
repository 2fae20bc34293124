"""What any store owes about time: no intent outside its window, without room, or in a freeze."""

import asyncio
from dataclasses import replace
from datetime import time, timedelta

import pytest

from orchestrator.domain.model import Freeze, Hours, Window
from orchestrator.domain.operation import Began
from orchestrator.domain.record import Act, ActKind
from orchestrator.ports import Refused, Saved
from tests.contract.store.kit import (
    LATER,
    NOW,
    TTL,
    a_fact,
    a_run,
    a_vm,
    a_wave,
    an_intent,
    an_operation,
    moved,
)

HOUR = timedelta(hours=1)
# NOW is 18:00 UTC and a little. From 17:00 on, four hours in Berlin (18:00 to 22:00 there).
EVENING = Hours(
    windows=(Window(start=time(18), length=4 * HOUR),),
    timezone="Europe/Berlin",
    reserve=timedelta(minutes=15),
)
CLOSES = NOW.replace(hour=21, minute=0, second=0, microsecond=0)
LAST = CLOSES - timedelta(minutes=105)
"""The last start with room for 90 minutes and 15 for the reboot."""


async def prepared(store, hours=EVENING, approved_by=None, name="vm-1"):
    """Open a run with a windowed wave and one VM about to be sent."""
    run = a_run(approved_by=approved_by)
    wave = a_wave()
    wave = replace(wave, spec=replace(wave.spec, hours=hours))
    op = an_operation("run-1", name)
    assert await store.open_run(run, [wave], [op], [], None) == Saved()
    lease = await store.claim(run.id, "daemon-a", TTL)
    assert lease is not None
    return lease, await moved(store, lease, op, Began(NOW))


@pytest.mark.parametrize(
    "at",
    [CLOSES - 4 * HOUR - timedelta(seconds=1), LAST + timedelta(seconds=1), CLOSES, CLOSES + HOUR],
    ids=["before", "without room", "at its end", "after"],
)
async def test_no_intent_outside_its_window_or_without_room_in_it(store, at):
    lease, op = await prepared(store)
    answer = await store.intend(lease, an_intent(op, at))
    assert isinstance(answer, Refused)
    assert answer.code == "window"
    assert await store.rows("v_attempts") == []


@pytest.mark.parametrize("at", [CLOSES - 4 * HOUR, NOW, LAST], ids=["opening", "amid", "cut-off"])
async def test_an_intent_in_its_window_is_saved(store, at):
    lease, op = await prepared(store)
    assert await store.intend(lease, an_intent(op, at)) == Saved()


async def test_the_windows_of_a_run_are_those_it_was_opened_with(store):
    lease, op = await prepared(store)
    loaded = await store.load(op.run_id)
    assert loaded.waves[0].spec.hours == EVENING
    assert isinstance(await store.intend(lease, an_intent(op, CLOSES)), Refused)


BLACK_WEEK = Freeze(name="Black Week", begins=NOW - HOUR, ends=NOW + HOUR)


@pytest.mark.parametrize(
    ("at", "refused"),
    [(NOW - HOUR, True), (NOW, True), (NOW - HOUR - timedelta(seconds=1), False), (LATER, False)],
    ids=["first", "amid", "before", "after"],
)
async def test_no_intent_in_a_freeze_of_an_open_run_either(store, at, refused):
    lease, op = await prepared(store, Hours())
    assert await store.replace_freezes("a.yaml", [BLACK_WEEK], NOW, "daemon-a")
    answer = await store.intend(lease, an_intent(op, at))
    assert isinstance(answer, Refused) is refused
    if isinstance(answer, Refused):
        assert answer.code == "freeze"
        assert answer.reason.startswith("the freeze Black Week lasts until 2026-11-22 19:00Z")


async def test_an_approved_emergency_overrides_a_freeze_and_no_window(store):
    lease, op = await prepared(store, approved_by="the CISO")
    await store.replace_freezes("a.yaml", [BLACK_WEEK], NOW, "daemon-a")
    late = await store.intend(lease, an_intent(op, CLOSES))
    assert isinstance(late, Refused)
    assert late.code == "window"
    assert await store.intend(lease, an_intent(op, NOW)) == Saved()
    assert (await store.load(op.run_id)).run.approved_by == "the CISO"


async def test_each_configuration_replaces_its_own_freezes_and_no_other_s(store):
    other = Freeze(name="Year end", begins=LATER, ends=LATER + HOUR)
    assert await store.replace_freezes("a.yaml", [BLACK_WEEK], NOW, "daemon-a")
    assert await store.replace_freezes("b.yaml", [other], NOW, "daemon-b")
    assert await store.freezes() == (BLACK_WEEK, other)
    assert not await store.replace_freezes("a.yaml", [BLACK_WEEK], LATER, "daemon-b")
    assert await store.replace_freezes("a.yaml", [], LATER, "daemon-a")
    assert await store.freezes() == (other,)
    (row,) = await store.rows("v_freezes")
    assert (row["name"], row["source"]) == ("Year end", "b.yaml")
    lines = await store.rows("v_events", event="freezes.replaced")
    assert [line["actor"] for line in lines] == ["daemon-a", "daemon-b", "daemon-a"]


async def test_a_freeze_that_comes_at_the_same_instant_as_an_intent_is_before_or_after_it(store):
    """Whichever is first: an intent that is saved was there before the freeze."""
    lease, op = await prepared(store, Hours())
    answer, frozen = await asyncio.gather(
        store.intend(lease, an_intent(op)),
        store.replace_freezes("a.yaml", [BLACK_WEEK], NOW, "daemon-a"),
    )
    assert frozen
    assert isinstance(answer, Saved | Refused)
    again = await store.intend(lease, an_intent(op))
    assert not isinstance(again, Saved) or isinstance(answer, Saved)


async def test_a_driver_heeds_the_freezes(store):
    await prepared(store)
    await store.replace_freezes("a.yaml", [BLACK_WEEK], NOW, "daemon-a")
    assert (await store.heed(a_run().id)).freezes == (BLACK_WEEK,)


async def test_what_a_new_run_asks_of_others_is_written_with_it_or_not_at_all(store):
    lease, _ = await prepared(store)
    act = Act(
        id="act-1",
        run_id=lease.run_id,
        kind=ActKind.HAND_OVER,
        actor="ada",
        because="taken over by the emergency run run-2",
        at=NOW,
        vms=(a_vm("vm-1"),),
    )
    same_plan = a_run("run-2", approved_by="the CISO")
    assert isinstance(await store.open_run(same_plan, [], [], [], None, [act]), Refused)
    assert (await store.heed(lease.run_id)).acts == ()
    urgent = a_run("run-2", "zero-day", approved_by="the CISO")
    facts = [a_fact("run.opened")]
    assert await store.open_run(urgent, [], [], facts, None, [act]) == Saved()
    assert (await store.heed(lease.run_id)).acts == (act,)
