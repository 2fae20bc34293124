"""Ramp-up: how many VMs run at once, by how many have ended well."""

from dataclasses import replace

import pytest

from orchestrator.domain import states as s
from orchestrator.domain.model import Share
from orchestrator.domain.ramping import at_once, steps
from orchestrator.domain.rollout import Start, plan
from orchestrator.domain.view import RunView
from tests.kit.rows import EPOCH, a_snapshot, a_wave, opened, with_states

RAMP = (Share(count=1), Share(count=5), Share(count=20), Share(percent=25))
GOOD = s.Succeeded(EPOCH, s.Outcome.SUCCEEDED, s.Why("succeeded", "x"))
FAILED = s.Failed(EPOCH, s.FailureClass.GUEST, s.Why("code", "x"))


@pytest.mark.parametrize(
    ("vms", "fixed"),
    [(200, (1, 5, 20, 50)), (40, (1, 5, 20, 20)), (1, (1, 5, 20, 20)), (1_000, (1, 5, 20, 250))],
)
def test_the_steps_are_fixed_as_counts_and_never_go_down(vms, fixed):
    assert steps(RAMP, vms) == fixed


@pytest.mark.parametrize(
    ("good", "limit"), [(0, 1), (1, 5), (5, 5), (6, 20), (25, 20), (26, 50), (75, 50), (200, 50)]
)
def test_a_step_holds_until_as_many_have_ended_well_as_it_permits(good, limit):
    wave = a_view(200).waves[1]
    assert at_once(replace(wave, ramp=steps(RAMP, 200), max_parallel=50), good) == limit


def test_without_a_ramp_the_wave_s_own_number_holds():
    wave = replace(a_view(9).waves[1], max_parallel=4)
    assert (at_once(wave, 0), at_once(wave, 9)) == (4, 4)


def test_a_wave_opens_with_its_steps_and_begins_with_the_first():
    view = a_view(40)
    (decision,) = plan(view, EPOCH).decisions
    assert (decision.max_parallel, decision.ramp) == (20, (1, 5, 20, 20))
    assert started(view, ramp=(1, 5)) == 1


def test_only_good_ends_take_a_wave_to_its_next_step():
    assert started(a_view(40, [FAILED, FAILED]), ramp=(1, 5)) == 1
    assert started(a_view(40, [GOOD, FAILED]), ramp=(1, 5)) == 5


def a_view(vms, states=()):
    spec = a_wave(max_parallel=RAMP[-1], ramp=RAMP, failures=9)
    return RunView(with_states(a_snapshot((spec, vms)), states))


def started(view, ramp):
    opened(view, allowed=9, parallel=20)
    view.waves[1] = replace(view.waves[1], ramp=ramp)
    return sum(isinstance(command, Start) for command in plan(view, EPOCH).commands)
