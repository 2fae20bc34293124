"""Windows, freezes and the cut-off: tables over midnight, month ends and clock changes, and a walk
of the wall clock."""

from datetime import UTC, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.domain.model import Freeze, Hours, Window
from orchestrator.domain.window import (
    LONGEST,
    later_start,
    needed,
    next_start,
    open_until,
    openings,
    shut,
)
from tests.kit.rows import a_wave

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
FAR = timedelta(days=400)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def a_window(start="22:00", hours=4.0, days=()) -> Window:
    length = timedelta(hours=hours)
    return Window(start=time.fromisoformat(start), length=length, days=tuple(days))


def hours_of(*windows: Window, zone="Europe/Berlin", reserve=timedelta(0)) -> Hours:
    return Hours(windows=windows, timezone=zone, reserve=reserve)


def a_spec(*windows: Window, zone="Europe/Berlin", duration=90.0, reserve=15.0):
    hours = hours_of(*windows, zone=zone, reserve=timedelta(minutes=reserve))
    return a_wave(hours=hours, max_duration=timedelta(minutes=duration))


SAT, SUN, MON = 5, 6, 0
OPEN = [
    # Each: window, zone, an instant in UTC, and when the window that is open then closes.
    (a_window(), "UTC", "2026-11-20T21:59", None),
    (a_window(), "UTC", "2026-11-20T22:00", "2026-11-21T02:00"),
    (a_window(), "UTC", "2026-11-21T01:59", "2026-11-21T02:00"),
    (a_window(), "UTC", "2026-11-21T02:00", None),
    # Over midnight: the day is the one on which it opens.
    (a_window(days=[SAT]), "UTC", "2026-11-22T01:00", "2026-11-22T02:00"),
    (a_window(days=[SAT]), "UTC", "2026-11-22T22:30", None),
    (a_window(days=[SUN]), "UTC", "2026-11-22T01:00", None),
    (a_window("22:00", 48, [SAT]), "UTC", "2026-11-23T21:59", "2026-11-23T22:00"),
    # Over the ends of a month, of February and of a year.
    (a_window(), "UTC", "2026-12-01T01:00", "2026-12-01T02:00"),
    (a_window(), "UTC", "2027-03-01T00:30", "2027-03-01T02:00"),
    (a_window(), "UTC", "2028-02-29T23:00", "2028-03-01T02:00"),
    (a_window(), "UTC", "2027-01-01T00:30", "2027-01-01T02:00"),
    # In the zone of the plan: Berlin is one hour ahead in winter, two in summer.
    (a_window(), "Europe/Berlin", "2026-11-20T21:00", "2026-11-21T01:00"),
    (a_window(), "Europe/Berlin", "2026-07-20T20:00", "2026-07-21T00:00"),
    (a_window("09:00", 8), "Asia/Kathmandu", "2026-11-20T03:15", "2026-11-20T11:15"),
    (a_window("22:00", 4), "America/New_York", "2026-11-21T03:00", "2026-11-21T07:00"),
    # The night of the gap, 2026-03-29 in Berlin: 02:00 to 03:00 does not exist.
    (a_window("22:00", 4), "Europe/Berlin", "2026-03-28T23:00", "2026-03-29T01:00"),
    (a_window("01:00", 4), "Europe/Berlin", "2026-03-29T00:00", "2026-03-29T03:00"),
    (a_window("22:00", 4.5), "Europe/Berlin", "2026-03-28T23:00", "2026-03-29T01:00"),
    (a_window("02:30", 1), "Europe/Berlin", "2026-03-29T01:00", "2026-03-29T01:30"),
    # The night of the fold, 2026-10-25 in Berlin: 02:00 to 03:00 comes twice.
    (a_window("22:00", 4), "Europe/Berlin", "2026-10-24T23:59", "2026-10-25T00:00"),
    (a_window("22:00", 4.5), "Europe/Berlin", "2026-10-25T00:29", "2026-10-25T00:30"),
    (a_window("22:00", 4.5), "Europe/Berlin", "2026-10-25T01:15", None),
    (a_window("22:00", 6), "Europe/Berlin", "2026-10-25T02:59", "2026-10-25T03:00"),
    (a_window("02:30", 1), "Europe/Berlin", "2026-10-25T00:30", "2026-10-25T02:30"),
    # Lord Howe moves by half an hour; Cairo's day begins at 01:00 once a year; Apia lost a day.
    (a_window("01:00", 2), "Australia/Lord_Howe", "2026-10-03T15:00", "2026-10-03T16:00"),
    (a_window("00:00", 2), "Africa/Cairo", "2026-04-23T22:00", "2026-04-23T23:00"),
    (a_window("12:00", 2), "Pacific/Apia", "2011-12-30T22:00", "2011-12-31T00:00"),
]


@pytest.mark.parametrize(("window", "zone", "now", "closes"), OPEN)
def test_a_window_opens_and_closes_by_the_wall_clock(window, zone, now, closes):
    found = open_until(hours_of(window, zone=zone), utc(now))
    assert found == (utc(closes) if closes else None)


def test_a_window_that_a_clock_change_swallows_does_not_open_that_night():
    swallowed = hours_of(a_window("02:00", 1))
    begins = [span[0] for span in islice(openings(swallowed, utc("2026-03-28T12:00")), 2)]
    assert begins == [utc("2026-03-30T00:00"), utc("2026-03-31T00:00")]


def test_windows_that_overlap_or_touch_are_one():
    evening, night = a_window("20:00", 4), a_window("00:00", 4)
    both = hours_of(evening, night, a_window("23:00", 2), zone="UTC")
    assert open_until(both, utc("2026-11-20T20:00")) == utc("2026-11-21T04:00")


def test_windows_that_are_always_open_close_further_ahead_than_anything_lasts():
    always = a_spec(a_window("00:00", 24), zone="UTC", duration=23 * 60)
    assert shut(always, (), utc("2026-11-20T23:59")) is None
    assert shut(always, (), utc("2026-03-29T00:59")) is None


# ------------------------------------------------------------------------------ cut-off

CUT_OFF = [
    # 90 minutes and 15 for the reboot before 02:00: the last start is at 00:15.
    ("2026-11-20T22:00", 90, 15, True),
    ("2026-11-21T00:15", 90, 15, True),
    ("2026-11-21T00:16", 90, 15, False),
    ("2026-11-21T00:30", 90, 0, True),
    ("2026-11-21T00:31", 90, 0, False),
    ("2026-11-20T22:00", 225, 15, True),
    ("2026-11-20T22:01", 225, 15, False),
]


@pytest.mark.parametrize(("now", "duration", "reserve", "may"), CUT_OFF)
def test_a_vm_starts_only_with_room_for_its_patches_and_its_reboot(now, duration, reserve, may):
    spec = a_spec(a_window(), zone="UTC", duration=duration, reserve=reserve)
    why = shut(spec, (), utc(now))
    assert (why is None) is may
    if why is not None:
        assert why.code == "window"
        assert why.text.startswith("the window closes at 2026-11-21 02:00Z, too soon for a VM")


def test_the_cut_off_counts_real_minutes_in_the_night_of_the_gap():
    spec = a_spec(a_window("22:00", 6), duration=90, reserve=0)  # closes at 04:00, 02:00 UTC
    assert shut(spec, (), utc("2026-03-29T00:30")) is None
    assert shut(spec, (), utc("2026-03-29T00:31")) is not None


def test_without_a_window_a_vm_starts_at_any_time():
    assert shut(a_wave(), (), utc("2026-11-20T12:00")) is None


# ------------------------------------------------------------------------------ freezes

BLACK_WEEK = Freeze(name="Black Week", begins=utc("2026-11-22T23:00"), ends=utc("2026-11-30T23:00"))


@pytest.mark.parametrize(
    ("now", "frozen"),
    [
        ("2026-11-22T22:59", False),
        ("2026-11-22T23:00", True),
        ("2026-11-30T22:59", True),
        ("2026-11-30T23:00", False),
    ],
)
def test_nothing_starts_in_a_freeze_from_its_first_instant_to_its_last(now, frozen):
    why = shut(a_wave(), (BLACK_WEEK,), utc(now))
    assert (why is not None) is frozen
    if why is not None:
        assert (why.code, why.text) == (
            "freeze",
            "the freeze Black Week lasts until 2026-11-30 23:00Z",
        )


def test_of_freezes_that_overlap_the_one_that_ends_last_is_named():
    longer = Freeze(name="Year end", begins=utc("2026-11-25T00:00"), ends=utc("2027-01-05T00:00"))
    why = shut(a_wave(), (BLACK_WEEK, longer), utc("2026-11-26T00:00"))
    assert why is not None
    assert "Year end lasts until 2027-01-05" in why.text


# ------------------------------------------------------------------------------ when again


@pytest.mark.parametrize(
    ("now", "freezes", "expected"),
    [
        ("2026-11-20T22:30", (), "2026-11-20T22:30"),
        ("2026-11-20T12:00", (), "2026-11-20T22:00"),
        ("2026-11-21T01:00", (), "2026-11-21T22:00"),  # too late for tonight
        ("2026-11-22T12:00", (BLACK_WEEK,), "2026-11-22T22:00"),
        ("2026-11-22T23:30", (BLACK_WEEK,), "2026-11-30T23:00"),  # in the middle of a window
    ],
)
def test_the_next_start_is_now_or_an_opening_or_the_end_of_a_freeze(now, freezes, expected):
    spec = a_spec(a_window(), zone="UTC")
    assert next_start(spec, freezes, utc(now), utc(now) + FAR) == utc(expected)


def test_there_is_no_next_start_after_the_deadline():
    spec = a_spec(a_window(days=[SAT]), zone="UTC")
    monday = utc("2026-11-23T00:00")
    assert next_start(spec, (), monday, monday + timedelta(days=5)) is None
    assert next_start(spec, (), monday, monday + timedelta(days=6)) == utc("2026-11-28T22:00")


def test_a_later_window_is_not_the_one_that_is_open():
    spec = a_spec(a_window(), zone="UTC")
    now = utc("2026-11-20T22:30")
    assert later_start(spec, (), now, now + FAR) == utc("2026-11-21T22:00")
    noon = utc("2026-11-20T12:00")
    assert later_start(spec, (), noon, noon + FAR) == utc("2026-11-20T22:00")


def test_a_window_shorter_than_what_a_vm_needs_never_fits():
    spec = a_spec(a_window(hours=1), zone="UTC")
    now = utc("2026-01-01T00:00")
    assert next_start(spec, (), now, now + timedelta(days=3000)) is None


# ------------------------------------------------------------------------------ properties

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo")
windows = st.builds(
    Window,
    start=st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45])),
    length=st.integers(1, 300).map(lambda n: n * 15 * MINUTE),
    days=st.frozensets(st.integers(0, 6), max_size=6).map(lambda days: tuple(sorted(days))),
)
nights = st.sampled_from(
    [utc(day) for day in ("2026-03-28", "2026-10-24", "2026-03-07", "2026-10-31", "2026-04-04")]
    + [utc(day) for day in ("2026-10-03", "2026-04-23", "2026-10-29", "2026-02-28", "2026-12-31")]
)


def reads_as_open(hours: Hours, at: datetime) -> bool:
    """Read the clock on the wall as a person would: every window of the last days, by its days."""
    zone = ZoneInfo(hours.timezone)
    wall = at.astimezone(zone).replace(tzinfo=None)
    for back in range(LONGEST.days + 1):
        day = wall.date() - timedelta(days=back)
        for window in hours.windows:
            if window.days and day.weekday() not in window.days:
                continue
            opens = datetime.combine(day, window.start)
            if opens <= wall < opens + window.length:
                return True
    return False


@settings(max_examples=150, deadline=None)
@given(st.lists(windows, min_size=1, max_size=3), st.sampled_from(ZONES), nights)
def test_the_wall_clock_says_the_same_minute_by_minute(given_windows, zone, night):
    """But in the second pass of a fold, where the first pass has decided."""
    hours = Hours(windows=tuple(given_windows), timezone=zone)
    for quarter in range(4 * 48):
        at = night + quarter * 15 * MINUTE
        again = at.astimezone(ZoneInfo(zone)).fold == 1
        after = (at - 3 * HOUR).astimezone(ZoneInfo(zone)).utcoffset() != at.astimezone(
            ZoneInfo(zone)
        ).utcoffset()
        if not again and not after:
            assert (open_until(hours, at) is not None) is reads_as_open(hours, at), at


@settings(max_examples=150, deadline=None)
@given(st.lists(windows, min_size=1, max_size=3), st.sampled_from(ZONES), nights, st.integers(0, 2))
def test_no_earlier_quarter_would_have_done_than_the_next_start(given_windows, zone, night, days):
    spec = a_spec(*given_windows, zone=zone)
    freeze = Freeze(name="f", begins=night + 5 * HOUR, ends=night + (5 + 24 * days) * HOUR)
    until = night + timedelta(days=9)
    found = next_start(spec, (freeze,), night, until)
    at = night
    while at < (found or until):
        assert shut(spec, (freeze,), at) is not None
        at += 15 * MINUTE
    if found is not None:
        assert shut(spec, (freeze,), found) is None
        closes = open_until(spec.hours, found)
        assert closes is not None
        assert found + needed(spec) <= closes
