"""Schedules in a daemon's life: fired once, missed with a row, tried again while Azure will not
list."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from orchestrator.domain.model import Freeze, Hours, Window
from orchestrator.domain.record import Fire, FireResult, Rest
from orchestrator.domain.schedule import Cron, Missed, MissedPolicy, Schedule
from orchestrator.engine.timetable import Entry, Timetable
from orchestrator.ports import InventoryError
from tests.kit.stage import a_ring, machines, staged

NIGHTLY = Schedule(rule=Cron(expression="0 2 * * *"), timezone="Europe/Berlin")
EVENING = datetime(2026, 1, 10, 20, 0, tzinfo=UTC)


class Opener:
    """Opens runs as the daemon would, or does not."""

    def __init__(self, on) -> None:
        self.on = on
        self.opened: list[str] = []
        self.trouble: Exception | None = None
        self.result: FireResult | None = None

    async def __call__(self, fire: Fire) -> Fire | None:
        if self.trouble is not None:
            raise self.trouble
        if self.result is not None:
            return replace(fire, result=self.result, reason="a reason")
        self.opened.append(fire.local)
        await self.on.store.fire(fire)
        return None


@pytest.fixture
async def night(any_database_url):
    async with staged(any_database_url, machines("w", 1)) as on:
        on.clock.turn_to(EVENING)
        yield on


def a_timetable(on, opener, schedule=NIGHTLY, first_wave=None):
    entry = Entry(plan="nightly", schedule=schedule, open=opener, first_wave=first_wave)
    return Timetable(store=on.store, clock=on.clock, observer=on.witness, entries=[entry])


async def at(on, hour, timetable, day=11):
    on.clock.turn_to(datetime(2026, 1, day, hour, 0, 5, tzinfo=UTC))
    await timetable.check()


async def test_a_schedule_fires_once_at_its_time(night):
    opener = Opener(night)
    timetable = a_timetable(night, opener)
    await timetable.check()
    assert opener.opened == []
    assert timetable.next_fires == {"nightly": datetime(2026, 1, 11, 1, 0, tzinfo=UTC)}
    for _ in range(3):
        await at(night, 1, timetable)
    assert opener.opened == ["2026-01-11T02:00"]


async def test_a_bug_in_one_schedule_is_told_and_ends_neither_the_others_nor_the_daemon(night):
    broken, sound = Opener(night), Opener(night)
    broken.trouble = ZeroDivisionError("a bug")
    timetable = a_timetable(night, sound)
    flawed = Entry(plan="flawed", schedule=NIGHTLY, open=broken)
    timetable._entries = (flawed, *timetable._entries)
    await timetable.check()
    await at(night, 1, timetable)
    assert sound.opened == ["2026-01-11T02:00"]
    ((where, error),) = night.witness.crashes
    assert (where, type(error)) == ("schedule of plan flawed", ZeroDivisionError)


async def test_of_two_daemons_one_fires(night):
    opener = Opener(night)
    one, two = a_timetable(night, opener), a_timetable(night, opener)
    await one.check()
    await at(night, 1, one)
    await at(night, 1, two)
    assert opener.opened == ["2026-01-11T02:00"]


async def test_a_fire_later_than_its_grace_is_written_down_as_missed(night):
    opener = Opener(night)
    timetable = a_timetable(night, opener)
    await timetable.check()
    await at(night, 5, timetable)
    assert opener.opened == []
    (row,) = await night.store.rows("v_schedules")
    assert row["last_result"] == "missed"


async def test_run_late_opens_one_run_and_never_a_burst(night):
    opener = Opener(night)
    late = replace(NIGHTLY, missed=Missed(policy=MissedPolicy.RUN_LATE))
    timetable = a_timetable(night, opener, late)
    await timetable.check()
    await at(night, 9, timetable, day=15)
    assert opener.opened == ["2026-01-15T02:00"]


async def test_while_azure_will_not_list_the_fire_is_tried_again_within_its_grace(night):
    opener = Opener(night)
    opener.trouble = InventoryError("Azure does not answer")
    timetable = a_timetable(night, opener)
    await timetable.check()
    await at(night, 1, timetable)
    assert night.witness.troubles[-1] == ("schedule of plan nightly", "Azure does not answer")
    opener.trouble = None
    night.clock.turn_to(night.clock.now() + timedelta(minutes=10))
    await timetable.check()
    assert opener.opened == ["2026-01-11T02:00"]


async def test_a_fire_from_before_the_plan_was_known_never_was(night):
    opener = Opener(night)
    night.clock.turn_to(datetime(2026, 1, 11, 1, 10, tzinfo=UTC))
    await a_timetable(night, opener).check()
    assert opener.opened == []


async def test_an_edited_schedule_has_no_past(night):
    opener = Opener(night)
    late = replace(NIGHTLY, missed=Missed(policy=MissedPolicy.RUN_LATE))
    weekly = replace(late, rule=Cron(expression="0 2 * * 1"))
    await a_timetable(night, opener, weekly).check()
    night.clock.turn_to(datetime(2026, 1, 11, 9, 0, tzinfo=UTC))
    await a_timetable(night, opener, late).check()  # last night's 02:00 never was
    assert opener.opened == []
    await at(night, 1, a_timetable(night, opener, late), day=12)
    assert opener.opened == ["2026-01-12T02:00"]


@pytest.mark.parametrize(
    ("result", "troubles"), [(FireResult.SKIPPED, False), (FireResult.EMPTY, True)]
)
async def test_a_fire_that_was_skipped_is_a_notice_and_no_trouble(night, result, troubles):
    opener = Opener(night)
    opener.result = result
    one, two = a_timetable(night, opener), a_timetable(night, opener)
    await one.check()
    for timetable in (one, two):
        await at(night, 1, timetable)
    told = [("schedule of plan nightly", "a reason")] if troubles else []
    assert night.witness.troubles == told
    facts = [(fact.event, fact.why.text, fact.detail["plan"]) for fact in night.witness.facts]
    assert facts == ([] if troubles else [("fire.skipped", "a reason", "nightly")])
    (line,) = await night.store.rows("v_events")
    assert (line["event"], line["why"]) == (f"fire.{result}", "a reason")


# ------------------------------------------------------------------------------ run late


LATE = replace(NIGHTLY, missed=Missed(policy=MissedPolicy.RUN_LATE))
AT_NIGHT = a_ring(
    "w", hours=Hours(windows=(Window(start=time(2), length=timedelta(hours=4)),), timezone="UTC")
)


@pytest.mark.parametrize(("hour", "opened"), [(3, True), (4, True), (5, False), (9, False)])
async def test_run_late_opens_only_while_a_window_has_room(night, hour, opened):
    """The window closes at 06:00 UTC, and a VM may need 90 minutes."""
    opener = Opener(night)
    timetable = a_timetable(night, opener, LATE, AT_NIGHT)
    await timetable.check()
    await at(night, hour, timetable)
    assert (opener.opened == ["2026-01-11T02:00"]) is opened
    if not opened:
        (row,) = await night.store.rows("v_schedules")
        assert row["last_result"] == "missed"
        assert "too late to run: the window" in night.witness.troubles[-1][1]


async def test_run_late_opens_nothing_in_a_freeze(night):
    opener = Opener(night)
    timetable = a_timetable(night, opener, LATE, AT_NIGHT)
    await timetable.check()
    freeze = Freeze(name="f", begins=EVENING, ends=EVENING + timedelta(days=2))
    await night.store.replace_freezes("a.yaml", [freeze], EVENING, "daemon")
    await at(night, 3, timetable)
    assert opener.opened == []


async def test_a_fire_within_its_grace_opens_although_no_window_is_open_yet(night):
    opener = Opener(night)
    timetable = a_timetable(night, opener, LATE, AT_NIGHT)
    await timetable.check()
    await at(night, 1, timetable)
    assert opener.opened == ["2026-01-11T02:00"]


# ------------------------------------------------------------------------------ disabled


def a_rest(until=None):
    return Rest(plan="nightly", at=EVENING, until=until, actor="ann", because="Christmas")


async def test_the_fires_of_a_disabled_schedule_are_skipped_with_who_and_why(night):
    opener = Opener(night)
    timetable = a_timetable(night, opener)
    await timetable.check()
    await night.store.disable_schedule(a_rest())
    await at(night, 1, timetable)
    assert opener.opened == []
    (line,) = await night.store.rows("v_events", event="fire.skipped")
    assert line["why"] == "the schedule was disabled by ann: Christmas"
    await night.store.enable_schedule(a_rest())
    await at(night, 2, timetable)
    assert opener.opened == []  # what was skipped is not made up for
    await at(night, 1, timetable, day=12)
    assert opener.opened == ["2026-01-12T02:00"]


async def test_a_schedule_disabled_until_then_fires_after_it(night):
    opener = Opener(night)
    timetable = a_timetable(night, opener)
    await timetable.check()
    await night.store.disable_schedule(a_rest(until=datetime(2026, 1, 12, tzinfo=UTC)))
    await at(night, 1, timetable)
    assert opener.opened == []
    await at(night, 1, timetable, day=12)
    assert opener.opened == ["2026-01-12T02:00"]


# ------------------------------------------------------------------------------ queued


async def results(on):
    return [str(line["event"]) for line in await on.store.rows("v_events")]


async def test_a_fire_that_queues_opens_once_the_earlier_run_has_ended(night):
    opener = Opener(night)
    timetable = a_timetable(night, opener)
    await timetable.check()
    opener.result = FireResult.QUEUED
    await at(night, 1, timetable)
    await at(night, 5, timetable)  # long after its grace
    assert await results(night) == ["fire.queued"]
    opener.result = None
    await at(night, 7, timetable)
    await at(night, 8, timetable)
    assert opener.opened == ["2026-01-11T02:00"]
    assert await results(night) == ["fire.queued", "fire.opened"]


async def test_only_one_fire_waits_the_next_is_skipped(night):
    opener = Opener(night)
    timetable = a_timetable(night, opener)
    await timetable.check()
    opener.result = FireResult.QUEUED
    await at(night, 1, timetable)
    await at(night, 1, timetable, day=12)
    await at(night, 2, timetable, day=12)
    assert await results(night) == ["fire.queued", "fire.skipped"]
    (row,) = await night.store.rows("v_schedules")
    assert row["queued_fire"] == "2026-01-11T02:00"


async def test_a_fire_that_waits_is_opened_by_one_daemon(night):
    opener = Opener(night)
    one, two = a_timetable(night, opener), a_timetable(night, opener)
    await one.check()
    opener.result = FireResult.QUEUED
    for timetable in (one, two):
        await at(night, 1, timetable)
    opener.result = None
    for timetable in (one, two):
        await at(night, 3, timetable)
    assert opener.opened == ["2026-01-11T02:00"]
    assert await results(night) == ["fire.queued", "fire.opened"]


async def test_a_fire_that_waits_is_skipped_when_its_schedule_is_disabled(night):
    opener = Opener(night)
    timetable = a_timetable(night, opener)
    await timetable.check()
    opener.result = FireResult.QUEUED
    await at(night, 1, timetable)
    await night.store.disable_schedule(a_rest())
    await at(night, 3, timetable)
    assert await results(night) == ["fire.queued", "schedule.disabled", "fire.skipped"]


# ------------------------------------------------------------------------------ clocks


async def test_a_clock_that_jumps_back_an_hour_fires_nothing_twice(night):
    """The wall clock of a machine may be set back by hand: the key has fired."""
    opener = Opener(night)
    timetable = a_timetable(night, opener)
    await timetable.check()
    await at(night, 1, timetable)
    night.clock._now -= timedelta(hours=1)
    await timetable.check()
    await at(night, 1, timetable)
    assert opener.opened == ["2026-01-11T02:00"]


async def test_a_month_ahead_is_slept_in_short_pieces(night):
    """A timer of a year overflows, and a clock jumps while it runs."""
    opener = Opener(night)
    yearly = replace(NIGHTLY, rule=Cron(expression="0 2 29 2 *"))
    timetable = a_timetable(night, opener, yearly)
    await timetable.check()
    assert timetable._seconds_to_sleep() == 30
