"""The model of Azure's buckets: never more than they hold, never a wait for ever, a 429 is
obeyed."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.throttle import Call, Throttle
from tests.kit.rows import EPOCH, a_target, minutes


def taken(throttle, call, now, vms):
    return sum(throttle.take((call,), a_target(vm), now) is None for vm in vms)


def test_a_burst_of_submits_is_as_large_as_our_share_of_the_smallest_bucket():
    assert taken(Throttle(), Call.SUBMIT, EPOCH, range(1_000)) == 160  # 80 % of ARM's 200 writes


def test_submits_flow_at_the_rate_of_patch_operations_and_no_faster():
    throttle, sent = Throttle(), 0
    for second in range(600):
        now = EPOCH + timedelta(seconds=second)
        vms = range(second * 100, second * 100 + 100)
        sent += taken(throttle, Call.SUBMIT, now, vms)
    burst, refill = 600 * 0.8, 600 * 200 / 60 * 0.8
    assert 0.98 * (burst + refill) <= sent <= burst + refill


def test_one_vm_takes_six_patch_operations_at_once_and_two_a_minute():
    throttle = Throttle()
    assert taken(throttle, Call.SUBMIT, EPOCH, [1] * 10) == 6
    assert taken(throttle, Call.SUBMIT, EPOCH + minutes(1), [1] * 10) == 2


def test_regions_have_buckets_of_their_own_and_share_arms():
    throttle = Throttle()
    west, north = a_target(1, "westeurope"), a_target(2, "northeurope")
    throttle.refused(Call.POLL, west, minutes(5), EPOCH)
    assert throttle.take((Call.POLL,), west, EPOCH) is not None
    assert throttle.take((Call.POLL,), north, EPOCH) is not None  # the ARM bucket is closed too


def test_a_429_closes_the_class_until_its_retry_after_and_no_longer():
    throttle, target = Throttle(), a_target(1)
    throttle.refused(Call.SUBMIT, target, timedelta(seconds=90), EPOCH)
    assert throttle.take((Call.SUBMIT,), target, EPOCH) == EPOCH + timedelta(seconds=90)
    assert throttle.take((Call.SUBMIT,), target, EPOCH + timedelta(seconds=90)) is None
    assert throttle.take((Call.LOOK,), target, EPOCH) is None


def test_a_vm_that_used_up_its_own_bucket_closes_only_itself():
    throttle, greedy = Throttle(), a_target(1)
    for _ in range(6):
        throttle.take((Call.SUBMIT,), greedy, EPOCH)
    throttle.refused(Call.SUBMIT, greedy, minutes(5), EPOCH)
    assert throttle.take((Call.SUBMIT,), a_target(2), EPOCH) is None


def test_several_calls_are_permitted_all_or_none():
    throttle, target = Throttle(), a_target(1)
    throttle.refused(Call.SUBMIT, target, minutes(1), EPOCH)
    for _ in range(100):
        assert throttle.take((Call.SUBMIT, Call.LOOK), target, EPOCH) is not None
    assert throttle.take((Call.LOOK,), target, EPOCH) is None  # no token was lost on the way


def test_a_401_holds_every_submit_and_no_read():
    throttle = Throttle()
    throttle.unauthenticated(EPOCH + minutes(1))
    assert throttle.take((Call.SUBMIT, Call.LOOK), a_target(1), EPOCH) == EPOCH + minutes(1)
    assert throttle.take((Call.LOOK,), a_target(1), EPOCH) is None
    assert throttle.take((Call.SUBMIT,), a_target(1), EPOCH + minutes(1)) is None


@given(
    st.lists(st.tuples(st.sampled_from(Call), st.integers(0, 30), st.floats(0, 30)), max_size=200)
)
def test_whoever_comes_back_at_the_told_instant_is_served(steps):
    throttle, now = Throttle(), EPOCH
    for call, vm, seconds in steps:
        now += timedelta(seconds=seconds)
        until = throttle.take((call,), a_target(vm), now)
        if until is not None:
            assert now < until <= now + minutes(2)
            now = until
            assert throttle.take((call,), a_target(vm), now) is None


def test_queries_of_resource_graph_leave_a_fifth_of_every_window_to_others():
    throttle, sent = Throttle(), []
    for tenth in range(600):  # a query wherever one is permitted, for VMs of two regions
        now = EPOCH + timedelta(seconds=tenth / 10)
        target = a_target(tenth, "westeurope" if tenth % 2 else "northeurope")
        sent += [now] if throttle.take((Call.TRACE,), target, now) is None else []
    window = timedelta(seconds=5)
    most = max(sum(first <= each < first + window for each in sent) for first in sent)
    assert 11 <= most <= 12  # of 15, for the credential as a whole
    assert len(sent) >= 70
