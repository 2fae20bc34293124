"""The estimate of how long installations last: what it believes, and how it learns."""

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.durations import Durations, Lasted
from orchestrator.domain.model import Reboot
from tests.kit.rows import EPOCH, a_vm

LINUX, WINDOWS = ("Linux", Reboot.IF_REQUIRED), ("Windows", Reboot.IF_REQUIRED)
MINUTE = 60.0
BUCKET = 1.1**1.5
"""An estimate is as fine as its buckets, and each length is smeared over its neighbours."""


def lasted(minutes, vm=0, group=LINUX):
    return Lasted(vm_id=a_vm(vm), os=group[0], reboot=group[1], lasted=timedelta(minutes=minutes))


def some(number, seed, minutes=20.0):
    luck = Random(seed)
    return [luck.lognormvariate(0, 0.25) * minutes for _ in range(number)]


def taught(lengths, group=LINUX):
    known = Durations()
    known.remember([lasted(each, group=group) for each in lengths], ())
    return known


def share(lengths, quantile):
    return sorted(lengths)[int(len(lengths) * quantile)] * MINUTE


def test_before_anything_is_seen_the_recorded_lengths_are_likely():
    """azure-facts 2.1: two to five minutes for a few patches, 20 min 38 s with a reboot."""
    curve = Durations().curve(LINUX)
    assert curve.upper(0, 0.5) == pytest.approx(12 * MINUTE, rel=0.02)
    assert curve.survives(2 * MINUTE) > 0.98
    assert 0.1 < curve.survives(20 * MINUTE) < 0.3
    assert curve.survives(60 * MINUTE) < 0.02


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9, 0.98])
@pytest.mark.parametrize("minutes", [1.5, 20, 120])
def test_it_converges_to_what_is_seen(minutes, quantile):
    lengths = some(3_000, 1, minutes)
    estimate = taught(lengths).curve(LINUX).upper(0, 1 - quantile)
    truth = share(lengths, quantile)
    assert truth / BUCKET <= estimate <= truth * BUCKET


def test_what_still_runs_counts_so_that_early_failures_do_not_make_all_look_short():
    known = Durations()
    for _ in range(600):
        known.begin(LINUX, EPOCH)
    for n in range(12):
        known.end(LINUX, EPOCH, EPOCH + timedelta(seconds=60 + 5 * n), told=True)
    curve = known.curve(LINUX)
    assert curve.survives(3 * MINUTE) > 0.9
    assert curve.upper(0, 0.5) > 10 * MINUTE


def test_without_what_runs_the_same_ends_would_mean_the_opposite():
    known = taught([1 + n / 12 for n in range(12)])
    assert known.curve(LINUX).survives(3 * MINUTE) < 0.6


def test_one_that_nobody_saw_end_is_no_length():
    known = Durations()
    known.begin(LINUX, EPOCH)
    known.end(LINUX, EPOCH, EPOCH + timedelta(hours=4), told=False)
    assert known.curve(LINUX) == Durations().curve(LINUX)


def test_a_group_begins_with_what_the_others_showed_and_ends_with_its_own():
    known = taught(some(500, 2, minutes=40))
    assert known.curve(WINDOWS).upper(0, 0.5) == pytest.approx(40 * MINUTE, rel=0.15)
    known.remember([lasted(each, group=WINDOWS) for each in some(500, 3, minutes=5)], ())
    assert known.curve(WINDOWS).upper(0, 0.5) == pytest.approx(5 * MINUTE, rel=0.15)
    assert known.curve(LINUX).upper(0, 0.5) == pytest.approx(40 * MINUTE, rel=0.15)


def test_a_vm_with_a_past_of_its_own_is_expected_by_it_the_more_the_longer_it_is():
    known = taught(some(500, 4))
    assert known.scale(a_vm(1), LINUX) == 1
    scales = []
    for _ in range(4):
        known.remember([lasted(40, vm=1)], {a_vm(1)})
        scales.append(known.scale(a_vm(1), LINUX))
    assert scales == sorted(scales)
    assert 1.3 < scales[0] < scales[-1] < 2.1


def test_the_past_of_vms_that_nobody_asks_about_is_not_kept():
    known = Durations()
    known.remember([lasted(100, vm=1)], {a_vm(2)})
    assert known.scale(a_vm(1), LINUX) == 1


def test_no_past_stretches_a_curve_beyond_measure():
    known = Durations()
    known.remember([lasted(60 * 20, vm=1)] * 50, {a_vm(1)})
    known.remember([lasted(10, vm=n) for n in range(2, 2_000)], ())
    assert known.scale(a_vm(1), LINUX) == 4


@given(st.lists(st.floats(0.001, 5_000), max_size=60), st.floats(0, 200_000))
def test_a_curve_never_goes_back(lengths, age):
    curve = taught(lengths).curve(LINUX)
    assert 0 <= curve.survives(age + 60) <= curve.survives(age) <= 1
    for left in (0.5, 0.02):
        assert curve.upper(age, left) >= min(age, 80_000) - 1e-6
    assert curve.due(age, 0.1) >= min(age, 80_000) - 1e-6
    assert curve.due(age, 3.0) >= curve.due(age, 1.0)


@given(st.lists(st.floats(0.1, 300), max_size=30))
def test_the_same_past_gives_the_same_estimate(lengths):
    assert taught(lengths).curve(LINUX) == taught(lengths).curve(LINUX)
