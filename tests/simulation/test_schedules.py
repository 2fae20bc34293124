"""Thousands of nights: two daemons, one database, and everything that can go wrong."""

import shlex
import subprocess
import sys

import pytest

from orchestrator.domain import submitting
from orchestrator.domain.answer import InDoubt, NotSent
from tests.simulation import campaign, sweep
from tests.simulation.luck import Luck
from tests.simulation.schedule import play
from tests.simulation.shrink import minimal, read, replay, shrunk

SCHEDULES = 500
"""In each of two parts: what the ten minutes of the whole suite leave room for. Their seeds are
fixed; `make simulate-long` takes new ones."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", [0, 1])
def test_no_schedule_breaks_an_invariant(part):
    tally = campaign.alone(range(part * SCHEDULES, (part + 1) * SCHEDULES))
    assert not tally.broken, [(r.breaches, replay(r)) for r in tally.broken]
    assert tally.schedules == SCHEDULES
    for state in ("unknown>in_progress", "unknown>needs_human", "run open>halted"):
        assert tally.counts[state] > SCHEDULES // 20, (state, tally.counts)


@pytest.mark.timeout(300)
def test_a_seed_leaves_the_same_trace_whatever_the_hash_seed():
    command = [sys.executable, "-m", "tests.simulation", "same", "--seeds", "40"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "40 seeds played twice: 0 left another trace" in said.stdout


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", range(4))
def test_a_death_anywhere_in_a_scenario_breaks_nothing(part):
    """A sample: `make sweep` dies at every point."""
    for name in list(sweep.SCENARIOS)[part::4]:
        whole = sweep.played(name, 0)
        assert not whole.breaches, (name, whole.breaches)
        for at in range(1 + part * 7, whole.points, 101):
            report = sweep.played(name, 0, at.__eq__)
            assert not report.breaches, (name, at, report.breaches)


def test_a_copied_process_dies_as_one_that_was_played_to_the_same_point():
    """What makes the sweep twice as fast changes nothing."""
    tell = (
        "from tests.simulation.sweep import Copies, played\n"
        "copies = Copies(97)\n"
        "copies.tell(played('calm', 0, copies.dies_here))\n"
        "for at, report in copies.reports:\n"
        "    print(at, report.trace == played('calm', 0, at.__eq__).trace)\n"
    )
    said = subprocess.run([sys.executable, "-c", tell], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["97", "True", "194", "True", "291", "True", "388", "True"]


@pytest.mark.timeout(300)
def test_a_planted_bug_is_caught_shrinks_to_a_few_faults_and_replays(monkeypatch):
    """A lost answer taken for a request that never left: the classic."""
    conclude = submitting.conclude

    def careless(state, answer, *rest):
        if isinstance(answer, InDoubt):
            answer = NotSent(reason="surely lost")
        return conclude(state, answer, *rest)

    monkeypatch.setattr("orchestrator.engine.submit.conclude", careless)
    (broken,) = campaign.alone(range(500)).broken
    small = shrunk(broken)
    assert 1 <= len(small.faults) <= 5
    words = shlex.split(replay(small))
    again = play(int(words[4]), only=read(words[6]))
    assert again.breaches == small.breaches
    assert again.trace == small.trace


def test_a_fault_left_out_leaves_all_others_where_they_were():
    whole = Luck(7)
    struck = [whole.strikes("x", 0.3) for _ in range(200)]
    assert 30 < sum(struck) < 90
    fewer = Luck(7, only=whole.fired[::2])
    assert [fewer.strikes("x", 0.3) for _ in range(200)].count(True) == len(whole.fired[::2])
    assert fewer.fired == whole.fired[::2]


def test_the_smallest_set_of_faults_is_found():
    faults = [("x", n) for n in range(100)]
    needed = {("x", 3), ("x", 50), ("x", 99)}
    assert set(minimal(faults, lambda tried: needed <= set(tried))) == needed
    assert minimal(faults, lambda _tried: True) == []
