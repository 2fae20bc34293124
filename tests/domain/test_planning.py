"""When reads of an installation are planned: the laws that hold whatever was learned."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.answer import Running, Unreadable
from orchestrator.domain.durations import Lasted
from orchestrator.domain.model import ActivityId, AttemptId, Reboot, Tracking
from orchestrator.domain.operation import Reported, transition
from orchestrator.domain.outlook import Outlook
from orchestrator.domain.polling import (
    FIRST_READ,
    HOURLY,
    LONGEST,
    NET_MOST,
    POLLS_PER_SECOND,
    next_watch,
    pace,
    planned_anew,
    watch_for,
)
from orchestrator.domain.record import Watch
from orchestrator.domain.states import InProgress, NeedsHuman, Why
from tests.kit.rows import EPOCH, SUBSCRIPTION, a_vm, an_operation, minutes

TRACKING = Tracking()
DEADLINE = EPOCH + minutes(90) + TRACKING.overdue
STATE = InProgress(AttemptId("a"), EPOCH, ActivityId("i"), EPOCH, DEADLINE, tracked=True)
POLL = TRACKING.poll


def an_outlook(lengths=(), tracking=TRACKING, *, swept=False, vms=()):
    """Return what is known after installations of so many minutes."""
    outlook = Outlook(tracking, {1: Reboot.IF_REQUIRED})
    past = [
        Lasted(vm_id=a_vm(n), os="Linux", reboot=Reboot.IF_REQUIRED, lasted=minutes(each))
        for n, each in enumerate(lengths)
    ]
    outlook.remember(past, vms)
    if swept:
        outlook.swept.add(SUBSCRIPTION)
    return outlook


def usual(number=1_000, seed=1):
    luck = Random(seed)
    return [20 * luck.lognormvariate(0, 0.2) for _ in range(number)]


def reads(outlook, number=0, crowd=1, until=DEADLINE, state=STATE):
    """Return when one that never ends is read."""
    op = an_operation(number, state)
    watch = watch_for(op, None, outlook.pacing(op, crowd), EPOCH)
    found = []
    while watch.next_at <= until:
        found.append(watch.next_at)
        watch = next_watch(state, watch, outlook.pacing(op, crowd), watch.next_at, None)
    return found


def gaps(instants):
    return [after - before for before, after in pairwise(instants)]


lengths = st.lists(st.floats(0.05, 600), max_size=40)
crowds = st.integers(1, 20_000)


@given(lengths, crowds, st.integers(0, 9_999), st.booleans())
def test_nobody_is_read_more_often_than_allowed(past, crowd, number, swept):
    outlook, least = an_outlook(past, swept=swept, vms={a_vm(number)}), pace(TRACKING, crowd)
    instants = reads(outlook, number, crowd)
    assert instants[0] - EPOCH >= least / 2 or instants[0] == DEADLINE
    assert all(gap >= least for gap in gaps(instants) if instants[-1] != DEADLINE)
    assert all(gap >= least for gap in gaps(instants)[:-1])


@given(lengths, crowds, st.integers(0, 9_999))
def test_a_failure_at_once_is_noticed_and_no_two_reads_lie_far_apart(past, crowd, number):
    instants = reads(an_outlook(past, vms={a_vm(number)}), number, crowd)
    least = pace(TRACKING, crowd)
    assert instants[0] - EPOCH <= max(FIRST_READ, 1.5 * least)
    assert all(gap <= max(LONGEST, least) for gap in gaps(instants))


@given(lengths, crowds, st.integers(0, 9_999))
def test_where_sweeps_work_one_is_read_by_itself_now_and_then_all_the_same(past, crowd, number):
    instants = reads(an_outlook(past, swept=True, vms={a_vm(number)}), number, crowd)
    steps = gaps([EPOCH, *instants])
    assert all(gap <= max(NET_MOST, pace(TRACKING, crowd)) for gap in steps)


@given(lengths, crowds, st.booleans())
def test_one_is_always_read_at_its_deadline(past, crowd, swept):
    assert DEADLINE in reads(an_outlook(past, swept=swept), crowd=crowd)


@given(lengths, st.booleans())
def test_one_is_read_when_its_time_in_the_guest_is_over(past, swept):
    """Whatever has not ended by `max_duration` is cut off there."""
    instants = reads(an_outlook(past, swept=swept))
    cut = EPOCH + minutes(90)
    assert any(cut <= each <= cut + 2 * POLL for each in instants)


@given(lengths, crowds, st.integers(0, 9_999), st.booleans())
def test_the_same_past_plans_the_same_reads(past, crowd, number, swept):
    first = reads(an_outlook(past, swept=swept), number, crowd)
    assert reads(an_outlook(past, swept=swept), number, crowd) == first


@pytest.mark.parametrize("crowd", [100, 1_500, 4_000])
def test_a_whole_wave_never_uses_up_the_reads(crowd):
    """Started together, learned to end together, and none does: the worst there is."""
    outlook = an_outlook([20.0] * 500)
    seconds: dict[int, int] = {}
    for number in range(0, crowd, 10):  # each stands for ten
        for at in reads(outlook, number, crowd, EPOCH + minutes(40)):
            slot = int((at - EPOCH).total_seconds() // 60)
            seconds[slot] = seconds.get(slot, 0) + 10
    assert max(seconds.values()) / 60 <= 1.7 * POLLS_PER_SECOND  # and the throttle holds the rest
    assert sum(seconds.values()) / 2400 <= POLLS_PER_SECOND


def test_who_started_together_is_not_read_together():
    outlook = an_outlook(usual())
    firsts = {reads(outlook, number)[0] for number in range(100)}
    assert len(firsts) == 100
    assert max(firsts) - min(firsts) > minutes(1)


def followed(outlook, lasts, number=0):
    """Return how many reads it took to see an end, and how late it was seen."""
    ends = EPOCH + minutes(lasts)
    for count, at in enumerate(reads(outlook, number), start=1):
        if at >= ends:
            return count, at - ends
    raise AssertionError("nobody looked")


def test_where_lengths_are_known_an_end_is_seen_soon_at_a_third_of_the_reads():
    outlook = an_outlook(usual())
    seen = [followed(outlook, lasts, number) for number, lasts in enumerate(usual(300, seed=2))]
    reads_each = sum(count for count, _ in seen) / len(seen)
    late = sorted(delay for _, delay in seen)
    assert reads_each < 14 < 20 * 60 / POLL.total_seconds() / 2
    assert late[150] < timedelta(seconds=40)
    assert late[296] < timedelta(seconds=120)


def test_nothing_is_asked_where_no_end_is_likely():
    instants = [(each - EPOCH) / minutes(1) for each in reads(an_outlook([60.0] * 500))]
    assert len([each for each in instants if each < 40]) <= 10
    assert len([each for each in instants if 50 <= each < 60]) >= 6


def test_a_vm_that_took_longer_before_is_read_later():
    outlook = an_outlook(usual())
    op = an_operation(5, STATE)
    slow = Lasted(vm_id=a_vm(5), os="Linux", reboot=Reboot.IF_REQUIRED, lasted=minutes(60))
    before = [each for each in reads(outlook, 5) if each < EPOCH + minutes(25)]
    outlook.remember([slow] * 3, {a_vm(5)})
    after = [each for each in reads(outlook, 5) if each < EPOCH + minutes(25)]
    assert len(after) < len(before) / 2
    assert outlook.pacing(op, 1).scale > 1.5


def test_what_ends_in_this_run_is_learned_in_this_run():
    outlook = an_outlook()
    before = len(reads(outlook))
    for number in range(200):
        op = an_operation(number, STATE)
        at = EPOCH + minutes(9 + number / 100)
        outlook.learn(None, op)
        outlook.learn(op, transition(op, Reported(at, at, None, None)))
    early = [each for each in reads(outlook) if each < EPOCH + minutes(8)]
    assert len(early) <= 6
    assert len(reads(outlook)) != before


# ------------------------------------------------------------------------------------ sweeps, hints


def test_where_sweeps_work_a_read_comes_when_nearly_all_would_have_ended():
    instants = reads(an_outlook(usual(), swept=True))
    assert EPOCH + minutes(26) < instants[0] < EPOCH + minutes(36)
    assert len([each for each in instants if each < EPOCH + minutes(40)]) <= 4


def test_after_a_hint_that_proved_nothing_reads_are_dense_and_then_less_and_less():
    outlook = an_outlook(usual(), swept=True)
    op = an_operation(0, STATE)
    hinted = EPOCH + minutes(10)
    assert outlook.hint(op.target.vm_id, ActivityId("i"), hinted)
    assert not outlook.hint(op.target.vm_id, ActivityId("i"), hinted + minutes(1))
    watch, instants = Watch(next_at=hinted), []
    for _ in range(8):
        instants.append(watch.next_at)
        watch = next_watch(STATE, watch, outlook.pacing(op, 1), watch.next_at, None)
    steps = gaps(instants)
    assert steps[0] == POLL
    assert steps == sorted(steps)
    assert steps[-1] == LONGEST


def test_a_hint_is_forgotten_when_the_installation_is_over():
    outlook = an_outlook()
    op = an_operation(0, STATE)
    outlook.learn(None, op)
    outlook.hint(op.target.vm_id, ActivityId("i"), EPOCH)
    outlook.learn(op, transition(op, Reported(EPOCH, EPOCH, None, None)))
    assert outlook.hint(op.target.vm_id, ActivityId("i"), EPOCH)


def test_when_sweeps_begin_reads_move_out_and_when_they_cease_back_in():
    outlook = an_outlook(usual())
    op, now = an_operation(0, STATE), EPOCH + minutes(10)
    single = Watch(next_at=now + minutes(1))
    outlook.swept.add(SUBSCRIPTION)
    stretched = planned_anew(STATE, single, outlook.pacing(op, 1), now)
    assert stretched.next_at > now + minutes(10)
    outlook.swept.clear()
    back = planned_anew(STATE, stretched, outlook.pacing(op, 1), now)
    assert now < back.next_at <= now + LONGEST
    assert planned_anew(STATE, single, outlook.pacing(op, 1), now).next_at <= single.next_at


def test_sweeps_that_begin_again_and_again_put_no_read_off_for_ever():
    """In bad weather they come and go every few minutes."""
    outlook = an_outlook(usual())
    op, now = an_operation(0, STATE), EPOCH + minutes(10)
    watch = Watch(next_at=now, last_at=now)
    latest = now + NET_MOST
    for _ in range(20):
        outlook.swept.add(SUBSCRIPTION)
        watch = planned_anew(STATE, watch, outlook.pacing(op, 1), now)
        assert watch.next_at <= latest
        outlook.swept.clear()
        now += minutes(3)


LOST = Unreadable(reason="the connection broke before an answer came")


@pytest.mark.parametrize("swept", [True, False])
@pytest.mark.parametrize("tracking", [TRACKING, Tracking(poll=timedelta(seconds=1))])
def test_a_read_that_told_nothing_is_made_again_soon(swept, tracking):
    """No VM waits for its safety net because one answer was lost."""
    outlook = an_outlook(usual(), tracking, swept=swept)
    op, now = an_operation(0, STATE), EPOCH + minutes(10)
    watch, waits = Watch(next_at=now), []
    for _ in range(8):
        outlook.streaks.heard(op.target.vm_id, LOST, now)
        watch = next_watch(STATE, watch, outlook.pacing(op, 1), now, None)
        waits.append(watch.next_at - now)
        now = watch.next_at
    assert waits[0] <= timedelta(seconds=5)
    assert waits == sorted(waits)
    assert waits[-1] <= minutes(1)
    outlook.streaks.heard(op.target.vm_id, Running(), now)
    assert outlook.pacing(op, 1).spoiled == 0


def test_reads_that_tell_nothing_stay_under_what_the_reads_of_a_subscription_allow():
    outlook, crowd = an_outlook(usual(), swept=True), 9_000
    op, now = an_operation(0, STATE), EPOCH + minutes(10)
    watch = Watch(next_at=now)
    for _ in range(10):
        outlook.streaks.heard(op.target.vm_id, LOST, now)
        watch = next_watch(STATE, watch, outlook.pacing(op, crowd), now, None)
        wait, now = watch.next_at - now, watch.next_at
    assert wait == pace(TRACKING, crowd)


def test_azures_wish_is_heard_after_a_read_that_told_nothing():
    outlook = an_outlook(usual())
    op = an_operation(0, STATE)
    outlook.streaks.heard(op.target.vm_id, LOST, EPOCH)
    later = next_watch(STATE, Watch(next_at=EPOCH), outlook.pacing(op, 1), EPOCH, minutes(3))
    assert later.next_at == EPOCH + minutes(3)


def test_who_waits_for_a_person_is_looked_at_soon_again_and_then_hourly():
    outlook, op = an_outlook(), an_operation(0, STATE)
    human = NeedsHuman(AttemptId("a"), ActivityId("i"), EPOCH, DEADLINE, Why("overdue", "x"))
    watch, now, waits = Watch(next_at=EPOCH), EPOCH, []
    for _ in range(14):
        outlook.streaks.heard(op.target.vm_id, LOST, now)
        watch = next_watch(human, watch, outlook.pacing(op, 1), now, None)
        waits.append(watch.next_at - now)
        now = watch.next_at
    assert waits[0] == timedelta(seconds=5)
    assert waits[-1] == HOURLY


def test_the_oldest_that_runs_is_known():
    outlook = an_outlook()
    assert outlook.oldest is None
    young = an_operation(1, replace(STATE, intent_at=EPOCH + minutes(7)))
    old = an_operation(0, STATE)
    outlook.learn(None, young)
    outlook.learn(None, old)
    assert EPOCH - minutes(1) < outlook.oldest <= EPOCH
    outlook.learn(old, transition(old, Reported(EPOCH, EPOCH, None, None)))
    assert EPOCH + minutes(6) < outlook.oldest <= EPOCH + minutes(7)


def test_a_hint_that_waits_is_not_put_off_when_sweeps_begin():
    outlook = an_outlook(usual(), swept=True)
    op, now = an_operation(0, STATE), EPOCH + minutes(10)
    outlook.hint(op.target.vm_id, ActivityId("i"), now)
    due = Watch(next_at=now)
    assert planned_anew(STATE, due, outlook.pacing(op, 1), now) == due


def test_who_wants_to_see_each_end_at_once_is_given_periodic_reads():
    quick = replace(TRACKING, poll=timedelta(seconds=1))
    outlook = an_outlook(usual(), quick, swept=True)
    instants = reads(outlook, until=EPOCH + minutes(1))
    assert set(gaps(instants)) == {timedelta(seconds=1)}
