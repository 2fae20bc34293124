"""The arithmetic of budgets, by the table that the documents print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.halting import allowed, default_shares, exceeded, permitted
from orchestrator.domain.model import Share


@pytest.mark.parametrize(
    ("vms", "percent", "tolerated"),
    [(50, 10, 5), (7, 10, 0), (4_000, 1, 40), (100, 0.5, 0), (1_000, 0.29, 2), (10, 100, 10)],
)
def test_a_percentage_tolerates_its_floor(vms, percent, tolerated):
    assert allowed(Share(percent=percent), vms) == tolerated


@pytest.mark.parametrize(("vms", "percent", "halts_at"), [(50, 10, 6), (7, 10, 1), (4_000, 1, 41)])
def test_the_wave_halts_at_the_failure_that_the_table_names(vms, percent, halts_at):
    tolerated = allowed(Share(percent=percent), vms)
    assert next(bad for bad in range(vms + 1) if exceeded(bad, tolerated)) == halts_at


def test_of_a_count_and_a_percentage_the_smaller_holds():
    assert allowed(Share(count=3, percent=10), 100) == 3
    assert allowed(Share(count=30, percent=10), 100) == 10


def test_a_count_that_no_database_holds_is_as_good_as_no_bound():
    assert permitted(Share(count=3_000_000_000), 10) < 2**31
    assert allowed(Share(count=3_000_000_000), 10) < 2**31


def test_zero_halts_at_the_first_failure():
    assert exceeded(1, allowed(Share(count=0), 1_000))
    assert not exceeded(0, allowed(Share(count=0), 1_000))


@pytest.mark.parametrize(
    ("share", "vms", "at_once"),
    [
        (Share(percent=25), 3, 1),
        (Share(percent=25), 8, 2),
        (Share(count=200), 50, 200),
        (Share(count=5, percent=50), 100, 5),
        (Share(percent=1), 0, 1),
    ],
)
def test_a_permission_rounds_down_but_never_below_one(share, vms, at_once):
    assert permitted(share, vms) == at_once


@pytest.mark.parametrize(
    ("vms", "parallel", "failures"),
    [
        (1, 1, 0),
        (24, 1, 0),
        (25, 1, 1),
        (100, 5, 1),
        (101, 8, 1),
        (1_000, 80, 10),
        (1_001, 100, 10),
        (50_000, 5_000, 500),
    ],
)
def test_a_wave_that_says_nothing_gets_the_shares_of_its_size(vms, parallel, failures):
    at_once, tolerance = default_shares(vms)
    assert (permitted(at_once, vms), allowed(tolerance, vms)) == (parallel, failures)


@pytest.mark.parametrize(
    ("vms", "percent", "tolerated"),
    [(50_000, 0.019, 9), (10_000, 33.336, 3_333), (1_000, 0.0999, 0), (3, 33.3333, 0)],
)
def test_a_percentage_is_taken_as_it_is_written_and_never_rounded_up(vms, percent, tolerated):
    assert allowed(Share(percent=percent), vms) == tolerated


@given(st.integers(0, 1_000_000), st.integers(0, 100_000))
def test_a_tolerance_never_exceeds_its_share_and_never_misses_it_by_one(written, vms):
    """Up to four decimals, as people write them; in whole numbers, so that nothing is rounded."""
    tolerated = allowed(Share(percent=float(f"{written / 10_000:.4f}")), vms)
    assert tolerated * 1_000_000 <= written * vms < (tolerated + 1) * 1_000_000
