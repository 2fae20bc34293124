"""Windows, freezes and calendars as they are written: what they become, and what is refused with
its place and a fix."""

from datetime import UTC, datetime, time, timedelta

import pytest

from orchestrator.config.loading import load
from orchestrator.config.problems import ConfigError
from orchestrator.domain.model import Window
from orchestrator.domain.window import frozen
from tests.config.kit import PLAN, loaded, the_wave, write, wrong

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
BERLIN = "defaults: {timezone: Europe/Berlin}\n"


def a_plan(keys, above=""):
    return f"{above}plans: [{{name: p, {keys}, waves: [{{select: {{tags: {{r: c}}}}}}]}}]\n"


def checked(folder, text, now=NOW):
    """Load at a certain instant."""
    return load(write(folder, text), {}, now=now)


def refused(folder, text, now=NOW):
    with pytest.raises(ConfigError) as caught:
        checked(folder, text, now)
    return caught.value.problems


# ------------------------------------------------------------------------------ windows


def test_a_window_is_in_the_plan_s_zone_and_leaves_room_for_a_reboot(tmp_path):
    wave = the_wave(tmp_path, "window: {start: 22:00, length: 4h, days: [Sat, sunday]}", BERLIN)
    assert wave.hours.windows == (Window(start=time(22), length=4 * HOUR, days=(5, 6)),)
    assert (wave.hours.timezone, wave.hours.reserve) == ("Europe/Berlin", 15 * MINUTE)


@pytest.mark.parametrize(
    ("keys", "reserve"),
    [
        ("reboot: never", 0),
        ("reboot: always", 15),
        ("reboot_reserve: 40m", 40),
        ("reboot: never, reboot_reserve: 5m", 5),
    ],
)
def test_without_a_reboot_there_is_no_reserve_unless_one_is_written(tmp_path, keys, reserve):
    wave = the_wave(tmp_path, f"window: {{start: 22:00, length: 4h}}, {keys}")
    assert wave.hours.reserve == reserve * MINUTE


def test_the_nearest_windows_hold_all_of_them(tmp_path):
    above = "defaults: {window: {start: 01:00, length: 4h}}"
    keys = "window: [{start: 22:00, length: 4h}, {start: 12:00, length: 2h, days: sat}]"
    assert [each.start.hour for each in the_wave(tmp_path, keys, above).hours.windows] == [22, 12]
    assert the_wave(tmp_path, "bake: 1h", above).hours.windows[0].start.hour == 1


def test_carry_over_is_two_unless_written(tmp_path):
    assert loaded(tmp_path, PLAN).plans[0].spec.carry_over == 2
    assert loaded(tmp_path, PLAN + "defaults: {carry_over: 0}").plans[0].spec.carry_over == 0


def test_a_cut_off_longer_than_the_window_is_refused_where_the_window_stands(tmp_path):
    text = f"{BERLIN}plans:\n- name: p\n  window: {{start: 22:00, length: 1h}}\n  waves:\n"
    (problem,) = refused(tmp_path, text + "  - select: {tags: {r: c}}\n")
    assert (problem.line, problem.key) == (4, "plans[p].window")
    assert problem.message == (
        "nothing could ever start: a VM may need 1h45m (max_duration 1h30m and 15m for a reboot),"
        " and no window is open that long"
    )
    assert "lengthen the window" in problem.fix


def test_windows_that_are_long_enough_together_will_do(tmp_path):
    keys = "window: [{start: 22:00, length: 1h}, {start: 23:00, length: 1h}]"
    assert checked(tmp_path, a_plan(keys)).warnings == ()


def test_overlapping_windows_are_one_and_it_is_said(tmp_path):
    keys = "window: [{start: 22:00, length: 4h}, {start: 23:00, length: 4h}]"
    (warning,) = checked(tmp_path, a_plan(keys)).warnings
    assert (warning.key, warning.message) == (
        "plans[p].window",
        "windows overlap: together they count as one",
    )


def test_a_plan_whose_windows_never_come_before_its_deadline_is_refused(tmp_path):
    window = "window: {start: 22:00, length: 4h, days: thu}"
    keys = f'deadline: 3d, schedule: {{cron: "0 22 * * SUN"}}, {window}'
    (problem,) = refused(tmp_path, a_plan(keys))
    assert problem.key == "plans[p].window"
    assert problem.message.startswith("no window opens within the deadline of 3d after 2026-11-01")


def test_freezes_that_swallow_every_window_before_the_deadline_are_told(tmp_path):
    freeze = "freezes: [{name: Winter, from: 2026-11-10, to: 2026-12-20}]\n"
    keys = 'schedule: {cron: "0 22 * * SUN"}, window: {start: 22:00, length: 4h}'
    (warning,) = checked(tmp_path, a_plan(keys, freeze)).warnings
    assert warning.key == "plans[p].window"
    assert warning.message.startswith("freezes leave no window to a run that begins at 2026-11-15")
    assert loaded(tmp_path, a_plan(keys, freeze)).warnings == ()  # no day is given to look from


ABOVE = BERLIN + "freezes:\n- {name: W, from: 2026-11-10, to: 2027-01-20}\n"
LEAVES_NOTHING = [
    ("start: 22:00, length: 1h", True, "nothing could ever start", "lengthen the window"),
    ("start: 22:00, length: 104m", True, "nothing could ever start", "lengthen the window"),
    ("start: 22:00, length: 4h, days: wed", True, "no window opens within", "raise `deadline`"),
    ("start: 22:00, length: 4h", False, "freezes leave no window", "shorten the freeze"),
    ("start: 25:00, length: 4h", True, "not a time of day", "22:00"),
    ("start: 22:00, length: 4h, days: []", True, "empty", "at least one"),
]


@pytest.mark.parametrize(("window", "refuses", "message", "fix"), LEAVES_NOTHING)
def test_what_leaves_nothing_to_start_is_told_with_file_line_and_fix(
    tmp_path, window, refuses, message, fix
):
    text = f'{ABOVE}plans:\n- name: p\n  schedule: {{cron: "0 22 * * SUN"}}\n  deadline: 2d\n'
    text += f"  window: {{{window}}}\n  waves: [{{select: {{tags: {{r: c}}}}}}]\n"
    found = refused(tmp_path, text) if refuses else checked(tmp_path, text).warnings
    assert [(each.file, each.line) for each in found] == [(str(tmp_path / "fleet.yaml"), 8)]
    assert found[0].key.startswith("plans[p].window")
    assert message in found[0].message
    assert fix in found[0].fix


def test_an_emergency_with_a_schedule_has_no_approver_and_is_refused(tmp_path):
    keys = 'emergency: true, schedule: {cron: "0 22 * * SUN"}'
    (problem,) = refused(tmp_path, a_plan(keys))
    assert problem.key == "plans[p].emergency"
    assert checked(tmp_path, a_plan("emergency: true")).plans[0].emergency


# ------------------------------------------------------------------------------ freezes


def freezes_of(folder, items, above=BERLIN, now=NOW):
    found = loaded(folder, f"{above}freezes: [{items}]\n{PLAN}").freezes.from_(now)
    return [(each.name, f"{each.begins:%m-%dT%H:%M}", f"{each.ends:%m-%dT%H:%M}") for each in found]


def test_days_are_whole_days_in_the_zone_of_the_defaults_the_last_one_included(tmp_path):
    given = "{name: Black Week, from: 2026-11-23, to: 2026-11-30}"
    assert freezes_of(tmp_path, given) == [("Black Week", "11-22T23:00", "11-30T23:00")]


def test_times_are_exact_and_a_freeze_may_have_a_zone_of_its_own(tmp_path):
    given = '{name: f, from: "2026-11-23 18:00", to: "2026-11-24T06:30", timezone: Asia/Tokyo}'
    assert freezes_of(tmp_path, given) == [("f", "11-23T09:00", "11-23T21:30")]


def test_a_freeze_of_one_day(tmp_path):
    given = "{name: f, from: 2026-12-24, to: 2026-12-24}"
    assert freezes_of(tmp_path, given, above="") == [("f", "12-24T00:00", "12-25T00:00")]


def test_a_freeze_that_has_ended_holds_no_more(tmp_path):
    given = "{name: f, from: 2026-10-24, to: 2026-10-25}"
    assert freezes_of(tmp_path, given) == []


BAD_FREEZES = [
    ("{name: f, from: 2026-11-24, to: 2026-11-23}", "[f]", "ends before it begins", "exchange"),
    ("{name: f, from: 2026-11-24}", "[f]", "needs its name, `from` and `to`", "add"),
    ("{from: 2026-11-24, to: 2026-11-25}", "[1]", "needs its name", "add"),
    ("{name: f}", "[f]", "not exactly one kind of freeze", "`from` and `to`, or `file`"),
    ("{name: f, from: 2026-02-30, to: 2026-03-01}", "[f].from", "no such day", "2026-11-23"),
    ("{name: f, from: tomorrow, to: 2026-03-01}", "[f].from", "neither a day nor", "2026-11-23"),
    ("{name: f, frm: 2026-03-01}", "[f].frm", "unknown key", "did you mean `from`?"),
    ("{name: f, from: 2026-03-01, to: 2026-03-02, timezone: Berlin}", "[f].timezone", "zone", "Eu"),
    ("{file: no.ics}", "[1].file", "cannot be read", "check path"),
    ("{file: https://x.example/f.ics}", "[1].file", "not from a URL", "download it"),
    ("{holidays: Germany}", "[1].holidays", "not a country", "DE-BY"),
    ("{holidays: ZZ}", "[1].holidays", "not known", "DE or DE-BY"),
    ("{file: a.ics, holidays: DE}", "[1]", "not exactly one kind", "`holidays`"),
]


@pytest.mark.parametrize(("item", "key", "message", "fix"), BAD_FREEZES)
def test_a_bad_freeze_is_told_with_its_place_and_a_fix(tmp_path, item, key, message, fix):
    write(tmp_path, an_ics("SUMMARY:x\nDTSTART;VALUE=DATE:20261124"), "a.ics")
    (problem,) = wrong(tmp_path, f"{PLAN}freezes:\n- {item}\n")
    assert (problem.line, problem.key) == (3, f"freezes{key}")
    assert message in problem.message
    assert fix in problem.fix


# ------------------------------------------------------------------------------ calendars


def an_ics(*events: str) -> str:
    bodies = (f"BEGIN:VEVENT\nUID:{n}\n{each}\nEND:VEVENT" for n, each in enumerate(events))
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:test", *bodies, "END:VCALENDAR", ""]
    return "\n".join(lines).replace("\n", "\r\n")


GOOD = [
    ("SUMMARY:a\nDTSTART;VALUE=DATE:20261124", [("a", "11-23T23:00", "11-24T23:00")]),
    (
        "SUMMARY:a\nDTSTART;VALUE=DATE:20261124\nDTEND;VALUE=DATE:20261127",
        [("a", "11-23T23:00", "11-26T23:00")],
    ),
    ("SUMMARY:a\nDTSTART:20261124T180000\nDURATION:PT2H", [("a", "11-24T17:00", "11-24T19:00")]),
    (
        "SUMMARY:a\nDTSTART:20261124T180000Z\nDTEND:20261124T200000Z",
        [("a", "11-24T18:00", "11-24T20:00")],
    ),
    (
        "SUMMARY:a\nDTSTART;TZID=America/New_York:20261124T180000\nDURATION:PT1H",
        [("a", "11-24T23:00", "11-25T00:00")],
    ),
    ("SUMMARY:a\nDTSTART:20261124T180000", []),  # of no length
    ("SUMMARY:a\nSTATUS:CANCELLED\nDTSTART;VALUE=DATE:20261124", []),
    ("DTSTART;VALUE=DATE:20261124", [("a calendar's event", "11-23T23:00", "11-24T23:00")]),
    (
        "SUMMARY:y\nDTSTART;VALUE=DATE:20001224\nRRULE:FREQ=YEARLY",
        [("y", "12-23T23:00", "12-24T23:00")],
    ),
    (
        "SUMMARY:w\nDTSTART;VALUE=DATE:20261123\nRRULE:FREQ=WEEKLY;COUNT=3\nEXDATE;VALUE=DATE:20261130",
        [("w", "11-22T23:00", "11-23T23:00"), ("w", "12-06T23:00", "12-07T23:00")],
    ),
    (
        "SUMMARY:d\nDTSTART;VALUE=DATE:20261224\nRRULE:FREQ=DAILY;COUNT=2",
        [("d", "12-23T23:00", "12-24T23:00"), ("d", "12-24T23:00", "12-25T23:00")],
    ),
]


@pytest.mark.parametrize(("event", "expected"), GOOD)
def test_each_event_of_a_calendar_is_a_freeze(tmp_path, event, expected):
    write(tmp_path, an_ics(event), "f.ics")
    assert freezes_of(tmp_path, "{file: f.ics}") == expected


def test_an_endless_series_is_asked_for_a_year_and_a_month(tmp_path):
    write(tmp_path, an_ics("DTSTART;VALUE=DATE:20200106\nRRULE:FREQ=WEEKLY"), "f.ics")
    found = loaded(tmp_path, f"freezes: [{{file: f.ics}}]\n{PLAN}").freezes.from_(NOW)
    assert 55 <= len(found) <= 58
    later = loaded(tmp_path, f"freezes: [{{file: f.ics}}]\n{PLAN}").freezes.from_(found[-1].begins)
    assert frozen(later, found[-1].begins + 7 * 24 * HOUR) is not None


BAD_CALENDARS = [
    ("hello", "no calendar"),
    ("", "no calendar"),
    ("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "no event"),
    (an_ics("SUMMARY:x"), "has no start"),
    (an_ics("DTSTART:99"), "no calendar"),
    (an_ics("DTSTART;VALUE=DATE:20261124\nDTEND;VALUE=DATE:20261120"), "ends before it begins"),
    (an_ics("DTSTART:20260101T000000Z\nRRULE:FREQ=SECONDLY"), "more often than daily"),
    (an_ics("DTSTART:20260101T000000Z\nRRULE:FREQ=DAILY;BYMINUTE=1,2,3"), "more often than daily"),
    (an_ics("DTSTART:20260101T000000Z\nRRULE:FREQ=DAILY"), "every day, for more than a year"),
    (an_ics("DTSTART:20260101T000000Z\nRRULE:FREQ=DAILY;COUNT=9999"), "every day"),
    (an_ics("DTSTART:20260101T000000Z\nRRULE:FREQ=DAILY;COUNT=9;BYMONTHDAY=30"), "by days of the"),
    (an_ics("DTSTART:20260101T000000Z\nRRULE:FREQ=NONSENSE"), "no calendar"),
    (an_ics("DTSTART:00010101T000000Z\nRRULE:FREQ=WEEKLY"), "has no start"),
    (an_ics(*["DTSTART;VALUE=DATE:20261124"] * 1001), "1001 events"),
    (an_ics(*["DTSTART;VALUE=DATE:20261124\nRRULE:FREQ=YEARLY"] * 51), "51 repeating events"),
    ("BEGIN:VCALENDAR\r\n" + "X-JUNK:" + "x" * (10 << 20), "larger than 1 MiB"),
    (an_ics(*["DTSTART:20200101T000000Z\nRRULE:FREQ=DAILY"] * 130_000), "larger than 1 MiB"),
]


@pytest.mark.parametrize(("text", "message"), BAD_CALENDARS, ids=lambda each: each[-30:])
def test_a_calendar_that_nobody_means_by_freezes_is_refused(tmp_path, text, message):
    write(tmp_path, text, "f.ics")
    (problem,) = wrong(tmp_path, f"{PLAN}freezes:\n- {{file: f.ics}}\n")
    assert (problem.line, problem.key) == (3, "freezes[1].file")
    assert message in problem.message
    assert problem.fix


def test_a_calendar_with_more_freezes_than_can_be_kept_is_refused_and_not_cut(tmp_path):
    weekly = [f"DTSTART;VALUE=DATE:202601{n:02d}\nRRULE:FREQ=WEEKLY" for n in range(1, 31)]
    write(tmp_path, an_ics(*weekly), "f.ics")
    (problem,) = refused(tmp_path, f"{PLAN}freezes: [{{file: f.ics}}]\n")
    assert problem.key == "freezes"
    assert "the calendar has 17" in problem.message


def test_the_public_holidays_of_a_place_are_freezes_of_a_day(tmp_path):
    found = freezes_of(tmp_path, "{holidays: DE-BY}")
    assert ("Christmas Day", "12-24T23:00", "12-25T23:00") in found
    assert len(found) > 10


def test_the_hash_of_a_configuration_covers_its_calendars(tmp_path):
    text = f"freezes: [{{file: f.ics}}]\n{PLAN}"
    write(tmp_path, an_ics("DTSTART;VALUE=DATE:20261124"), "f.ics")
    before = loaded(tmp_path, text).config_hash
    write(tmp_path, an_ics("DTSTART;VALUE=DATE:20261125"), "f.ics")
    assert loaded(tmp_path, text).config_hash != before
