"""A sample of the schedule oracle: every rule in zones with strange clocks. All zones and
ten years are `make oracle`."""

from datetime import UTC, datetime

import pytest

from orchestrator.domain.schedule import Schedule
from tests.oracle import cron, rules, zones
from tests.oracle.judging import Findings, judge
from tests.oracle.wall import WallClock, minute_of

FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
RULES = rules.rules(FIRST, LAST)
STRANGE = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Antarctica/Troll",
    "America/Santiago",
    "Asia/Kathmandu",
)


def test_there_are_rules_enough_and_none_stands_twice():
    assert len(set(rules.EXPRESSIONS)) == len(rules.EXPRESSIONS) >= 50
    assert len(zones.known()) + len(zones.INVENTED) >= 600


@pytest.mark.parametrize("zone", STRANGE)
def test_every_rule_fires_when_the_walked_wall_clock_says(zone):
    found = judge(zone, RULES, FIRST, LAST)
    assert found.good, [*found.double, *found.missed, *found.extra]
    assert found.fires > 5_000


@pytest.fixture
def invented(tmp_path, monkeypatch):
    import zoneinfo  # noqa: PLC0415 - to be put back after the test

    before = zoneinfo.TZPATH
    yield zones.invent(tmp_path)
    zoneinfo.reset_tzpath(to=before)


def test_zones_that_nobody_has_thought_of_fire_as_they_should(invented):
    whole = Findings()
    for zone in invented[:4]:
        whole.add(judge(zone, RULES, FIRST, LAST))
    assert whole.good, [*whole.double, *whole.missed, *whole.extra]
    assert whole.moved > 10


# ------------------------------------------------------------------------------ the oracle itself


@pytest.mark.parametrize(
    ("wall", "at"),
    [
        ("2026-03-29T01:59", "2026-03-29T00:59"),
        ("2026-03-29T02:30", "2026-03-29T01:00"),
        ("2026-03-29T03:00", "2026-03-29T01:00"),
        ("2026-10-25T02:30", "2026-10-25T00:30"),
        ("2026-10-25T03:00", "2026-10-25T02:00"),
        ("2026-06-15T12:00", "2026-06-15T10:00"),
    ],
)
def test_the_walked_clock_reads_as_a_person_would(wall, at):
    import zoneinfo  # noqa: PLC0415 - as above

    clock = WallClock(zoneinfo.ZoneInfo("Europe/Berlin"), FIRST, LAST)
    utc = minute_of(datetime.fromisoformat(at).replace(tzinfo=UTC))
    assert clock.due(minute_of(datetime.fromisoformat(wall).replace(tzinfo=UTC)))[0] == utc


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 0 L 2 *", ["02-28"]),
        ("0 0 LW 5 *", ["05-29"]),
        ("0 0 * 11 TUE#2", ["11-10"]),
        ("0 0 * 11 5L", ["11-27"]),
        ("0 0 13 11 FRI", ["11-06", "11-13", "11-20", "11-27"]),
        ("0 0 */10 11 MON", []),
        ("0 0 1-31/15 12 *", ["12-01", "12-16", "12-31"]),
    ],
)
def test_the_oracle_reads_cron_as_it_is_documented(expression, days):
    found = cron.days(expression, FIRST.date(), LAST.date())
    assert [f"{day:%m-%d}" for day in found if day.year == 2026] == days


@pytest.mark.parametrize("wrong", ["double", "missed", "extra"])
def test_a_schedule_that_fires_wrongly_is_found(monkeypatch, wrong):
    """The judge bites: a fire too many, too few, at another time."""
    import orchestrator.domain.schedule as product  # noqa: PLC0415 - to be broken here only
    from tests.oracle import judging  # noqa: PLC0415 - to be broken here only

    def broken(schedule: Schedule, after: datetime):
        for number, nominal in enumerate(product.fires(schedule, after)):
            if number == 3 and wrong == "double":
                yield nominal
            if number == 3 and wrong == "missed":
                continue
            if number == 3 and wrong == "extra":
                yield product.Nominal(nominal.at, nominal.local + "!")
                continue
            yield nominal

    monkeypatch.setattr(judging, "fires", broken)
    found = judge("UTC", RULES[:1], FIRST, LAST)
    assert getattr(found, wrong)
