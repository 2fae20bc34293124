"""When plans fire: the wall clock, its gaps and folds, patch Tuesday, and late fires."""

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.domain.schedule import (
    MOST_MISSED,
    Cron,
    Decision,
    Missed,
    MissedPolicy,
    PatchTuesday,
    Schedule,
    ScheduleError,
    due,
    either_day,
    every_minute,
    fires,
    fires_back,
)

RUN_LATE = Missed(policy=MissedPolicy.RUN_LATE)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cron(expression: str, zone: str = "UTC", offset: timedelta = timedelta(0)) -> Schedule:
    return Schedule(rule=Cron(expression=expression), timezone=zone, offset=offset)


def next_of(schedule: Schedule, after: str, count: int = 3) -> list[tuple[str, str]]:
    """The next fires as (key, UTC minute)."""
    found = islice(fires(schedule, utc(after)), count)
    return [(fire.local, fire.at.strftime("%m-%dT%H:%M")) for fire in found]


GAPS_AND_FOLDS = [
    # Berlin goes from 02:00 to 03:00 on 2026-03-29, and from 03:00 back to 02:00 on 2026-10-25.
    ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-29T03:00", "03-29T01:00"),
    ("0 3 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-29T03:00", "03-29T01:00"),
    ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-25T02:30", "10-25T00:30"),
    ("0 3 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-25T03:00", "10-25T02:00"),
    # New York: 02:00 to 03:00 on 2026-03-08, 02:00 back to 01:00 on 2026-11-01.
    ("15 2 * * *", "America/New_York", "2026-03-07T12:00", "2026-03-08T03:00", "03-08T07:00"),
    ("30 1 * * *", "America/New_York", "2026-10-31T12:00", "2026-11-01T01:30", "11-01T05:30"),
    # Lord Howe moves by half an hour: 02:00 to 02:30 on 2026-10-04, 02:00 to 01:30 on 2026-04-05.
    ("10 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00", "2026-10-04T02:30", "10-03T15:30"),
    ("40 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00", "2026-10-04T02:40", "10-03T15:40"),
    ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00", "2026-04-05T01:45", "04-04T14:45"),
    # Cairo skips midnight: 00:00 to 01:00 on 2026-04-24; and has 23:xx twice on 2026-10-29.
    ("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00", "2026-04-24T01:00", "04-23T22:00"),
    ("30 23 * * *", "Africa/Cairo", "2026-10-29T12:00", "2026-10-29T23:30", "10-29T20:30"),
    # Troll moves by two hours, Apia once skipped a whole day.
    ("30 1 * * *", "Antarctica/Troll", "2026-03-28T12:00", "2026-03-29T03:00", "03-29T01:00"),
    ("0 12 30 12 *", "Pacific/Apia", "2011-12-28T00:00", "2011-12-31T00:00", "12-30T10:00"),
    ("0 22 * * *", "Asia/Kathmandu", "2026-11-22T00:00", "2026-11-22T22:00", "11-22T16:15"),
]


@pytest.mark.parametrize(("expression", "zone", "after", "local", "at"), GAPS_AND_FOLDS)
def test_a_gap_fires_at_its_end_and_a_fold_in_its_first_pass(expression, zone, after, local, at):
    assert next_of(cron(expression, zone), after, 1) == [(local, at)]


@pytest.mark.parametrize(
    ("zone", "after", "days"),
    [("Europe/Berlin", "2026-03-26T00:00", 6), ("Europe/Berlin", "2026-10-22T00:00", 6)],
)
def test_a_daily_plan_fires_once_a_day_whatever_the_clocks_do(zone, after, days):
    found = next_of(cron("30 2 * * *", zone), after, days)
    assert len({local[:10] for local, _ in found}) == days


def test_times_that_fall_into_one_gap_together_fire_once():
    found = next_of(cron("0,20,40 2,3 * * *", "Europe/Berlin"), "2026-03-29T00:00", 4)
    keys = [local[11:] for local, _ in found]
    assert keys == ["03:00", "03:20", "03:40", "02:00"]


def test_a_repeating_rule_skips_the_second_pass_of_a_fold():
    found = next_of(cron("*/30 * * * *", "Europe/Berlin"), "2026-10-25T00:00", 3)
    assert found == [
        ("2026-10-25T02:30", "10-25T00:30"),
        ("2026-10-25T03:00", "10-25T02:00"),
        ("2026-10-25T03:30", "10-25T02:30"),
    ]


def test_an_offset_is_added_on_the_wall_clock_and_resolved_then():
    second_tuesday = cron("30 2 * * TUE#2", "Europe/Berlin", timedelta(days=19))
    assert next_of(second_tuesday, "2026-03-20T00:00", 1) == [("2026-03-29T03:00", "03-29T01:00")]
    assert next_of(second_tuesday, "2026-10-14T00:00", 2)[1] == ("2026-11-29T02:30", "11-29T01:30")


def test_the_third_day_after_the_second_tuesday_is_not_the_second_friday():
    found = next_of(cron("0 2 * * TUE#2", offset=timedelta(days=3)), "2026-05-01T00:00", 1)
    assert found == [("2026-05-15T02:00", "05-15T02:00")]


@pytest.mark.parametrize("days", [-60, -13, -1, 0, 4, 19, 60])
def test_patch_tuesday_is_the_second_tuesday_of_every_month_for_ten_years(days):
    zone = ZoneInfo("Europe/Berlin")
    schedule = Schedule(rule=PatchTuesday(days=days, at=time(22, 0)), timezone=zone.key)
    first, last = date(2025, 9, 1), date(2036, 6, 1)
    every_day = (first + timedelta(days=n) for n in range((last - first).days))
    tuesdays = [day for day in every_day if day.weekday() == 1 and 8 <= day.day <= 14]
    moved = [datetime.combine(d + timedelta(days=days), time(22), zone) for d in tuesdays]
    begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
    found = [f.at for f in takewhile(lambda f: f.at < end, fires(schedule, begin))]
    assert found == [at.astimezone(UTC) for at in moved if begin < at < end]


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"]
RULES = ["30 2 * * *", "*/20 1-3 * * *", "59 23 L * *", "0 0 1 * *", "45 * * * SUN", "7 4 LW * 1-5"]


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from([*ZONES, "Antarctica/Troll", "Antarctica/Casey"]),
    expression=st.sampled_from(RULES),
    offset=st.integers(-60 * 24 * 60, 60 * 24 * 60),
    hours=st.integers(0, 10 * 365 * 24),
)
def test_looking_back_finds_what_looking_forward_found(zone, expression, offset, hours):
    schedule = cron(expression, zone, timedelta(minutes=offset))
    after = utc("2018-01-01T00:17:05") + timedelta(hours=hours)
    ahead = list(islice(fires(schedule, after), 30))
    assert all(earlier.at < later.at for earlier, later in pairwise(ahead))
    assert ahead[0].at > after
    back = takewhile(lambda fire: fire.at > after, fires_back(schedule, ahead[-1].at))
    assert list(back)[::-1] == ahead


@pytest.mark.parametrize("rule", [Cron(expression="0 22 10 * *"), PatchTuesday(at=time(22))])
def test_a_fire_comes_after_the_moment_asked_about_not_at_it(rule):
    schedule = Schedule(rule=rule)
    at = utc("2026-11-10T22:00")
    assert next(fires(schedule, at)).at > at
    assert next(fires(schedule, at - timedelta(seconds=1))).at == at
    assert next(fires_back(schedule, at)).at == at


def test_in_the_second_pass_of_a_fold_the_first_pass_is_past():
    berlin = cron("50 2 * * *", "Europe/Berlin")
    assert next(fires_back(berlin, utc("2026-10-25T01:10"))).at == utc("2026-10-25T00:50")


IMPOSSIBLE = [
    ("0 22 * *", "5 fields"),
    ("0 0 22 * * *", "5 fields"),
    ("@monthly", "5 fields"),
    ("", "5 fields"),
    ("60 22 * * *", "minute"),
    ("0 24 * * *", "hour"),
    ("0 0 32 * *", "day-of-month"),
    ("0 0 30 2 *", "day-of-month"),
    ("0 0 15W * *", "day-of-month"),
    ("0 0 * 13 *", "month"),
    ("0 0 * * 8", "day-of-week"),
    ("0 0 * * TUE#6", "day-of-week"),
    ("0 0 * * TEU", "day-of-week"),
    ("0 5-2 * * *", "hour"),
    ("0 */0 * * *", "hour"),
    ("0 0 */20 * TUE#2", "never fires"),
    ("0 0 * * " + "1," * 100 + "1", "at most 200"),
    ("0 0 * * " + "9" * 5000, "at most 200"),
]


@pytest.mark.parametrize(("expression", "sentence"), IMPOSSIBLE)
def test_an_impossible_expression_is_refused_with_a_sentence(expression, sentence):
    with pytest.raises(ScheduleError, match=sentence):
        Cron(expression=expression)


@given(st.text("0123456789*/,-#LW ²ÄMONTUE@", max_size=30))
def test_no_text_breaks_the_reading_of_cron(expression):
    with suppress(ScheduleError):
        Cron(expression=expression)


NO_ZONES = ["Europe/Berln", "", "/etc/passwd", "../x", "right/UTC", "localtime", "Europe", "a\0b"]


@pytest.mark.parametrize("name", NO_ZONES)
def test_an_unknown_zone_is_refused(name):
    with pytest.raises(ScheduleError, match="not an IANA time zone"):
        cron("0 0 * * *", name)


def test_offsets_have_bounds_and_whole_minutes():
    with pytest.raises(ScheduleError, match="60 days"):
        cron("0 0 * * *", offset=timedelta(days=61))
    with pytest.raises(ScheduleError, match="whole minutes"):
        cron("0 0 * * *", offset=timedelta(seconds=90))
    with pytest.raises(ScheduleError, match="60"):
        PatchTuesday(days=-61, at=time(22))
    with pytest.raises(ScheduleError, match="whole minute"):
        PatchTuesday(at=time(22, 0, 1))


def test_what_is_seldom_meant_is_noticed():
    assert either_day(Cron(expression="0 2 8-14 * TUE"))
    assert not either_day(Cron(expression="0 2 */2 * TUE"))
    assert every_minute(Cron(expression="* 2 * * *"))
    assert not every_minute(Cron(expression="0 2 * * *"))


# -------------------------------------------------------------------------- late fires

NIGHTLY = cron("0 22 * * *")
LONG_AGO = utc("2026-01-01T00:00")


def decisions(schedule, now, fired=(), first_seen=LONG_AGO) -> list[tuple[str, str]]:
    found = due(schedule, first_seen=first_seen, fired=fired, now=utc(now))
    return [(each.nominal.local, each.decision.value) for each in found]


LAST_NIGHT = ["2026-11-21T22:00"]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-22T21:59:59", []),
        ("2026-11-22T22:00", [("2026-11-22T22:00", "open")]),
        ("2026-11-22T22:30", [("2026-11-22T22:00", "open")]),
        ("2026-11-22T22:30:01", [("2026-11-22T22:00", "missed")]),
    ],
)
def test_a_fire_opens_within_its_grace_and_is_missed_after_it(now, expected):
    assert decisions(NIGHTLY, now, LAST_NIGHT) == expected


def test_run_late_opens_one_run_for_a_week_of_missed_nights():
    late = Schedule(rule=NIGHTLY.rule, missed=RUN_LATE)
    found = decisions(late, "2026-11-25T09:00", LAST_NIGHT)
    assert found == [
        ("2026-11-22T22:00", "missed"),
        ("2026-11-23T22:00", "missed"),
        ("2026-11-24T22:00", "open"),
    ]


def test_there_is_never_a_burst_even_when_several_fires_are_within_the_grace():
    found = decisions(cron("*/10 * * * *"), "2026-11-22T10:00", ["2026-11-22T09:30"])
    assert [decision for _, decision in found] == ["missed", "missed", "open"]


def test_a_decided_fire_is_not_decided_again():
    assert decisions(NIGHTLY, "2026-11-22T22:10", ["2026-11-22T22:00"]) == []


def test_fires_before_the_plan_was_first_seen_never_were():
    first_seen = utc("2026-11-22T22:00:01")
    assert decisions(NIGHTLY, "2026-11-22T22:10", first_seen=first_seen) == []
    at_the_instant = utc("2026-11-22T22:00")
    opened = decisions(NIGHTLY, "2026-11-22T22:10", first_seen=at_the_instant)
    assert opened == [("2026-11-22T22:00", "open")]


def test_an_edited_schedule_does_not_bring_back_what_was_before_its_last_fire():
    edited = cron("0 21 * * *")
    assert decisions(edited, "2026-11-22T22:10", ["2026-11-22T22:00"]) == []


def test_a_year_of_sleep_tells_a_bounded_number_of_missed_fires():
    found = decisions(cron("*/5 * * * *"), "2026-11-22T10:04", first_seen=utc("2025-11-22T10:00"))
    assert len(found) == MOST_MISSED
    assert found[-1] == ("2026-11-22T10:00", "open")


def test_a_fire_from_a_clock_that_ran_ahead_does_not_silence_the_plan():
    fired = ["2031-01-01T22:00", *LAST_NIGHT]
    assert decisions(NIGHTLY, "2026-11-22T22:00", fired) == [("2026-11-22T22:00", "open")]


def test_the_second_pass_of_a_fold_decides_nothing_again():
    berlin = cron("30 2 * * *", "Europe/Berlin")
    assert decisions(berlin, "2026-10-25T00:30", ["2026-10-24T02:30"]) == [
        ("2026-10-25T02:30", "open")
    ]
    assert decisions(berlin, "2026-10-25T01:30", ["2026-10-25T02:30"]) == []


def test_every_decision_says_why():
    found = due(NIGHTLY, first_seen=LONG_AGO, fired=LAST_NIGHT, now=utc("2026-11-24T00:00"))
    assert found[0].reason == (
        "missed: the fire of 2026-11-23T22:00 came due before this one was noticed"
    )
    assert found[1].reason == "missed: 120 min late, more than the grace of 30 min"
    assert found[1].decision is Decision.MISSED
