"""Schedules that rest and emergencies, with real processes: beside a daemon and alone."""

import json

import pytest

from tests.acceptance.processes import staged
from tests.acceptance.test_driving import a_plan
from tests.kit.stage import machines

FROZEN = "freezes: [{name: Always, from: 2020-01-01, to: 2099-12-31}]\n"
SCHEDULE = '    schedule: {cron: "0 0 1 1 *"}\n'


def scheduled(parallel: int = 9) -> str:
    """A plan that fires once a year."""
    plan: str = a_plan(parallel=parallel)
    return plan.replace("    waves:", f"{SCHEDULE}    waves:", 1)


@pytest.mark.parametrize("daemon", [True, False])
def test_a_schedule_is_disabled_and_enabled_by_name(tmp_path, daemon):
    with staged(tmp_path, machines("w", 1), scheduled(), speed=600) as on:
        if daemon:
            on.serve()
        told = on.run("schedule", "disable", "nightly", "--because", "Christmas")
        assert told.stdout.startswith("the schedule of nightly is disabled"), told.stderr
        until = on.run("schedule", "disable", "nightly", "--until", "2090-01-01", "--because", "x")
        assert "until 2090-01-01 00:00Z" in until.stdout
        woken = on.run("schedule", "enable", "nightly", "--because", "back")
        assert "enabled again" in woken.stdout, woken.stderr
        again = on.run("schedule", "enable", "nightly", "--because", "back")
        assert again.stdout.startswith("nothing to do"), again.stderr
        unknown = on.run("schedule", "disable", "weekly", "--because", "x")
        assert (unknown.returncode, "There are: nightly." in unknown.stderr) == (2, True)
        late = on.run("schedule", "disable", "nightly", "--until", "soon", "--because", "x")
        assert (late.returncode, "--until" in late.stderr) == (2, True)


@pytest.mark.parametrize("daemon", [True, False])
def test_an_emergency_overrides_a_freeze_with_a_named_approver_only(tmp_path, daemon):
    with staged(tmp_path, machines("w", 2), a_plan() + FROZEN, speed=600) as on:
        if daemon:
            on.serve()
        for given in (
            ["--emergency"],
            ["--emergency", "--approved-by", "Jane"],
            ["--because", "x"],
        ):
            refused = on.run("run", "nightly", *given)
            assert refused.returncode == 2
            assert "--approved-by" in refused.stderr
        done = on.run(
            "run", "nightly", "--emergency", "--approved-by", "Jane", "--because", "a CVE", "--json"
        )
        assert done.returncode == 0, done.stderr
        row = json.loads(done.stdout.splitlines()[-1])
        assert (row["status"], row["succeeded"]) == ("passed", 2)
