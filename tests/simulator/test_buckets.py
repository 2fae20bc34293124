"""The arithmetic of the token buckets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.simulator.buckets import Bucket, Named, charge
from orchestrator.simulator.limits import Limit

SECOND = 1_000_000
MINUTE = 60 * SECOND

limits = st.builds(
    Limit,
    capacity=st.integers(1, 20),
    refill=st.integers(1, 10),
    every=st.sampled_from([1, 5, 60]),
)
speeds = st.sampled_from([0.5, 1.0, 7.0, 60.0])
gaps = st.lists(st.integers(0, 90 * SECOND), max_size=60)


def ask(bucket: Bucket, now: int) -> int:
    """Take a token, or be refused and told how many seconds to wait."""
    refused = charge([Named("bucket", bucket, 1)], now)
    return 0 if refused is None else refused.retry_after


@given(limits, speeds, gaps, st.booleans())
def test_no_more_pass_than_the_capacity_and_what_came_in(limit, speed, gaps, renews):
    now, passed = 0, 0
    bucket = Bucket(limit, now, speed=speed, renews=renews)
    for gap in gaps:
        now += gap
        passed += ask(bucket, now) == 0
        steps = now // int(limit.every * SECOND / speed)
        assert passed <= limit.capacity + steps * limit.refill
        assert 0 <= bucket.tokens <= limit.capacity


@given(limits, speeds, gaps, st.booleans())
def test_who_waits_as_told_is_let_in(limit, speed, gaps, renews):
    now = 0
    bucket = Bucket(limit, now, speed=speed, renews=renews)
    for gap in gaps:
        now += gap
        told = ask(bucket, now)
        if told:
            now += told * SECOND
            assert ask(bucket, now) == 0


@given(limits, speeds, gaps, st.booleans())
def test_a_wait_is_a_whole_second_at_least_and_no_longer_than_a_refill(limit, speed, gaps, renews):
    now = 0
    bucket = Bucket(limit, now, speed=speed, renews=renews)
    longest = max(1, -(-int(limit.every / speed * SECOND) // SECOND)) + 1
    for gap in gaps:
        now += gap
        told = ask(bucket, now)
        assert told == 0 or 1 <= told <= longest


@given(limits, st.integers(2, 30))
def test_a_shared_bucket_lets_in_all_who_wait_as_told_whatever_the_others_do(limit, callers):
    """Each refused caller comes back exactly when it was told; nobody is put off for ever."""
    bucket = Bucket(limit, 0)
    due = dict.fromkeys(range(callers), 0)
    for _ in range(callers * callers + callers):
        if not due:
            break
        caller = min(due, key=lambda one: (due[one], one))
        now = due.pop(caller)
        told = ask(bucket, now)
        if told:
            due[caller] = now + told * SECOND + caller  # each a little later than the other
    assert due == {}


def test_tokens_come_back_in_steps():
    bucket = Bucket(Limit(6, 2), 0)
    assert [ask(bucket, 0) for _ in range(6)] == [0] * 6
    assert ask(bucket, MINUTE - 1) == 1
    assert [ask(bucket, 2 * MINUTE) for _ in range(5)] == [0, 0, 0, 0, 60]


def test_asking_too_early_is_refused_even_if_tokens_came():
    bucket = Bucket(Limit(1, 1, every=1), 0)
    ask(bucket, 0)
    assert ask(bucket, SECOND // 2) == 1  # until 1.5 s
    assert ask(bucket, SECOND + 1) == 1
    assert ask(bucket, 3 * SECOND // 2) == 0


def test_asking_too_early_starts_the_wait_anew_for_a_resource_only():
    own, shared = Bucket(Limit(1, 1), 0, renews=True), Bucket(Limit(1, 1), 0)
    for bucket in (own, shared):
        ask(bucket, 0)
        assert ask(bucket, SECOND // 2) == 60  # until 60.5 s
        assert ask(bucket, MINUTE) == 1
    assert ask(own, MINUTE + SECOND // 2) == 1  # put off to 61 s by the early one
    assert ask(shared, MINUTE + SECOND // 2) == 0


def test_the_speed_refills_sooner():
    bucket = Bucket(Limit(1, 1), 0, speed=60)
    ask(bucket, 0)
    assert ask(bucket, 1) == 1
    assert ask(bucket, SECOND + 1) == 0


def test_a_refusal_by_one_bucket_costs_the_others_nothing():
    full, empty = Bucket(Limit(5, 1), 0), Bucket(Limit(1, 1), 0)
    empty.take()
    pair = [Named("full", full, 5), Named("empty", empty, 1)]
    refused = charge(pair, 0)
    assert refused is not None
    assert (refused.name, refused.retry_after, full.tokens) == ("empty", 60, 5)


@pytest.mark.parametrize("figures", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_a_bucket_that_could_never_be_used_is_refused(figures):
    capacity, refill, every = figures
    with pytest.raises(ValueError, match="at least one"):
        Limit(capacity, refill, every=every)
