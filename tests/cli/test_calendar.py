"""`calendar` as people type it."""

import json

import pytest

from orchestrator.cli import run

PLAN = """\
azure: {cloud: public}
database: sqlite:///x.db
defaults: {timezone: Europe/Berlin}
freezes:
  - {name: Black Week, from: "2026-11-10", to: "2026-11-19"}
plans:
  - name: monthly
    schedule: {cron: "0 22 * * SAT#2"}
    waves: [{name: all, select: {tags: {ring: all}}}]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "fleet.yaml"
    path.write_text(PLAN)
    return str(path)


def test_it_shows_fires_freezes_and_clock_changes_in_their_order(file, capsys):
    assert run(["calendar", "-c", file, "--at", "2026-10-01T00:00:00Z", "--days", "60"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:22] for line in lines] == [
        "  Sat 2026-10-10 22:00",
        "  Sun 2026-10-25 02:00",
        "  Mon 2026-11-09 23:00",
        "! Sat 2026-11-14 22:00",
    ]
    assert "all plans: freeze Black Week: nothing starts until 2026-11-19 23:00Z" in lines[2]
    assert "monthly: fires; the first VM may start at 2026-11-19 23:00Z" in lines[3]


def test_it_is_told_to_programs_as_objects(file, capsys):
    words = ["calendar", "-c", file, "--at", "2026-10-01T00:00:00Z", "--days", "15", "--json"]
    assert run(words) == 0
    (row,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert row == {
        "at": "2026-10-10T20:00:00.000000Z",
        "timezone": "Europe/Berlin",
        "kind": "fire",
        "plan": "monthly",
        "text": "fires",
        "warns": False,
    }


def test_nothing_ahead_is_said_too(file, capsys):
    assert run(["calendar", "-c", file, "--at", "2026-10-01T00:00:00Z", "--days", "2"]) == 0
    assert capsys.readouterr().out == "nothing in the next 2 days\n"


@pytest.mark.parametrize("days", ["0", "367", "x"])
def test_a_span_that_cannot_be_is_refused(file, days):
    assert run(["calendar", "-c", file, "--days", days]) == 2
