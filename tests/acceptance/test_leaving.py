"""`run --no-wait` with real processes: it leaves a run that goes on later, and says what it waits
for."""

from datetime import timedelta

import pytest

from orchestrator.clock import WallClock
from tests.acceptance.processes import staged
from tests.acceptance.test_driving import a_plan
from tests.acceptance.test_gating import TWO, health
from tests.acceptance.test_scheduling import FROZEN
from tests.kit.stage import machines

GATED = """\
  - name: nightly
    waves:
      - name: w
        select: {tags: {ring: w}}
        before: [{http: "URL", for: 1s, timeout: 10m}]
"""
BAKED = """\
  - name: nightly
    waves:
      - {name: canary, select: {tags: {ring: canary}}, bake: 2h}
      - {name: broad, select: {tags: {ring: broad}}, max_parallel: 1}
"""
GOES_ON = "a daemon takes care of it; where none runs, start `serve`, or `run nightly --resume`"


def closed() -> str:
    """Write a plan whose window is one day of the week, which is not near."""
    day = (WallClock().now() + timedelta(days=3)).strftime("%a").lower()
    window = f'    window: {{start: "10:00", length: 4h, days: [{day}]}}\n'
    plan: str = a_plan()
    return plan.replace("    waves:", f"    deadline: 14d\n{window}    waves:", 1)


def left(on, code: int, *said: str) -> None:
    """Run and do not wait: it returns, says what the run waits for, and the run stays open."""
    done = on.run("run", "nightly", "--no-wait")
    assert done.returncode == code, done.stderr
    for each in (*said, GOES_ON):
        assert each in done.stderr
    assert on.newest()["closed_at"] is None


@pytest.mark.parametrize("daemon", [True, False])
@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (a_plan() + FROZEN, "the freeze Always lasts until 2100-01-01 00:00Z"),
        (closed(), "the window is closed"),
    ],
    ids=["a freeze", "a closed window"],
)
def test_a_run_whose_vms_are_out_of_their_hours_is_left(tmp_path, daemon, plan, said):
    with staged(tmp_path, machines("w", 2), plan, speed=600) as on:
        if daemon:
            on.serve()
        left(on, 0, said, "      ends: ")
        assert on.installations() == {}


@pytest.mark.parametrize("daemon", [True, False])
def test_a_run_at_a_red_gate_is_left_and_followed_again_when_it_is_green(tmp_path, daemon):
    answers = [503]
    with (
        health(answers) as url,
        staged(tmp_path, machines("w", 2), GATED.replace("URL", url), speed=600) as on,
    ):
        if daemon:
            on.serve()
        left(on, 0, "wave w waits for its gates", "status 503, not 200")
        answers[0] = 200
        passed = on.run("run", "nightly", "--resume", "--no-wait", "--json")
        assert (passed.returncode, on.newest()["status"]) == (0, "passed"), passed.stderr


def test_a_run_that_bakes_is_left_once_its_wave_is_patched_to_the_last_vm(tmp_path):
    fleet = (*machines("canary", 3), *machines("broad", 1))
    with staged(tmp_path, fleet, BAKED, speed=600) as on:
        left(on, 0, "wave canary bakes until", ", by itself")
        assert len(on.installations()) == 3


def test_a_run_whose_wave_waits_for_an_approval_needs_a_person(tmp_path):
    fleet = (*machines("canary", 1), *machines("broad", 1))
    with staged(tmp_path, fleet, TWO, speed=600) as on:
        left(
            on, 4, "wave broad waits for an approval by on-call", "      ends: orchestrator approve"
        )
