"""What is ahead, on values: fires, freezes and clock changes, and where they meet."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from orchestrator.domain.almanac import Kind, Scheduled, almanac
from orchestrator.domain.model import Freeze, Hours, PlanSpec, Selection, WaveSpec, Window
from orchestrator.domain.schedule import Cron, Schedule

BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=90)


def day(month: int, number: int, hour: int = 0) -> datetime:
    return datetime(2026, month, number, hour, tzinfo=UTC)


def a_plan(expression: str, *, hours: Hours | None = None, bake: int = 0, **given) -> Scheduled:
    wave = WaveSpec(
        name="w",
        select=Selection(tags=(("a", ("b",)),)),
        hours=hours or Hours(),
        bake=timedelta(days=bake),
    )
    schedule = Schedule(rule=Cron(expression=expression), timezone="Europe/Berlin")
    spec = PlanSpec(name="p", waves=(wave,), **given)
    return Scheduled(spec=spec, schedule=schedule, queues=False)


def fires(plan: Scheduled, *freezes: Freeze, end: datetime = END) -> list:
    return [e for e in almanac([plan], freezes, BEGIN, end) if e.kind is Kind.FIRE]


def test_fires_stand_in_their_order_and_a_plain_one_warns_of_nothing():
    found = fires(a_plan("0 22 * * SAT#2"))
    assert [entry.at for entry in found] == [day(10, 10, 20), day(11, 14, 21), day(12, 12, 21)]
    assert [(entry.text, entry.warns) for entry in found] == [("fires", False)] * 3


def test_the_clock_change_between_two_fires_is_in_it():
    (change,) = [
        e for e in almanac([a_plan("0 22 * * *")], [], BEGIN, END) if e.kind is Kind.CLOCKS
    ]
    assert change.at == day(10, 25, 1)
    assert change.text == "clocks in Europe/Berlin go from 03:00 to 02:00"


def test_a_zone_without_clock_changes_has_none():
    plan = a_plan("0 22 * * *")
    there = replace(plan, schedule=replace(plan.schedule, timezone="Asia/Kolkata"))
    assert not [e for e in almanac([there], [], BEGIN, END) if e.kind is Kind.CLOCKS]


def test_a_fire_in_a_freeze_says_when_its_first_vm_may_start():
    freeze = Freeze(name="Black Week", begins=day(11, 10), ends=day(11, 20))
    entries = almanac([a_plan("0 22 14 11 *")], [freeze], BEGIN, END)
    assert [(e.kind, e.warns) for e in entries if e.kind is not Kind.CLOCKS] == [
        (Kind.FREEZE, False),
        (Kind.FIRE, True),
    ]
    assert "the first VM may start at 2026-11-20 00:00Z: the freeze Black Week" in entries[-1].text


def test_a_freeze_that_swallows_the_deadline_leaves_no_start():
    freeze = Freeze(name="long", begins=day(11, 1), ends=day(12, 30))
    (fire,) = fires(a_plan("0 22 14 11 *", deadline=timedelta(days=7)), freeze)
    assert (fire.warns, "no VM may start before its deadline" in fire.text) == (True, True)


def test_a_fire_outside_its_window_says_when_that_opens():
    window = Window(start=time(1), length=timedelta(hours=6), days=(6,))
    hours = Hours(windows=(window,), timezone="Europe/Berlin")
    (fire,) = fires(a_plan("0 22 14 11 *", hours=hours))
    assert (fire.warns, "the first VM may start at 2026-11-15 00:00Z" in fire.text) == (True, True)


def test_a_fire_that_meets_the_bake_of_the_run_before_is_skipped_or_queues():
    plan = a_plan("0 22 * * SAT", bake=10)
    found = fires(plan, end=day(10, 20))
    assert [entry.warns for entry in found] == [False, True, False]
    assert "skipped: the run before it bakes until 2026-10-13 20:00Z" in found[1].text
    queueing = replace(plan, queues=True)
    assert "queues: the run before it" in fires(queueing, end=day(10, 20))[1].text


def test_a_freeze_that_holds_already_is_told():
    freeze = Freeze(name="now", begins=BEGIN - timedelta(days=5), ends=BEGIN + timedelta(days=5))
    (entry,) = almanac([], [freeze], BEGIN, END)
    assert (entry.at, "until 2026-10-06 00:00Z" in entry.text) == (BEGIN, True)
