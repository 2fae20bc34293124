"""The model of Azure's buckets: never more than they hold, nearly all of what they give, never a
wait for ever, and a 429 is obeyed. Azure's part is played by the simulator's buckets."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.domain.pools import AZURE, Call, Left, Place, Pool
from orchestrator.domain.throttle import Throttle
from tests.kit.azure_buckets import AzureBuckets
from tests.kit.rows import EPOCH, a_target, minutes

PLACE = Place(a_target(0).subscription_id, a_target(0).region, a_target(0).vm_id)
CALLS = [Call.SUBMIT, Call.POLL, Call.LOOK, Call.TRACE]
phases = st.floats(0, 60).map(lambda seconds: timedelta(seconds=seconds))


def taken(throttle, call, now, vms):
    return sum(throttle.take((call,), a_target(vm), now) is None for vm in vms)


# ------------------------------------------------------------------------------------ the amount

bursts = st.lists(
    st.tuples(st.floats(0, 100), st.integers(1, 500), st.integers(1, 700)), min_size=1, max_size=12
)


@pytest.mark.parametrize("call", CALLS)
@settings(max_examples=40, deadline=None)
@given(phase=phases, bursts=bursts)
def test_what_is_permitted_azure_takes_wherever_its_steps_lie(call, phase, bursts):
    throttle, azure, now = Throttle(reserve=0), AzureBuckets(phase), EPOCH
    for seconds, asks, vms in bursts:
        now += timedelta(seconds=seconds)
        for n in range(asks):
            now += timedelta(microseconds=500)
            target = a_target(n % vms, ["westeurope", "northeurope"][n % 2])
            if throttle.take((call,), target, now) is None:
                assert not azure.refuses(call, target, now)


@given(st.integers(0, 5), st.lists(st.floats(0, 40), min_size=1, max_size=80), phases)
def test_what_one_vm_is_permitted_azure_takes_too(vm, gaps, phase):
    throttle, azure, now = Throttle(reserve=0), AzureBuckets(phase), EPOCH
    for gap in gaps:
        now += timedelta(seconds=gap)
        for call in (Call.SUBMIT, Call.POLL, Call.LOOK):
            if throttle.take((call,), a_target(vm), now) is None:
                assert not azure.refuses(call, a_target(vm), now)


@pytest.mark.parametrize("reserve", [0.0, 0.2, 0.5, 0.9])
@pytest.mark.parametrize(
    ("call", "per_second"),
    [(Call.SUBMIT, 200 / 60), (Call.POLL, 25), (Call.LOOK, 25), (Call.TRACE, 1.5)],
)
def test_of_what_azure_gives_our_share_passes_and_nothing_is_wasted(call, per_second, reserve):
    throttle, sent, now, vm = Throttle(reserve), 0, EPOCH, 0
    warm = EPOCH + minutes(10)
    while now < warm + minutes(10):
        vm += 1
        until = throttle.take((call,), a_target(vm % 5_000), now)
        sent += until is None and now >= warm
        now = until or now
    assert sent == pytest.approx(600 * per_second * (1 - reserve), rel=0.01)


@pytest.mark.parametrize("reserve", [0.0, 0.2, 0.9])
def test_a_burst_is_our_share_of_the_smallest_bucket_but_for_one_step_of_its_refill(reserve):
    # ARM's 200 writes, of which 10 may not be there yet
    assert taken(Throttle(reserve), Call.SUBMIT, EPOCH, range(1_000)) == round(190 * (1 - reserve))


def test_a_fifth_is_left_to_others_unless_somebody_says_otherwise():
    assert taken(Throttle(), Call.SUBMIT, EPOCH, range(1_000)) == 0.8 * 190


@pytest.mark.parametrize("reserve", [-0.1, 1, 1.5, float("nan")])
def test_a_reserve_is_a_share_and_not_all(reserve):
    with pytest.raises(ValueError, match="at least 0 and less than 1"):
        Throttle(reserve)


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


def test_regions_have_buckets_of_their_own_and_share_arms():
    throttle = Throttle()
    west, north = a_target(1, "westeurope"), a_target(2, "northeurope")
    throttle.refused(Call.POLL, west, minutes(5), EPOCH)
    assert throttle.take((Call.POLL,), west, EPOCH) is not None
    assert throttle.take((Call.POLL,), north, EPOCH) is not None  # the ARM bucket is closed too


def test_several_calls_are_permitted_all_or_none():
    throttle, target = Throttle(), a_target(1)
    throttle.refused(Call.SUBMIT, target, minutes(1), EPOCH)
    for _ in range(100):
        assert throttle.take((Call.SUBMIT, Call.LOOK), target, EPOCH) is not None
    assert throttle.take((Call.LOOK,), target, EPOCH) is None  # no token was lost on the way


def test_calls_that_draw_twice_from_one_bucket_are_a_bug():
    with pytest.raises(ValueError, match="draw twice from one bucket"):
        Throttle().take((Call.POLL, Call.LOOK), a_target(1), EPOCH)


def test_every_call_has_its_figures():
    assert set(AZURE.shared) == set(Pool)
    for call in Call:
        assert Throttle().take((call,), a_target(1), EPOCH) is None


# -------------------------------------------------------------------------------------- the waits


@given(
    st.lists(st.tuples(st.sampled_from(CALLS), st.integers(0, 30), st.floats(0, 30)), max_size=200)
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


def test_a_429_closes_the_class_until_its_retry_after_and_no_longer():
    throttle, target = Throttle(), a_target(1)
    throttle.refused(Call.SUBMIT, target, timedelta(seconds=90), EPOCH)
    assert throttle.take((Call.SUBMIT,), target, EPOCH) == EPOCH + timedelta(seconds=90)
    assert throttle.take((Call.SUBMIT,), target, EPOCH + timedelta(seconds=90)) is None
    assert throttle.take((Call.LOOK,), target, EPOCH) is None


def test_after_a_429_the_bucket_refills_from_empty():
    throttle = Throttle()
    throttle.refused(Call.SUBMIT, a_target(1), minutes(1), EPOCH)
    assert taken(throttle, Call.SUBMIT, EPOCH + minutes(1), range(100)) == 1
    assert taken(throttle, Call.SUBMIT, EPOCH + minutes(1) + timedelta(seconds=3), range(100)) == 8


def test_a_vm_that_used_up_its_own_bucket_closes_only_itself():
    throttle, greedy = Throttle(), a_target(1)
    for _ in range(6):
        throttle.take((Call.SUBMIT,), greedy, EPOCH)
    throttle.refused(Call.SUBMIT, greedy, minutes(5), EPOCH)
    assert throttle.take((Call.SUBMIT,), a_target(2), EPOCH) is None
    assert throttle.take((Call.SUBMIT,), greedy, EPOCH) == EPOCH + minutes(5)


def test_a_permit_that_was_not_used_can_be_given_back():
    throttle = Throttle(reserve=0)
    first = taken(throttle, Call.SUBMIT, EPOCH, range(1_000))
    throttle.give_back(Call.SUBMIT, a_target(0), EPOCH - minutes(0.01), EPOCH)
    throttle.give_back(Call.SUBMIT, a_target(1), EPOCH - minutes(0.01), EPOCH)
    assert taken(throttle, Call.SUBMIT, EPOCH, range(2_000, 2_010)) == 2
    assert first > 100


def test_a_vm_has_its_own_permit_back_too():
    throttle = Throttle(reserve=0)
    for _ in range(50):
        assert throttle.take((Call.SUBMIT,), a_target(0), EPOCH) is None
        throttle.give_back(Call.SUBMIT, a_target(0), EPOCH, EPOCH)


def test_azures_word_stands_against_what_is_given_back():
    """It counted without the request that was never made."""
    for say in (
        lambda t: t.refused(Call.SUBMIT, a_target(0), minutes(1), EPOCH),
        lambda t: t.heard(Call.SUBMIT, PLACE, Left(shared=((Pool.PATCHES, 0),)), EPOCH),
    ):
        throttle = Throttle(reserve=0)
        taken(throttle, Call.SUBMIT, EPOCH - minutes(0.1), range(30))
        say(throttle)
        until = throttle.blocked(Call.SUBMIT, a_target(50), EPOCH)
        for vm in range(30):
            throttle.give_back(Call.SUBMIT, a_target(vm), EPOCH - minutes(0.1), EPOCH)
        assert until is not None
        assert throttle.blocked(Call.SUBMIT, a_target(50), EPOCH) == until


def test_a_401_holds_every_submit_and_no_read():
    throttle = Throttle()
    throttle.unauthenticated(EPOCH + minutes(1))
    assert throttle.take((Call.SUBMIT, Call.LOOK), a_target(1), EPOCH) == EPOCH + minutes(1)
    assert throttle.take((Call.LOOK,), a_target(1), EPOCH) is None
    assert throttle.take((Call.SUBMIT,), a_target(1), EPOCH + minutes(1)) is None


def test_a_429_for_one_subscription_says_nothing_about_the_credential():
    throttle = Throttle()
    throttle.refused(Call.SUBMIT, a_target(1), minutes(5), EPOCH)
    elsewhere = replace(a_target(2), subscription_id="00000000-0000-0000-0000-000000000002")
    assert throttle.take((Call.SUBMIT,), elsewhere, EPOCH) is None


@pytest.mark.parametrize("back", [minutes(2), timedelta(days=2), timedelta(days=400)])
def test_a_clock_that_is_set_back_closes_nothing(back):
    throttle, now = Throttle(), EPOCH
    for vm in range(1_000):
        throttle.take((Call.SUBMIT, Call.LOOK), a_target(vm // 4), now)
    now -= back
    (until,) = {throttle.take((Call.SUBMIT,), a_target(vm), now) for vm in range(500, 600)}
    assert now < until < now + timedelta(seconds=1)  # ARM's bucket is as empty as it was
    own = throttle.take((Call.SUBMIT,), a_target(1), until)
    assert until < own <= until + timedelta(seconds=30)


def test_a_place_is_blocked_when_nothing_may_be_sent_for_any_of_its_vms():
    throttle, greedy = Throttle(), a_target(1)
    for _ in range(4):
        throttle.take((Call.SUBMIT,), greedy, EPOCH)
    assert throttle.take((Call.SUBMIT,), greedy, EPOCH) is not None
    assert throttle.blocked(Call.SUBMIT, greedy, EPOCH) is None  # others have buckets of their own
    taken(throttle, Call.SUBMIT, EPOCH, range(2, 1_000))
    until = throttle.blocked(Call.SUBMIT, greedy, EPOCH)
    assert until == throttle.take((Call.SUBMIT,), a_target(5_000), EPOCH)
    assert throttle.blocked(Call.SUBMIT, greedy, until) is None
    assert throttle.blocked(Call.SUBMIT, a_target(1, "northeurope"), EPOCH) is not None  # ARM's


def test_the_buckets_of_vms_that_nobody_asks_about_any_more_are_forgotten():
    throttle, most = Throttle(), 0
    for vm in range(60_000):
        now = EPOCH + timedelta(seconds=vm / 15)
        for call in (Call.POLL, Call.LOOK):
            throttle.take((call,), a_target(vm), now)
        most = max(most, throttle.remembered)
    assert most <= 8_000
    assert most > 1_000
    throttle.take((Call.POLL,), a_target(1), now + minutes(5))
    throttle.take((Call.POLL,), a_target(1), now + minutes(10))
    assert throttle.remembered <= 2


def test_of_a_large_fleet_no_more_vms_are_remembered_than_were_asked_about_just_now():
    """A thousand polls a second in fifty subscriptions: an operation's bucket is full again after
    four seconds."""
    throttle, most = Throttle(), 0
    for vm in range(50_000):
        target = replace(a_target(vm), subscription_id=f"subscription-{vm % 50}")
        assert throttle.take((Call.POLL,), target, EPOCH + timedelta(milliseconds=vm)) is None
        most = max(most, throttle.remembered)
    assert 4_000 <= most <= 10_000
