"""When to ask again: after the interval, slower in a crowd, and never in step."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.domain.model import AttemptId, Tracking
from orchestrator.domain.polling import HOURLY, Pacing, attention_at, next_watch, pace, watch_for
from orchestrator.domain.record import Watch
from orchestrator.domain.states import (
    Failed,
    FailureClass,
    InProgress,
    NeedsHuman,
    Queued,
    Submitting,
    Unknown,
    Why,
)
from orchestrator.domain.view import RunView
from tests.kit.rows import EPOCH, a_snapshot, a_vm, a_wave, an_operation, minutes, with_states

TRACKING, WHY = Tracking(), Why("code", "text")
ID = AttemptId("a")
RUNNING = InProgress(ID, EPOCH, None, EPOCH, EPOCH + minutes(135), tracked=True)
UNKNOWN = Unknown(ID, EPOCH, None, EPOCH, EPOCH + minutes(15), WHY)
HUMAN = NeedsHuman(ID, None, EPOCH, EPOCH, WHY)
HALF_MINUTE = timedelta(seconds=30)
PERIODIC = Pacing(interval=HALF_MINUTE, poll=HALF_MINUTE)


@pytest.mark.parametrize(("crowd", "seconds"), [(0, 30), (450, 30), (750, 50), (1_500, 100)])
def test_polls_slow_down_before_they_use_up_the_reads(crowd, seconds):
    assert pace(TRACKING, crowd) == timedelta(seconds=seconds)


def test_the_first_polls_of_a_wave_do_not_march_in_step():
    pacings = [replace(PERIODIC, phase=n / 50) for n in range(50)]
    firsts = {watch_for(an_operation(0, RUNNING), None, each, EPOCH).next_at for each in pacings}
    assert len(firsts) == 50
    assert all(EPOCH + HALF_MINUTE / 2 <= first <= EPOCH + HALF_MINUTE for first in firsts)


def test_doubt_is_looked_at_once_and_at_the_settle_instant_at_the_latest():
    watch = watch_for(an_operation(0, UNKNOWN), None, PERIODIC, EPOCH)
    assert watch.next_at == EPOCH
    soon = UNKNOWN.settle_at - timedelta(seconds=10)
    assert next_watch(UNKNOWN, watch, PERIODIC, soon, None).next_at == UNKNOWN.settle_at
    later = next_watch(UNKNOWN, watch, PERIODIC, UNKNOWN.settle_at, None)
    assert later.next_at == UNKNOWN.settle_at + HALF_MINUTE


def test_a_retry_after_is_obeyed_when_it_is_longer():
    watch = Watch(next_at=EPOCH)
    assert next_watch(RUNNING, watch, PERIODIC, EPOCH, minutes(5)).next_at == EPOCH + minutes(5)
    again = next_watch(RUNNING, watch, PERIODIC, EPOCH, timedelta(seconds=1))
    assert (again.next_at, again.polls, again.last_at) == (EPOCH + HALF_MINUTE, 1, EPOCH)


def test_who_waits_for_a_person_is_looked_at_hourly():
    assert watch_for(an_operation(0, HUMAN), None, PERIODIC, EPOCH).next_at == EPOCH + HOURLY


def test_an_intent_whose_sender_died_falls_due_when_nobody_can_be_sending_any_more():
    due = attention_at(Submitting(ID, EPOCH, None), None, TRACKING)
    assert due == EPOCH + TRACKING.send_within + TRACKING.request_timeout


@pytest.mark.parametrize("state", [Queued(), Failed(EPOCH, FailureClass.GUEST, WHY)])
def test_what_waits_for_nothing_never_falls_due(state):
    assert attention_at(state, Watch(next_at=EPOCH), TRACKING) is None


def test_without_a_checkpoint_what_runs_is_due_at_once():
    assert attention_at(RUNNING, None, TRACKING) == EPOCH


def test_what_was_planned_before_a_state_began_is_forgotten_when_the_rows_are_loaded():
    """A person resolved a VM, it was started anew, and the process died before a checkpoint."""
    hourly = Watch(next_at=EPOCH + HOURLY, last_at=EPOCH - minutes(1), polls=9)
    snapshot = with_states(a_snapshot((a_wave(), 1)), [RUNNING])
    view = RunView(replace(snapshot, watches={a_vm(0): hourly}))
    assert view.next_due(EPOCH) == EPOCH
    polled = Watch(next_at=EPOCH + HOURLY, last_at=EPOCH + minutes(1), polls=9)
    view = RunView(replace(snapshot, watches={a_vm(0): polled}))
    assert view.next_due(EPOCH) == EPOCH + HOURLY


def test_an_operation_is_asked_at_its_deadline_at_the_latest():
    soon = RUNNING.deadline - timedelta(seconds=10)
    asked = next_watch(RUNNING, Watch(next_at=EPOCH), PERIODIC, soon, None)
    assert asked.next_at == RUNNING.deadline
